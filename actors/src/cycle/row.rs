//! One configured symbol on its way through a cycle. Each stage's answer fills one field, or the row has failed; at the end
//! it is what the journal keeps of the symbol.

use super::Policy;
use crate::{
    domain::{
        bar::Bar,
        clock::Moment,
        cycle_outcome::SymbolFailure,
        decision::{Action, Decision, Prediction, decide},
        features::FeatureSet,
        guard::{Circumstances, Suppression, is_stale, objection},
        instrument::{Instrument, Symbol},
        journal::{DecisionRecord, Reason},
        names::Step,
        order::{Outcome, Side},
    },
    messages::{Signal, SignalReport, SignalResult, StageFailure},
};
use std::sync::Arc;
use uuid::Uuid;

/// The first step that failed for a row, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub step: Step,
    pub cause: StageFailure,
}

/// A symbol of the cycle.
#[derive(Debug)]
pub(super) struct Row {
    pub instrument: Arc<Instrument>,
    /// Closed bars, oldest first.
    pub window: Option<Arc<[Bar]>>,
    pub features: Option<Arc<FeatureSet>>,
    pub prediction: Option<Prediction>,
    pub decision: Option<Decision>,
    /// Why a BUY or SELL did not get as far as the SignalSender.
    pub stopped: Option<Suppression>,
    /// What the SignalSender did about a BUY or SELL.
    pub report: Option<SignalReport>,
    pub failure: Option<Failure>,
}

impl Row {
    /// At the begin of a cycle.
    pub(super) const fn new(instrument: Arc<Instrument>) -> Self {
        Self {
            instrument,
            window: None,
            features: None,
            prediction: None,
            decision: None,
            stopped: None,
            report: None,
            failure: None,
        }
    }

    pub(super) fn symbol(&self) -> &Symbol {
        &self.instrument.symbol
    }

