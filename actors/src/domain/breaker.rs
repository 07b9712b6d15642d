//! A circuit breaker: after a number of failures in a row, an endpoint is not called for a while; then a single call tests
//! it. An error that concerns only one request never opens it. Pure; the caller passes the time, which is monotonic.

use std::time::{Duration, Instant};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Number of failures in a row after which it opens; 0 is never.
    pub failures: u32,
    /// How long it stays open.
    pub pause: Duration,
}

impl Default for BreakerPolicy {
    /// Five failures, one minute. With one cycle per minute, the second cycle after the last failure tests the endpoint
    /// again.
    fn default() -> Self {
        Self { failures: 5, pause: Duration::from_secs(60) }
    }
}

/// How a breaker treats requests; the values of `sentinel_breaker_state{state}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Allows them.
    Closed,
    /// Allows them, but the first failure opens it again. A caller with several requests sends a single one first, each time
    /// a different one: a request may fail for reasons of its own, and must not block all others forever.
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
    /// With an answer that concerns only this request.
    Refused,
    /// Without an answer, or with one that any other request would get, too.
    Failed,
}

/// The breaker of one endpoint.
///
/// A failure is an error that the next request would meet, too: no connection, no answer in time, a broken answer, a server
/// error, or a problem with the account, such as 401, 402 or 429. Repeating a request does not solve problems with the
/// account. It would use up the quota and may get the key locked. If the key is replaced, the single call after each pause
/// finds that out.
///
/// A refusal is an answer to a single request: 404 for an unknown symbol, 400 or 422 for a row that the model cannot accept,
/// an answer in an unusable format. It says nothing about the endpoint's health. While the breaker is closed, it does not
/// change the number of failures in a row. While the breaker is half open, it stays half open: the server answers, so there
/// is no reason to open again; but a refusal does not show that the server can serve a request, so the next request is the
/// next test. As many refusals in a row as failures are needed to open it close it: a server that answers so often is
/// available, and a long list of unknown symbols must not be requested one by one.
#[derive(Debug, Clone, Copy)]
pub struct Breaker {
    policy: BreakerPolicy,
    failures: u32,
    /// Since it became half open.
    refusals: u32,
    /// End of the pause; set from the opening until the next success.
    opened_until: Option<Instant>,
}

impl Breaker {
    /// A closed one.
    pub const fn new(policy: BreakerPolicy) -> Self {
        Self { policy, failures: 0, refusals: 0, opened_until: None }
    }

    /// How it treats requests at `now`.
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.opened_until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Number of failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How long it stays open.
    pub const fn pause(&self) -> Duration {
        self.policy.pause
    }

    /// A call had a usable answer.
    pub fn succeeded(&mut self) {
        *self = Self::new(self.policy);
    }

    /// A call was answered at `now` with something that concerns only its own request.
    pub fn refused(&mut self, now: Instant) {
        if self.state(now) == BreakerState::HalfOpen {
            self.refusals += 1;
            if self.refusals >= self.policy.failures {
                self.succeeded();
            }
        }
    }

    /// A call failed at `now`. If the breaker is open, the call began earlier and changes nothing, so many calls that end
    /// together do not extend the pause.
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
