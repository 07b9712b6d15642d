//! The clock of a broker: a time zone, and hours on top of it. Many servers keep New York's clock and 7 hours, so that a
//! trading day begins at midnight the whole year.

use chrono::{LocalResult, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use sentinel_actors::domain::calendar::parse_zone;
use std::{fmt, str::FromStr};

/// `Europe/London`, `America/New_York+7` or `UTC+2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    zone: Tz,
    hours_ahead: i64,
}

impl Zone {
    /// Unix seconds at what this clock shows. The hour that autumn repeats is the first of the two unless that is not
    /// after `before`.
    ///
    /// # Errors
    /// The hour that spring leaves out: then the clock is another one.
    pub fn utc(&self, shown: NaiveDateTime, before: Option<i64>) -> Result<i64, String> {
        let local = shown - TimeDelta::hours(self.hours_ahead);
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(time) => Ok(time.timestamp()),
            LocalResult::Ambiguous(first, second) => {
                let is_later = before.is_none_or(|before| first.timestamp() > before);
                Ok(if is_later { first.timestamp() } else { second.timestamp() })
            }
            LocalResult::None => Err(format!(
                "{shown} does not exist by {self}, where clocks are set forward: has the broker another time zone?"
            )),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours_ahead {
            0 => write!(f, "{}", self.zone),
            hours => write!(f, "{}{hours:+}", self.zone),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hours = text.rfind(['+', '-']).and_then(|at| Some((&text[..at], text[at..].parse::<i64>().ok()?)));
        let (name, hours_ahead) = hours.unwrap_or((text, 0));
        let zone = parse_zone(name).map_err(|rule| {
            format!("{rule}, with hours on top of it if need be: America/New_York+7, Europe/London+2, UTC+3")
        })?;
        if hours_ahead.abs() > 14 {
            return Err(format!("{hours_ahead} hours are more than clocks are apart"));
        }
        Ok(Self { zone, hours_ahead })
    }
}
