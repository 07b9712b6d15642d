//! When cycles run: as the settings say, once, or as the demo wants it.

use crate::settings::Resolved;
use sentinel_actors::domain::schedule::Schedule;

/// When cycles run. The demo has another plan than a daemon.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When cycles are due.
    pub schedule: Schedule,
    /// How many to run; 0 for no limit.
    pub cycles_max: u64,
    /// How many of the first cycles run without a pause.
    pub back_to_back: u64,
    /// End the daemon after its cycles; without HTTP.
    pub once: bool,
}

impl Plan {
    /// The plan of the settings.
    pub fn from_settings(settings: &Resolved) -> Self {
        Self {
            schedule: settings.schedule.clone(),
            cycles_max: settings.cycles_max,
            back_to_back: if settings.back_to_back { u64::MAX } else { 0 },
            once: false,
        }
    }

    /// One cycle, then the end.
    #[must_use]
    pub fn once(self) -> Self {
        Self { cycles_max: 1, once: true, ..self }
    }
}
