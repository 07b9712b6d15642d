//! What commands print: to a pipe that may be closed early, and with times in one format.

pub(super) use crate::process::output::{print, say};

use chrono::{DateTime, SecondsFormat, Utc};

/// Unix seconds as `2026-11-22T14:00:00Z`.
pub(super) fn time(unix_s: i64) -> String {
    DateTime::from_timestamp(unix_s, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Unix milliseconds as `2026-11-22T14:03:58.000Z`.
pub(super) fn time_ms(unix_ms: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
