//! The last warnings and errors of the log, kept for the console. Nothing is kept while there is none.

use sentinel_actors::domain::sanitize::one_line;
use serde::Serialize;
use std::{
    collections::VecDeque,
    fmt::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// So many are kept.
const LINES_MAX: usize = 100;

static KEPT: Mutex<Option<VecDeque<LogRecord>>> = Mutex::new(None);

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRecord {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    /// On one line, at most 200 characters, without hidden ones.
    pub text: String,
}

/// Keeps lines from now on.
pub(super) fn begin() {
    kept().get_or_insert_default();
}

/// The lines kept, the newest first.
pub(super) fn newest() -> Vec<LogRecord> {
    kept().iter().flatten().rev().cloned().collect()
}

fn kept() -> MutexGuard<'static, Option<VecDeque<LogRecord>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of the log that keeps them.
#[derive(Debug, Clone, Copy)]
pub struct Keeper;

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            _ => return,
        };
        if kept().is_none() {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
        let line = LogRecord { at_ms: i64::try_from(at_ms).unwrap_or(i64::MAX), level, text: one_line(&text.whole()) };
        if let Some(lines) = kept().as_mut() {
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(line);
        }
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(self) -> String {
        if self.fields.is_empty() { self.message } else { format!("{} ({})", self.message, self.fields.trim_start()) }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn the_newest_hundred_are_kept_without_hidden_characters() {
        let log = tracing_subscriber::registry().with(Keeper);
        tracing::subscriber::with_default(log, || {
            tracing::warn!("before there is a console");
            begin();
            for number in 0..LINES_MAX {
                tracing::warn!(number, "again");
            }
            tracing::info!("not a warning");
            tracing::error!(error = "journal", "line\u{202e}\nend <img onerror=x>");
        });
        let lines = newest();
        assert_eq!(lines.len(), LINES_MAX);
        assert_eq!((lines[0].level, lines[0].text.as_str()), ("ERROR", "line end <img onerror=x> (error=journal)"));
        assert_eq!((lines[1].text.as_str(), lines[99].text.as_str()), ("again (number=99)", "again (number=1)"));
    }
}
