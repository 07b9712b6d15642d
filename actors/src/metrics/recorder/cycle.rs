//! What the cycle and its stages report: bars, features, predictions, decisions, and the end of each step.

use super::{Recorder, set_last_success, set_regime};
use crate::{
    adapters::{
        endpoint::Endpoint,
        prometheus::{ERROR_CODES, FAILING_STAGES},
    },
    domain::{
        cycle_outcome::{CycleOutcome, SymbolFailure, judge},
        features::InvalidValues,
        guard::Suppression,
        instrument::Symbol,
        names::Step,
        regime::Regime,
        window::BarRejection,
    },
    messages::{ApiUsage, BuildReport, DecisionReport, Event, FetchReport, PredictionReport},
    metrics::health::CycleState,
};
use std::{collections::HashSet, time::Duration};

impl Recorder {
    pub(super) fn bars_fetched(
        &mut self,
        fetches: &[FetchReport],
        api: &ApiUsage,
        rejected: &[(BarRejection, u64)],
        now: Duration,
    ) {
        for (reason, bars) in rejected {
            self.metrics.bars_rejected_total.with_label_values(&[reason.as_str()]).inc_by(*bars);
        }
        self.api_used(Endpoint::Eodhd, api);
        for fetch in fetches {
            if let Some(duration) = fetch.duration {
                self.metrics.data_fetch_duration_seconds.observe(duration.as_secs_f64());
            }
            if let Some(close_time) = fetch.newest_bar_close_time {
                self.metrics.last_bar_timestamp_seconds.with_label_values(&[fetch.symbol.as_str()]).set(close_time);
            }
            self.metrics.bar_gaps_total.with_label_values(&[fetch.symbol.as_str()]).inc_by(fetch.gaps);
            if fetch.failure.is_some() {
                self.metrics.data_fetch_failed_total.inc();
                set_regime(&self.metrics, &fetch.symbol, Regime::Unknown);
            }
        }
        let faults = fetches.iter().filter_map(|fetch| fetch.failure);
        self.step_ended(Step::Fetch, !fetches.is_empty(), faults, now);
    }

    pub(super) fn features_built(&mut self, builds: &[BuildReport], invalid: &InvalidValues, now: Duration) {
        let values = [("nan", invalid.nan), ("infinite", invalid.infinite), ("out_of_range", invalid.out_of_range)];
        for (kind, values) in values {
            self.metrics.feature_invalid_values_total.with_label_values(&[kind]).inc_by(values);
        }
        for build in builds {
            self.metrics.feature_build_duration_seconds.observe(build.duration.as_secs_f64());
            set_regime(&self.metrics, &build.symbol, build.regime);
        }
        self.step_ended(Step::Features, !builds.is_empty(), builds.iter().filter_map(|build| build.failure), now);
    }

    pub(super) fn predictions_received(
        &mut self,
        requests: &[PredictionReport],
        api: &ApiUsage,
        is_refused: bool,
        now: Duration,
    ) {
        self.api_used(Endpoint::Hub, api);
        for request in requests {
            self.metrics.prediction_requests_total.inc();
            match request.failure {
                Some(_) => self.metrics.prediction_failures_total.inc(),
                None => self.metrics.prediction_latency_seconds.observe(request.latency.as_secs_f64()),
            }
        }
        let faults = requests.iter().flat_map(|request| request.failure.iter().chain(&request.row_failures).copied());
        let faults = faults.chain(is_refused.then_some("breaker"));
        self.step_ended(Step::Predict, !requests.is_empty() || is_refused, faults, now);
    }

    pub(super) fn signals_decided(&mut self, decisions: &[DecisionReport], suppressed: &[Suppression], now: Duration) {
        suppressed.iter().for_each(|&reason| self.suppressed(reason));
        for DecisionReport { symbol, bar_close_time, decision } in decisions {
            let action = decision.action.as_str();
            self.metrics.trading_signals_total.with_label_values(&[action]).inc();
            self.metrics.symbol_signals_total.with_label_values(&[symbol.as_str(), action]).inc();
            self.metrics.prediction_confidence.observe(decision.confidence);
            self.drift.note(symbol, *bar_close_time, decision.confidence);
        }
        if let Some(last) = decisions.last() {
            self.metrics.last_prediction_confidence.set(last.decision.confidence);
        }
        self.metrics.prediction_drift_psi.set(self.drift.psi());
        self.step_ended(Step::Decide, !decisions.is_empty(), [], now);
    }

