//! Predictor: asks the model about all symbols of a cycle, a few rows per request. The cycle sends [`Predict`];
//! a failed request costs its own rows, a bad row its own symbol.

use crate::{
    adapters::{
        breakers::Breakers,
        http::{self, HttpError},
        inflight::{Endpoint, Inflight},
        mlflow::{self, AnswerError, Tabular},
    },
    domain::{decision::Prediction, features::FeatureSet, instrument::Symbol},
    messages::{
        ActorName, ApiUsage, DropReason, Event, Ping, Predict, PredictionReport, StageFailure, SymbolResult, Telemetry,
    },
};
use actix::{Actor, Context, Handler, ResponseFuture, Supervised};
use awc::http::header;
use bytes::Bytes;
use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// Kind of an answer, or a row of it, that is of no use.
const BAD_SHAPE: &str = "bad_shape";

/// What the Predictor needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// `http://host:port` of the model server.
    pub base_url: String,
    /// How a tabular row is nested.
    pub tabular: Tabular,
    /// Most rows in one request, at least 1.
    pub rows_per_request: usize,
    /// Longest time for one request: connecting, a retry and the whole body included.
    pub deadline: Duration,
    /// Longest answer accepted, in bytes.
    pub body_bytes_max: usize,
    /// Where requests under way are counted.
    pub inflight: Inflight,
    /// Keeps requests from an endpoint that fails.
    pub breakers: Breakers,
    /// Who is told what happened.
    pub metrics: Telemetry,
}

/// Why a request or a row has no prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer as a whole is of no use.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The endpoint's breaker is open; no request was made.
    #[error("too many requests failed in a row; none is made for a while")]
    Breaker,
    /// This row of the answer is of no use.
    #[error("{0}")]
    Row(String),
}

impl PredictError {
    /// Bounded name, as in `sentinel_api_errors_total{error_code}`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.error_code(),
            Self::Answer(_) | Self::Row(_) => BAD_SHAPE,
            Self::Breaker => "breaker",
        }
    }
}

/// The actor.
pub struct Predictor(Rc<Asker>);

impl Predictor {
    /// Makes the actor; call it inside the arbiter that is to run it, because the HTTP client cannot be moved.
    pub fn new(config: Config) -> Self {
        let client = http::Client::new(&config.base_url).map_err(|error| HttpError::Connect(error.to_string()));
        let url = format!("{}/invocations", config.base_url.trim_end_matches('/'));
        Self(Rc::new(Asker { config, client, url }))
    }
}

impl Actor for Predictor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.config.metrics.report(Event::ActorStarted(ActorName::Predictor));
    }
}

impl Supervised for Predictor {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.0.config.metrics.report(Event::ActorRestarted(ActorName::Predictor));
    }
}

impl Handler<Ping> for Predictor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Predict> for Predictor {
    type Result = ResponseFuture<Vec<SymbolResult<Prediction>>>;

    fn handle(&mut self, message: Predict, _: &mut Self::Context) -> Self::Result {
        let asker = self.0.clone();
        Box::pin(async move { asker.predict(&message.rows).await })
    }
}

/// The part of the actor that its futures share.
struct Asker {
    config: Config,
    /// Or why there is none: `https` without a trusted root, which every request then says.
    client: Result<http::Client, HttpError>,
    url: String,
}

