//! A day or a minute of a command line, and times for a person; all UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat};
use std::str::FromStr;

/// Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(i64);

impl Time {
    pub(super) const fn millis(self) -> i64 {
        self.0
    }
}

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_suffix('Z').unwrap_or(text);
        let day = || Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
        let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"];
        let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).or_else(day);
        let time = time.ok_or("must be a day or a time in UTC, such as 2026-11-22 or 2026-11-22T14:03")?;
        Ok(Self(time.and_utc().timestamp_millis()))
    }
}

/// Unix milliseconds as `2026-11-22T14:03:58.000Z`.
pub(super) fn time_ms(unix_ms: i64) -> String {
    DateTime::from_timestamp_millis(unix_ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_time_are_read_as_utc() {
        let millis = |text: &str| text.parse::<Time>().map(Time::millis);
        assert_eq!(millis("2026-11-22"), Ok(1_795_305_600_000));
        assert_eq!(millis("2026-11-22T14:03"), Ok(1_795_305_600_000 + (14 * 60 + 3) * 60_000));
        assert_eq!(millis("2026-11-22T00:00:00.250Z"), Ok(1_795_305_600_250));
        for bad in ["", "22.11.2026", "2026-13-01", "2026-11-22 14:03", "1795305600"] {
            assert!(millis(bad).is_err(), "{bad}");
        }
    }
}
