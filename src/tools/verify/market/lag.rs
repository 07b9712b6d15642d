//! How far a feed is behind the clock, from one answer, and the `data.max_bar_age_s` it needs.

use sentinel_actors::domain::{calendar::Calendar, guard::is_stale, interval::Interval};

/// Limit of the search for a closure since the newest bar.
const SLOTS_MAX: usize = 50_000;

/// The meaning of a newest bar's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// None: the market is closed.
    Closed,
    /// None: the market opened since, and no bar of this session is due yet.
    JustOpened,
    /// The market opened since; bars of this session are due and have not arrived.
    Reopened {
        /// A bar that closed longer ago than `data.max_bar_age_s` is missing.
        is_stale: bool,
    },
    /// The lag: the market has been open since the bar closed.
    Measured {
        /// Seconds.
        age_s: i64,
        /// No order would be sent on it.
        is_stale: bool,
    },
}

/// When a symbol's newest bars closed, unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Newest {
    /// The newest complete one, on which decisions are based.
    pub bar: i64,
    /// The provider's newest: the same, or the newest of the finer bars that it is made of.
    pub source: i64,
}

/// Judges one symbol's newest closed bars; times are unix seconds. The provider's lag is that of its own bars: a bar made of them can
/// be hours old without any lag.
pub fn judge(calendar: &Calendar, interval: Interval, newest: Newest, now: i64, max_bar_age_s: i64) -> Lag {
    let step = usize::try_from(interval.source_s()).unwrap_or(1);
    if !calendar.is_open(now) {
        return Lag::Closed;
    }
    let was_open_since = |from: i64| (from..now).step_by(step).take(SLOTS_MAX).all(|time| calendar.is_open(time));
    let is_overdue = || interval.is_due(newest.bar, now.saturating_sub(max_bar_age_s), calendar);
    if was_open_since(newest.source) {
        // After a weekend, an old bar is the newest until the first of the week has closed.
        let is_stale = is_stale(newest.bar, now, max_bar_age_s) && (was_open_since(newest.bar) || is_overdue());
        return Lag::Measured { age_s: now - newest.source, is_stale };
    }
    if interval.source().is_due(newest.source, now, calendar) {
        return Lag::Reopened { is_stale: is_overdue() };
    }
    Lag::JustOpened
}

/// `data.max_bar_age_s` for a newest bar of this age: the bar ages by one interval until the next one closes, which then arrives
/// as late as this one at most. The margin, also the unit of rounding, is a quarter of the provider's interval, at least a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    /// The sum, rounded up.
    pub max_bar_age_s: i64,
    /// The margin, and the unit of rounding.
    pub margin_s: i64,
}

