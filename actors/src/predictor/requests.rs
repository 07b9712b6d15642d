//! The requests of one cycle, and what each row got. A request that the model refuses for one of its rows is bisected: asked in
//! halves until that row is alone.

use super::{Asker, BAD_SHAPE, PredictError, quarantine::Group};
use crate::{
    adapters::{endpoint::Endpoint, mlflow},
    domain::{
        breaker::CallEnd,
        decision::Prediction,
        features::FeatureSet,
        instrument::Symbol,
        names::{ActorName, DropReason},
    },
    messages::{ApiUsage, Event, PredictionReport},
};
use bytes::Bytes;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Most requests of a cycle beside those that all rows need anyway: for halves, and for rows in quarantine. One bad row
/// among 50 takes 12 to find, and then one in each cycle.
const EXTRA_REQUESTS_MAX: usize = 256;
/// Most of them while the model has not taken a single request in this cycle. A bad row is alone after six halvings, its
/// neighbours are taken before: a model that still refuses everything does not do so for a row.
const EXTRA_REFUSED_MAX: usize = 16;

/// How a request ended.
pub(super) enum Asked {
    /// Every row has its own result.
    Answered,
    /// One of its rows may be why.
    Refused(PredictError),
    /// For no reason that lies in its rows, or it was not made; its rows have the error.
    Failed,
    /// The time for extra requests ran out over it.
    OutOfTime,
}

/// One cycle's requests.
pub(super) struct Requests<'a> {
    asker: &'a Asker,
    rows: &'a [(Symbol, Arc<FeatureSet>)],
    /// One per row.
    pub results: Vec<Result<Prediction, PredictError>>,
    /// Whether the model took one request at least.
    pub has_answered: bool,
    requests: Vec<PredictionReport>,
    api: ApiUsage,
    is_refused: bool,
}

impl<'a> Requests<'a> {
    /// No row has a result yet; each gets one by the request it is in.
    pub(super) fn new(asker: &'a Asker, rows: &'a [(Symbol, Arc<FeatureSet>)]) -> Self {
        let results = vec![Err(PredictError::Breaker); rows.len()];
        Self {
            asker,
            rows,
            results,
            has_answered: false,
            requests: Vec::new(),
            api: ApiUsage::default(),
            is_refused: false,
        }
    }

    /// One request about these rows. A `deadline` shorter than the configured one is what is left for extra requests.
    pub(super) async fn ask(&mut self, rows: &[usize], deadline: Duration) -> Asked {
        let config = &self.asker.config;
        if !config.breakers.admits(Endpoint::Hub) {
            self.is_refused = true;
            self.fail(rows, &PredictError::Breaker);
            return Asked::Failed;
        }
        let features: Vec<&FeatureSet> = rows.iter().map(|&row| &*self.rows[row].1).collect();
        let body = Bytes::from(mlflow::write_request(&features, config.tabular));
        let started = Instant::now();
        let answer = self.asker.call(body, deadline, &mut self.api).await;
        let parsed = answer.and_then(|body| Ok(mlflow::parse_answer(&body, rows.len())?));
        self.note(&parsed, started.elapsed());
        match parsed {
            Ok(results) => {
                config.breakers.note_end(Endpoint::Hub, shape_end(&results));
                self.has_answered = true;
                for (&row, result) in rows.iter().zip(results) {
                    self.results[row] = result.map_err(PredictError::Row);
                }
                Asked::Answered
            }
            // The server had less time than it may take: that says nothing about it.
            Err(PredictError::Http(super::HttpError::Timeout { .. })) if deadline < config.deadline => Asked::OutOfTime,
            Err(error) => {
                config.breakers.note_end(Endpoint::Hub, error.call_end());
                self.fail(rows, &error);
                if error.may_be_a_row() { Asked::Refused(error) } else { Asked::Failed }
            }
        }
    }

