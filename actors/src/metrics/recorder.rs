//! Turns events into metrics and health. Only this module decides what each family counts: this file has what is shown and
//! which event goes where, `cycle` counts what the cycle and its stages report, `orders` orders and the gateway.

mod cycle;
mod orders;

use super::{Config, account::Account, money};
use crate::{
    adapters::{
        endpoint::{Breakers, Endpoint},
        prometheus::{Format, Given, Metrics, ProcessReader},
    },
    domain::{
        breaker::BreakerState,
        cluster::{Authority, Membership},
        drift::Drift,
        guard::{KillSwitch, Suppression},
        instrument::Symbol,
        names::{ActorName, DropReason, Step},
        profit::{Figures, PaperFigures},
        regime::Regime,
    },
    messages::{Backlog, Event},
    metrics::health::{ClusterState, Health, JournalState, State},
};
use bytes::Bytes;
use std::{
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
    /// Which account is claimed.
    claim: String,
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
            claim: config.claim,
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
        self.show_endpoints(inflight);
        self.show_backlog();
        self.process.refresh(&self.metrics);
        self.metrics.encode(format)
    }

    /// Open requests, and the breaker of each endpoint.
    fn show_endpoints(&self, inflight: [i64; Endpoint::ALL.len()]) {
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
    }

    /// Events that were lost so far.
    fn show_backlog(&self) {
        for actor in ActorName::ALL {
            for reason in DropReason::ALL {
                let child = self.metrics.events_dropped_total.with_label_values(&[actor.as_str(), reason.as_str()]);
                child.inc_by(self.backlog.dropped(actor, reason).saturating_sub(child.get()));
            }
        }
    }

    /// What is known about the claim on the account, now.
    fn ask_authority(&mut self) {
        let may_send = self.authority.may_send();
        let standing = self.authority.standing();
        let membership = self.authority.membership();
        let told = |value: f64| standing.as_ref().map(|_| value);
        // In shared mode each shard has an owner, and the account has none.
        let leader = told(f64::from(may_send)).filter(|_| membership.is_none());
        self.metrics.cluster_leader.set(&[&self.claim, "account"], leader);
        self.metrics.cluster_lease_remaining_seconds.set(told(self.authority.remaining().as_secs_f64()));
        self.metrics.cluster_etcd_up.set(standing.as_ref().map(|standing| f64::from(standing.is_etcd_up)));
        let has_dead = standing.as_ref().map(|standing| f64::from(u8::from(standing.before.is_some())));
        self.metrics.cluster_dead_holder.set(has_dead.filter(|_| membership.is_none()));
        let is_member = membership.is_some();
        if let Some(membership) = &membership {
            self.show_membership(membership);
        }
        self.state.cluster_halt = membership.and_then(|membership| membership.halt);
        self.state.cluster = standing.map(|standing| ClusterState {
            may_send,
            is_member,
            before: standing.before,
            // A trouble that is over is not worth a word; while orders may be sent only a silent etcd is one.
            trouble: standing.trouble.filter(|_| !may_send || !standing.is_etcd_up),
        });
    }

    /// How this daemon is as a member of a cluster.
    fn show_membership(&self, membership: &Membership) {
        #[allow(clippy::cast_precision_loss)] // small numbers
        let told = |count: usize| Some(count as f64);
        let Membership { members, shards, rebalances, claims_open, halt } = membership;
        self.metrics.cluster_members.set(told(*members));
        self.metrics.cluster_shards_owned.set(told(shards.iter().filter(|(_, is_ours)| *is_ours).count()));
        self.metrics.cluster_claims_unsent.set(told(*claims_open));
        self.metrics.cluster_halted.set(told(halt.is_some().into()));
        for (shard, is_ours) in shards {
            let value = f64::from(u8::from(*is_ours));
            self.metrics.cluster_shard_owner.set(&[&self.claim, &shard.to_string()], Some(value));
        }
        let counter = &self.metrics.cluster_rebalances_total;
        counter.inc_by(rebalances.saturating_sub(counter.get()));
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
            Event::BarsFetched { fetches, api, rejected } => self.bars_fetched(fetches, api, rejected, now),
            Event::FeaturesBuilt { builds, invalid } => self.features_built(builds, invalid, now),
            Event::PredictionsReceived { requests, api, is_refused } => {
                self.predictions_received(requests, api, *is_refused, now);
            }
            Event::CycleGuarded { .. } | Event::StopsChecked { .. } | Event::CycleFinished { .. } => {
                self.cycle_went_on(event, now);
            }
            Event::SymbolsEnded { cycle_id, failures } => {
                self.symbols_ended(failures, now);
                self.state.failures = (*cycle_id, failures.clone());
            }
            Event::SignalsDecided { decisions, suppressed } => self.signals_decided(decisions, suppressed, now),
            Event::SignalsHandled { reports } => self.signals_handled(reports, now),
            Event::EquityTold(_)
            | Event::AccountPollFailed
            | Event::PositionsTold(_)
            | Event::GatewayChecked { .. }
            | Event::PositionsChecked { .. } => self.gateway_told(event, instant),
            Event::JournalChanged { .. } | Event::BarsArchived { .. } => self.disk_written(event),
            Event::MoneyCounted(money) => self.money = Some((**money).clone()),
            Event::PaperCounted(paper) => self.paper = Some((**paper).clone()),
            Event::ConsolePressed { is_halt } => {
                let action = if *is_halt { "halt" } else { "resume" };
                self.metrics.console_presses_total.with_label_values(&[action]).inc();
            }
            Event::OrderClaimed { result, took } => {
                self.metrics.cluster_claims_total.with_label_values(&[result]).inc();
                if let Some(took) = took {
                    self.metrics.cluster_claim_seconds.observe(took.as_secs_f64());
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

    /// The Journal's and the Archivist's state.
    fn disk_written(&mut self, event: &Event) {
        match event {
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
            _ => {}
        }
    }

    fn suppressed(&self, reason: Suppression) {
        self.metrics.signals_suppressed_total.with_label_values(&[reason.as_str()]).inc();
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
