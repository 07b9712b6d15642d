//! Where the time comes from, so that tests can drive it.

use std::{future::Future, pin::Pin, time::Duration};

/// A wall clock one can wait on. Deadlines of requests do not use it: those are monotonic, in the adapters.
pub trait Clock: Send + Sync + 'static {
    /// Time since the unix epoch.
    fn now(&self) -> Duration;

    /// Completes when `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Unix seconds, rounded down.
    fn now_unix(&self) -> i64 {
        i64::try_from(self.now().as_secs()).unwrap_or(i64::MAX)
    }
}
