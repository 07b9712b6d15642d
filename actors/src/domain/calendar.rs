//! When the market is open: weekly sessions in a local time zone, and additional closures. Pure: the caller passes every
//! time, so a replay can use the time of its bars, and a test any time.

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike,
    Weekday,
};
use chrono_tz::Tz;
use std::{ops::Range, str::FromStr};

const DAY_S: u32 = 86_400;
/// The search for a missing bar ends after this many bars. No calendar has such a long closure, so it then counts as a gap.
const SLOTS_MAX: usize = 50_000;

/// The hours of a market. It is open at an opening time and closed at a closing time, exact to the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: Tz,
    sessions: Vec<Session>,
    /// Second of the day at which a trading day ends; the next one begins then.
    day_end_s: u32,
    /// Local times, from the first closed one to the first open one.
    closures: Vec<(NaiveDateTime, NaiveDateTime)>,
}

impl Default for Calendar {
    /// [`Calendar::fx`].
    fn default() -> Self {
        Self::fx()
    }
}

impl Calendar {
    /// A market with these weekly sessions in `zone`, whose trading days end at `day_end` (midnight if `None`).
    pub fn new(zone: Tz, sessions: Vec<Session>, day_end: Option<NaiveTime>) -> Self {
        let day_end_s = day_end.map_or(DAY_S, |time| time.num_seconds_from_midnight());
        Self { zone, sessions, day_end_s, closures: Vec::new() }
    }

    /// The FX week: 17:00 New York on Sunday to 17:00 New York on Friday, daylight saving or not.
    pub fn fx() -> Self {
        let week = Session { from_s: 6 * DAY_S + 17 * 3_600, to_s: 4 * DAY_S + 17 * 3_600 };
        Self::new(chrono_tz::America::New_York, vec![week], NaiveTime::from_hms_opt(17, 0, 0))
    }

    /// A market that never closes; its trading days are UTC days.
    pub fn always() -> Self {
        Self::new(Tz::UTC, vec![Session { from_s: 0, to_s: 0 }], None)
    }

    /// Adds a closure to the weekly hours.
    pub fn close(&mut self, closure: Closure) {
        self.closures.push(match closure {
            Closure::Span(from, to) => (from, to),
            Closure::Days(first, last) => {
                let day_end = TimeDelta::seconds(self.day_end_s.into());
                let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN);
                (midnight(first) + day_end - TimeDelta::days(1), midnight(last) + day_end)
            }
        });
    }

    /// Whether the market is open at `time`, unix seconds. At a time outside the range of dates it is closed.
    pub fn is_open(&self, time: i64) -> bool {
        let Some(utc) = DateTime::from_timestamp(time, 0) else { return false };
        // UTC to local time is always unique, even in the hour that occurs twice in autumn.
        let local = utc.with_timezone(&self.zone).naive_local();
        let week_s = local.weekday().num_days_from_monday() * DAY_S + local.num_seconds_from_midnight();
        self.sessions.iter().any(|session| session.contains(week_s))
            && !self.closures.iter().any(|(from, to)| (*from..*to).contains(&local))
    }

    /// Begin and end of the trading day that contains `time`, unix seconds. It has 24 hours, or one hour more or less when
    /// clocks change. A time outside the range of dates is in a UTC day.
    pub fn trading_day(&self, time: i64) -> Range<i64> {
        let days = || {
            let utc = DateTime::from_timestamp(time, 0)?;
            let ends = utc.with_timezone(&self.zone).date_naive().checked_sub_days(Days::new(2))?;
            // If clocks are set back at the end of a day, two moments have the same local time, so days before and after are
            // checked, too.
            let ends: Vec<i64> = ends.iter_days().take(5).filter_map(|day| self.day_end(day)).collect();
            let begin = ends.iter().copied().filter(|end| *end <= time).max()?;
            Some(begin..ends.into_iter().filter(|end| *end > time).min()?)
        };
        days().unwrap_or_else(|| {
            let begin = time.saturating_sub(time.rem_euclid(DAY_S.into()));
            begin..begin.saturating_add(DAY_S.into())
        })
    }

    /// When a trading day ends, unix seconds.
    fn day_end(&self, day: NaiveDate) -> Option<i64> {
        let local = day.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::seconds(self.day_end_s.into()))?;
        let end = match self.zone.from_local_datetime(&local) {
            LocalResult::Single(end) | LocalResult::Ambiguous(end, _) => end.naive_utc(),
            // Clocks that are set forward skip this time, so it is computed with the offset of the day before.
            LocalResult::None => {
                let before = self.zone.offset_from_utc_datetime(&local.checked_sub_days(Days::new(1))?);
                local.checked_sub_offset(before.fix())?
            }
        };
        Some(end.and_utc().timestamp())
    }

    /// The end of trading days, as text: `17:00 America/New_York`.
    pub fn day_edge(&self) -> String {
        let (hour, minute) = (self.day_end_s / 3_600 % 24, self.day_end_s / 60 % 60);
        format!("{hour:02}:{minute:02} {}", self.zone)
    }

    /// Whether a bar of `interval_s` seconds is due that opens at `from` or later and closes by `to`, unix seconds. A bar is
    /// due if the market is open at its begin and at its end.
    pub fn expects_bar(&self, from: i64, to: i64, interval_s: i64) -> bool {
        let step = interval_s.max(1);
        let opens = std::iter::successors(Some(from), |open| open.checked_add(step));
        for (slot, open) in opens.take_while(|open| open.checked_add(step).is_some_and(|close| close <= to)).enumerate()
        {
            if slot >= SLOTS_MAX || self.is_open(open) && self.is_open(open + step - 1) {
                return true;
            }
        }
        false
    }
}

