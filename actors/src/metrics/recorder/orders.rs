//! What becomes of signals and orders, and what the gateway reports about the account.

use super::{Recorder, cycle::distinct};
use crate::{
    domain::{names::Step, order::Outcome, order_manager::OrderResult},
    messages::{Event, SignalReport, SignalResult},
    metrics::health::{GatewayState, PositionsState},
};
use std::time::{Duration, Instant};

impl Recorder {
    pub(super) fn signals_handled(&mut self, reports: &[SignalReport], now: Duration) {
        let mut faults = Vec::new();
        let mut replies = 0_usize;
        for report in reports {
            let own = match &report.result {
                SignalResult::Suppressed(reason) => {
                    self.suppressed(*reason);
                    None
                }
                SignalResult::Ordered { answer, .. } => Some(answer),
            };
            if own.is_some_and(|result| matches!(result.outcome, Outcome::Filled { .. })) {
                self.metrics.trading_signals_executed_total.with_label_values(&[report.side.as_str()]).inc();
            }
            if let Some(points) = report.slippage_points {
                self.metrics.fill_slippage_points.observe(points);
            }
            for result in report.closes.iter().map(|(_, result)| result).chain(own) {
                self.order_ended(result);
                if matches!(result.outcome, Outcome::Filled { .. } | Outcome::Unknown { .. }) {
                    self.account.traded();
                }
                replies += usize::from(result.send_latency.is_some());
                // A refusal is an answer. An order that was not sent or has an unknown outcome is an error.
                if matches!(result.outcome, Outcome::NotSent { .. } | Outcome::Unknown { .. }) {
                    faults.push(result.outcome.as_str());
                }
            }
        }
        if replies > 0 {
            self.step_succeeded(Step::Send, now);
        }
        if replies > 0 || !faults.is_empty() {
            self.state.steps[Step::Send as usize].last_faults = Some(distinct(faults));
        }
    }

    fn order_ended(&self, result: &OrderResult) {
        self.metrics.orders_total.with_label_values(&[result.outcome.as_str()]).inc();
        match result.send_latency {
            Some(latency) => self.metrics.zmq_send_latency_seconds.observe(latency.as_secs_f64()),
            None => self.metrics.zmq_send_failures_total.inc(),
        }
        if let Some(roundtrip) = result.gateway_roundtrip {
            self.metrics.gateway_roundtrip_seconds.observe(roundtrip.as_secs_f64());
        }
    }

    /// What the gateway reported about the account, or that it did not.
    pub(super) fn gateway_told(&mut self, event: &Event, instant: Instant) {
        match event {
            Event::EquityTold(equity) => self.account.told_equity(*equity, instant),
            Event::AccountPollFailed => {
                self.metrics.account_poll_failures_total.inc();
                self.account_not_reported("the gateway did not report account and positions when last asked".into());
            }
            Event::PositionsTold(count) => {
                self.account.told_positions(*count, instant);
                if count.is_some() {
                    self.state.account_trouble = None;
                }
            }
            Event::GatewayChecked { trouble } => {
                if let Some(trouble) = trouble {
                    self.account.forget();
                    self.account_not_reported(format!("the gateway does not answer: {trouble}"));
                }
                self.state.gateway = GatewayState { is_checked: true, trouble: trouble.clone() };
            }
            Event::PositionsChecked { trouble, doubts } => {
                if let Some(trouble) = trouble {
                    self.account_not_reported(format!("the gateway's list of positions cannot be read: {trouble}"));
                }
                self.metrics.positions_doubtful.set(i64::try_from(doubts.len()).unwrap_or(i64::MAX));
                self.state.positions = PositionsState { trouble: trouble.clone(), doubts: doubts.clone() };
            }
            _ => {}
        }
    }

    /// The gateway does not report the account at present, for this reason.
    fn account_not_reported(&mut self, why: String) {
        self.state.account_trouble = Some(why);
    }
}
