//! Turns events into metrics and health. Only this file decides what each family counts.

use super::{Config, account::Account, money};
use crate::{
    adapters::{
        endpoint::{Breakers, Endpoint},
        prometheus::{ERROR_CODES, FAILING_STAGES, Format, Given, Metrics, ProcessReader},
    },
    domain::{
        breaker::BreakerState,
        cluster::Authority,
        cycle_outcome::{CycleOutcome, SymbolFailure, judge},
        drift::Drift,
        guard::{KillSwitch, Suppression},
        instrument::Symbol,
        names::{ActorName, DropReason, Step},
        order::Outcome,
        order_manager::OrderResult,
        profit::{Figures, PaperFigures},
        regime::Regime,
    },
    messages::{
        ApiUsage, Backlog, BuildReport, DecisionReport, Event, FetchReport, PredictionReport, SignalReport,
        SignalResult,
    },
    metrics::health::{
        AccountHealth, ClusterState, CycleState, GatewayState, Health, JournalState, PositionsState, State,
    },
};
use bytes::Bytes;
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// All metrics and the state for health.
pub struct Recorder {
    metrics: Metrics,
    state: State,
    /// Read for each text, because a breaker becomes half open by time alone, without an event.
    breakers: Breakers,
    /// Also read for each text, because a lost event cannot be reported by an event.
    backlog: Backlog,
    /// Also read for each text, because it is changed from outside.
    kill_switch: Arc<dyn KillSwitch>,
    /// Also read for each text, because a claim ends by time alone.
    authority: Arc<dyn Authority>,
    account: Account,
    money: Option<Figures>,
    paper: Option<PaperFigures>,
    drift: Drift,
    symbols: Vec<Symbol>,
    failed_share_max: f64,
    process: ProcessReader,
    /// Monotonic, unlike all timestamps, so uptime stays right if the clock is set after the start.
    started: Instant,
}

impl Recorder {
    /// All metrics are 0; the last success of every step is the start.
    ///
    /// # Errors
    /// Only if the catalogue is wrong.
    pub fn new(config: Config) -> prometheus::Result<Self> {
        let now = config.clock.now();
        let metrics = Metrics::new(&Given { symbols: config.symbols.clone(), build: config.build.clone(), now })?;
        let build = &config.build;
        metrics.build_info.with_label_values(&[&build.version, &build.revision, &build.rustc]).set(1);
        metrics.config_hash.set(i64::try_from(config.config_hash).unwrap_or(i64::MAX));
        metrics.prediction_drift_psi.set(config.drift.psi());
        metrics.live.set(config.live.into());
        metrics.bar_age_max_seconds.set(config.max_bar_age_s);
        config.symbols.iter().for_each(|symbol| set_regime(&metrics, symbol, Regime::Unknown));
        for step in Step::ALL {
            metrics.step_last_success_timestamp_seconds.with_label_values(&[step.as_str()]).set(now.as_secs_f64());
        }
        for symbol in &config.symbols {
            set_last_success(&metrics, symbol, now);
        }
        let state = State::new(config.build, config.live, config.period, now);
        Ok(Self {
            metrics,
            state: State { symbols: config.symbols.len(), ..state },
            breakers: config.breakers,
            backlog: config.backlog,
            kill_switch: config.kill_switch,
            authority: config.authority,
            account: Account::restored(config.money.as_ref(), now, Instant::now()),
            money: config.money,
            paper: config.paper,
            drift: config.drift,
            symbols: config.symbols,
            failed_share_max: config.failed_share_max,
            process: ProcessReader::default(),
            started: Instant::now(),
        })
    }