    /// Whether every stage so far did its part.
    pub(super) const fn is_live(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether it was decided to BUY or SELL and nothing has come of it yet.
    pub(super) fn is_open(&self) -> bool {
        let is_trade = self.decision.is_some_and(|decision| decision.action != Action::Hold);
        is_trade && self.is_live() && self.stopped.is_none() && self.report.is_none()
    }

    /// Notes a failed stage; the first one counts.
    pub(super) fn fail(&mut self, step: Step, cause: StageFailure) {
        self.failure.get_or_insert(Failure { step, cause });
    }

    /// The newest close, and when its bar closed, unix seconds.
    pub(super) fn newest(&self, policy: &Policy) -> Option<(f64, i64)> {
        let bar = self.window.as_deref()?.last()?;
        Some((bar.close, bar.close_time(policy.interval, &policy.calendar)))
    }

    /// Decides on the prediction; a BUY or SELL that nothing objects to is a signal.
    pub(super) fn decide(&mut self, policy: &Policy, market_now: i64, begun_at: Moment) -> Option<Signal> {
        let prediction = self.prediction.as_ref().filter(|_| self.is_live())?;
        let (close, bar_close_time) = self.newest(policy)?;
        let decision = decide(prediction, self.instrument.threshold);
        self.decision = Some(decision);
        let side = Side::from_action(decision.action)?;
        self.stopped = self.objection(policy, market_now);
        if self.stopped.is_some() {
            return None;
        }
        let instrument = self.instrument.clone();
        Some(Signal { instrument, side, confidence: decision.confidence, close, bar_close_time, begun_at })
    }

    /// The rule that stops a BUY or SELL now, if any.
    pub(super) fn objection(&self, policy: &Policy, market_now: i64) -> Option<Suppression> {
        objection(&Circumstances {
            // Asked here and not once a cycle: next comes the SignalSender, and a halt counts until then.
            is_halted: policy.kill_switch.is_halted(),
            has_clock_stepped: policy.has_clock_stepped,
            is_market_open: policy.calendar.is_open(market_now),
            is_bar_stale: self
                .newest(policy)
                .is_none_or(|(_, closed)| is_stale(closed, market_now, policy.max_bar_age_s)),
            volume: self.instrument.volume,
            volume_max: policy.volume_max,
        })
    }

    /// Why it did not get through, if it did not. What counts as a failure is written at
    /// [`judge`](crate::domain::cycle_outcome::judge).
    pub(super) fn failed(&self) -> Option<SymbolFailure> {
        let by_stage = self.failure.as_ref().map(|failure| (failure.step, failure.cause.kind));
        let by_order = || Some((Step::Send, lost(self.report.as_ref()?)?));
        // Nobody said anything about it, which is a defect: it has no decision.
        let forgotten = || self.decision.is_none().then_some((Step::Decide, "no_answer"));
        let (step, kind) = by_stage.or_else(by_order).or_else(forgotten)?;
        Some(SymbolFailure { symbol: self.symbol().clone(), step, kind })
    }

    /// Why nothing was sent, if a rule said so.
    pub(super) fn suppression(&self) -> Option<Suppression> {
        let by_sender = self.report.as_ref().and_then(|report| match report.result {
            SignalResult::Suppressed(reason) => Some(reason),
            SignalResult::Ordered { .. } => None,
        });
        let is_below = self.decision.is_some_and(|decision| decision.is_below_threshold());
        by_sender.or(self.stopped).or(is_below.then_some(Suppression::BelowThreshold))
    }

    /// What the journal keeps. A cycle that was given up says so of what it left open.
    pub(super) fn into_record(self, market_now: Option<i64>, policy: &Policy, given_up: bool) -> DecisionRecord {
        let client_order_id = self.report.as_ref().and_then(|report| match &report.result {
            SignalResult::Ordered { order, .. } => Some(order.client_order_id),
            SignalResult::Suppressed(_) => None,
        });
        let action = self.decision.map(|decision| decision.action);
        let suppression = self.suppression();
        // A failed stage explains only what was left open: a HOLD needs no gateway, nor does what a guard stopped.
        let is_unexplained = client_order_id.is_none() && suppression.is_none() && action != Some(Action::Hold);
        let failure = self.failure.as_ref().filter(|_| is_unexplained);
        let reason = match failure {
            Some(Failure { step, cause }) => Some(Reason::Failed { stage: step.as_str(), kind: cause.kind }),
            None if given_up && is_unexplained => Some(Reason::Suppressed(Suppression::Shutdown.as_str())),
            None => suppression.map(|reason| Reason::Suppressed(reason.as_str())),
        };
        DecisionRecord {
            symbol: self.symbol().clone(),
            market_now,
            bar_close_time: self.newest(policy).map(|(_, close_time)| close_time),
            failure_detail: failure.map(|failure| failure.cause.detail.clone()),
            window: self.window,
            features: self.features,
            prediction: self.prediction,
            threshold: self.instrument.threshold,
            action,
            reason,
            stopped: self.stopped,
            judged_at: self.report.as_ref().and_then(|report| report.judged_at),
            client_order_id,
            close_ids: self.report.as_ref().map(close_ids).unwrap_or_default(),
        }
    }
}

fn close_ids(report: &SignalReport) -> Vec<Uuid> {
    report.closes.iter().map(|(close, _)| close.client_order_id).collect()
}

/// What makes an order's symbol fail, if anything: its own outcome or that of one of its closes. A rejected order is no
/// failure: the gateway did answer.
fn lost(report: &SignalReport) -> Option<&'static str> {
    let own = match &report.result {
        SignalResult::Ordered { answer, .. } => Some(answer),
        SignalResult::Suppressed(_) => None,
    };
    let answers = report.closes.iter().map(|(_, answer)| answer).chain(own);
    let mut outcomes = answers.map(|answer| &answer.outcome);
    let is_lost = |outcome: &&Outcome| matches!(outcome, Outcome::NotSent { .. } | Outcome::Unknown { .. });
    outcomes.find(is_lost).map(Outcome::as_str)
}
