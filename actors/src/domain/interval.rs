//! The length of a bar, what it is made from, and where it begins and ends.
//!
//! The provider has bars of 1m, 5m and 1h, which are used as they are. The others are made from these ([`resample`]) and have
//! their own edges: 15m and 30m those of the UTC clock, 1d those of the calendar's trading days, 4h every four hours of such
//! a day.
//!
//! [`resample`]: crate::domain::resample::resample

use super::calendar::Calendar;
use std::{ops::Range, str::FromStr};

/// The search for the next due bar ends after this many bars, because no calendar has such a long closure.
const BARS_SEARCHED_MAX: usize = 5_000;

/// Length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// `1m`
    OneMinute,
    /// `5m`
    FiveMinutes,
    /// `15m`
    FifteenMinutes,
    /// `30m`
    ThirtyMinutes,
    /// `1h`
    OneHour,
    /// `4h`
    FourHours,
    /// `1d`
    OneDay,
}

impl Interval {
    /// All of them, the shortest first.
    pub const ALL: [Self; 7] = [
        Self::OneMinute,
        Self::FiveMinutes,
        Self::FifteenMinutes,
        Self::ThirtyMinutes,
        Self::OneHour,
        Self::FourHours,
        Self::OneDay,
    ];

    /// Usual length in seconds. When clocks change, some bars of `4h` and `1d` have another length: [`Interval::span`].
    pub const fn nominal_s(self) -> i64 {
        match self {
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::FifteenMinutes => 900,
            Self::ThirtyMinutes => 1_800,
            Self::OneHour => 3_600,
            Self::FourHours => 14_400,
            Self::OneDay => 86_400,
        }
    }

    /// The name in the settings and, if EODHD has the interval, in its parameter `interval`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::ThirtyMinutes => "30m",
            Self::OneHour => "1h",
            Self::FourHours => "4h",
            Self::OneDay => "1d",
        }
    }

    /// The interval of the provider's bars: this one, or the one that it is made from.
    pub const fn source(self) -> Self {
        match self {
            Self::OneMinute => Self::OneMinute,
            Self::FiveMinutes | Self::FifteenMinutes | Self::ThirtyMinutes => Self::FiveMinutes,
            Self::OneHour | Self::FourHours | Self::OneDay => Self::OneHour,
        }
    }

    /// Length of a bar of the [source](Self::source) in seconds; it is always the same.
    pub const fn source_s(self) -> i64 {
        self.source().nominal_s()
    }

    /// Whether the provider does not have it, so it is made from finer bars.
    pub const fn is_made(self) -> bool {
        self.nominal_s() != self.source_s()
    }

    /// Begin and end of a bar, unix seconds: the bar that opens at `time` or, if it is made from finer ones, the bar that
    /// contains `time`.
    pub fn span(self, time: i64, calendar: &Calendar) -> Range<i64> {
        let length_s = self.nominal_s();
        match self {
            Self::OneMinute | Self::FiveMinutes | Self::OneHour => time..time.saturating_add(length_s),
            Self::FifteenMinutes | Self::ThirtyMinutes => {
                let begin = time.saturating_sub(time.rem_euclid(length_s));
                begin..begin.saturating_add(length_s)
            }
            Self::FourHours => {
                let day = calendar.trading_day(time);
                let begin = time.saturating_sub((time - day.start).rem_euclid(length_s));
                // The last bar of a day ends with the day, which has 23 or 25 hours when clocks change.
                begin..begin.saturating_add(length_s).min(day.end)
            }
            Self::OneDay => calendar.trading_day(time),
        }
    }

    /// Where bars that are made from finer ones close, as text: `at 17:00 America/New_York`.
    pub fn edges(self, calendar: &Calendar) -> Option<String> {
        match self {
            Self::OneMinute | Self::FiveMinutes | Self::OneHour => None,
            Self::FifteenMinutes => Some("at every quarter of an hour".into()),
            Self::ThirtyMinutes => Some("at every full and half hour".into()),
            Self::FourHours => Some(format!("at {} and every 4 hours after it", calendar.day_edge())),
            Self::OneDay => Some(format!("at {}", calendar.day_edge())),
        }
    }

    /// Whether the calendar expects a bar that opens at `from` or later and closes by `to`, unix seconds.
    pub fn is_due(self, from: i64, to: i64, calendar: &Calendar) -> bool {
        if self.is_made() {
            self.next_close(from, to, calendar).is_some()
        } else {
            calendar.expects_bar(from, to, self.nominal_s())
        }
    }

    /// When the first bar closes that opens at `from` or later and contains trading hours; unix seconds.
    pub fn due_at(self, from: i64, calendar: &Calendar) -> i64 {
        let usual = from.saturating_add(self.nominal_s());
        if self.is_made() { self.next_close(from, i64::MAX, calendar).unwrap_or(usual) } else { usual }
    }

    /// The close of the first bar that is due between `from` and `to`. If a long search finds none, it returns the end of the
    /// last checked bar: in doubt, a bar is expected.
    fn next_close(self, from: i64, to: i64, calendar: &Calendar) -> Option<i64> {
        let mut begin = from;
        for _ in 0..BARS_SEARCHED_MAX {
            let span = self.span(begin, calendar);
            if span.end > to || span.end <= begin {
                return None;
            }
            if span.start >= from && calendar.expects_bar(span.start, span.end, self.source_s()) {
                return Some(span.end);
            }
            begin = span.end;
        }
        Some(begin)
    }
}

impl FromStr for Interval {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|interval| interval.as_str() == text);
        named.ok_or("must be 1m, 5m, 15m, 30m, 1h, 4h or 1d")
    }
}

#[cfg(test)]
mod tests;
