//! The source of time, which tests can replace, and a check whether the wall clock can be trusted.

use std::{future::Future, pin::Pin, time::Duration};

/// A wall clock with a timer. Deadlines of requests do not use it: they are monotonic, in the adapters.
pub trait Clock: Send + Sync + 'static {
    /// Time since the unix epoch.
    fn now(&self) -> Duration;

    /// Completes when `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Monotonic time from an arbitrary origin; it is never set, and it stops while the machine is suspended.
    ///
    /// The default is the wall clock, for clocks that never step. The system's clock overrides it.
    fn monotonic(&self) -> Duration {
        self.now()
    }

    /// Like [`Clock::monotonic`], from another origin, but it does not stop while the machine is suspended.
    fn boottime(&self) -> Duration {
        self.monotonic()
    }

    /// Both at once.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), monotonic: self.monotonic() }
    }

    /// Unix seconds, rounded down.
    fn now_unix(&self) -> i64 {
        i64::try_from(self.now().as_secs()).unwrap_or(i64::MAX)
    }
}

/// A moment on both clocks, because each of them misses some pauses. A stopped process or a slow disk is visible on the
/// monotonic clock, a suspended machine only on the wall clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Time since the unix epoch.
    pub wall: Duration,
    /// [`Clock::monotonic`].
    pub monotonic: Duration,
}

impl Moment {
    /// How old it is at `now`, by the clock that shows more time.
    pub fn age_at(&self, now: Self) -> Duration {
        now.wall.saturating_sub(self.wall).max(now.monotonic.saturating_sub(self.monotonic))
    }
}

impl Moment {
    /// Whether the wall clock moved by [`STEP_MIN`] or more relative to the monotonic clock until `now`.
    pub fn has_stepped_at(&self, now: Self) -> bool {
        (now.wall + self.monotonic).abs_diff(self.wall + now.monotonic) >= STEP_MIN
    }
}

/// Until when an order may be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expiry {
    /// When the decision began.
    pub begun_at: Moment,
    /// Largest age of the decision.
    pub age_max: Duration,
}

impl Expiry {
    /// Whether it is too late at `now`.
    pub fn is_over(&self, now: Moment) -> bool {
        self.begun_at.age_at(now) > self.age_max
    }
}

/// How much wall time and monotonic time may differ between two readings before it counts as a step.
pub const STEP_MIN: Duration = Duration::from_secs(2);

/// Detects steps of the wall clock, and suspensions of the machine, from pairs of readings. A clock that is slewed is not
/// detected, because that changes both clocks.
#[derive(Debug, Default)]
pub struct StepDetector {
    last: Option<(Duration, Duration)>,
}

impl StepDetector {
    /// Takes a reading of both clocks. Returns the seconds by which the wall clock moved more than the monotonic clock since
    /// the previous reading (negative if less), if they are [`STEP_MIN`] or more.
    pub fn observe(&mut self, wall: Duration, monotonic: Duration) -> Option<f64> {
        let (wall_before, monotonic_before) = self.last.replace((wall, monotonic))?;
        let ahead =
            |of: Duration, by: Duration| if of >= by { (of - by).as_secs_f64() } else { -(by - of).as_secs_f64() };
        // Durations are unsigned. Sums of two are never negative and exact, so the boundary is exact to the nanosecond.
        let (moved, expected) = (wall + monotonic_before, wall_before + monotonic);
        (moved.abs_diff(expected) >= STEP_MIN).then(|| ahead(moved, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The detector's result for a wall clock that moved by `wall_ms` while `monotonic_ms` passed.
    fn moved(wall_ms: i64, monotonic_ms: u64) -> Option<f64> {
        let mut steps = StepDetector::default();
        let wall = Duration::from_secs(1_500_000_000);
        assert_eq!(steps.observe(wall, Duration::from_secs(7)), None, "a first reading has nothing to compare with");
        let by = Duration::from_millis(wall_ms.unsigned_abs());
        let wall = if wall_ms < 0 { wall - by } else { wall + by };
        let said = steps.observe(wall, Duration::from_secs(7) + Duration::from_millis(monotonic_ms));
        assert_eq!(steps.observe(wall, Duration::from_secs(7) + Duration::from_millis(monotonic_ms)), None, "once");
        said
    }

    #[test]
    fn a_decision_is_as_old_as_the_clock_says_that_says_more() {
        let second = Duration::from_secs;
        let begun_at = Moment { wall: second(1_000), monotonic: second(10) };
        let expiry = Expiry { begun_at, age_max: second(15) };
        for (wall, monotonic, is_over) in [
            (1_015, 25, false),
            (1_016, 25, true), // the machine slept
            (1_015, 26, true), // the wall clock was set back meanwhile
            (900, 20, false),
            (900, 26, true),
        ] {
            let now = Moment { wall: second(wall), monotonic: second(monotonic) };
            assert_eq!(expiry.is_over(now), is_over, "{now:?}");
        }
    }

    #[test]
    fn a_normal_minute_is_no_step() {
        assert_eq!(moved(60_000, 60_000), None);
        assert_eq!(moved(60_000, 61_999), None);
        assert_eq!(moved(61_999, 60_000), None);
    }

    #[test]
    fn two_seconds_either_way_are_a_step() {
        assert_eq!(moved(62_000, 60_000), Some(2.0));
        assert_eq!(moved(58_000, 60_000), Some(-2.0));
    }

    #[test]
    fn a_suspended_machine_and_a_clock_set_back_show() {
        assert_eq!(moved(3_660_000, 60_000), Some(3_600.0), "asleep for an hour");
        assert_eq!(moved(-3_540_000, 60_000), Some(-3_600.0), "set back by an hour");
    }
}
