//! What a cycle did, for the log: one line at its end, and one per distinct failure.

use super::row::{Failure, Row};
use crate::{
    domain::{
        cycle_outcome::{CycleOutcome, SymbolFailure},
        decision::{Action, Decision},
        guard::Suppression,
        instrument::Symbol,
        names::Step,
    },
    messages::{CycleId, SignalResult},
};
use std::{
    fmt::{Display, Write as _},
    time::{Duration, Instant},
};

/// Symbols named in one log line; of more, only their number is given.
const SYMBOLS_NAMED_MAX: usize = 10;

/// The clock of one cycle.
#[derive(Debug)]
pub(super) struct CycleLog {
    cycle_id: CycleId,
    started: Instant,
    step_started: Instant,
    durations: Vec<(Step, Duration)>,
    /// What opening the gateway took, which runs beside the fetch.
    opening: Option<Duration>,
}

impl CycleLog {
    /// Starts it.
    pub(super) fn new(cycle_id: CycleId) -> Self {
        let started = Instant::now();
        Self { cycle_id, started, step_started: started, durations: Vec::with_capacity(4), opening: None }
    }

    /// Notes how long fetching and opening the gateway took, which run side by side: a gateway that is not there must not
    /// look like a slow market.
    pub(super) fn fetched_and_opened(&mut self, fetching: Duration, opening: Duration) {
        self.durations.push((Step::Fetch, fetching));
        self.opening = Some(opening);
    }

    /// Ends a step.
    pub(super) fn end_step(&mut self, step: Step) {
        let now = Instant::now();
        if self.millis(step).is_none() {
            self.durations.push((step, now - self.step_started));
        }
        self.step_started = now;
    }

    /// Writes the cycle's lines.
    pub(super) fn finish(&self, rows: &[Row], given_up: bool, outcome: CycleOutcome, failed: &[SymbolFailure]) {
        // Given up is ended, not failed: what was not asked any more says nothing.
        let (outcome, failed) = if given_up { (CycleOutcome::Ok, &[][..]) } else { (outcome, failed) };
        for (Failure { step, cause }, symbols) in alike(rows) {
            tracing::warn!(
                cycle_id = self.cycle_id,
                symbols = %named(symbols.iter()),
                stage = step.as_str(),
                error = cause.kind,
                "{}",
                cause.detail
            );
        }
        let who = (!failed.is_empty()).then(|| named(failed.iter().map(|failure| &failure.symbol)));
        let decided = rows.iter().filter_map(|row| Some((row.symbol(), row.decision?)));
        let count = |action| decided.clone().filter(|(_, decision)| decision.action == action).count();
        let words = |(symbol, decision): (_, Decision)| {
            format!("{symbol}={}@{:.3}", decision.action.as_str(), decision.confidence)
        };
        let orders = rows.iter().filter_map(|row| Some(format!("{}={}", row.symbol(), became(row)?)));
        tracing::info!(
            cycle_id = self.cycle_id,
            symbols = rows.len(),
            decision = %named(decided.clone().map(words)),
            sell = count(Action::Sell),
            hold = count(Action::Hold),
            buy = count(Action::Buy),
            orders = %named(orders),
            failed = outcome == CycleOutcome::Failed,
            outcome = if given_up { "given_up" } else { outcome.as_str() },
            failed_symbols = who.as_deref(),
            fetch_ms = self.millis(Step::Fetch),
            gateway_ms = self.opening.map(round),
            features_ms = self.millis(Step::Features),
            predict_ms = self.millis(Step::Predict),
            send_ms = self.millis(Step::Send),
            duration_ms = round(self.started.elapsed()),
            "{}",
            if given_up { "cycle given up: shutdown" } else { "cycle" }
        );
    }

    fn millis(&self, step: Step) -> Option<f64> {
        self.durations.iter().find(|(s, _)| *s == step).map(|(_, duration)| round(*duration))
    }
}

/// Each distinct failure of a stage with its symbols, in the order of the first.
fn alike(rows: &[Row]) -> Vec<(&Failure, Vec<&Symbol>)> {
    let mut failures: Vec<(&Failure, Vec<&Symbol>)> = Vec::new();
    for row in rows {
        let Some(failure) = &row.failure else { continue };
        match failures.iter_mut().find(|(known, _)| *known == failure) {
            Some((_, symbols)) => symbols.push(row.symbol()),
            None => failures.push((failure, vec![row.symbol()])),
        }
    }
    failures
}

/// What came of a BUY or SELL; the SignalSender has logged more about each order.
fn became(row: &Row) -> Option<&'static str> {
    let stopped = row.stopped.map(Suppression::as_str);
    stopped.or_else(|| match &row.report.as_ref()?.result {
        SignalResult::Ordered { answer, .. } => Some(answer.outcome.as_str()),
        SignalResult::Suppressed(reason) => Some(reason.as_str()),
    })
}

/// Milliseconds with three decimals.
fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// `a,b,c`, or the first few and how many more.
fn named(items: impl Iterator<Item = impl Display>) -> String {
    let mut text = String::new();
    let mut more = 0_usize;
    for (index, item) in items.enumerate() {
        if index >= SYMBOLS_NAMED_MAX {
            more += 1;
            continue;
        }
        if index > 0 {
            text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{item}");
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::instrument::Instrument, messages::StageFailure};
    use std::sync::Arc;

    #[test]
    fn a_long_list_of_symbols_is_cut() {
        assert_eq!(named(["a", "b"].into_iter()), "a,b");
        let many = named(0..12);
        assert!(many.ends_with(",9 and 2 more"), "{many}");
    }

    fn row(name: &str) -> Row {
        Row::new(Arc::new(Instrument {
            symbol: Symbol::new(name),
            ticker: name.into(),
            gateway_name: name.into(),
            threshold: 0.6,
            volume: 0.01,
            digits: 5,
            stop_loss: None,
            take_profit: None,
        }))
    }

    #[test]
    fn equal_failures_share_a_line() {
        let late = || StageFailure { kind: "timeout", detail: "late".into() };
        let panic = || StageFailure { kind: "panic", detail: "the stage panicked".into() };
        let mut rows = ["A", "B", "C"].map(row);
        rows[0].fail(Step::Fetch, late());
        rows[2].fail(Step::Fetch, late());
        let lines = alike(&rows);
        assert_eq!((lines.len(), named(lines[0].1.iter())), (1, "A,C".to_owned()));
        let failed = |rows: &[Row]| -> Vec<String> {
            let failures = rows.iter().filter_map(Row::failed);
            failures.map(|SymbolFailure { symbol, step, kind }| format!("{symbol} {} {kind}", step.as_str())).collect()
        };
        assert_eq!(failed(&rows), ["A fetch timeout", "B decide no_answer", "C fetch timeout"], "B was never decided");
        rows.iter_mut().for_each(|row| row.fail(Step::Predict, panic()));
        assert_eq!(
            failed(&rows),
            ["A fetch timeout", "B predict panic", "C fetch timeout"],
            "the first failure counts"
        );
    }
}
