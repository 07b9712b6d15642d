//! What a cycle did, gathered while it runs: one line at its end, and one per distinct failure.

use crate::{
    domain::{
        cycle_verdict::{CycleVerdict, SymbolFailure},
        decision::Action,
        desk::Fate,
        guard::Suppression,
        health::Step,
        instrument::{Instrument, Symbol},
        order::Outcome,
    },
    messages::{ActorName, CycleId, DecisionReport, SignalReport, SignalResult, StageFailure, SymbolResult},
};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    time::{Duration, Instant},
};

/// Symbols named in one log line; of more, only their number is given.
const SYMBOLS_NAMED_MAX: usize = 10;

/// Symbols that failed in the same step for the same reason.
#[derive(Debug)]
struct Failure {
    step: Step,
    cause: StageFailure,
    symbols: Vec<Symbol>,
}

/// The notes of one cycle.
#[derive(Debug)]
pub struct CycleLog {
    cycle_id: CycleId,
    symbols: usize,
    started: Instant,
    step_started: Instant,
    durations: Vec<(Step, Duration)>,
    /// What opening the gateway took, which runs beside the fetch.
    opening: Option<Duration>,
    failures: Vec<Failure>,
    decisions: Vec<DecisionReport>,
    suppressed: Vec<(Symbol, Suppression)>,
    orders: Vec<SignalReport>,
}

