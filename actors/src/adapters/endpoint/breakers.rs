//! The breakers of all endpoints, shared by the stages and the MetricsActor. A stage asks the endpoint's breaker before a
//! call and reports the result to it; the MetricsActor reads the states when it encodes the metrics.

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
    /// All breakers, closed.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self(Arc::new(Mutex::new([Breaker::new(policy); Endpoint::ALL.len()])))
    }

    /// The state of the endpoint's breaker at this moment.
    pub fn state(&self, endpoint: Endpoint) -> BreakerState {
        self.lock()[endpoint as usize].state(Instant::now())
    }

    /// Whether a request may be made now.
    pub fn admits(&self, endpoint: Endpoint) -> bool {
        self.state(endpoint) != BreakerState::Open
    }

    /// Records how a call ended, and logs it if that opens or closes the breaker. A call that was never made is not recorded,
    /// because it says nothing about the endpoint.
    pub fn note(&self, endpoint: Endpoint, is_success: bool) {
        self.change(endpoint, |breaker, now| if is_success { breaker.succeeded() } else { breaker.failed(now) });
    }

    /// The same, for callers whose call may also end in a way that concerns only its own request.
    pub fn note_end(&self, endpoint: Endpoint, end: CallEnd) {
        match end {
            CallEnd::Answered => self.note(endpoint, true),
            CallEnd::Refused => self.change(endpoint, Breaker::refused),
            CallEnd::Failed => self.note(endpoint, false),
        }
    }

    fn change(&self, endpoint: Endpoint, change: impl FnOnce(&mut Breaker, Instant)) {
        let now = Instant::now();
        let (before, after, failures, pause_s) = {
            let breaker = &mut self.lock()[endpoint as usize];
            let before = breaker.state(now);
            change(breaker, now);
            (before, breaker.state(now), breaker.failures(), breaker.pause().as_secs_f64())
        };
        match (before, after) {
            (BreakerState::Closed, BreakerState::Open) => {
                tracing::warn!(
                    endpoint = endpoint.as_str(),
                    "circuit breaker opened after {failures} consecutive failures, for {pause_s} s"
                );
            }
            (BreakerState::Open | BreakerState::HalfOpen, BreakerState::Closed) => {
                tracing::info!(endpoint = endpoint.as_str(), "answers again");
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Breaker; Endpoint::ALL.len()]> {
        // A poisoned lock can be used: a panic between two assignments leaves no harmful state.
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