/// Computes the proposal.
pub fn propose(interval: Interval, age_s: i64) -> Proposal {
    let margin_s = (interval.source_s() / 4).max(60);
    let sum = interval.nominal_s().saturating_add(age_s.max(0)).saturating_add(margin_s);
    Proposal { max_bar_age_s: sum.saturating_add(margin_s - 1) / margin_s * margin_s, margin_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    /// Sunday 2026-11-22 22:00 UTC, 17:00 in New York: the FX week begins.
    const OPENING: i64 = 1_795_384_800;
    /// The Friday before, 22:00 UTC: the last week ended.
    const CLOSING: i64 = OPENING - 48 * HOUR;

    fn hourly(calendar: &Calendar, close_time: i64, now: i64) -> Lag {
        let newest = Newest { bar: close_time, source: close_time };
        judge(calendar, Interval::OneHour, newest, now, 3 * HOUR)
    }

    fn fx(close_time: i64, now: i64) -> Lag {
        hourly(&Calendar::fx(), close_time, now)
    }

    #[test]
    fn a_lag_is_measured_only_while_the_market_has_been_open() {
        assert_eq!(fx(CLOSING - HOUR, CLOSING - 60), Lag::Measured { age_s: HOUR - 60, is_stale: false });
        assert_eq!(fx(CLOSING - 5 * HOUR, CLOSING - HOUR), Lag::Measured { age_s: 4 * HOUR, is_stale: true });
        assert_eq!(fx(CLOSING, CLOSING + 60), Lag::Closed);
        assert_eq!(fx(CLOSING, OPENING - 1), Lag::Closed);
    }

    #[test]
    fn the_first_bars_of_a_week_are_late_only_once_due() {
        assert_eq!(fx(CLOSING, OPENING), Lag::JustOpened);
        assert_eq!(fx(CLOSING, OPENING + HOUR - 1), Lag::JustOpened);
        assert_eq!(fx(CLOSING, OPENING + HOUR), Lag::Reopened { is_stale: false });
        assert_eq!(fx(CLOSING, OPENING + 4 * HOUR), Lag::Reopened { is_stale: true });
        assert_eq!(fx(OPENING + HOUR, OPENING + 2 * HOUR), Lag::Measured { age_s: HOUR, is_stale: false });
    }

    #[test]
    fn a_market_that_never_closes_is_always_measured() {
        let lag = hourly(&Calendar::always(), CLOSING, OPENING);
        assert_eq!(lag, Lag::Measured { age_s: 48 * HOUR, is_stale: true });
    }

    #[test]
    fn the_lag_of_a_made_bar_is_that_of_its_source_bars() {
        let at = |interval: Interval, bar: i64, source: i64, now: i64| {
            judge(&Calendar::fx(), interval, Newest { bar, source }, now, 3 * interval.nominal_s())
        };
        let (four, day) = (Interval::FourHours, Interval::OneDay);
        let measured = |age_s, is_stale| Lag::Measured { age_s, is_stale };
        // Three hours into the week, Friday's bar is the newest, and nothing is late.
        let now = OPENING + 3 * HOUR + 60;
        assert_eq!(at(four, CLOSING, OPENING + 3 * HOUR, now), measured(60, false));
        assert_eq!(at(day, CLOSING, OPENING + 3 * HOUR, now), measured(60, false));
        assert_eq!(at(day, CLOSING, OPENING + HOUR, now), measured(2 * HOUR + 60, false));
        assert_eq!(at(day, CLOSING, CLOSING, OPENING + 60), Lag::JustOpened);
        assert_eq!(at(day, CLOSING, CLOSING, OPENING + HOUR), Lag::Reopened { is_stale: false });
        // Complete bars that should exist, and do not.
        let now = OPENING + 20 * HOUR;
        assert_eq!(at(four, CLOSING, OPENING + 19 * HOUR, now), measured(HOUR, true));
        assert_eq!(at(four, OPENING + 4 * HOUR, OPENING + 7 * HOUR, now), measured(13 * HOUR, true));
        assert_eq!(at(four, OPENING + 16 * HOUR, OPENING + 19 * HOUR, now), measured(HOUR, false));
        assert_eq!(at(four, CLOSING, CLOSING, now), Lag::Reopened { is_stale: true });
    }

    #[test]
    fn the_proposal_has_room_for_the_next_bar_and_a_margin() {
        assert_eq!(propose(Interval::OneHour, 0), Proposal { max_bar_age_s: 4_500, margin_s: 900 });
        assert_eq!(propose(Interval::OneHour, 1).max_bar_age_s, 5_400);
        assert_eq!(propose(Interval::OneHour, 9_000).max_bar_age_s, 13_500);
        assert_eq!(propose(Interval::OneMinute, 30), Proposal { max_bar_age_s: 180, margin_s: 60 });
        assert_eq!(propose(Interval::FourHours, HOUR), Proposal { max_bar_age_s: 18_900, margin_s: 900 });
        assert_eq!(propose(Interval::OneDay, HOUR), Proposal { max_bar_age_s: 90_900, margin_s: 900 });
    }
}
