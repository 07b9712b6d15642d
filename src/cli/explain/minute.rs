//! `--at`: a time as a person writes it, and the minute that it is in.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use std::time::Duration;

const MINUTE_MS: i64 = 60_000;
const TIMES: [&str; 2] = ["%H:%M", "%H:%M:%S%.f"];
const MOMENTS: [&str; 4] = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f"];

/// A minute of a day (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minute {
    /// `None`: today, or yesterday if the time is still to come today.
    date: Option<NaiveDate>,
    time: NaiveTime,
}

impl Minute {
    /// `14:03`, `14:03:58`, `2026-11-22T14:03`, `2026-11-22T14:03:58Z`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = text.strip_suffix(['Z', 'z']).unwrap_or(text);
        let time = TIMES.iter().find_map(|form| NaiveTime::parse_from_str(plain, form).ok());
        let moment = || MOMENTS.iter().find_map(|form| NaiveDateTime::parse_from_str(plain, form).ok());
        let when = match time {
            Some(time) => Some(Self { date: None, time }),
            None => moment().map(|moment| Self { date: Some(moment.date()), time: moment.time() }),
        };
        when.ok_or_else(|| "must be a time in UTC: 14:03, 14:03:58 or 2026-11-22T14:03".into())
    }

    /// Begin and end of the minute in unix milliseconds; `now` is the time since the unix epoch.
    pub(super) fn minute(self, now: Duration) -> (i64, i64) {
        let now = DateTime::<Utc>::UNIX_EPOCH + now;
        let begin = NaiveTime::from_hms_opt(self.time.hour(), self.time.minute(), 0).unwrap_or_default();
        let today = now.date_naive();
        let date = self.date.unwrap_or_else(|| {
            let is_in_the_future = today.and_time(begin).and_utc() > now;
            if is_in_the_future { today.checked_sub_days(Days::new(1)).unwrap_or(today) } else { today }
        });
        let from = date.and_time(begin).and_utc().timestamp_millis();
        (from, from + MINUTE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T14:03:30Z
    const NOW: Duration = Duration::from_secs(1_795_356_210);

    fn begin(text: &str) -> String {
        let (from, until) = Minute::parse(text).unwrap().minute(NOW);
        assert_eq!(until - from, MINUTE_MS);
        DateTime::from_timestamp_millis(from).unwrap().to_rfc3339()
    }

    #[test]
    fn a_time_is_of_today_unless_it_is_in_the_future() {
        for text in ["14:03", "14:03:59", "14:03Z", "2026-11-22T14:03", "2026-11-22T14:03:58.250Z", "2026-11-22 14:03"]
        {
            assert_eq!(begin(text), "2026-11-22T14:03:00+00:00", "{text}");
        }
        assert_eq!(begin("00:00"), "2026-11-22T00:00:00+00:00");
        assert_eq!(begin("14:04"), "2026-11-21T14:04:00+00:00");
        assert_eq!(begin("2026-11-23T14:04"), "2026-11-23T14:04:00+00:00", "a date is used as it is");
    }

    #[test]
    fn text_that_is_not_a_time_in_utc_is_refused() {
        for text in
            ["", "14", "24:00", "14:60", "2026-11-22", "2026-13-01T00:00", "14:03+01:00", "yesterday", "14:03ZZ"]
        {
            assert!(Minute::parse(text).is_err(), "{text}");
        }
    }
}