impl CycleLog {
    /// Starts the clock of a cycle over this many symbols.
    pub fn new(cycle_id: CycleId, symbols: usize) -> Self {
        let started = Instant::now();
        Self {
            cycle_id,
            symbols,
            started,
            step_started: started,
            durations: Vec::with_capacity(4),
            opening: None,
            failures: Vec::new(),
            decisions: Vec::new(),
            suppressed: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// Notes how long fetching and opening the gateway took, which run side by side: a gateway that is not there must not
    /// look like a slow market.
    pub fn fetched_and_opened(&mut self, fetching: Duration, opening: Duration) {
        self.durations.push((Step::Fetch, fetching));
        self.opening = Some(opening);
    }

    /// Ends a step: notes its failures and hands on the rest.
    pub fn keep_successes<T>(&mut self, step: Step, results: Vec<SymbolResult<T>>) -> Vec<(Symbol, T)> {
        self.end_step(step);
        let mut kept = Vec::with_capacity(results.len());
        for (symbol, result) in results {
            match result {
                Ok(value) => kept.push((symbol, value)),
                Err(cause) => self.fail(step, cause, symbol),
            }
        }
        kept
    }

    /// Notes what was decided.
    pub fn decisions(&mut self, decisions: &[DecisionReport]) {
        self.decisions = decisions.to_vec();
    }

    /// Notes a BUY or SELL that a guard stopped.
    pub fn suppressed(&mut self, symbol: &Symbol, reason: Suppression) {
        self.suppressed.push((symbol.clone(), reason));
    }

    /// Ends the last step. The SignalSender has logged each order's fate; here it only makes the cycle a failed one.
    pub fn orders(&mut self, reports: Vec<SignalReport>) {
        self.end_step(Step::Send);
        self.orders = reports;
    }

    /// Notes a stage that panicked over this cycle, which costs all its symbols their decision.
    pub fn panicked(&mut self, step: Step) {
        let cause = StageFailure { kind: "panic", detail: "the stage panicked; see the line before".into() };
        self.failures.push(Failure { step, cause, symbols: Vec::new() });
    }

    /// Notes a stage that will not answer any more; the daemon has to end.
    pub fn gone(&mut self, actor: ActorName) {
        let Some(step) = Step::ALL.into_iter().find(|step| step.actor() == actor) else { return };
        let cause = StageFailure { kind: "gone", detail: "the stage cannot answer any more".into() };
        self.failures.push(Failure { step, cause, symbols: Vec::new() });
    }

    /// Who did not get through, in the order of configuration, each by the first step that failed for it. What counts
    /// as a failure is written at [`judge`](crate::domain::cycle_verdict::judge).
    pub fn failed_symbols(&self, instruments: &[Instrument]) -> Vec<SymbolFailure> {
        let mut failed = HashMap::new();
        for Failure { step, cause, symbols } in &self.failures {
            for symbol in symbols {
                failed.entry(symbol).or_insert((*step, cause.kind));
            }
        }
        for report in &self.orders {
            if let Some(kind) = lost(report) {
                failed.entry(&report.symbol).or_insert((Step::Send, kind));
            }
        }
        let everyones = self.failures.iter().find(|failure| failure.symbols.is_empty());
        let everyones = everyones.map(|failure| (failure.step, failure.cause.kind));
        let decided: HashSet<&Symbol> = self.decisions.iter().map(|decided| &decided.symbol).collect();
        let failure = |Instrument { symbol, .. }: &Instrument| {
            // A stage that said nothing about a symbol has a defect, and the symbol has no decision.
            let forgotten = || (!decided.contains(symbol)).then_some((Step::Decide, "no_answer"));
            let (step, kind) = failed.get(symbol).copied().or(everyones).or_else(forgotten)?;
            Some(SymbolFailure { symbol: symbol.clone(), step, kind })
        };
        instruments.iter().filter_map(failure).collect()
    }

    /// What was decided, per symbol.
    pub fn decided(&self) -> &[DecisionReport] {
        &self.decisions
    }

    /// The BUYs and SELLs that a guard stopped before the SignalSender.
    pub fn stopped(&self) -> &[(Symbol, Suppression)] {
        &self.suppressed
    }

    /// What the SignalSender did.
    pub fn reports(&self) -> &[SignalReport] {
        &self.orders
    }

    /// The stage that failed for a symbol, and how; a panic is every symbol's.
    pub fn failure_of(&self, symbol: &Symbol) -> Option<(Step, &StageFailure)> {
        let own = self.failures.iter().find(|failure| failure.symbols.contains(symbol));
        let found = own.or_else(|| self.failures.iter().find(|failure| failure.symbols.is_empty()))?;
        Some((found.step, &found.cause))
    }

    /// Writes the cycle's lines.
    pub fn finish(&self, given_up: bool, verdict: CycleVerdict, failed: &[SymbolFailure]) {
        // Given up is ended, not failed: what was not asked any more says nothing.
        let (verdict, failed) = if given_up { (CycleVerdict::Ok, &[][..]) } else { (verdict, failed) };
        for failure in &self.failures {
            tracing::warn!(
                cycle_id = self.cycle_id,
                symbols = %named(failure.symbols.iter().map(Symbol::to_string)),
                stage = failure.step.as_str(),
                error = failure.cause.kind,
                "{}",
                failure.cause.detail
            );
        }
        let who = (!failed.is_empty()).then(|| named(failed.iter().map(|failure| failure.symbol.to_string())));
        let count = |action| self.decisions.iter().filter(|decided| decided.decision.action == action).count();
        let stopped = self.suppressed.iter().map(|(symbol, reason)| (symbol, reason.as_str()));
        let handled = self.orders.iter().map(|report| match &report.result {
            SignalResult::Ordered { fate, .. } => (&report.symbol, fate.outcome.as_str()),
            SignalResult::Suppressed(reason) => (&report.symbol, reason.as_str()),
        });
        tracing::info!(
            cycle_id = self.cycle_id,
            symbols = self.symbols,
            decision = %named(self.decisions.iter().map(|d| format!("{}={}@{:.3}", d.symbol, d.decision.action.as_str(), d.decision.confidence))),
            sell = count(Action::Sell),
            hold = count(Action::Hold),
            buy = count(Action::Buy),
            orders = %named(stopped.chain(handled).map(|(symbol, fate)| format!("{symbol}={fate}"))),
            failed = verdict == CycleVerdict::Failed,
            outcome = if given_up { "given_up" } else { verdict.as_str() },
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

    fn fail(&mut self, step: Step, cause: StageFailure, symbol: Symbol) {
        match self.failures.iter_mut().find(|failure| failure.step == step && failure.cause == cause) {
            Some(failure) => failure.symbols.push(symbol),
            None => self.failures.push(Failure { step, cause, symbols: vec![symbol] }),
        }
    }

    fn end_step(&mut self, step: Step) {
        let now = Instant::now();
        if self.millis(step).is_none() {
            self.durations.push((step, now - self.step_started));
        }
        self.step_started = now;
    }

    fn millis(&self, step: Step) -> Option<f64> {
        self.durations.iter().find(|(s, _)| *s == step).map(|(_, duration)| round(*duration))
    }
}

/// What makes an order's symbol fail, if anything: its own fate or that of one of its closes. A rejected order is no
/// failure: the gateway did answer.
fn lost(report: &SignalReport) -> Option<&'static str> {
    let own = match &report.result {
        SignalResult::Ordered { fate, .. } => Some(fate),
        SignalResult::Suppressed(_) => None,
    };
    let is_lost = |fate: &&Fate| matches!(fate.outcome, Outcome::NotSent { .. } | Outcome::Unknown { .. });
    report.closes.iter().map(|(_, fate)| fate).chain(own).find(is_lost).map(|fate| fate.outcome.as_str())
}

/// Milliseconds with three decimals.
fn round(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// `a,b,c`, or the first few and how many more.
fn named(items: impl Iterator<Item = String>) -> String {
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
        text.push_str(&item);
    }
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_symbols_is_cut() {
        assert_eq!(named(["a", "b"].into_iter().map(str::to_owned)), "a,b");
        let many = named((0..12).map(|i| i.to_string()));
        assert!(many.ends_with(",9 and 2 more"), "{many}");
    }

    #[test]
    fn equal_failures_share_a_line() {
        let mut log = CycleLog::new(1, 3);
        let failure = || StageFailure { kind: "timeout", detail: "late".into() };
        let results =
            vec![(Symbol::new("A"), Err(failure())), (Symbol::new("B"), Ok(7)), (Symbol::new("C"), Err(failure()))];
        assert_eq!(log.keep_successes(Step::Fetch, results), [(Symbol::new("B"), 7)]);
        assert_eq!(log.failures.len(), 1);
        assert_eq!(log.failures[0].symbols.len(), 2);
        let instruments = ["A", "B", "C"].map(|name| Instrument {
            symbol: Symbol::new(name),
            ticker: name.into(),
            gateway_name: name.into(),
            threshold: 0.6,
            volume: 0.01,
            digits: 5,
            stop_loss: None,
            take_profit: None,
        });
        let failed = |log: &CycleLog| -> Vec<String> {
            let failures = log.failed_symbols(&instruments).into_iter();
            failures.map(|SymbolFailure { symbol, step, kind }| format!("{symbol} {} {kind}", step.as_str())).collect()
        };
        assert_eq!(failed(&log), ["A fetch timeout", "B decide no_answer", "C fetch timeout"], "B was never decided");
        log.panicked(Step::Predict);
        assert_eq!(failed(&log), ["A fetch timeout", "B predict panic", "C fetch timeout"], "a panic is everyone's");
    }
}