    /// Records which symbols failed and which did not, and which steps succeeded for enough of the symbols that reached them.
    /// A step that succeeded for all of its symbols was recorded before.
    pub(super) fn symbols_ended(&mut self, failures: &[SymbolFailure], now: Duration) {
        let failed: HashSet<&Symbol> = failures.iter().map(|failure| &failure.symbol).collect();
        for symbol in self.symbols.iter().filter(|symbol| !failed.contains(symbol)) {
            set_last_success(&self.metrics, symbol, now);
        }
        for SymbolFailure { symbol, step, .. } in
            failures.iter().filter(|failure| FAILING_STAGES.contains(&failure.step))
        {
            self.metrics.symbol_failures_total.with_label_values(&[symbol.as_str(), step.as_str()]).inc();
        }
        let mut reached = self.symbols.len();
        for step in [Step::Fetch, Step::Features, Step::Predict] {
            let failed = failures.iter().filter(|failure| failure.step == step).count();
            if reached > 0 && judge(reached, failed, self.failed_share_max) != CycleOutcome::Failed {
                self.step_succeeded(step, now);
            }
            reached = reached.saturating_sub(failed);
        }
    }

    /// What is known between its stages, and at its end.
    pub(super) fn cycle_went_on(&mut self, event: &Event, now: Duration) {
        match event {
            Event::CycleGuarded { is_market_open } => {
                self.metrics.market_open.set((*is_market_open).into());
                self.state.is_market_open = Some(*is_market_open);
            }
            Event::StopsChecked { bad, unpriced } => {
                // For symbols without bars nothing new is known.
                self.state.bad_stops.retain(|(symbol, _)| unpriced.contains(symbol));
                self.state.bad_stops.extend(bad.iter().cloned());
            }
            Event::CycleFinished { cycle_id, finished_at, duration, failed } => {
                self.metrics.trading_cycles_total.inc();
                self.metrics.trading_cycles_failed_total.inc_by((*failed).into());
                self.metrics.trading_cycle_duration_seconds.observe(duration.as_secs_f64());
                self.metrics.last_cycle_timestamp_unix.set(*finished_at);
                let cycle = CycleState { cycle_id: *cycle_id, finished_at: now, duration: *duration, failed: *failed };
                self.state.last_cycle = Some(cycle);
                if !failed {
                    self.state.last_cycle_success_at = Some(now);
                }
            }
            _ => {}
        }
    }

    /// Records how a step ended. A step that `had_work` and no error succeeded; without work, nothing is known.
    fn step_ended(
        &mut self,
        step: Step,
        had_work: bool,
        faults: impl IntoIterator<Item = &'static str>,
        now: Duration,
    ) {
        if !had_work {
            return;
        }
        let faults = distinct(faults);
        if faults.is_empty() {
            self.step_succeeded(step, now);
        }
        self.state.steps[step as usize].last_faults = Some(faults);
    }

    pub(super) fn step_succeeded(&mut self, step: Step, now: Duration) {
        self.state.steps[step as usize].last_success_at = Some(now);
        self.metrics.step_last_success_timestamp_seconds.with_label_values(&[step.as_str()]).set(now.as_secs_f64());
    }

    fn api_used(&self, endpoint: Endpoint, usage: &ApiUsage) {
        let endpoint = endpoint.as_str();
        self.metrics.api_calls_total.with_label_values(&[endpoint]).inc_by(usage.calls);
        for code in &usage.errors {
            let code = if ERROR_CODES.contains(code) { code } else { "exception" };
            self.metrics.api_errors_total.with_label_values(&[endpoint, code]).inc();
        }
    }
}

/// Each error once: a thousand symbols that time out are one word in `/health`.
pub(super) fn distinct(faults: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let mut faults = faults.into_iter().collect::<Vec<_>>();
    faults.sort_unstable();
    faults.dedup();
    faults
}
