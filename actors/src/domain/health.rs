//! How the daemon is, from what its actors reported: pure, so that every verdict can be tested. The MetricsActor keeps
//! the [`State`], HTTP shows the [`Health`].

mod names;
mod report;
#[cfg(test)]
mod tests;

pub use names::{ActorName, DropReason, Step};
pub use report::{Check, CycleHealth, Health, StageHealth, Status};

use crate::domain::{
    cycle_verdict::{CycleVerdict, SymbolFailure},
    instrument::Symbol,
    journal::UnresolvedOrder,
};
use std::time::Duration;

/// Periods of the schedule without a finished cycle after which the daemon counts as failed, and without a successful
/// one after which it is not ready.
pub const PERIODS_MAX: u32 = 3;

/// Symbols that `/health` names in one line; of more, only their number is given.
const SYMBOLS_NAMED_MAX: usize = 10;
/// Unresolved orders that `/health` names; of more, only their number is given.
const ORDERS_NAMED_MAX: usize = 5;
const JOURNAL_BROKEN: &str = "the journal cannot be written, so no order is sent";

/// What was built, as `sentinel_build_info` and `/health` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// The package's version.
    pub version: String,
    /// Short commit id, or `unknown`.
    pub revision: String,
    /// The compiler's version.
    pub rustc: String,
}

/// What is known of an actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActorState {
    /// Whether it ever reported its start.
    pub started: bool,
    /// Whether it runs, as far as is known: started or restarted, and not silent since.
    pub up: bool,
    /// Whether it answered the last Ping round; `None` before the first.
    pub answered: Option<bool>,
}

/// What is known of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepState {
    /// Kinds of the faults of its last run, empty if there were none; `None` before the first.
    pub last_faults: Option<Vec<&'static str>>,
    /// When it last succeeded, time since the unix epoch.
    pub last_success_at: Option<Duration>,
}

/// A cycle that ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CycleState {
    /// Its id.
    pub cycle_id: u64,
    /// When it ended, time since the unix epoch.
    pub finished_at: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Whether it failed, by the rule of [`judge`](crate::domain::cycle_verdict::judge).
    pub failed: bool,
}

/// What is known of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalState {
    /// Whether the last write went through; `None` before the Journal said anything.
    pub is_writable: Option<bool>,
    /// Orders of unknown fate, oldest first.
    pub unresolved: Vec<UnresolvedOrder>,
}

/// What is known of the gateway in live mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayState {
    /// Whether it was asked at all.
    pub is_checked: bool,
    /// Why it may not be sent an order; `None` if it may.
    pub trouble: Option<String>,
}

/// What the last list of open positions said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionsState {
    /// Why it cannot be read; `None` if it can, or nobody asked yet.
    pub trouble: Option<String>,
    /// Positions that may be ours and have a name that no configured symbol explains, each in words.
    pub doubts: Vec<String>,
}

/// What the verdict is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What runs.
    pub build: BuildInfo,
    /// Whether orders leave.
    pub live: bool,
    /// Time between two due cycles.
    pub period: Duration,
    /// When the daemon started, time since the unix epoch.
    pub started_at: Duration,
    /// Indexed by [`ActorName`].
    pub actors: [ActorState; ActorName::ALL.len()],
    /// Indexed by [`Step`].
    pub steps: [StepState; Step::ALL.len()],
    /// Decisions and orders on disk.
    pub journal: JournalState,
    /// The gateway's handshake.
    pub gateway: GatewayState,
    /// The gateway's list of open positions.
    pub positions: PositionsState,
    /// How many symbols are configured.
    pub symbols: usize,
    /// A cycle that ended, and who failed in it.
    pub failures: (u64, Vec<SymbolFailure>),
    /// Symbols whose stop-loss or take-profit could not be built at their newest close, and why.
    pub bad_stops: Vec<(Symbol, String)>,
    /// The last cycle that ended.
    pub last_cycle: Option<CycleState>,
    /// When a cycle that did not fail last ended, time since the unix epoch.
    pub last_cycle_success_at: Option<Duration>,
    /// Whether no cycle is due any more.
    pub cycles_ended: bool,
    /// Whether the last cycle found the market open; `None` before the first.
    pub is_market_open: Option<bool>,
    /// Whether the kill switch is on.
    pub is_halted: bool,
}

