//! The requests of one cycle, and the result of each row. A request that the model refuses because of one of its rows is
//! bisected: its halves are requested until that row is alone.

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

/// Most additional requests of a cycle, for halves and for rows in quarantine. Finding one bad row among 50 takes 12
/// requests, and then one request in each cycle.
const EXTRA_REQUESTS_MAX: usize = 256;
/// Most of these while the model has not accepted any request in this cycle. After six halvings a bad row is alone, and its
/// neighbours are accepted before that. If the model still refuses everything, the reason is not a row.
const EXTRA_REFUSED_MAX: usize = 16;

/// The result of a request.
pub(super) enum Asked {
    /// Every row has its own result.
    Answered,
    /// One of its rows may be the reason.
    Refused(PredictError),
    /// It failed for a reason that is not in its rows, or was not made; its rows have the error.
    Failed,
    /// The time for additional requests ran out during this request.
    OutOfTime,
}

/// One cycle's requests.
pub(super) struct Requests<'a> {
    asker: &'a Asker,
    rows: &'a [(Symbol, Arc<FeatureSet>)],
    /// One per row.
    pub results: Vec<Result<Prediction, PredictError>>,
    /// Whether the model accepted at least one request.
    pub has_answered: bool,
    requests: Vec<PredictionReport>,
    api: ApiUsage,
    is_refused: bool,
}

impl<'a> Requests<'a> {
    /// No row has a result yet; each gets one from its request.
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

    /// One request for these rows. If `deadline` is shorter than the configured one, it is the rest of the time for
    /// additional requests.
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
            // The server had less than its allowed time, so this says nothing about it.
            Err(PredictError::Http(super::HttpError::Timeout { .. })) if deadline < config.deadline => Asked::OutOfTime,
            Err(error) => {
                config.breakers.note_end(Endpoint::Hub, error.call_end());
                self.fail(rows, &error);
                if error.may_be_a_row() { Asked::Refused(error) } else { Asked::Failed }
            }
        }
    }

    /// Requests the halves of `refused`, and their halves again, then the groups in `quarantine`, within one deadline and the
    /// limits above. A row that is not reached keeps the error of its last request.
    ///
    /// Returns the groups that are in quarantine from now on; those that were not reached come first.
    pub(super) async fn bisect(&mut self, refused: Vec<Group>, quarantine: Vec<Group>) -> Vec<Group> {
        let (started, mut requests) = (Instant::now(), 0);
        let (mut unreached, mut still) = (Vec::new(), Vec::new());
        // The last one is processed next: halves of a group that was just refused come first, then the others in their order.
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
                // It had its turn; the next cycle begins with others.
                Asked::OutOfTime => {
                    self.fail(&group.rows, &group.error);
                    still.push(group);
                }
            }
        }
        unreached.extend(still);
        unreached
    }

    /// Reports the cycle's requests to the metrics.
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

    /// Records one request. If no row of the answer is good, the request has failed; otherwise only the bad rows have failed.
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

/// Rows of a bad shape are errors of these rows. One good row shows that the endpoint works.
fn shape_end(rows: &[Result<Prediction, String>]) -> CallEnd {
    if rows.iter().any(Result::is_ok) { CallEnd::Answered } else { CallEnd::Refused }
}

/// Adds the halves, the first one on top. A single row has no halves: it was alone and is not requested again.
fn push_halves(waiting: &mut Vec<Group>, group: Group) {
    if group.rows.len() > 1 {
        let (first, second) = group.rows.split_at(group.rows.len().div_ceil(2));
        let part = |rows: &[usize]| Group { rows: rows.to_vec(), error: group.error.clone() };
        waiting.extend([part(second), part(first)]);
    }
}
