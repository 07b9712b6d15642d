//! Times in what the cluster commands print.

use chrono::{DateTime, Utc};

/// Unix seconds as `2026-11-27 10:00:00 UTC`.
pub(in crate::tools) fn moment(unix_s: i64) -> String {
    let at: DateTime<Utc> = DateTime::from_timestamp(unix_s, 0).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long ago that was: `5 s`, `3 min`, `2 h`. A clock that is ahead makes it `0 s`.
pub(in crate::tools) fn age(at_s: i64, now_s: i64) -> String {
    match now_s.saturating_sub(at_s).max(0) {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
