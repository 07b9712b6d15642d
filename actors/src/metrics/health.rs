//! The daemon's health, judged from the events of its actors. Pure, so that every verdict can be tested. The MetricsActor
//! keeps the [`State`], HTTP shows the [`Health`].

mod checks;
mod report;
mod state;
#[cfg(test)]
mod tests;

pub use report::{CycleHealth, Health, HealthCheck, StageHealth, Status};
pub use state::{ActorState, ClusterState, CycleState, GatewayState, JournalState, PositionsState, State, StepState};

use crate::domain::names::{ActorName, Step};
use std::time::Duration;

/// Number of periods of the schedule. If no cycle finishes in this time, the daemon counts as failed; if no cycle succeeds in
/// this time, it is not ready.
pub const PERIODS_MAX: u32 = 3;

const CLAIM_OVER: &str = "no order is sent: the claim on the account was not kept alive in time";
const JOURNAL_BROKEN: &str = "the journal cannot be written, so no order is sent";

impl State {
    /// The verdict at `now` (time since the unix epoch). `uptime` comes from a monotonic clock, because otherwise a daemon
    /// that starts before its host's clock is set would seem to be decades old.
    pub fn assess(&self, now: Duration, uptime: Duration) -> Health {
        let checks = self.checks(now);
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
                finished_at: cycle.finished_at,
            }),
            stages: Step::ALL.into_iter().map(|step| (step.as_str(), self.stage(step, now))).collect(),
            checks,
            is_market_open: self.is_market_open,
            cycles_ended: self.cycles_ended,
            is_journal_writable: self.journal.is_writable,
            account_trouble: self.account_trouble.clone(),
        }
    }

    /// Only [`Health::ready`]: fast enough for every scrape.
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
        if let Some(ClusterState { may_send: false, trouble, .. }) = &self.cluster {
            return Some(format!("cluster: {}", trouble.as_deref().unwrap_or(CLAIM_OVER)));
        }
        if self.is_market_open == Some(false) {
            // Nothing could be ordered, and the provider may be offline while the market is closed.
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

/// Seconds, rounded to three decimals.
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
