//! Presses that were refused, in the log: a person who only reads, a page that was old, or another site that tried to halt.

use super::security::ErrorCode;
use actix_web::HttpResponse;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Shortest time between two lines: whoever tries without end must not push everything else out of the log.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts them. Belongs to one thread.
#[derive(Default)]
pub(super) struct RefusedPresses {
    said: Cell<Option<Instant>>,
    unsaid: Cell<u64>,
}

impl RefusedPresses {
    /// Logs it, if its answer is a refusal: what failed here was logged where it failed.
    pub fn note(&self, who: &str, answer: &HttpResponse, now: Instant) {
        if !answer.status().is_client_error() {
            return;
        }
        let code = answer.extensions().get::<ErrorCode>().map_or("unknown", |ErrorCode(code)| code);
        if let Some(presses) = self.due(now) {
            tracing::warn!(who, code, presses, "a press was refused");
        }
    }

    /// How many presses a line would stand for, if one is due: this one, and those since the last line.
    fn due(&self, now: Instant) -> Option<u64> {
        let presses = self.unsaid.get().saturating_add(1);
        let is_due = self.said.get().is_none_or(|said| now.saturating_duration_since(said) >= PAUSE);
        self.unsaid.set(if is_due { 0 } else { presses });
        if is_due {
            self.said.set(Some(now));
        }
        is_due.then_some(presses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_in_one_line_and_lines_are_rare() {
        let (refused, start) = (RefusedPresses::default(), Instant::now());
        let due = |ms| refused.due(start + Duration::from_millis(ms));
        assert_eq!((due(0), due(10), due(9_999), due(10_000)), (Some(1), None, None, Some(3)));
        assert_eq!((due(19_999), due(60_000), due(90_000)), (None, Some(2), Some(1)));
    }
}
