//! The content of `/health`, ready to be serialised.

use serde::{Serialize, Serializer};
use std::time::Duration;

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// It works, but something needs attention; still 200.
    Degraded,
    /// It does not work; 503.
    Fail,
}

/// The content of `/health`; `/readyz` and `/startupz` use it, too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The worst of all checks.
    pub status: Status,
    /// Whether `/readyz` answers 200: every actor answers and, while the market is open, a cycle that did not fail ended
    /// within the last three periods.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready_because: Option<String>,
    /// Whether `/startupz` answers 200: every actor started and the first cycle has ended.
    pub started: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_started_because: Option<String>,
    /// The package's version.
    pub version: String,
    /// Short commit id.
    pub revision: String,
    /// `live` or `dry_run`.
    pub mode: &'static str,
    /// Time since the start, seconds.
    pub uptime_seconds: f64,
    /// Time between two due cycles, seconds.
    pub period_seconds: f64,
    /// The last cycle that ended.
    pub last_cycle: Option<CycleHealth>,
    /// The health of each step, in the order of a cycle.
    #[serde(serialize_with = "as_map")]
    pub stages: Vec<(&'static str, StageHealth)>,
    /// The checks on which the status is based.
    pub checks: Vec<HealthCheck>,
    /// Whether the last cycle found the market open; `None` before the first. For the console.
    #[serde(skip)]
    pub is_market_open: Option<bool>,
    /// Whether no more cycles are due. For the console.
    #[serde(skip)]
    pub cycles_ended: bool,
    /// Whether the last write to the journal succeeded; `None` before the first. For the console.
    #[serde(skip)]
    pub is_journal_writable: Option<bool>,
    /// Why the gateway does not report the account; `None` if the last question was answered, or none was asked. For the console.
    #[serde(skip)]
    pub account_trouble: Option<String>,
}

/// The last cycle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CycleHealth {
    /// Its id, as in logs.
    pub cycle_id: u64,
    /// Time since it ended, seconds.
    pub age_seconds: f64,
    /// Whether it failed, by the rule of [`judge`](crate::domain::cycle_outcome::judge).
    pub failed: bool,
    /// `ok`, `degraded` (some symbols failed, but not too many) or `failed`.
    pub outcome: &'static str,
    /// How long it took, seconds.
    pub duration_seconds: f64,
    /// When it ended, since the unix epoch. For the console: unlike its age it stays the same.
    #[serde(skip)]
    pub finished_at: Duration,
}

/// One step of a cycle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageHealth {
    /// Whether its actor runs.
    pub up: bool,
    /// `ok`, `none yet`, or the kinds of the errors.
    pub last_outcome: String,
    /// Time since its last success, seconds; `null` before the first one.
    pub last_success_age_seconds: Option<f64>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthCheck {
    /// `actors`, `schedule`, `last_cycle`, `market`, `kill_switch`, `journal`, `gateway`, `orders` or `stops`.
    pub name: &'static str,
    /// Its verdict.
    pub status: Status,
    /// One line with details.
    pub detail: String,
}

impl HealthCheck {
    pub(super) const fn new(name: &'static str, status: Status, detail: String) -> Self {
        Self { name, status, detail }
    }
}

fn as_map<S: Serializer>(stages: &[(&'static str, StageHealth)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(stages.iter().map(|(name, stage)| (name, stage)))
}