    /// Asks the halves of `refused`, and of these the halves again, then the groups in `quarantine`, as far as the time
    /// of one deadline and the bounds above go. A row that is not reached keeps the error of the request it was in.
    ///
    /// Returns the groups that are in quarantine from now on, those first that were not reached.
    pub(super) async fn bisect(&mut self, refused: Vec<Group>, quarantine: Vec<Group>) -> Vec<Group> {
        let (started, mut requests) = (Instant::now(), 0);
        let (mut unreached, mut still) = (Vec::new(), Vec::new());
        // The last one is next: halves of what was just refused come first, then the rest in their order.
        let mut waiting: Vec<Group> = quarantine.into_iter().rev().collect();
        refused.into_iter().rev().for_each(|group| push_halves(&mut waiting, group));
        while let Some(group) = waiting.pop() {
            let requests_max = if self.has_answered { EXTRA_REQUESTS_MAX } else { EXTRA_REFUSED_MAX };
            let left = self.asker.config.deadline.saturating_sub(started.elapsed());
            if requests >= requests_max || left.is_zero() {
                self.fail(&group.rows, &group.error);
                unreached.push(group);
                continue;
            }
            requests += 1;
            match self.ask(&group.rows, left).await {
                Asked::Answered => {}
                Asked::Refused(error) if group.rows.len() > 1 => {
                    push_halves(&mut waiting, Group { error, ..group });
                }
                Asked::Refused(error) => still.push(Group { error, ..group }),
                Asked::Failed => still.push(group),
                // It had its turn: the next cycle begins with others.
                Asked::OutOfTime => {
                    self.fail(&group.rows, &group.error);
                    still.push(group);
                }
            }
        }
        unreached.extend(still);
        unreached
    }

    /// Tells the metrics what the cycle's requests were.
    pub(super) fn report(&mut self) {
        let metrics = &self.asker.config.metrics;
        let is_unusable = |result: &&Result<_, PredictError>| result.as_ref().is_err_and(|e| e.kind() == BAD_SHAPE);
        let unusable = self.results.iter().filter(is_unusable).count();
        metrics.dropped(ActorName::Predictor, DropReason::Invalid, unusable as u64);
        if !self.requests.is_empty() || self.is_refused {
            let (requests, api) = (std::mem::take(&mut self.requests), std::mem::take(&mut self.api));
            metrics.report(Event::PredictionsReceived { requests, api, is_refused: self.is_refused });
        }
    }

    fn fail(&mut self, rows: &[usize], error: &PredictError) {
        rows.iter().for_each(|&row| self.results[row] = Err(error.clone()));
    }

    /// Books one request. An answer without a single good row is a failure of the request; otherwise bad rows are their
    /// own.
    fn note(&mut self, parsed: &Result<Vec<Result<Prediction, String>>, PredictError>, latency: Duration) {
        let (mut failure, mut row_failures) = (None, Vec::new());
        match parsed {
            Ok(rows) => {
                let bad = rows.iter().filter(|row| row.is_err()).count();
                if bad == rows.len() {
                    failure = Some(BAD_SHAPE);
                } else {
                    row_failures = vec![BAD_SHAPE; bad];
                }
                if bad > 0 {
                    self.api.errors.push(BAD_SHAPE);
                }
            }
            Err(error) => {
                failure = Some(error.kind());
                if matches!(error, PredictError::Answer(_)) {
                    self.api.errors.push(BAD_SHAPE);
                }
            }
        }
        self.requests.push(PredictionReport { latency, failure, row_failures });
    }
}

/// Rows of a bad shape are the rows'; one good row shows that the endpoint serves.
fn shape_end(rows: &[Result<Prediction, String>]) -> CallEnd {
    if rows.iter().any(Result::is_ok) { CallEnd::Answered } else { CallEnd::Refused }
}

/// Puts the first half on top. A single row has no halves: it was alone, and needs no second question.
fn push_halves(waiting: &mut Vec<Group>, group: Group) {
    if group.rows.len() > 1 {
        let (first, second) = group.rows.split_at(group.rows.len().div_ceil(2));
        let part = |rows: &[usize]| Group { rows: rows.to_vec(), error: group.error.clone() };
        waiting.extend([part(second), part(first)]);
    }
}
