//! The machine's own wall clock.

use crate::domain::clock::Clock;
use std::{
    future::Future,
    pin::Pin,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The origin of monotonic time: the first reading.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The system's wall clock, which may jump.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// `CLOCK_MONOTONIC` on Linux. Unlike `CLOCK_BOOTTIME` it does not count time while the machine is suspended, so a
    /// suspension is detected as a step of the wall clock.
    fn monotonic(&self) -> Duration {
        BEGAN.elapsed()
    }

    fn boottime(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither is ever negative on this clock.
        Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