    /// The exposition at `now` (time since the unix epoch), with these numbers of open requests.
    pub fn encode(&mut self, now: Duration, inflight: [i64; Endpoint::ALL.len()], format: Format) -> Bytes {
        self.metrics.daemon_uptime_seconds.set(self.started.elapsed().as_secs_f64());
        self.metrics.time_seconds.set(now.as_secs_f64());
        self.ask_authority();
        self.metrics.ready.set(self.state.is_ready(now).into());
        self.metrics.halted.set(self.kill_switch.is_halted().into());
        let asked_at = Instant::now();
        self.metrics.account_equity.set(self.account.equity(asked_at));
        self.metrics.positions_open.set(self.account.positions(asked_at));
        money::show(&self.metrics, (self.money.as_ref(), &self.account), &self.symbols, (now, asked_at));
        money::show_paper(&self.metrics, self.paper.as_ref(), &self.symbols, now);
        for (endpoint, count) in Endpoint::ALL.into_iter().zip(inflight) {
            self.metrics.inflight_requests.with_label_values(&[endpoint.as_str()]).set(count);
        }
        for endpoint in Endpoint::ALL {
            let now_in = self.breakers.state(endpoint);
            for state in BreakerState::ALL {
                let child = self.metrics.breaker_state.with_label_values(&[endpoint.as_str(), state.as_str()]);
                child.set((state == now_in).into());
            }
        }
        for actor in ActorName::ALL {
            for reason in DropReason::ALL {
                let child = self.metrics.events_dropped_total.with_label_values(&[actor.as_str(), reason.as_str()]);
                child.inc_by(self.backlog.dropped(actor, reason).saturating_sub(child.get()));
            }
        }
        self.process.refresh(&self.metrics);
        self.metrics.encode(format)
    }

    /// What is known about the claim on the account, now.
    fn ask_authority(&mut self) {
        let may_send = self.authority.may_send();
        let standing = self.authority.standing();
        let told = |value: f64| standing.as_ref().map(|_| value);
        self.metrics.cluster_leader.set(&["account"], told(f64::from(may_send)));
        self.metrics.cluster_lease_remaining_seconds.set(told(self.authority.remaining().as_secs_f64()));
        self.metrics.cluster_etcd_up.set(standing.as_ref().map(|standing| f64::from(standing.is_etcd_up)));
        self.state.cluster = standing.map(|standing| ClusterState {
            may_send,
            // A trouble that is over is not worth a word; while orders may be sent only a silent etcd is one.
            trouble: standing.trouble.filter(|_| !may_send || !standing.is_etcd_up),
        });
    }

    /// The verdict at `now` (time since the unix epoch).
    pub fn health(&mut self, now: Duration) -> Health {
        self.state.is_halted = self.kill_switch.is_halted();
        self.ask_authority();
        self.state.assess(now, self.started.elapsed())
    }