impl State {
    /// Before anything happened.
    pub fn new(build: BuildInfo, live: bool, period: Duration, started_at: Duration) -> Self {
        Self {
            build,
            live,
            period,
            started_at,
            actors: Default::default(),
            steps: Default::default(),
            journal: JournalState::default(),
            gateway: GatewayState::default(),
            positions: PositionsState::default(),
            symbols: 0,
            failures: Default::default(),
            bad_stops: Vec::new(),
            last_cycle: None,
            last_cycle_success_at: None,
            cycles_ended: false,
            is_market_open: None,
            is_halted: false,
        }
    }

    /// The verdict at `now` (time since the unix epoch). `uptime` comes from a monotonic clock: a daemon that starts
    /// before its host has the time would otherwise be decades old.
    pub fn assess(&self, now: Duration, uptime: Duration) -> Health {
        let checks = vec![
            self.check_actors(),
            self.check_schedule(now),
            self.check_last_cycle(),
            self.check_market(),
            self.check_kill_switch(),
            self.check_journal(),
            self.check_gateway(),
            self.check_positions(),
            self.check_orders(),
            self.check_stops(),
        ];
        let not_ready = self.not_ready_because(now);
        let not_started = self.not_started_because();
        Health {
            status: checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok),
            ready: not_ready.is_none(),
            not_ready_because: not_ready,
            started: not_started.is_none(),
            not_started_because: not_started,
            version: self.build.version.clone(),
            revision: self.build.revision.clone(),
            mode: if self.live { "live" } else { "dry_run" },
            uptime_seconds: seconds(uptime),
            period_seconds: seconds(self.period),
            last_cycle: self.last_cycle.map(|cycle| CycleHealth {
                cycle_id: cycle.cycle_id,
                age_seconds: seconds(now.saturating_sub(cycle.finished_at)),
                failed: cycle.failed,
                outcome: self.verdict(&cycle).as_str(),
                duration_seconds: seconds(cycle.duration),
            }),
            stages: Step::ALL.into_iter().map(|step| (step.as_str(), self.stage(step, now))).collect(),
            checks,
        }
    }

    /// [`Health::ready`] alone: cheap enough for every scrape.
    pub fn is_ready(&self, now: Duration) -> bool {
        self.not_ready_because(now).is_none()
    }

    fn age_max(&self) -> Duration {
        self.period.saturating_mul(PERIODS_MAX)
    }

    fn actor_names(&self, pick: impl Fn(&ActorState) -> bool) -> String {
        let picked = ActorName::ALL.into_iter().filter(|&name| pick(&self.actors[name as usize]));
        picked.map(ActorName::as_str).collect::<Vec<_>>().join(", ")
    }

    fn check_actors(&self) -> Check {
        let silent = self.actor_names(|actor| actor.answered == Some(false));
        if !silent.is_empty() {
            return Check::new("actors", Status::Fail, format!("no answer from {silent}"));
        }
        Check::new("actors", Status::Ok, "no actor failed to answer".into())
    }

    fn check_schedule(&self, now: Duration) -> Check {
        if self.cycles_ended {
            return Check::new("schedule", Status::Ok, "all cycles asked for have run".into());
        }
        let age = now.saturating_sub(self.last_cycle.map_or(self.started_at, |cycle| cycle.finished_at));
        let status = if age > self.age_max() { Status::Fail } else { Status::Ok };
        let since =
            if self.last_cycle.is_some() { "the last cycle ended" } else { "no cycle has ended since the start" };
        let (age, period) = (in_words(age), in_words(self.period));
        Check::new("schedule", status, format!("{since} {age} ago, one is due every {period}"))
    }

    fn check_last_cycle(&self) -> Check {
        match self.last_cycle {
            None => Check::new("last_cycle", Status::Ok, "there was none yet".into()),
            Some(cycle) if self.verdict(&cycle) == CycleVerdict::Ok => {
                Check::new("last_cycle", Status::Ok, format!("cycle {} succeeded", cycle.cycle_id))
            }
            Some(cycle) if !cycle.failed => {
                let detail = format!("cycle {} degraded: {}", cycle.cycle_id, self.who_failed(&cycle));
                Check::new("last_cycle", Status::Degraded, detail)
            }
            Some(cycle) => {
                let faults = Step::ALL.into_iter().filter_map(|step| {
                    let faults = self.steps[step as usize].last_faults.as_ref().filter(|faults| !faults.is_empty())?;
                    Some(format!("; {}: {}", step.as_str(), faults.join(", ")))
                });
                let faults = faults.collect::<String>();
                let who = self.who_failed(&cycle);
                let who = if who.is_empty() { who } else { format!("; {who}") };
                Check::new("last_cycle", Status::Degraded, format!("cycle {} failed{faults}{who}", cycle.cycle_id))
            }
        }
    }

    /// How a cycle went. Who failed is told right before it ends, and not at all by one that was given up.
    fn verdict(&self, cycle: &CycleState) -> CycleVerdict {
        match self.failures_of(cycle) {
            _ if cycle.failed => CycleVerdict::Failed,
            [] => CycleVerdict::Ok,
            _ => CycleVerdict::Degraded,
        }
    }

    fn failures_of(&self, cycle: &CycleState) -> &[SymbolFailure] {
        if self.failures.0 == cycle.cycle_id { &self.failures.1 } else { &[] }
    }

    /// `1 of 10 symbols failed: XX0USD (fetch: 404)`; empty if nobody did, or nobody said.
    fn who_failed(&self, cycle: &CycleState) -> String {
        let failures = self.failures_of(cycle);
        if failures.is_empty() {
            return String::new();
        }
        let name = |it: &SymbolFailure| format!("{} ({}: {})", it.symbol, it.step.as_str(), it.kind);
        format!("{} of {} symbols failed: {}", failures.len(), self.symbols, named(failures.iter().map(name)))
    }

    fn check_stops(&self) -> Check {
        if self.bad_stops.is_empty() {
            return Check::new("stops", Status::Ok, "no stop-loss or take-profit is in the way of an order".into());
        }
        let name = |(symbol, why): &(Symbol, String)| format!("{symbol}: {why}");
        let detail = format!("no order can be built (bad_stop) of {}", named(self.bad_stops.iter().map(name)));
        Check::new("stops", Status::Degraded, detail)
    }

    fn check_market(&self) -> Check {
        let detail = match self.is_market_open {
            None => "no cycle has looked at the calendar yet",
            Some(true) => "the market is open",
            Some(false) => "the market is closed; no order leaves until it opens",
        };
        Check::new("market", Status::Ok, detail.into())
    }

    fn check_kill_switch(&self) -> Check {
        if self.is_halted {
            return Check::new(
                "kill_switch",
                Status::Degraded,
                "halted: no order leaves; see `sentinel resume`".into(),
            );
        }
        Check::new("kill_switch", Status::Ok, "not halted".into())
    }

    fn check_journal(&self) -> Check {
        match self.journal.is_writable {
            Some(false) if self.live => Check::new("journal", Status::Fail, JOURNAL_BROKEN.into()),
            Some(false) => Check::new("journal", Status::Degraded, "the journal cannot be written".into()),
            Some(true) | None => Check::new("journal", Status::Ok, "the journal can be written".into()),
        }
    }

    fn check_gateway(&self) -> Check {
        match &self.gateway {
            _ if !self.live => Check::new("gateway", Status::Ok, "dry run: it is not asked".into()),
            GatewayState { is_checked: false, .. } => {
                Check::new("gateway", Status::Ok, "it was not asked yet; no order leaves before it answers".into())
            }
            GatewayState { trouble: None, .. } => Check::new("gateway", Status::Ok, "it may be sent orders".into()),
            GatewayState { trouble: Some(trouble), .. } => {
                Check::new("gateway", Status::Degraded, format!("no order leaves until it answers: {trouble}"))
            }
        }
    }

    fn check_positions(&self) -> Check {
        let PositionsState { trouble, doubts } = &self.positions;
        if let Some(trouble) = trouble {
            let detail = format!("no order leaves: the gateway's list cannot be read: {trouble}");
            return Check::new("positions", Status::Degraded, detail);
        }
        if doubts.is_empty() {
            return Check::new("positions", Status::Ok, "no open position is in doubt".into());
        }
        let named = doubts.iter().take(ORDERS_NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
        let detail = format!("{} in doubt, which count as open: {named}", doubts.len());
        Check::new("positions", Status::Degraded, detail)
    }

    fn check_orders(&self) -> Check {
        let unresolved = &self.journal.unresolved;
        if unresolved.is_empty() {
            return Check::new("orders", Status::Ok, "no order has an unknown fate".into());
        }
        let named = unresolved.iter().take(ORDERS_NAMED_MAX).map(|order| format!("{} {}", order.symbol, order.id));
        let named = named.collect::<Vec<_>>().join(", ");
        let detail = format!("{} of unknown fate block their symbols until resolved: {named}", unresolved.len());
        Check::new("orders", Status::Degraded, detail)
    }

    fn not_ready_because(&self, now: Duration) -> Option<String> {
        let unanswered = self.actor_names(|actor| actor.answered != Some(true));
        if !unanswered.is_empty() {
            return Some(format!("no answer from {unanswered}"));
        }
        if self.live && self.journal.is_writable == Some(false) {
            return Some(JOURNAL_BROKEN.into());
        }
        if let (true, Some(trouble)) = (self.live, &self.gateway.trouble) {
            return Some(format!("the gateway: {trouble}"));
        }
        if self.is_market_open == Some(false) {
            // Nothing could be ordered anyway, and a provider may well rest when its market does.
            return None;
        }
        let Some(success_at) = self.last_cycle_success_at else {
            return Some("no cycle has succeeded yet".into());
        };
        if self.cycles_ended {
            return self.last_cycle.is_some_and(|cycle| cycle.failed).then(|| "the last cycle failed".into());
        }
        let age = now.saturating_sub(success_at);
        (age > self.age_max()).then(|| format!("the last successful cycle ended {} ago", in_words(age)))
    }

    fn not_started_because(&self) -> Option<String> {
        let missing = self.actor_names(|actor| !actor.started);
        if !missing.is_empty() {
            return Some(format!("not started: {missing}"));
        }
        self.last_cycle.is_none().then(|| "the first cycle has not ended".into())
    }

    fn stage(&self, step: Step, now: Duration) -> StageHealth {
        let state = &self.steps[step as usize];
        StageHealth {
            up: self.actors[step.actor() as usize].up,
            last_outcome: match &state.last_faults {
                None => "none yet".into(),
                Some(faults) if faults.is_empty() => "ok".into(),
                Some(faults) => faults.join(", "),
            },
            last_success_age_seconds: state.last_success_at.map(|at| seconds(now.saturating_sub(at))),
        }
    }
}

/// `a, b, c`, or the first few and how many more.
fn named(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(SYMBOLS_NAMED_MAX);
    let text = items.take(SYMBOLS_NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// Seconds with three decimals: more would be noise to a reader.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// `45 s`, `3 min 5 s`, `2 h 10 min`.
fn in_words(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{s} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3_600, s / 60 % 60),
    }
}
