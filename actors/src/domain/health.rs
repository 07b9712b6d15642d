//! How the daemon is, from what its actors reported: pure, so that every verdict can be tested.

use serde::Serialize;

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// It works, but something needs a look; still 200.
    Degraded,
    /// It does not work; 503.
    Fail,
}

/// What `/health` shows and `/readyz`, `/startupz` follow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The verdict over all checks.
    pub status: Status,
    /// Whether `/readyz` answers 200.
    pub ready: bool,
    /// Whether the first cycle has ended.
    pub started: bool,
}