    /// Records an event that was reported at `now` (time since the unix epoch), which is also this `instant`.
    pub fn record(&mut self, event: &Event, (now, instant): (Duration, Instant)) {
        match event {
            Event::ActorStarted(_) | Event::ActorRestarted(_) | Event::ActorsPinged(_) => self.actor_changed(event),
            Event::TicksMissed(ticks) => self.metrics.scheduler_ticks_missed_total.inc_by(*ticks),
            Event::ClockStepped => self.metrics.clock_steps_total.inc(),
            Event::CycleStarted { lag, .. } => self.metrics.scheduler_lag_seconds.observe(lag.as_secs_f64()),
            Event::BarsFetched { fetches, api, rejected } => {
                for (reason, bars) in rejected {
                    self.metrics.bars_rejected_total.with_label_values(&[reason.as_str()]).inc_by(*bars);
                }
                self.api_used(Endpoint::Eodhd, api);
                self.bars_fetched(fetches, now);
            }
            Event::FeaturesBuilt { builds, invalid } => {
                let values =
                    [("nan", invalid.nan), ("infinite", invalid.infinite), ("out_of_range", invalid.out_of_range)];
                for (kind, values) in values {
                    self.metrics.feature_invalid_values_total.with_label_values(&[kind]).inc_by(values);
                }
                self.features_built(builds, now);
            }
            Event::PredictionsReceived { requests, api, is_refused } => {
                self.api_used(Endpoint::Hub, api);
                self.predictions_received(requests, *is_refused, now);
            }
            Event::CycleGuarded { is_market_open } => {
                self.metrics.market_open.set((*is_market_open).into());
                self.state.is_market_open = Some(*is_market_open);
            }
            Event::StopsChecked { bad, unpriced } => {
                // For symbols without bars nothing new is known.
                self.state.bad_stops.retain(|(symbol, _)| unpriced.contains(symbol));
                self.state.bad_stops.extend(bad.iter().cloned());
            }
            Event::SymbolsEnded { cycle_id, failures } => {
                self.symbols_ended(failures, now);
                self.state.failures = (*cycle_id, failures.clone());
            }
            Event::SignalsDecided { decisions, suppressed } => {
                suppressed.iter().for_each(|&reason| self.suppressed(reason));
                self.signals_decided(decisions, now);
            }
            Event::SignalsHandled { reports } => self.signals_handled(reports, now),
            Event::EquityTold(equity) => self.account.told_equity(*equity, instant),
            Event::AccountPollFailed => {
                self.metrics.account_poll_failures_total.inc();
                self.untold("the gateway did not tell account and positions when it was asked last".into());
            }
            Event::MoneyCounted(money) => self.money = Some((**money).clone()),
            Event::PaperCounted(paper) => self.paper = Some((**paper).clone()),
            Event::PositionsTold(count) => {
                self.account.told_positions(*count, instant);
                if count.is_some() {
                    self.state.account = AccountHealth { told_at: Some(now), trouble: None };
                }
            }
            Event::GatewayChecked { trouble } => {
                if let Some(trouble) = trouble {
                    self.account.forget();
                    self.untold(format!("the gateway does not answer: {trouble}"));
                }
                self.state.gateway = GatewayState { is_checked: true, trouble: trouble.clone() };
            }
            Event::PositionsChecked { trouble, doubts } => {
                if let Some(trouble) = trouble {
                    self.untold(format!("the gateway's list of positions cannot be read: {trouble}"));
                }
                self.metrics.positions_doubtful.set(i64::try_from(doubts.len()).unwrap_or(i64::MAX));
                self.state.positions = PositionsState { trouble: trouble.clone(), doubts: doubts.clone() };
            }
            Event::JournalChanged { is_writable, write_failures, pending, unresolved } => {
                let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
                self.metrics.journal_pending_signals.set(count(*pending));
                self.metrics.journal_write_failures_total.inc_by(*write_failures);
                self.metrics.orders_unresolved.set(count(unresolved.len() as u64));
                self.state.journal = JournalState { is_writable: Some(*is_writable), unresolved: unresolved.clone() };
            }
            Event::BarsArchived { failures, revisions } => {
                self.metrics.bars_archive_failures_total.inc_by(*failures);
                for (symbol, count) in revisions {
                    self.metrics.bar_revisions_total.with_label_values(&[symbol.as_str()]).inc_by(*count);
                }
            }
            Event::CycleFinished { cycle_id, finished_at, duration, failed } => {
                self.metrics.trading_cycles_total.inc();
                self.metrics.trading_cycles_failed_total.inc_by((*failed).into());
                self.metrics.trading_cycle_duration_seconds.observe(duration.as_secs_f64());
                self.metrics.last_cycle_timestamp_unix.set(*finished_at);
                let cycle = CycleState { cycle_id: *cycle_id, finished_at: now, duration: *duration, failed: *failed };
                self.state.last_cycle = Some(cycle);
                if !failed {
                    self.state.last_cycle_success_at = Some(now);
                }
            }
            Event::DeadmanPinged { is_ok } => {
                let outcome = if *is_ok { "ok" } else { "failed" };
                self.metrics.deadman_pings_total.with_label_values(&[outcome]).inc();
            }
            Event::CyclesEnded => self.state.cycles_ended = true,
        }
    }

    fn actor_changed(&mut self, event: &Event) {
        let actors = &mut self.state.actors;
        match event {
            Event::ActorStarted(name) => {
                actors[*name as usize].started = true;
                actors[*name as usize].up = true;
            }
            // It is up again when its start is reported, which follows a restart.
            Event::ActorRestarted(name) => {
                self.metrics.actor_restarts_total.with_label_values(&[name.as_str()]).inc();
                actors[*name as usize].up = false;
            }
            Event::ActorsPinged(round) => {
                for (name, answered) in round {
                    actors[*name as usize].answered = Some(*answered);
                    actors[*name as usize].up = *answered;
                }
            }
            _ => {}
        }
        for name in ActorName::ALL {
            self.metrics.actor_up.with_label_values(&[name.as_str()]).set(actors[name as usize].up.into());
        }
    }

