//! What commands print: to a pipe that may be closed early, and with times in one format.

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use std::io::{ErrorKind, Write, stdout};

/// Prints. A reader that closes the pipe has seen enough: `sentinel orders | head`.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("stdout"),
    }
}

/// Unix seconds as `2026-11-22T14:00:00Z`.
pub(super) fn time(unix_s: i64) -> String {
    DateTime::from_timestamp(unix_s, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Unix milliseconds as `2026-11-22T14:03:58.000Z`.
pub(super) fn time_ms(unix_ms: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
