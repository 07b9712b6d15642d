//! What a cycle leaves in the journal: a record per configured symbol, whether it was decided or failed.

use crate::{
    cycle_log::CycleLog,
    domain::{
        bar::{Bar, Interval},
        decision::Prediction,
        features::FeatureSet,
        guard::Suppression,
        instrument::{Instrument, Symbol},
        journal::{DecisionRecord, Reason},
    },
    messages::SignalResult,
};
use std::{collections::HashMap, sync::Arc};

/// What a cycle worked with, as far as it came; its [`CycleLog`] knows the rest.
#[derive(Debug, Default)]
pub struct CycleData {
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
        let decisions: HashMap<_, _> = log.decided().iter().map(|(symbol, decision)| (symbol, decision)).collect();
        let reports: HashMap<_, _> = log.reports().iter().map(|report| (&report.symbol, &report.result)).collect();
        let suppressed: HashMap<_, _> = log.stopped().iter().map(|(symbol, reason)| (symbol, *reason)).collect();
        let record = |instrument: &Instrument| {
            let symbol = &instrument.symbol;
            let window = self.windows.remove(symbol);
            let decision = decisions.get(symbol).copied();
            let (order, not_sent) = match reports.get(symbol) {
                Some(SignalResult::Ordered { order, .. }) => (Some(order.client_order_id), None),
                Some(SignalResult::Suppressed(reason)) => (None, Some(*reason)),
                None => (None, suppressed.get(symbol).copied()),
            };
            let below = decision.filter(|decision| decision.is_below_threshold()).map(|_| Suppression::BelowThreshold);
            let reason = match (log.failure_of(symbol), not_sent.or(below)) {
                (Some((stage, kind)), _) => Some(Reason::Failed { stage, kind }),
                (None, Some(suppression)) => Some(Reason::Suppressed(suppression.as_str())),
                (None, None) if given_up && order.is_none() => Some(Reason::Suppressed(Suppression::Shutdown.as_str())),
                (None, None) => None,
            };
            DecisionRecord {
                symbol: symbol.clone(),
                bar_close_time: window.as_deref().and_then(|bars| Some(bars.last()?.close_time(interval))),
                window,
                features: self.features.remove(symbol),
                prediction: self.predictions.remove(symbol),
                action: decision.map(|decision| decision.action),
                reason,
                client_order_id: order,
            }
        };
        instruments.iter().map(record).collect()
    }
}
