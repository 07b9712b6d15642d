//! A circuit breaker: after so many failures in a row an endpoint is left alone for a while, then asked once more.
//! Pure; the time comes from outside and is monotonic.

use std::time::{Duration, Instant};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row after which it opens; 0 is never.
    pub failures: u32,
    /// How long it stays open.
    pub pause: Duration,
}

impl Default for BreakerPolicy {
    /// Five failures, a minute: with a cycle a minute the second one after the last failure asks again.
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(60) }
    }
}

/// What a breaker does with requests; the values of `sentinel_breaker_state{state}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets them through.
    Closed,
    /// Lets them through, and the first failure opens it again; a caller that makes several sends one alone.
    HalfOpen,
    /// Refuses them.
    Open,
}

impl BreakerState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// The breaker of one endpoint.
///
/// Every call without a usable answer is a failure, those included that no repetition can mend, such as 401 or 404:
/// asking on would spend the quota and may get the key locked, and a key that was replaced is found all the same by
/// the one call after each pause.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    policy: BreakerPolicy,
    failures: u32,
    /// End of the pause, from the opening to the next success.
    opened_until: Option<Instant>,
}

impl Breaker {
    /// A closed one.
    pub const fn new(policy: BreakerPolicy) -> Self {
        Self { policy, failures: 0, opened_until: None }
    }

    /// What it does with a request at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.opened_until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// A call brought a usable answer.
    pub fn succeeded(&mut self) {
        *self = Self::new(self.policy);
    }

    /// A call ended without one at `now`. While it is open that is a call from before, and changes nothing: many that
    /// end together must not stretch the pause.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state(now) {
            BreakerState::Closed => self.policy.failures > 0 && self.failures >= self.policy.failures,
            BreakerState::HalfOpen => true,
            BreakerState::Open => false,
        };
        if opens {
            self.opened_until = Some(now + self.policy.pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(60);

    /// A breaker that has just opened, and when.
    fn opened() -> (Breaker, Instant) {
        let (mut breaker, now) = (Breaker::new(BreakerPolicy { failures: 3, pause: PAUSE }), Instant::now());
        for _ in 0..2 {
            breaker.failed(now);
            assert_eq!(breaker.state(now), BreakerState::Closed);
        }
        breaker.failed(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        (breaker, now)
    }

    #[test]
    fn it_half_opens_when_the_pause_is_over_and_not_before() {
        let (breaker, now) = opened();
        assert_eq!(breaker.state(now + PAUSE - Duration::from_nanos(1)), BreakerState::Open);
        assert_eq!(breaker.state(now + PAUSE), BreakerState::HalfOpen);
    }

    #[test]
    fn one_success_closes_it_and_forgets_the_failures() {
        let (mut breaker, now) = opened();
        breaker.succeeded();
        assert_eq!(breaker.state(now), BreakerState::Closed);
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.state(now), BreakerState::Closed, "it takes three in a row again");
    }

    #[test]
    fn one_failure_opens_a_half_open_one_for_another_pause() {
        let (mut breaker, now) = opened();
        let later = now + PAUSE;
        breaker.failed(later);
        assert_eq!(breaker.state(later + PAUSE - Duration::from_nanos(1)), BreakerState::Open);
        assert_eq!(breaker.state(later + PAUSE), BreakerState::HalfOpen);
    }

    #[test]
    fn calls_that_end_while_it_is_open_do_not_stretch_the_pause() {
        let (mut breaker, now) = opened();
        breaker.failed(now + PAUSE / 2);
        assert_eq!(breaker.state(now + PAUSE), BreakerState::HalfOpen);
    }

    #[test]
    fn failures_that_are_not_in_a_row_never_open_it_and_zero_turns_it_off() {
        let now = Instant::now();
        let mut breaker = Breaker::new(BreakerPolicy { failures: 2, pause: PAUSE });
        let mut off = Breaker::new(BreakerPolicy { failures: 0, pause: PAUSE });
        for _ in 0..100 {
            breaker.failed(now);
            breaker.succeeded();
            off.failed(now);
        }
        assert_eq!((breaker.state(now), off.state(now)), (BreakerState::Closed, BreakerState::Closed));
    }
}
