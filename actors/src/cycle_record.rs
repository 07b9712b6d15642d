//! What a cycle leaves in the journal: a record per configured symbol, whether it was decided or failed.

use crate::{
    cycle_log::CycleLog,
    domain::{
        bar::{Bar, Interval},
        decision::{Action, Decision, Prediction},
        features::FeatureSet,
        guard::Suppression,
        instrument::{Instrument, Symbol},
        journal::{DecisionRecord, Reason},
    },
    messages::{SignalReport, SignalResult},
};
use std::{collections::HashMap, sync::Arc};

/// What a cycle worked with, as far as it came; its [`CycleLog`] knows the rest.
#[derive(Debug, Default)]
pub struct CycleData {
    /// The market's "now", unix seconds.
    pub market_now: Option<i64>,
    /// Bars.
    pub windows: HashMap<Symbol, Arc<[Bar]>>,
    /// Features.
    pub features: HashMap<Symbol, Arc<FeatureSet>>,
    /// The model's odds.
    pub predictions: HashMap<Symbol, Prediction>,
}

impl CycleData {
    /// The records, in the order of configuration.
    pub fn records(
        mut self,
        log: &CycleLog,
        instruments: &[Instrument],
        interval: Interval,
        given_up: bool,
    ) -> Vec<DecisionRecord> {
        let decisions: HashMap<_, _> =
            log.decided().iter().map(|decided| (&decided.symbol, &decided.decision)).collect();
        let reports: HashMap<_, _> = log.reports().iter().map(|report| (&report.symbol, report)).collect();
        let suppressed: HashMap<_, _> = log.stopped().iter().map(|(symbol, reason)| (symbol, *reason)).collect();
        let record = |instrument: &Instrument| {
            let symbol = &instrument.symbol;
            let window = self.windows.remove(symbol);
            let decision = decisions.get(symbol).copied();
            let report = reports.get(symbol).copied();
            let order = report.and_then(|report| match &report.result {
                SignalResult::Ordered { order, .. } => Some(order.client_order_id),
                SignalResult::Suppressed(_) => None,
            });
            let known = suppression(decision, report, suppressed.get(symbol).copied());
            // A failed stage explains only what was left open: a HOLD needs no gateway, nor does what a guard stopped.
            let is_open = order.is_none() && known.is_none() && decision.is_none_or(|it| it.action != Action::Hold);
            let failure = log.failure_of(symbol).filter(|_| is_open);
            let reason = match (failure, known) {
                (Some((step, cause)), _) => Some(Reason::Failed { stage: step.as_str(), kind: cause.kind }),
                (None, Some(reason)) => Some(Reason::Suppressed(reason.as_str())),
                (None, None) if given_up && is_open => Some(Reason::Suppressed(Suppression::Shutdown.as_str())),
                (None, None) => None,
            };
            DecisionRecord {
                symbol: symbol.clone(),
                market_now: self.market_now,
                bar_close_time: window.as_deref().and_then(|bars| Some(bars.last()?.close_time(interval))),
                window,
                features: self.features.remove(symbol),
                prediction: self.predictions.remove(symbol),
                threshold: instrument.threshold,
                action: decision.map(|decision| decision.action),
                reason,
                failure_detail: failure.map(|(_, cause)| cause.detail.clone()),
                client_order_id: order,
                close_ids: report.map(closes).unwrap_or_default(),
            }
        };
        instruments.iter().map(record).collect()
    }
}

/// Why nothing was sent, if a rule said so.
fn suppression(
    decision: Option<&Decision>,
    report: Option<&SignalReport>,
    stopped: Option<Suppression>,
) -> Option<Suppression> {
    let by_sender = report.and_then(|report| match report.result {
        SignalResult::Suppressed(reason) => Some(reason),
        SignalResult::Ordered { .. } => None,
    });
    let below = decision.filter(|decision| decision.is_below_threshold()).map(|_| Suppression::BelowThreshold);
    by_sender.or(stopped).or(below)
}

fn closes(report: &SignalReport) -> Vec<uuid::Uuid> {
    report.closes.iter().map(|(order, _)| order.client_order_id).collect()
}
