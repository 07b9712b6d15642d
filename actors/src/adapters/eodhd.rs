//! EODHD's intraday feed: the request, the key, and the rows of an answer. The Fetcher decides when to send a request.
//!
//! An answer is parsed directly into rows, without a tree of values, because a first answer can hold thousands of rows.

mod key;
#[cfg(test)]
mod tests;
mod usage;

use super::json::{with_bare_tokens_as, without_bom};
use crate::domain::{calendar::Calendar, interval::Interval, window::RawBar};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::fmt::{self, Write};

pub use key::{ApiKey, ApiToken, TokenError, TokenFault};
pub use usage::{Usage, usage_url};

/// 9999-12-31. A larger timestamp is not in seconds, or is not a time.
const OPEN_TIME_MAX: i64 = 253_402_300_799;

const DAY_S: i64 = 86_400;
/// Added to the first range, so that it has enough bars in spite of a long weekend or a holiday.
const SPARE_S: i64 = 4 * DAY_S;
/// For bars longer than an hour, one day is added per this many days, because of holidays.
const DAYS_PER_HOLIDAY: i64 = 20;
/// Size of a row in an answer, approximately.
pub const ROW_BYTES: i64 = 150;

/// Number of seconds that contain `lookback_bars` bars of a market that is open five days a week.
pub fn first_range_s(lookback_bars: usize, interval: Interval) -> i64 {
    let bars = i64::try_from(lookback_bars).unwrap_or(i64::MAX);
    let open_s = bars.saturating_mul(interval.nominal_s()).saturating_mul(7) / 5;
    let holidays_s = if interval.nominal_s() > Interval::OneHour.nominal_s() { open_s / DAYS_PER_HOLIDAY } else { 0 };
    open_s.saturating_add(holidays_s).saturating_add(SPARE_S)
}

/// The start of the first request for `lookback_bars` bars, unix seconds. For bars that are made from finer ones, it is the
/// start of a made bar.
pub fn first_from(lookback_bars: usize, interval: Interval, calendar: &Calendar, now: i64) -> i64 {
    let from = now.saturating_sub(first_range_s(lookback_bars, interval));
    if interval.is_made() { interval.span(from, calendar).start } else { from }
}

/// The longest range of one request, seconds.
pub const fn range_s_max(interval: Interval) -> i64 {
    let days = match interval.source() {
        Interval::OneMinute => 120,
        Interval::FiveMinutes => 600,
        _ => 7_200,
    };
    days * DAY_S
}

/// The largest number of rows in the answer to a first request, that of a market that never closes.
pub fn first_rows_max(lookback_bars: usize, interval: Interval) -> i64 {
    first_range_s(lookback_bars, interval) / interval.source_s()
}

/// Why an answer has no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A 200 with an empty body.
    #[error("the answer is empty")]
    Empty,
    /// Not an array of rows, or a row without a time.
    #[error("the answer is not an array of bars: {0}")]
    BadShape(String),
}

/// URL for a symbol's bars, or for the finer bars that they are made from. `base_url` has no slash at its end.
/// `from` and `to` are unix seconds, both included. Without a range the provider sends its default, 120 days. The key is sent in
/// a header instead, so that logs and proxies do not see it.
pub fn intraday_url(base_url: &str, ticker: &str, interval: Interval, range: Option<(i64, i64)>) -> String {
    let mut url = format!("{base_url}/api/intraday/");
    for byte in ticker.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    let _ = write!(url, "?interval={}", interval.source().as_str());
    if let Some((from, to)) = range {
        let _ = write!(url, "&from={from}&to={to}");
    }
    url.push_str("&fmt=json");
    url
}

/// Replaces a bare `NaN` and numbers that do not fit into a double. As a price it is not finite, and as a time it is invalid.
const NO_NUMBER: &[u8] = br#""inf""#;

/// Reads the rows of a 200 answer, in the order of the answer. Numbers may be strings. Null and missing prices are `None`. A
/// row with an invalid number, such as a bare `NaN`, is refused by `domain::window::clean`.
///
/// # Errors
/// The body is empty, or is not a JSON array of objects that each have a `timestamp`.
pub fn parse(body: &[u8]) -> Result<Vec<RawBar>, AnswerError> {
    let body = without_bom(body);
    if body.trim_ascii().is_empty() {
        return Err(AnswerError::Empty);
    }
    // The text is only searched if it did not parse, because an answer can hold thousands of rows.
    let rows = serde_json::from_slice::<Vec<Row>>(body).or_else(|error| {
        serde_json::from_slice(&with_bare_tokens_as(body, NO_NUMBER))
            .map_err(|_| AnswerError::BadShape(crate::domain::sanitize::one_line(&error.to_string())))
    })?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

struct Row(RawBar);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Timestamp,
    Open,
    High,
    Low,
    Close,
    Volume,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not derived, because a derived implementation would also accept an array of numbers as a row.
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bar")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let (mut row, mut open_time) = (RawBar::default(), None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Timestamp => open_time = Some(map.next_value::<OpenTime>()?.0),
                Field::Open => row.open = map.next_value::<Number>()?.0,
                Field::High => row.high = map.next_value::<Number>()?.0,
                Field::Low => row.low = map.next_value::<Number>()?.0,
                Field::Close => row.close = map.next_value::<Number>()?.0,
                Field::Volume => row.volume = map.next_value::<Number>()?.0,
                Field::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        match open_time.ok_or_else(|| A::Error::missing_field("timestamp"))? {
            Some(open_time) => row.open_time = open_time,
            // A bar without a valid time is refused as not finite, and counted.
            None => row.open = Some(f64::NAN),
        }
        Ok(Row(row))
    }
}

/// A number, a number in a string, or null. A string that is not a number becomes NaN, so only its bar is refused.
struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor).map(Self)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.trim().parse().unwrap_or(f64::NAN)))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Unix seconds, as a number or in a string; `None` if the number is invalid.
struct OpenTime(Option<i64>);

impl<'de> Deserialize<'de> for OpenTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = deserializer.deserialize_any(NumberVisitor)?.unwrap_or(f64::NAN);
        // A float64 represents whole seconds exactly up to the year 9999.
        if seconds.fract() == 0.0 && (0.0..=OPEN_TIME_MAX as f64).contains(&seconds) {
            Ok(Self(Some(seconds as i64)))
        } else if seconds.is_infinite() {
            Ok(Self(None))
        } else {
            Err(D::Error::custom("the timestamp is not a unix time in seconds"))
        }
    }
}
