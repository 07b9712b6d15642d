//! The breakers of all endpoints, shared: the stages that call an endpoint tell its breaker how it went and ask it
//! before they call again, the MetricsActor reads the states when it makes its text.

use super::Endpoint;
use crate::domain::breaker::{Breaker, BreakerPolicy, BreakerState, CallEnd};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// One breaker per endpoint; clones share them.
#[derive(Debug, Clone)]
pub struct Breakers(Arc<Mutex<[Breaker; Endpoint::ALL.len()]>>);

impl Default for Breakers {
    fn default() -> Self {
        Self::new(BreakerPolicy::default())
    }
}

impl Breakers {
    /// All closed.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self(Arc::new(Mutex::new([Breaker::new(policy); Endpoint::ALL.len()])))
    }

    /// What the endpoint's breaker does with a request now.
    pub fn state(&self, endpoint: Endpoint) -> BreakerState {
        self.lock()[endpoint as usize].state(Instant::now())
    }

    /// Whether a request may be made now.
    pub fn admits(&self, endpoint: Endpoint) -> bool {
        self.state(endpoint) != BreakerState::Open
    }

    /// Notes how a call ended, and says so in the log if that opens or closes the breaker. A call that was never made
    /// says nothing about the endpoint and is not noted.
    pub fn note(&self, endpoint: Endpoint, is_success: bool) {
        self.change(endpoint, |breaker, now| if is_success { breaker.succeeded() } else { breaker.failed(now) });
    }

    /// The same where a call can also end by what concerns nobody but its own request.
    pub fn note_end(&self, endpoint: Endpoint, end: CallEnd) {
        match end {
            CallEnd::Answered => self.note(endpoint, true),
            CallEnd::Refused => self.change(endpoint, Breaker::refused),
            CallEnd::Failed => self.note(endpoint, false),
        }
    }

    fn change(&self, endpoint: Endpoint, change: impl FnOnce(&mut Breaker, Instant)) {
        let now = Instant::now();
        let (before, after) = {
            let breaker = &mut self.lock()[endpoint as usize];
            let before = breaker.state(now);
            change(breaker, now);
            (before, breaker.state(now))
        };
        match (before, after) {
            (BreakerState::Closed, BreakerState::Open) => {
                tracing::warn!(endpoint = endpoint.as_str(), "too many failures in a row: left alone for a while");
            }
            (BreakerState::Open | BreakerState::HalfOpen, BreakerState::Closed) => {
                tracing::info!(endpoint = endpoint.as_str(), "answers again");
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Breaker; Endpoint::ALL.len()]> {
        // A panic between two assignments leaves nothing half done that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_endpoint_has_a_breaker_of_its_own() {
        let breakers = Breakers::new(BreakerPolicy { failures: 2, pause: Duration::from_secs(3_600) });
        let stage = breakers.clone();
        stage.note(Endpoint::Hub, false);
        assert!(breakers.admits(Endpoint::Hub));
        stage.note(Endpoint::Hub, false);
        assert!(!breakers.admits(Endpoint::Hub) && breakers.admits(Endpoint::Eodhd));
        stage.note(Endpoint::Hub, true);
        assert_eq!(breakers.state(Endpoint::Hub), BreakerState::Closed);
    }
}