    fn bars_fetched(&mut self, fetches: &[FetchReport], now: Duration) {
        for fetch in fetches {
            if let Some(duration) = fetch.duration {
                self.metrics.data_fetch_duration_seconds.observe(duration.as_secs_f64());
            }
            if let Some(close_time) = fetch.newest_bar_close_time {
                self.metrics.last_bar_timestamp_seconds.with_label_values(&[fetch.symbol.as_str()]).set(close_time);
            }
            self.metrics.bar_gaps_total.with_label_values(&[fetch.symbol.as_str()]).inc_by(fetch.gaps);
            if fetch.failure.is_some() {
                self.metrics.data_fetch_failed_total.inc();
                set_regime(&self.metrics, &fetch.symbol, Regime::Unknown);
            }
        }
        let faults = fetches.iter().filter_map(|fetch| fetch.failure);
        self.step_ended(Step::Fetch, !fetches.is_empty(), faults, now);
    }

    fn features_built(&mut self, builds: &[BuildReport], now: Duration) {
        for build in builds {
            self.metrics.feature_build_duration_seconds.observe(build.duration.as_secs_f64());
            set_regime(&self.metrics, &build.symbol, build.regime);
        }
        self.step_ended(Step::Features, !builds.is_empty(), builds.iter().filter_map(|build| build.failure), now);
    }

    fn predictions_received(&mut self, requests: &[PredictionReport], is_refused: bool, now: Duration) {
        for request in requests {
            self.metrics.prediction_requests_total.inc();
            match request.failure {
                Some(_) => self.metrics.prediction_failures_total.inc(),
                None => self.metrics.prediction_latency_seconds.observe(request.latency.as_secs_f64()),
            }
        }
        let faults = requests.iter().flat_map(|request| request.failure.iter().chain(&request.row_failures).copied());
        let faults = faults.chain(is_refused.then_some("breaker"));
        self.step_ended(Step::Predict, !requests.is_empty() || is_refused, faults, now);
    }

    fn signals_decided(&mut self, decisions: &[DecisionReport], now: Duration) {
        for DecisionReport { symbol, bar_close_time, decision } in decisions {
            let action = decision.action.as_str();
            self.metrics.trading_signals_total.with_label_values(&[action]).inc();
            self.metrics.symbol_signals_total.with_label_values(&[symbol.as_str(), action]).inc();
            self.metrics.prediction_confidence.observe(decision.confidence);
            self.drift.note(symbol, *bar_close_time, decision.confidence);
        }
        if let Some(last) = decisions.last() {
            self.metrics.last_prediction_confidence.set(last.decision.confidence);
        }
        self.metrics.prediction_drift_psi.set(self.drift.psi());
        self.step_ended(Step::Decide, !decisions.is_empty(), [], now);
    }

    fn signals_handled(&mut self, reports: &[SignalReport], now: Duration) {
        let mut faults = Vec::new();
        let mut replies = 0_usize;
        for report in reports {
            let own = match &report.result {
                SignalResult::Suppressed(reason) => {
                    self.suppressed(*reason);
                    None
                }
                SignalResult::Ordered { answer, .. } => Some(answer),
            };
            if own.is_some_and(|fate| matches!(fate.outcome, Outcome::Filled { .. })) {
                self.metrics.trading_signals_executed_total.with_label_values(&[report.side.as_str()]).inc();
            }
            if let Some(points) = report.slippage_points {
                self.metrics.fill_slippage_points.observe(points);
            }
            for fate in report.closes.iter().map(|(_, fate)| fate).chain(own) {
                self.order_ended(fate);
                if matches!(fate.outcome, Outcome::Filled { .. } | Outcome::Unknown { .. }) {
                    self.account.traded();
                }
                replies += usize::from(fate.send_latency.is_some());
                // A refusal is an answer. An order that was not sent or has an unknown outcome is an error.
                if matches!(fate.outcome, Outcome::NotSent { .. } | Outcome::Unknown { .. }) {
                    faults.push(fate.outcome.as_str());
                }
            }
        }
        if replies > 0 {
            self.step_succeeded(Step::Send, now);
        }
        if replies > 0 || !faults.is_empty() {
            self.state.steps[Step::Send as usize].last_faults = Some(distinct(faults));
        }
    }

