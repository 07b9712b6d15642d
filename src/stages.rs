//! Builds the four stage actors of a cycle from the settings. They share the thread that calls `start`; the Journal, which
//! waits for the disk, has one of its own, and so has the Deadman, which waits for somebody outside.

use crate::settings::{
    ClockSource, GatewaySettings, ModelSettings, NewJournal, OnGapSetting, PollSetting, Settings, TabularSetting,
    TimeColumnsSetting,
};
use actix::{Actor, Addr, Arbiter, Recipient, Supervisor};
use sentinel_actors::{
    adapters::{
        breakers::Breakers,
        gateway::{self, DialectKind, DialectParams, Peer},
        inflight::Inflight,
        journal::Identity,
        mlflow::Tabular,
    },
    cycle::Stages,
    deadman::{self, Deadman},
    domain::{clock::Clock, desk::Rules, features::TimeColumns, guard::KillSwitch},
    feature_builder::{self, FeatureBuilder},
    fetcher::{self, Fetcher, MarketClock, OnGap, Poll},
    journal::{self, Journal},
    messages::{ActorName, CycleWentWell, PayOff, Ping, Telemetry},
    predictor::{self, Predictor},
    signal_sender::{self, JournalLedger, SignalSender},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How many symbols a request a minute serves within EODHD's 100,000 calls a day.
const SYMBOLS_POLLED_EVERY_CYCLE_MAX: usize = 13;

/// How old a decision may be when its order goes out, on top of the deadlines of the model and the gateway: what asking for
/// positions and writing to a slow disk take. More is a pause of the process or of the machine.
const DECISION_SLACK: Duration = Duration::from_secs(10);

/// What every stage is given a part of.
pub struct Shared {
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Requests on their way.
    pub inflight: Inflight,
    /// Endpoints to leave alone for a while.
    pub breakers: Breakers,
    /// Stops orders from outside.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Stops what is not yet sent.
    pub shutdown: CancellationToken,
    /// Is told what happened.
    pub metrics: Telemetry,
    /// Keeps decisions and orders.
    pub journal: Addr<Journal>,
}

/// The stages that run.
pub struct Started {
    /// How a cycle reaches them.
    pub stages: Stages,
    /// How each can be asked whether it still answers.
    pub pings: Vec<(ActorName, Recipient<Ping>)>,
    /// Who pays what the journal is owed at the end.
    pub pay_off: Recipient<PayOff>,
}

/// Starts the stages.
pub fn start(settings: &Settings, shared: &Shared) -> Started {
    let fetcher = Fetcher::new(fetcher_config(settings, shared));
    let fetcher = Supervisor::start(|_| fetcher);
    let time_columns = time_columns(settings);
    let builder = FeatureBuilder::new(feature_builder::Config { time_columns, metrics: shared.metrics.clone() });
    let builder = Supervisor::start(|_| builder);
    let predictor = Predictor::new(predictor_config(settings, shared));
    let predictor = Supervisor::start(|_| predictor);
    let sender = SignalSender::new(sender_config(settings, shared));
    let sender = Supervisor::start(|_| sender);
    let pings = vec![
        (ActorName::Fetcher, fetcher.clone().recipient()),
        (ActorName::FeatureBuilder, builder.clone().recipient()),
        (ActorName::Predictor, predictor.clone().recipient()),
        (ActorName::SignalSender, sender.clone().recipient()),
        (ActorName::Journal, shared.journal.clone().recipient()),
    ];
    let pay_off = sender.clone().recipient();
    let stages = Stages {
        fetch: fetcher.recipient(),
        build: builder.recipient(),
        predict: predictor.recipient(),
        open: sender.clone().recipient(),
        prepare: sender.clone().recipient(),
        send: sender.recipient(),
        record: shared.journal.clone().recipient(),
        recorded: shared.journal.clone().recipient(),
        metrics: shared.metrics.clone(),
    };
    Started { stages, pings, pay_off }
}

/// Starts the Deadman, if it has something to ask. Its thread is left to itself at the end: nobody waits for a ping.
pub fn start_deadman(settings: &Settings, metrics: &Telemetry) -> Option<Recipient<CycleWentWell>> {
    let config = deadman::Config {
        source: settings.deadman.source()?,
        every: Duration::from_secs(settings.deadman.every_s),
        deadline: Duration::from_millis(settings.deadman.deadline_ms),
        metrics: metrics.clone(),
    };
    Some(Deadman::start_in_arbiter(&Arbiter::new().handle(), |_| Deadman::new(config)).recipient())
}

fn fetcher_config(settings: &Settings, shared: &Shared) -> fetcher::Config {
    let data = &settings.data;
    fetcher::Config {
        instruments: settings.instruments(),
        interval: data.interval,
        lookback_bars: data.lookback_bars,
        base_url: data.base_url.trim_end_matches('/').to_owned(),
        token: data.token(),
        poll: poll(settings),
        overdue_poll_s: data.overdue_poll_s,
        deadline: Duration::from_millis(data.deadline_ms),
        body_bytes_max: data.body_bytes_max,
        concurrency: data.concurrency,
        market_clock: match settings.schedule.clock {
            ClockSource::System => MarketClock::System,
            ClockSource::Bars => MarketClock::Bars,
        },
        calendar: settings.market.hours.clone(),
        on_gap: match data.on_gap {
            OnGapSetting::Continue => OnGap::Continue,
            OnGapSetting::Stop => OnGap::Stop,
        },
        jump_max: data.jump_max,
        clock: shared.clock.clone(),
        inflight: shared.inflight.clone(),
        breakers: shared.breakers.clone(),
        metrics: shared.metrics.clone(),
    }
}

/// When a symbol is asked for.
pub fn poll(settings: &Settings) -> Poll {
    match settings.data.poll {
        PollSetting::Cycle => Poll::Cycle,
        PollSetting::Bar => Poll::Bar,
        PollSetting::Auto if settings.symbols.0.len() <= SYMBOLS_POLLED_EVERY_CYCLE_MAX => Poll::Cycle,
        PollSetting::Auto => Poll::Bar,
    }
}

/// What the hour and weekday columns hold.
pub const fn time_columns(settings: &Settings) -> TimeColumns {
    match settings.features.hour_and_weekday {
        TimeColumnsSetting::Utc => TimeColumns::Utc,
        TimeColumnsSetting::Legacy => TimeColumns::Legacy,
    }
}

/// How the model wants the tabular row.
pub const fn tabular(model: &ModelSettings) -> Tabular {
    match model.tabular {
        TabularSetting::Flat => Tabular::Flat,
        TabularSetting::Nested => Tabular::Nested,
    }
}

fn predictor_config(settings: &Settings, shared: &Shared) -> predictor::Config {
    let model = &settings.model;
    predictor::Config {
        base_url: model.base_url(),
        tabular: tabular(model),
        rows_per_request: model.rows_per_request,
        deadline: Duration::from_millis(model.deadline_ms),
        body_bytes_max: model.body_bytes_max,
        inflight: shared.inflight.clone(),
        breakers: shared.breakers.clone(),
        metrics: shared.metrics.clone(),
    }
}

fn sender_config(settings: &Settings, shared: &Shared) -> signal_sender::Config {
    let gateway = &settings.gateway;
    // Dry run sends nothing, so any dialect will do there.
    let kind = gateway.dialect.unwrap_or(DialectKind::V43);
    let params = DialectParams { comment: gateway.comment.clone(), magic: Some(gateway.magic) };
    signal_sender::Config {
        instruments: settings.instruments(),
        live: settings.trading.live,
        other_names: gateway.other_names.clone(),
        account: identity(settings).account,
        model_name: settings.model.name.clone(),
        peer: peer(gateway),
        dialect: gateway::dialect(kind, params),
        deadline: Duration::from_millis(gateway.deadline_ms),
        clock: shared.clock.clone(),
        shutdown: shared.shutdown.clone(),
        inflight: shared.inflight.clone(),
        metrics: shared.metrics.clone(),
        rules: Rules {
            limits: settings.limits(),
            account_mode: gateway.account_mode,
            proving_dialect: kind.has_proof().then(|| kind.as_str()),
            decision_age_max: decision_age_max(settings),
            waits_for_new_bar: waits_for_new_bar(settings),
        },
        kill_switch: shared.kill_switch.clone(),
        breakers: shared.breakers.clone(),
        journal: journal_ledger(&shared.journal),
    }
}

/// How the SignalSender reaches the Journal.
pub fn journal_ledger(journal: &Addr<Journal>) -> JournalLedger {
    JournalLedger {
        stock: journal.clone().recipient(),
        history: journal.clone().recipient(),
        fills: journal.clone().recipient(),
        equity: journal.clone().recipient(),
        write: journal.clone().recipient(),
    }
}

/// What the Journal needs to know.
pub fn journal_config(settings: &Settings, clock: Arc<dyn Clock>, metrics: Telemetry) -> journal::Config {
    journal::Config {
        path: settings.journal.path.clone(),
        keep: Duration::from_secs(86_400 * u64::from(settings.journal.keep_days)),
        identity: identity(settings),
        waits_for_new_bar: waits_for_new_bar(settings),
        clock,
        metrics,
    }
}

/// The deadlines of all requests to the model, of as many again for rows that it refuses, and of the gateway, and some slack.
fn decision_age_max(settings: &Settings) -> Duration {
    let requests = settings.symbols.0.len().div_ceil(settings.model.rows_per_request.max(1));
    let requests = u32::try_from(requests).unwrap_or(u32::MAX);
    let model = Duration::from_millis(settings.model.deadline_ms).saturating_mul(requests.saturating_add(1));
    model + Duration::from_millis(settings.gateway.deadline_ms) + DECISION_SLACK
}

fn waits_for_new_bar(settings: &Settings) -> bool {
    settings.journal.new == NewJournal::Wait
}

/// The daemon's part of an order's identity, and what is kept with it.
pub fn identity(settings: &Settings) -> Identity {
    let account = settings.gateway.account.clone().unwrap_or_else(|| "dry-run".into());
    let dialect = settings.gateway.dialect.map_or("", DialectKind::as_str);
    Identity { account, model: settings.model.name.clone(), dialect, account_mode: settings.gateway.account_mode }
}

/// Where the gateway is, and how it is known.
pub fn peer(gateway: &GatewaySettings) -> Peer {
    Peer { address: gateway.address(), curve: gateway.curve.clone() }
}
