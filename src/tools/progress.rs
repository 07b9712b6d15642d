//! How far a command has come: one line that changes on a terminal, a line a minute elsewhere.

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
        eprintln!("{text}");
    }

    /// Leaves the line, so that what follows begins on its own.
    pub fn end(&mut self) {
        if self.is_terminal && self.said_at.take().is_some() {
            eprintln!();
        }
    }
}
