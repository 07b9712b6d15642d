//! The catalogue: every metric family with its help, type, name, unit, buckets and labels. The first eighteen are a
//! contract with HUB and its history: none of their names, labels or bounds may change, bounds may only be added.
//!
//! A doc comment here is the help text that `/metrics` shows. `by` lists each label with its values. Their children are 0
//! from the first scrape, because Prometheus computes an `increase` of 0 for a counter that appears with the value 1.
//!
//! Each deadline of base.toml has a bound closely above it, because a quantile is interpolated between two bounds. Without a
//! bound between 5 and 10, a gateway that times out after 5.003 s would be shown as 9.95 s.

use super::{Family, Given, Handle, ReportedGauge, ReportedGaugeVec, names};
use crate::{
    adapters::endpoint::Endpoint,
    domain::{
        breaker::BreakerState,
        cluster::shared::Shard,
        decision::Action,
        guard::Suppression,
        names::{ActorName, DropReason, Step},
        order::Outcome,
        profit::Day,
        regime::Regime,
        window::BarRejection,
    },
};
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, Result,
};
use std::collections::HashMap;

/// The values of `error_code`; any other error is counted as `exception`.
pub const ERROR_CODES: [&str; 16] = [
    "timeout",
    "connect",
    "401",
    "402",
    "403",
    "404",
    "422",
    "429",
    "500",
    "502",
    "503",
    "504",
    "empty_response",
    "bad_shape",
    "no_api_key",
    "exception",
];

/// The endpoints whose calls are counted here; the gateway has its own families.
const API_ENDPOINTS: [Endpoint; 2] = [Endpoint::Eodhd, Endpoint::Hub];

/// Whose orders: the gateway's, or those on paper.
pub const LEDGERS: [&str; 2] = ["live", "paper"];

/// How the claim of an order in etcd can end.
pub const CLAIM_RESULTS: [&str; 3] = ["made", "refused", "late"];

/// The `symbol` of everything that is not configured.
pub const OTHER: &str = "other";

/// The stages in which a symbol can fail. Deciding is a function that cannot fail.
pub const FAILING_STAGES: [Step; 4] = [Step::Fetch, Step::Features, Step::Predict, Step::Send];

fn shards() -> Vec<String> {
    Shard::all().map(|shard| shard.to_string()).collect()
}

