//! The progress of a soak: one updated line on a terminal, otherwise a line per minute.

use super::{
    check::MIB,
    math,
    record::Record,
    snapshot::{CYCLES, CYCLES_FAILED, TICKS_MISSED},
};
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

const QUIET: Duration = Duration::from_secs(60);

/// Writes to stderr; stdout is for the result.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    said_at: Option<Instant>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), said_at: None }
    }

    pub(super) fn show(&mut self, record: &Record, minutes: f64) {
        let mut err = io::stderr().lock();
        // The soak continues even if the terminal is closed.
        if self.is_terminal {
            // Without wrapping, because a wrapped line could not be overwritten.
            let _ = write!(err, "\r\x1b[?7l{}\x1b[K\x1b[?7h", line(record, minutes));
            let _ = err.flush();
        } else if self.said_at.is_none_or(|at| at.elapsed() >= QUIET) {
            self.said_at = Some(Instant::now());
            let _ = writeln!(err, "{}", line(record, minutes));
        }
    }

    /// Ends the line on a terminal.
    pub(super) fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }
}

fn line(record: &Record, minutes: f64) -> String {
    let elapsed_s = record.elapsed_s();
    let known = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    let newest = record.scrapes.last().and_then(|(_, found)| found.as_ref().ok());
    let state = match newest {
        Some(line) => line.memory_bytes.map_or_else(String::new, |bytes| format!("{:.1} MiB", bytes / MIB)),
        None => "no answer".to_owned(),
    };
    format!(
        "{:.1}/{minutes} min  cycles {}/{}  failed {}  missed {}  restarts {}  failed scrapes {}  {state}",
        elapsed_s / 60.0,
        known(record.total(CYCLES)),
        math::due_cycles(elapsed_s, record.cycle_s),
        known(record.total(CYCLES_FAILED)),
        known(record.total(TICKS_MISSED)),
        record.restarts.len(),
        record.failed_scrapes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::soak::snapshot::{NoSnapshot, Snapshot};
    use std::collections::BTreeMap;

    #[test]
    fn an_unknown_value_is_not_a_zero() {
        let counters = BTreeMap::from([((CYCLES, Vec::new()), 7.0), ((CYCLES_FAILED, Vec::new()), 2.0)]);
        let scrape = Snapshot { counters, memory_bytes: Some(3.0 * MIB), ..Snapshot::default() };
        let mut record = Record::begin(scrape, 600.0, 15.0, 60.0);
        let begun = line(&record, 10.0);
        assert_eq!(begun, "0.0/10 min  cycles 0/0  failed 0  missed ?  restarts 0  failed scrapes 0  3.0 MiB");
        record.push(61.0, Err(NoSnapshot { kind: "connect".into(), what: String::new() }));
        let failure = line(&record, 10.0);
        assert_eq!(failure, "1.0/10 min  cycles 0/1  failed 0  missed ?  restarts 0  failed scrapes 1  no answer");
    }
}