/// A part of every week, such as `Sun 17:00 - Fri 17:00`; seconds since Monday's midnight, without the end. If both are
/// equal, it is the whole week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    from_s: u32,
    to_s: u32,
}

impl Session {
    const fn contains(&self, week_s: u32) -> bool {
        if self.from_s < self.to_s {
            self.from_s <= week_s && week_s < self.to_s
        } else {
            week_s >= self.from_s || week_s < self.to_s
        }
    }
}

impl FromStr for Session {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "must be like \"Sun 17:00 - Fri 17:00\"";
        let moment = |text: &str| {
            let (day, time) = text.trim().split_once(' ')?;
            let day: Weekday = day.parse().ok()?;
            Some(day.num_days_from_monday() * DAY_S + parse_time(time)?.num_seconds_from_midnight())
        };
        let (from, to) = text.split_once('-').ok_or(RULE)?;
        Ok(Self { from_s: moment(from).ok_or(RULE)?, to_s: moment(to).ok_or(RULE)? })
    }
}

/// A time in which the market is closed although it is in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closure {
    /// Whole trading days, including the last one: `2026-12-25` or `2026-12-24..2026-12-26`.
    Days(NaiveDate, NaiveDate),
    /// A part of one or more days, in local time, without the end: `2026-12-24 13:00..2026-12-24 17:00`.
    Span(NaiveDateTime, NaiveDateTime),
}

impl FromStr for Closure {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "must be 2026-12-25, 2026-12-24..2026-12-26 or 2026-12-24 13:00..2026-12-24 17:00";
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let (from, to) = (from.trim(), to.trim());
        if let (Some(first), Some(last)) = (parse_date(from), parse_date(to)) {
            return if first <= last { Ok(Self::Days(first, last)) } else { Err("ends before it begins") };
        }
        let moment = |text: &str| {
            let (date, time) = text.split_once(' ')?;
            Some(parse_date(date)?.and_time(parse_time(time)?))
        };
        match (moment(from).ok_or(RULE)?, moment(to).ok_or(RULE)?) {
            (from, to) if from < to => Ok(Self::Span(from, to)),
            _ => Err("ends before it begins"),
        }
    }
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    // The day before the first date or after the last date does not exist.
    (1..=9_999).contains(&date.year()).then_some(date)
}

/// `17:00`
pub fn parse_time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text.trim(), "%H:%M").ok()
}

/// A time zone by its IANA name, `Europe/London`.
///
/// # Errors
/// An unknown name.
pub fn parse_zone(name: &str) -> Result<Tz, &'static str> {
    name.parse().map_err(|_| "must be the IANA name of a time zone, such as Europe/London")
}

#[cfg(test)]
mod tests;