macro_rules! families {
    (@family $help:literal, $handle:ident, $name:literal, $unit:literal, [$($le:literal)*], [$($label:ident: $values:expr),*]) => {
        Family {
            name: $name,
            help: $help.trim_ascii(),
            kind: <$handle as Handle>::KIND,
            is_absent_at_first: <$handle as Handle>::IS_ABSENT_AT_FIRST,
            unit: $unit,
            buckets: &[$($le),*],
            labels: &[$((stringify!($label), $values)),*],
        }
    };
    ($(
        #[doc = $help:literal]
        $field:ident: $handle:ident = $name:literal in $unit:literal
        $(, le [$($le:literal)+])? $(, by [$($label:ident: $values:expr),+])?;
    )+) => {
        /// The families, in the order in which `/metrics` shows them.
        pub const FAMILIES: &[Family] = &[
            $(families!(@family $help, $handle, $name, $unit, [$($($le)+)?], [$($($label: $values),+)?]),)+
        ];

        /// A handle per family, on a private registry.
        pub struct Metrics {
            pub(super) registry: Registry,
            /// Position of each family in [`FAMILIES`].
            pub(super) ranks: HashMap<&'static str, usize>,
            /// When all children were created, in unix seconds, as text.
            pub(super) created: String,
            /// The number of configured symbols.
            pub(super) symbols: usize,
            $(#[doc = $help] pub $field: $handle,)+
        }

        impl Metrics {
            /// Registers every family and creates its children.
            ///
            /// # Errors
            /// Only if the catalogue is wrong: a name occurs twice, or Prometheus does not allow it.
            pub fn new(given: &Given) -> Result<Self> {
                let registry = Registry::new();
                $(
                    let family =
                        &families!(@family $help, $handle, $name, $unit, [$($($le)+)?], [$($($label: $values),+)?]);
                    let $field: $handle = family.register(&registry, given)?;
                )+
                let ranks = FAMILIES.iter().enumerate().map(|(rank, family)| (family.name, rank)).collect();
                let created = format!("{:.3}", given.now.as_secs_f64());
                Ok(Self { registry, ranks, created, symbols: given.symbols.len(), $($field,)+ })
            }
        }
    };
}

families! {
    /// Total number of trading cycles executed
    trading_cycles_total: IntCounter = "sentinel_trading_cycles_total" in "count";
    /// Total number of failed trading cycles
    trading_cycles_failed_total: IntCounter = "sentinel_trading_cycles_failed_total" in "count";
    /// Trading cycle execution time in seconds
    trading_cycle_duration_seconds: Histogram = "sentinel_trading_cycle_duration_seconds" in "seconds",
        le [0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.0 4.0 5.0 6.0 7.5 10.0 11.0 15.0 30.0 60.0];
    /// Market data fetch latency in seconds
    data_fetch_duration_seconds: Histogram = "sentinel_data_fetch_duration_seconds" in "seconds",
        le [0.025 0.05 0.1 0.25 0.5 1.0 2.0 4.0 5.0 6.0 7.5 10.0 11.0];
    /// Total failed market data fetches
    data_fetch_failed_total: IntCounter = "sentinel_data_fetch_failed_total" in "count";
    /// Feature engineering time in seconds
    feature_build_duration_seconds: Histogram = "sentinel_feature_build_duration_seconds" in "seconds",
        le [0.00001 0.000025 0.00005 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.5 1.0 2.0];
    /// Total prediction requests sent to HUB
    prediction_requests_total: IntCounter = "sentinel_prediction_requests_total" in "count";
    /// Total failed predictions
    prediction_failures_total: IntCounter = "sentinel_prediction_failures_total" in "count";
    /// Prediction request latency in seconds
    prediction_latency_seconds: Histogram = "sentinel_prediction_latency_seconds" in "seconds",
        le [0.005 0.01 0.025 0.05 0.1 0.25 0.5 0.75 1.0 1.25 2.0 4.0 5.0 6.0 7.5];
    /// Confidence score of last prediction
    last_prediction_confidence: Gauge = "sentinel_last_prediction_confidence" in "ratio";
    /// Total trading signals generated
    trading_signals_total: IntCounterVec = "sentinel_trading_signals_total" in "count",
        by [action: |_| names(&Action::ALL, Action::as_str)];
    /// Total executed trading signals
    trading_signals_executed_total: IntCounterVec = "sentinel_trading_signals_executed_total" in "count",
        by [action: |_| names(&Action::ALL, Action::as_str)];
    /// ZMQ message send latency in seconds
    zmq_send_latency_seconds: Histogram = "sentinel_zmq_send_latency_seconds" in "seconds",
        le [0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.05 0.1 0.5 1.0 2.0 4.0 5.0 6.0 7.5];
    /// Total ZMQ send failures
    zmq_send_failures_total: IntCounter = "sentinel_zmq_send_failures_total" in "count";
    /// Total API calls (market data + model inference)
    api_calls_total: IntCounterVec = "sentinel_api_calls_total" in "count",
        by [endpoint: |_| names(&API_ENDPOINTS, Endpoint::as_str)];
    /// Total API errors
    api_errors_total: IntCounterVec = "sentinel_api_errors_total" in "count",
        by [endpoint: |_| names(&API_ENDPOINTS, Endpoint::as_str), error_code: |_| names(&ERROR_CODES, |code| code)];
    /// Daemon uptime in seconds
    daemon_uptime_seconds: Gauge = "sentinel_daemon_uptime_seconds" in "seconds";
    /// Unix timestamp of last trading cycle
    last_cycle_timestamp_unix: Gauge = "sentinel_last_cycle_timestamp_unix" in "unix seconds";

    /// Build of the running daemon; the value is always 1
    build_info: IntGaugeVec = "sentinel_build_info" in "1",
        by [
            version: |given| vec![given.build.version.clone()],
            revision: |given| vec![given.build.revision.clone()],
            rustc: |given| vec![given.build.rustc.clone()]
        ];
    /// First 48 bits of the SHA-256 of the effective configuration
    config_hash: IntGauge = "sentinel_config_hash" in "1";
    /// Whether /readyz answers 200 (1) or 503 (0)
    ready: IntGauge = "sentinel_ready" in "1";
    /// Whether orders are sent: 1 in live mode, 0 in dry run
    live: IntGauge = "sentinel_live" in "1";
    /// Whether the kill switch holds back every order (1) or not (0); also 1 while its file cannot be checked
    halted: IntGauge = "sentinel_halted" in "1";
    /// Presses of the console's two buttons that were carried out
    console_presses_total: IntCounterVec = "sentinel_console_presses_total" in "count",
        by [action: |_| names(&["halt", "resume"], |action| action)];
    /// Whether this daemon holds its account in etcd and may send orders; absent unless it is live with cluster.mode = "guard"
    cluster_leader: ReportedGaugeVec = "sentinel_cluster_leader" in "1",
        by [account: |_| names(&["/sentinel/ACCOUNT"], |key| key), shard: |_| names(&["account"], |shard| shard)];
    /// For how long orders may be sent without another answer of etcd; absent unless it is live with cluster.mode = "guard" or "shared"
    cluster_lease_remaining_seconds: ReportedGauge = "sentinel_cluster_lease_remaining_seconds" in "seconds";
    /// Whether etcd answered the last request; absent unless the daemon is live with cluster.mode = "guard" or "shared"
    cluster_etcd_up: ReportedGauge = "sentinel_cluster_etcd_up" in "1";
    /// Whether a daemon held the account before, did not give it back, and nobody has acknowledged that; absent unless it is live with cluster.mode = "guard"
    cluster_dead_holder: ReportedGauge = "sentinel_cluster_dead_holder" in "1";
    /// Live members of the account as last read in etcd; absent unless the daemon is live with cluster.mode = "shared"
    cluster_members: ReportedGauge = "sentinel_cluster_members" in "count";
    /// Shards that this member owns, of sixteen; absent unless it is live with cluster.mode = "shared"
    cluster_shards_owned: ReportedGauge = "sentinel_cluster_shards_owned" in "count";
    /// Whether this member owns the shard, so that its symbols are ordered, and its lease is trusted; absent unless it is live with cluster.mode = "shared"
    cluster_shard_owner: ReportedGaugeVec = "sentinel_cluster_shard_owner" in "1",
        by [account: |_| names(&["/sentinel/ACCOUNT"], |key| key), shard: |_| shards()];
    /// Claims of orders by how they ended: made; refused for a reason; or late, so that nothing was sent
    cluster_claims_total: IntCounterVec = "sentinel_cluster_claims_total" in "count",
        by [result: |_| names(&CLAIM_RESULTS, |result| result)];
    /// Claims without a final outcome that this member knows: on their way, unknown, or left by a member that is gone; absent unless it is live with cluster.mode = "shared"
    cluster_claims_unsent: ReportedGauge = "sentinel_cluster_claims_unsent" in "count";
    /// Whether the account is halted in etcd for all members (1) or not (0), as last read; also 1 while its state cannot be read; absent unless the daemon is live with cluster.mode = "shared"
    cluster_halted: ReportedGauge = "sentinel_cluster_halted" in "1";
    /// Times that the plan of who should own which shard changed, as this member saw it
    cluster_rebalances_total: IntCounter = "sentinel_cluster_rebalances_total" in "count";
    /// Time from the first request for an order's claim until it was made, refused or given up
    cluster_claim_seconds: Histogram = "sentinel_cluster_claim_seconds" in "seconds",
        le [0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.0 2.5 4.0];
    /// The daemon's wall clock when this text was made, which is at most a second before its scrape
    time_seconds: Gauge = "sentinel_time_seconds" in "seconds";
    /// Whether the actor is running (1) or stopped, restarting or failed (0)
    actor_up: IntGaugeVec = "sentinel_actor_up" in "1", by [actor: |_| names(&ActorName::ALL, ActorName::as_str)];
    /// Restarts of the actor after a panic
    actor_restarts_total: IntCounterVec = "sentinel_actor_restarts_total" in "count",
        by [actor: |_| names(&ActorName::ALL, ActorName::as_str)];
    /// Events the actor discarded instead of processing
    events_dropped_total: IntCounterVec = "sentinel_events_dropped_total" in "count",
        by [
            actor: |_| names(&ActorName::ALL, ActorName::as_str),
            reason: |_| names(&DropReason::ALL, DropReason::as_str)
        ];
    /// Delay between a cycle's due time and its start
    scheduler_lag_seconds: Histogram = "sentinel_scheduler_lag_seconds" in "seconds",
        le [0.001 0.005 0.01 0.05 0.1 0.5 1.0 5.0];
    /// Due cycles skipped because the previous cycle still ran or the host slept
    scheduler_ticks_missed_total: IntCounter = "sentinel_scheduler_ticks_missed_total" in "count";
    /// Unix time at which the cycle step last succeeded; process start until then
    step_last_success_timestamp_seconds: GaugeVec = "sentinel_step_last_success_timestamp_seconds" in "seconds",
        by [step: |_| names(&Step::ALL, Step::as_str)];
    /// Unix close time of the newest accepted bar
    last_bar_timestamp_seconds: IntGaugeVec = "sentinel_last_bar_timestamp_seconds" in "seconds",
        by [symbol: Given::symbols];
    /// Oldest age of the newest bar's close that is traded on
    bar_age_max_seconds: IntGauge = "sentinel_bar_age_max_seconds" in "seconds";
    /// Bars refused before feature building
    bars_rejected_total: IntCounterVec = "sentinel_bars_rejected_total" in "count",
        by [reason: |_| names(&BarRejection::ALL, BarRejection::as_str)];
    /// Gaps inside trading hours that the calendar does not explain
    bar_gaps_total: IntCounterVec = "sentinel_bar_gaps_total" in "count", by [symbol: Given::symbols];
    /// Times the wall clock moved 2 s or more against the monotonic clock
    clock_steps_total: IntCounter = "sentinel_clock_steps_total" in "count";
    /// Whether the daemon's trading calendar has the market open (1) or closed (0)
    market_open: IntGauge = "sentinel_market_open" in "1";
    /// Circuit breaker state per endpoint; 1 for the current state, 0 for the others
    breaker_state: IntGaugeVec = "sentinel_breaker_state" in "1",
        by [
            endpoint: |_| names(&Endpoint::ALL, Endpoint::as_str),
            state: |_| names(&BreakerState::ALL, BreakerState::as_str)
        ];
    /// Requests sent and not yet answered
    inflight_requests: IntGaugeVec = "sentinel_inflight_requests" in "count",
        by [endpoint: |_| names(&Endpoint::ALL, Endpoint::as_str)];
    /// Time from sending a signal to receiving the gateway's reply
    gateway_roundtrip_seconds: Histogram = "sentinel_gateway_roundtrip_seconds" in "seconds",
        le [0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 4.0 5.0 6.0 7.5];
    /// Orders by their outcome
    orders_total: IntCounterVec = "sentinel_orders_total" in "count",
        by [outcome: |_| names(&Outcome::ALL, |outcome| outcome)];
    /// Signals journalled and not yet answered by the gateway
    journal_pending_signals: IntGauge = "sentinel_journal_pending_signals" in "count";
    /// Failed writes or syncs of the signal journal
    journal_write_failures_total: IntCounter = "sentinel_journal_write_failures_total" in "count";
    /// Failed writes to the bar archive, and cycles that had no place in its queue
    bars_archive_failures_total: IntCounter = "sentinel_bars_archive_failures_total" in "count";
    /// Closed bars that the provider changed or took back; seen only when a whole window is fetched, as at the start
    bar_revisions_total: IntCounterVec = "sentinel_bar_revisions_total" in "count", by [symbol: Given::symbols];
    /// Orders whose outcome is unknown; their symbols are blocked
    orders_unresolved: IntGauge = "sentinel_orders_unresolved" in "count";
    /// Open positions that may be ours under a name that no configured symbol explains, as last listed
    positions_doubtful: IntGauge = "sentinel_positions_doubtful" in "count";
    /// Equity in the account's currency, as the gateway reported it within the last 90 minutes; absent otherwise
    account_equity: ReportedGauge = "sentinel_account_equity" in "account currency";
    /// Balance in the account's currency, as the gateway reported it within the last 90 minutes; absent otherwise
    account_balance: ReportedGauge = "sentinel_account_balance" in "account currency";
    /// Steps of the balance within 24 hours that no closed position explains, such as a deposit; absent until the gateway reports the balance
    account_unexplained: ReportedGauge = "sentinel_account_unexplained" in "account currency";
    /// How far the equity is below its highest, without deposits and withdrawals; absent while the equity is
    account_drawdown_ratio: ReportedGauge = "sentinel_account_drawdown_ratio" in "ratio";
    /// Queries of account and positions for profit and loss that got no usable answer
    account_poll_failures_total: IntCounter = "sentinel_account_poll_failures_total" in "count";
    /// Profit realised since midnight UTC, in the account's currency; other: instruments that are not configured; absent if not known
    profit_realised: ReportedGaugeVec = "sentinel_profit_realised" in "account currency",
        by [symbol: Given::symbols_and_other, ledger: |_| names(&LEDGERS, |ledger| ledger)];
    /// Profit of the open positions with swap, in the account's currency, as reported within the last 90 minutes; absent if not known
    profit_open: ReportedGaugeVec = "sentinel_profit_open" in "account currency",
        by [symbol: Given::symbols_and_other, ledger: |_| names(&LEDGERS, |ledger| ledger)];
    /// Growth of the equity since midnight UTC or 17:00 New York, without deposits and withdrawals; absent while the equity is
    profit_today: ReportedGaugeVec = "sentinel_profit_today" in "account currency",
        by [day: |_| names(&Day::ALL, Day::as_str)];
    /// Fill price against the close that was decided on, in units of the last decimal place; worse is positive
    fill_slippage_points: Histogram = "sentinel_fill_slippage_points" in "points",
        le [-100.0 -50.0 -20.0 -10.0 -5.0 -2.0 -1.0 0.0 1.0 2.0 5.0 10.0 20.0 50.0 100.0 200.0 500.0];
    /// Open positions of the account, as the gateway listed them within the last 90 minutes and after our last fill; absent otherwise
    positions_open: ReportedGauge = "sentinel_positions_open" in "count";
    /// Distribution of prediction confidence, a ratio from 0 to 1
    prediction_confidence: Histogram = "sentinel_prediction_confidence" in "ratio",
        le [0.1 0.2 0.3 0.4 0.45 0.5 0.55 0.6 0.7 0.8 0.9 1.0];
    /// Population stability index of the last 500 confidences against the model's reference; 0 until 500 exist
    prediction_drift_psi: Gauge = "sentinel_prediction_drift_psi" in "1";
    /// Feature values rejected or replaced before prediction
    feature_invalid_values_total: IntCounterVec = "sentinel_feature_invalid_values_total" in "count",
        by [kind: |_| names(&["nan", "infinite", "out_of_range"], |kind| kind)];
    /// BUY or SELL signals deliberately not sent
    signals_suppressed_total: IntCounterVec = "sentinel_signals_suppressed_total" in "count",
        by [reason: |_| names(Suppression::ALL, Suppression::as_str)];
    /// Trading signals generated, by instrument
    symbol_signals_total: IntCounterVec = "sentinel_symbol_signals_total" in "count",
        by [symbol: Given::symbols, action: |_| names(&Action::ALL, Action::as_str)];
    /// Unix time at which the instrument last went through all stages of a cycle; process start until then
    symbol_last_success_timestamp_seconds: GaugeVec = "sentinel_symbol_last_success_timestamp_seconds" in "seconds",
        by [symbol: Given::symbols];
    /// Cycles in which the instrument failed, by the stage that failed it
    symbol_failures_total: IntCounterVec = "sentinel_symbol_failures_total" in "count",
        by [symbol: Given::symbols, stage: |_| names(&FAILING_STAGES, Step::as_str)];
    /// Current market regime per instrument; 1 for the current regime, 0 for the others
    market_regime: IntGaugeVec = "sentinel_market_regime" in "1",
        by [symbol: Given::symbols, regime: |_| names(&Regime::ALL, Regime::as_str)];
    /// Dead-man pings by how they ended; none without deadman.url
    deadman_pings_total: IntCounterVec = "sentinel_deadman_pings_total" in "count",
        by [outcome: |_| names(&["ok", "failed"], |outcome| outcome)];

    /// Total user and system CPU time spent in seconds.
    process_cpu_seconds_total: Counter = "process_cpu_seconds_total" in "seconds";
    /// Number of open file descriptors.
    process_open_fds: Gauge = "process_open_fds" in "count";
    /// Maximum number of open file descriptors.
    process_max_fds: Gauge = "process_max_fds" in "count";
    /// Virtual memory size in bytes.
    process_virtual_memory_bytes: Gauge = "process_virtual_memory_bytes" in "bytes";
    /// Resident memory size in bytes.
    process_resident_memory_bytes: Gauge = "process_resident_memory_bytes" in "bytes";
    /// Start time of the process since unix epoch in seconds.
    process_start_time_seconds: Gauge = "process_start_time_seconds" in "seconds";
    /// Number of OS threads in the process.
    process_threads: Gauge = "process_threads" in "count";
}