impl Asker {
    async fn predict(&self, rows: &[(Symbol, Arc<FeatureSet>)]) -> Vec<SymbolResult<Prediction>> {
        let mut answers = Vec::with_capacity(rows.len());
        let (mut requests, mut api) = (Vec::new(), ApiUsage::default());
        let mut is_refused = false;
        // In turn, not at once: the model server computes one request at a time anyway.
        for chunk in rows.chunks(self.config.rows_per_request.max(1)) {
            let predictions = if self.config.breakers.admits(Endpoint::Hub) {
                let (predictions, report) = self.predict_chunk(chunk, &mut api).await;
                self.config.breakers.note(Endpoint::Hub, report.failure.is_none());
                requests.push(report);
                predictions
            } else {
                is_refused = true;
                vec![Err(PredictError::Breaker); chunk.len()]
            };
            answers.extend(chunk.iter().zip(predictions).map(|((symbol, _), prediction)| {
                let failure = |error: PredictError| StageFailure {
                    kind: error.kind(),
                    detail: format!("{}: {error}", self.config.base_url),
                };
                (symbol.clone(), prediction.map_err(failure))
            }));
        }
        let unusable = answers.iter().filter(|(_, answer)| matches!(answer, Err(StageFailure { kind: BAD_SHAPE, .. })));
        self.config.metrics.dropped(ActorName::Predictor, DropReason::Invalid, unusable.count() as u64);
        if !requests.is_empty() || is_refused {
            self.config.metrics.report(Event::PredictionsReceived { requests, api, is_refused });
        }
        answers
    }

    /// One request: a result per row, and how it went.
    async fn predict_chunk(
        &self,
        chunk: &[(Symbol, Arc<FeatureSet>)],
        api: &mut ApiUsage,
    ) -> (Vec<Result<Prediction, PredictError>>, PredictionReport) {
        let rows: Vec<&FeatureSet> = chunk.iter().map(|(_, features)| &**features).collect();
        let body = Bytes::from(mlflow::write_request(&rows, self.config.tabular));
        let started = Instant::now();
        let answer = self.ask(body, api).await;
        let parsed = answer.and_then(|body| Ok(mlflow::parse_answer(&body, rows.len())?));
        let latency = started.elapsed();
        if matches!(&parsed, Ok(rows) if rows.iter().any(Result::is_err))
            || matches!(parsed, Err(PredictError::Answer(_)))
        {
            api.errors.push(BAD_SHAPE);
        }
        match parsed {
            Ok(rows) => {
                let rows: Vec<_> = rows.into_iter().map(|row| row.map_err(PredictError::Row)).collect();
                let report = report(latency, &rows);
                (rows, report)
            }
            Err(error) => {
                let report = PredictionReport { latency, failure: Some(error.kind()), row_failures: Vec::new() };
                (vec![Err(error); rows.len()], report)
            }
        }
    }

    /// Sends one body and counts what that took; asking a model twice is harmless, so a connection that broke (the
    /// server closes idle ones) is worth a second try inside the same deadline.
    async fn ask(&self, body: Bytes, api: &mut ApiUsage) -> Result<Vec<u8>, PredictError> {
        let _inflight = self.config.inflight.enter(Endpoint::Hub);
        let answer = http::within(self.config.deadline, async {
            api.calls += 1;
            match self.post(body.clone()).await {
                Err(error @ (HttpError::Broken(_) | HttpError::Connect(_))) => {
                    api.errors.push(error.error_code());
                    api.calls += 1;
                    self.post(body).await
                }
                answer => answer,
            }
        });
        let answer = answer.await;
        if let Err(error) = &answer {
            api.errors.push(error.error_code());
        }
        Ok(answer?)
    }

    async fn post(&self, body: Bytes) -> Result<Vec<u8>, HttpError> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let request = client.post(&self.url).insert_header((header::CONTENT_TYPE, "application/json"));
        http::post(request, body, self.config.body_bytes_max).await
    }
}

/// An answer without a single good row is a failure of the request; otherwise bad rows are their own.
fn report(latency: Duration, rows: &[Result<Prediction, PredictError>]) -> PredictionReport {
    let row_failures: Vec<_> = rows.iter().filter_map(|row| Some(row.as_ref().err()?.kind())).collect();
    if row_failures.len() == rows.len() {
        return PredictionReport { latency, failure: row_failures.first().copied(), row_failures: Vec::new() };
    }
    PredictionReport { latency, failure: None, row_failures }
}

#[cfg(test)]
mod tests;