    /// The gateway tells nothing of the account at the moment, for this reason.
    fn untold(&mut self, why: String) {
        self.state.account.trouble = Some(why);
    }

    /// Records which symbols failed and which did not, and which steps succeeded for enough of the symbols that reached them.
    /// A step that succeeded for all of its symbols was recorded before.
    fn symbols_ended(&mut self, failures: &[SymbolFailure], now: Duration) {
        let failed: HashSet<&Symbol> = failures.iter().map(|failure| &failure.symbol).collect();
        for symbol in self.symbols.iter().filter(|symbol| !failed.contains(symbol)) {
            set_last_success(&self.metrics, symbol, now);
        }
        for SymbolFailure { symbol, step, .. } in
            failures.iter().filter(|failure| FAILING_STAGES.contains(&failure.step))
        {
            self.metrics.symbol_failures_total.with_label_values(&[symbol.as_str(), step.as_str()]).inc();
        }
        let mut reached = self.symbols.len();
        for step in [Step::Fetch, Step::Features, Step::Predict] {
            let failed = failures.iter().filter(|failure| failure.step == step).count();
            if reached > 0 && judge(reached, failed, self.failed_share_max) != CycleOutcome::Failed {
                self.step_succeeded(step, now);
            }
            reached = reached.saturating_sub(failed);
        }
    }

    fn order_ended(&self, fate: &OrderResult) {
        self.metrics.orders_total.with_label_values(&[fate.outcome.as_str()]).inc();
        match fate.send_latency {
            Some(latency) => self.metrics.zmq_send_latency_seconds.observe(latency.as_secs_f64()),
            None => self.metrics.zmq_send_failures_total.inc(),
        }
        if let Some(roundtrip) = fate.gateway_roundtrip {
            self.metrics.gateway_roundtrip_seconds.observe(roundtrip.as_secs_f64());
        }
    }

    /// Records how a step ended. A step that `had_work` and no error succeeded; without work, nothing is known.
    fn step_ended(
        &mut self,
        step: Step,
        had_work: bool,
        faults: impl IntoIterator<Item = &'static str>,
        now: Duration,
    ) {
        if !had_work {
            return;
        }
        let faults = distinct(faults);
        if faults.is_empty() {
            self.step_succeeded(step, now);
        }
        self.state.steps[step as usize].last_faults = Some(faults);
    }

    fn step_succeeded(&mut self, step: Step, now: Duration) {
        self.state.steps[step as usize].last_success_at = Some(now);
        self.metrics.step_last_success_timestamp_seconds.with_label_values(&[step.as_str()]).set(now.as_secs_f64());
    }

    fn suppressed(&self, reason: Suppression) {
        self.metrics.signals_suppressed_total.with_label_values(&[reason.as_str()]).inc();
    }

    fn api_used(&self, endpoint: Endpoint, usage: &ApiUsage) {
        let endpoint = endpoint.as_str();
        self.metrics.api_calls_total.with_label_values(&[endpoint]).inc_by(usage.calls);
        for code in &usage.errors {
            let code = if ERROR_CODES.contains(code) { code } else { "exception" };
            self.metrics.api_errors_total.with_label_values(&[endpoint, code]).inc();
        }
    }
}

fn set_regime(metrics: &Metrics, symbol: &Symbol, regime: Regime) {
    for one in Regime::ALL {
        metrics.market_regime.with_label_values(&[symbol.as_str(), one.as_str()]).set((one == regime).into());
    }
}

fn set_last_success(metrics: &Metrics, symbol: &Symbol, now: Duration) {
    metrics.symbol_last_success_timestamp_seconds.with_label_values(&[symbol.as_str()]).set(now.as_secs_f64());
}

/// Each error once: a thousand symbols that time out are one word in `/health`.
fn distinct(faults: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let mut faults = faults.into_iter().collect::<Vec<_>>();
    faults.sort_unstable();
    faults.dedup();
    faults
}
