//! How far a command has come: one line that changes on a terminal, a line a minute elsewhere. And how commands say amounts,
//! times and gaps.

use crate::process::output::complain;
use chrono::DateTime;
use sentinel_actors::domain::window::Gap;
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

const QUIET: Duration = Duration::from_secs(60);

/// Writes to stderr; stdout is for what came out.
#[derive(Debug)]
pub struct Progress {
    is_terminal: bool,
    said_at: Option<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), said_at: None }
    }
}

impl Progress {
    /// Says the line, if it is time for one.
    pub fn show(&mut self, line: impl FnOnce() -> String) {
        let mut err = io::stderr().lock();
        // A terminal that is gone does not end the command.
        if self.is_terminal {
            // Cut off at the edge: a line that wraps could not be overwritten.
            let _ = write!(err, "\r\x1b[?7l{}\x1b[K\x1b[?7h", line());
            let _ = err.flush();
            self.said_at = Some(Instant::now());
        } else if self.said_at.is_none_or(|at| at.elapsed() >= QUIET) {
            self.said_at = Some(Instant::now());
            let _ = writeln!(err, "{}", line());
        }
    }

    /// Says what is to stay on the screen.
    pub fn note(&mut self, text: &str) {
        self.end();
        complain(text);
    }

    /// Leaves the line, so that what follows begins on its own.
    pub fn end(&mut self) {
        if self.is_terminal && self.said_at.take().is_some() {
            complain("");
        }
    }
}

/// Unix seconds as `2026-11-22 14:00 UTC`.
pub fn at(time: i64) -> String {
    DateTime::from_timestamp(time, 0).map_or_else(|| time.to_string(), |at| at.format("%F %H:%M UTC").to_string())
}

/// `1 row`, `2 rows`.
pub fn amount(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Seconds in the largest unit that says enough: `90 minutes`, `26 hours`, `412 days`.
pub fn length(seconds: i64) -> String {
    let whole = |unit_s: i64| usize::try_from(seconds / unit_s).unwrap_or_default();
    match seconds {
        172_800.. => amount(whole(86_400), "day"),
        7_200.. => amount(whole(3_600), "hour"),
        _ => amount(whole(60), "minute"),
    }
}

/// The longest of the places in which bars are missing; of several that are as long the newest.
pub fn longest(gaps: &[Gap]) -> Option<Gap> {
    gaps.iter().max_by_key(|gap| gap.to - gap.from).copied()
}

/// Where bars are missing, for a person; `None` if nowhere.
pub fn missing(gaps: &[Gap], calendar_name: &str) -> Option<String> {
    let Gap { from, to } = longest(gaps)?;
    let (places, which) = (amount(gaps.len(), "place"), if gaps.len() == 1 { "" } else { "the longest " });
    let at = |time| DateTime::from_timestamp(time, 0).unwrap_or_default().format("%F %H:%M UTC");
    let (length, from, to) = (length(to - from), at(from), at(to));
    Some(format!(
        "bars are missing in {places} that calendar {calendar_name} does not explain, {which}from {from} to {to} ({length})"
    ))
}
