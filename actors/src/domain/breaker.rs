//! A circuit breaker: after so many failures in a row an endpoint is left alone for a while, then asked once more.
//! It is about the endpoint: what is wrong with one request never opens it. Pure; the time comes from outside and is
//! monotonic.

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
    /// Lets them through, and the first failure opens it again; a caller that makes several sends one alone, each time
    /// another one: a request may have troubles of its own, and must not stand for all the others for ever.
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

/// How a call ended, for the breaker of its endpoint; see [`Breaker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEnd {
    /// With a usable answer.
    Answered,
    /// With an answer that concerns nobody but this request.
    Refused,
    /// Without an answer, or with one that any other request would get as well.
    Failed,
}

/// The breaker of one endpoint.
///
/// A failure is what the next request would meet as well: no connection, no answer in time, a broken one, a server's own
/// error, and what is wrong with the account, such as 401, 402 or 429. No repetition mends the latter, but asking on
/// would spend the quota and may get the key locked, and a key that was replaced is found all the same by the one call
/// after each pause.
///
/// A refusal is an answer to this one request: 404 for a symbol that is not there, 400 or 422 for a row that the model
/// cannot take, an answer in a shape that is of no use. It counts neither for the endpoint nor against it. While the
/// breaker is closed it leaves the failures in a row as they are. While it is half open it leaves it half open: the
/// server answers, so there is no reason to open again; but that it refuses a request does not show that it can serve
/// one, so the next request is the trial. Only as many refusals in a row as it takes failures to open close it: a server
/// that answers so often is there, and a long list of dead symbols must not be asked one by one.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    policy: BreakerPolicy,
    failures: u32,
    /// Since it is half open.
    refusals: u32,
    /// End of the pause, from the opening to the next success.
    opened_until: Option<Instant>,
}

impl Breaker {
    /// A closed one.
    pub const fn new(policy: BreakerPolicy) -> Self {
        Self { policy, failures: 0, refusals: 0, opened_until: None }
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

    /// A call was answered at `now` with what concerns nobody but its own request.
    pub fn refused(&mut self, now: Instant) {
        if self.state(now) == BreakerState::HalfOpen {
            self.refusals += 1;
            if self.refusals >= self.policy.failures {
                self.succeeded();
            }
        }
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
            self.refusals = 0;
            self.opened_until = Some(now + self.policy.pause);
        }
    }
}

#[cfg(test)]
mod tests;
