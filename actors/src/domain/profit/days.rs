//! When a day, a week and a month begin: what profit is counted from.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::America::New_York;

const DAY_S: i64 = 86_400;

/// Which border a trading day has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Midnight UTC.
    Utc,
    /// 17:00 in New York, when brokers end the day.
    NewYork,
}

impl Day {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Utc, Self::NewYork];

    /// The value of the label `day`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::NewYork => "new_york",
        }
    }

    /// When the day of this moment began, unix seconds.
    pub fn begin(self, now_s: i64) -> i64 {
        match self {
            Self::Utc => now_s - now_s.rem_euclid(DAY_S),
            Self::NewYork => new_york(now_s).unwrap_or(now_s - now_s.rem_euclid(DAY_S)),
        }
    }
}

fn new_york(now_s: i64) -> Option<i64> {
    let today = DateTime::from_timestamp(now_s, 0)?.with_timezone(&New_York).date_naive();
    // New York changes its clocks at 02:00, so there is one 17:00 on each day.
    let evening = |day: NaiveDate| {
        let local = day.and_time(NaiveTime::from_hms_opt(17, 0, 0)?);
        Some(New_York.from_local_datetime(&local).earliest()?.timestamp())
    };
    let begin = evening(today)?;
    if begin <= now_s { Some(begin) } else { evening(today.checked_sub_days(Days::new(1))?) }
}

/// When the week of this moment began, Monday 00:00 UTC, unix seconds.
pub fn week_begin(now_s: i64) -> i64 {
    let days = date(now_s).weekday().num_days_from_monday();
    Day::Utc.begin(now_s) - i64::from(days) * DAY_S
}

/// When the month of this moment began, on the first at 00:00 UTC, unix seconds.
pub fn month_begin(now_s: i64) -> i64 {
    Day::Utc.begin(now_s) - i64::from(date(now_s).day0()) * DAY_S
}

fn date(now_s: i64) -> NaiveDate {
    DateTime::<Utc>::from_timestamp(now_s, 0).unwrap_or_default().date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp()
    }

    #[test]
    fn a_day_begins_at_midnight_utc_or_at_17_in_new_york() {
        for (now, utc, new_york) in [
            // Winter: 17:00 is 22:00 UTC.
            ("2026-01-14T21:59:59Z", "2026-01-14T00:00:00Z", "2026-01-13T22:00:00Z"),
            ("2026-01-14T22:00:00Z", "2026-01-14T00:00:00Z", "2026-01-14T22:00:00Z"),
            ("2026-01-15T00:00:00Z", "2026-01-15T00:00:00Z", "2026-01-14T22:00:00Z"),
            // Summer: 21:00 UTC.
            ("2026-07-14T20:59:59Z", "2026-07-14T00:00:00Z", "2026-07-13T21:00:00Z"),
            ("2026-07-14T21:00:00Z", "2026-07-14T00:00:00Z", "2026-07-14T21:00:00Z"),
            // The clocks change on 2026-03-08 and 2026-11-01, which gives days of 23 and 25 hours.
            ("2026-03-08T20:59:59Z", "2026-03-08T00:00:00Z", "2026-03-07T22:00:00Z"),
            ("2026-03-08T21:00:00Z", "2026-03-08T00:00:00Z", "2026-03-08T21:00:00Z"),
            ("2026-11-01T21:30:00Z", "2026-11-01T00:00:00Z", "2026-10-31T21:00:00Z"),
            ("2026-11-01T22:00:00Z", "2026-11-01T00:00:00Z", "2026-11-01T22:00:00Z"),
        ] {
            let begins = Day::ALL.map(|day| day.begin(at(now)));
            assert_eq!(begins, [at(utc), at(new_york)], "{now}");
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        for (now, week, month) in [
            ("2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-12-01T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!((week_begin(at(now)), month_begin(at(now))), (at(week), at(month)), "{now}");
        }
    }
}
