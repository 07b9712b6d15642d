//! Predictor: gets the model's answers for all symbols of a cycle, a few rows per request. The cycle sends [`Predict`]. If a
//! request fails, its rows have no answer; a bad row affects only its symbol.
//!
//! `requests` sends one cycle's requests and bisects those that the model refuses. `quarantine` keeps the rows that it
//! refused, so that they are requested separately until the model accepts them.

mod quarantine;
mod requests;

use crate::{
    adapters::{
        endpoint::{Breakers, Endpoint, Inflight},
        http::{self, HttpError},
        mlflow::{self, AnswerError, Tabular},
    },
    domain::{
        breaker::{BreakerState, CallEnd},
        decision::Prediction,
        features::FeatureSet,
        instrument::Symbol,
        names::ActorName,
    },
    messages::{ApiUsage, Event, Ping, Predict, StageFailure, SymbolResult, Telemetry},
};
use actix::{Actor, Context, Handler, ResponseFuture};
use awc::http::header;
use bytes::Bytes;
use quarantine::{Group, Quarantine};
use requests::{Asked, Requests};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// Kind of an unusable answer, or of an unusable row.
const BAD_SHAPE: &str = "bad_shape";

/// The configuration of a Predictor.
#[derive(Debug, Clone)]
pub struct Config {
    /// `http://host:port` of the model server, without a slash at its end.
    pub base_url: String,
    /// The shape of a tabular row.
    pub tabular: Tabular,
    /// Most rows in one request, at least 1.
    pub rows_per_request: usize,
    /// Longest time for one request, including connecting, a retry and the whole body.
    pub deadline: Duration,
    /// Longest answer accepted, in bytes.
    pub body_bytes_max: usize,
    /// Where open requests are counted.
    pub inflight: Inflight,
    /// Stops requests to an endpoint that fails.
    pub breakers: Breakers,
    /// Where events are reported.
    pub metrics: Telemetry,
}

/// Why a request or a row has no prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Nothing in the answer is usable.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The endpoint's breaker is open; no request was made.
    #[error("too many requests failed in a row, so no request is made for a while")]
    Breaker,
    /// This row of the answer is not usable.
    #[error("{0}")]
    Row(String),
}

impl PredictError {
    /// Short name, as in `sentinel_api_errors_total{error_code}`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.error_code(),
            Self::Answer(_) | Self::Row(_) => BAD_SHAPE,
            Self::Breaker => "breaker",
        }
    }

    /// What a request with this error says about the endpoint.
    const fn call_end(&self) -> CallEnd {
        match self {
            Self::Http(error) => error.call_end(),
            Self::Answer(_) | Self::Row(_) => CallEnd::Refused,
            Self::Breaker => CallEnd::Failed,
        }
    }

    /// Whether a single row can be the cause: MLflow answers 400 if the model raises an error, other servers 422. Statuses
    /// such as 404 or 405 concern the address. If the answer has an unexpected shape, the whole model is doubtful, and
    /// smaller requests do not help.
    const fn may_be_a_row(&self) -> bool {
        matches!(self, Self::Http(HttpError::Status { status: 400 | 422, .. }))
    }
}

/// The actor.
pub struct Predictor(Rc<Asker>);

impl Predictor {
    /// Creates the actor. Call it in the arbiter in which the actor runs, because the HTTP client cannot be moved.
    pub fn new(config: Config) -> Self {
        let client = http::Client::new(&config.base_url).map_err(|error| HttpError::Connect(error.to_string()));
        let url = format!("{}/invocations", config.base_url);
        let (quarantine, next_trial) = (RefCell::default(), Cell::new(0));
        Self(Rc::new(Asker { config, client, url, quarantine, next_trial }))
    }
}

impl Actor for Predictor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.config.metrics.report(Event::ActorStarted(ActorName::Predictor));
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
    /// The client, or why there is none: `https` without a trusted root. Then every request has this error.
    client: Result<http::Client, HttpError>,
    url: String,
    /// Rows that the model refused, kept from cycle to cycle.
    quarantine: RefCell<Quarantine>,
    /// The request that a half-open breaker allows first: the one after the last that it allowed.
    next_trial: Cell<usize>,
}

impl Asker {
    async fn predict(&self, rows: &[(Symbol, Arc<FeatureSet>)]) -> Vec<SymbolResult<Prediction>> {
        let (ordinary, quarantined) = self.quarantine.borrow_mut().split(rows);
        let mut requests = Requests::new(self, rows);
        let refused = self.ask_ordinary(&mut requests, &ordinary).await;
        let refused = requests.bisect(refused, quarantined).await;
        // Only if the model accepted other rows, the refused rows are the cause. If it refuses all of them, they are
        // requested as before.
        if requests.has_answered {
            self.quarantine.borrow_mut().remember(refused);
        }
        requests.report();

        let answers = rows.iter().zip(requests.results).map(|((symbol, _), result)| {
            let failure = |error: PredictError| StageFailure {
                kind: error.kind(),
                detail: format!("{}: {error}", self.config.base_url),
            };
            (symbol.clone(), result.map_err(failure))
        });
        answers.collect()
    }

    /// Requests the rows that are not in quarantine, a few per request. Returns the requests that were refused as a whole.
    async fn ask_ordinary(&self, requests: &mut Requests<'_>, rows: &[usize]) -> Vec<Group> {
        let mut refused = Vec::new();
        let chunks: Vec<_> = rows.chunks(self.config.rows_per_request.max(1)).collect();
        let first = self.next_trial.get();
        // One after the other, because the model server computes one request at a time anyway. So a half-open breaker
        // automatically gets a single request first.
        for index in (0..chunks.len()).map(|index| (first + index) % chunks.len()) {
            if self.config.breakers.state(Endpoint::Hub) == BreakerState::HalfOpen {
                self.next_trial.set((index + 1) % chunks.len());
            }
            if let Asked::Refused(error) = requests.ask(chunks[index], self.config.deadline).await {
                refused.push(Group { rows: chunks[index].to_vec(), error });
            }
        }
        refused
    }

    /// Sends one body and counts the calls. A request to the model can be repeated safely, so if the connection breaks (a
    /// worker was restarted), it is tried a second time within the same deadline.
    async fn call(&self, body: Bytes, deadline: Duration, api: &mut ApiUsage) -> Result<Vec<u8>, PredictError> {
        let _inflight = self.config.inflight.enter(Endpoint::Hub);
        let answer = http::within(deadline, async {
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
        http::post(request, body, self.config.body_bytes_max, mlflow::error_text).await
    }
}

#[cfg(test)]
mod tests;
