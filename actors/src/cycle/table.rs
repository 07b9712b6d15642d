//! The rows of a cycle all at once: what the next stage is asked, the answers that it gave, and what is reported about them.

use super::{Cycle, Policy, row::Row};
use crate::{
    domain::{
        guard::Suppression,
        instrument::Symbol,
        names::{ActorName, DropReason, Step},
        order::check_stops,
    },
    messages::{DecisionReport, Event, StageFailure, SymbolResult},
};

impl Cycle<'_> {
    /// What the next stage is asked about: the rows that every stage before did its part for.
    pub(super) fn of_live<T>(&self, field: impl Fn(&Row) -> Option<T>) -> Vec<(Symbol, T)> {
        let live = self.rows.iter().filter(|row| row.is_live());
        live.filter_map(|row| Some((row.symbol().clone(), field(row)?))).collect()
    }

    /// Ends a step: each row that was asked about takes its answer. Answers come in the order of the question, so a row
    /// is never looked for; one with another's name on it is a defect of the stage, and no reason to trade either.
    ///
    /// Answers whether any row has got this far.
    pub(super) fn fill<T>(
        &mut self,
        step: Step,
        is_asked: impl Fn(&Row) -> bool,
        answers: Vec<SymbolResult<T>>,
        field: impl Fn(&mut Row) -> &mut Option<T>,
    ) -> bool {
        self.log.end_step(step);
        let (mut answers, mut taken, mut strays) = (answers.into_iter(), 0, 0);
        for row in self.rows.iter_mut().filter(|row| is_asked(row)) {
            match answers.next() {
                Some((symbol, Ok(value))) if symbol == *row.symbol() => {
                    *field(row) = Some(value);
                    taken += 1;
                }
                Some((symbol, Err(cause))) if symbol == *row.symbol() => row.fail(step, cause),
                other => {
                    strays += u64::from(other.is_some());
                    let detail = "the stage did not answer about this symbol in its turn".into();
                    row.fail(step, StageFailure { kind: "no_answer", detail });
                }
            }
        }
        strays += answers.count() as u64;
        self.stages.metrics.dropped(ActorName::Scheduler, DropReason::Invalid, strays);
        taken > 0
    }

    /// A stage that panicked or is gone costs every row its decision, unless an earlier one did.
    pub(super) fn fail_all(&mut self, step: Step, kind: &'static str, detail: &str) {
        let cause = StageFailure { kind, detail: detail.into() };
        self.rows.iter_mut().for_each(|row| row.fail(step, cause.clone()));
    }

    /// For which symbols no order could be built at their newest close: said with the first bars, not with the first
    /// order.
    pub(super) fn stops_checked(&self, policy: &Policy) -> Event {
        let (mut bad, mut unpriced) = (Vec::new(), Vec::new());
        for row in &self.rows {
            match row.newest(policy).map(|(close, _)| check_stops(&row.instrument, close)) {
                None => unpriced.push(row.symbol().clone()),
                Some(Err(bad_stop)) => bad.push((row.symbol().clone(), bad_stop.to_string())),
                Some(Ok(())) => {}
            }
        }
        Event::StopsChecked { bad, unpriced }
    }

    /// Tells the metrics what was decided, and what a guard stopped before the SignalSender.
    pub(super) fn report_decisions(&self, policy: &Policy) {
        let decided = |row: &Row| {
            let (decision, (_, bar_close_time)) = (row.decision?, row.newest(policy)?);
            Some(DecisionReport { symbol: row.symbol().clone(), bar_close_time, decision })
        };
        let decisions: Vec<_> = self.rows.iter().filter_map(decided).collect();
        let suppressed: Vec<Suppression> = self.rows.iter().filter_map(Row::suppression).collect();
        if !decisions.is_empty() {
            self.stages.metrics.report(Event::SignalsDecided { decisions, suppressed });
        }
    }
}
