//! The daemon's request to the model server, with a longer deadline, because the latency is part of the result.

use crate::{net::without_brackets, settings::ModelSettings};
use awc::http::header;
use bytes::Bytes;
use sentinel_actors::{
    adapters::{
        http::{self, Answer, HttpError},
        mlflow::{AnswerError, Tabular, error_text, parse_answer, write_request},
    },
    domain::{decision::Prediction, features::FeatureSet, sanitize::one_line},
};
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// The deadline, in multiples of the daemon's, and its minimum.
const DEADLINES: u32 = 5;
const DEADLINE_MIN: Duration = Duration::from_secs(1);

/// The model server.
pub(crate) struct Server {
    client: http::Client,
    host: String,
    port: u16,
    base_url: String,
    /// As configured.
    pub tabular: Tabular,
    deadline: Duration,
    body_bytes_max: usize,
}

/// Why there are no odds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelRefusal {
    /// No complete answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer other than 200.
    #[error("status {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The server's text, on one line.
        message: String,
    },
    /// A 200 without valid rows.
    #[error("status 200, but {0}")]
    Answer(#[from] AnswerError),
    /// A 200 with a row without valid odds.
    #[error("status 200, but {0}")]
    Row(String),
}

impl Server {
    /// Does not connect yet.
    pub fn new(model: &ModelSettings) -> io::Result<Self> {
        let base_url = model.base_url();
        Ok(Self {
            client: http::Client::new(&base_url)?,
            host: model.host.clone(),
            port: model.port,
            base_url,
            tabular: model.tabular,
            deadline: (Duration::from_millis(model.deadline_ms) * DEADLINES).max(DEADLINE_MIN),
            body_bytes_max: model.body_bytes_max,
        })
    }

    /// Opens a TCP connection without sending anything, to distinguish dropped packets from a server that does not answer.
    pub async fn reach(&self) -> io::Result<()> {
        let connecting = TcpStream::connect((without_brackets(&self.host), self.port));
        tokio::time::timeout(self.deadline, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?.map(drop)
    }

    /// Status and text of a small page.
    pub async fn page(&self, path: &str) -> Result<(u16, String), HttpError> {
        let request = self.client.get(&format!("{}{path}", self.base_url));
        let answer = http::within(self.deadline, http::fetch(request, None, self.body_bytes_max)).await?;
        Ok((answer.status, one_line(&String::from_utf8_lossy(&answer.body))))
    }

    /// The odds of these rows, and how long the whole call took.
    pub async fn predict(
        &self,
        rows: &[&FeatureSet],
        tabular: Tabular,
    ) -> Result<(Vec<Prediction>, Duration), ModelRefusal> {
        let body = Bytes::from(write_request(rows, tabular));
        let began = Instant::now();
        let answer = http::within(self.deadline, async {
            match self.post(body.clone()).await {
                // For example, a worker was just restarted; the daemon retries, too.
                Err(HttpError::Broken(_)) => self.post(body).await,
                answer => answer,
            }
        });
        let Answer { status, body, .. } = answer.await?;
        if status != 200 {
            return Err(ModelRefusal::Status { status, message: error_text(&body) });
        }
        let parsed = parse_answer(&body, rows.len())?;
        let took = began.elapsed();
        let predictions: Result<Vec<_>, _> = parsed.into_iter().collect();
        Ok((predictions.map_err(ModelRefusal::Row)?, took))
    }

    async fn post(&self, body: Bytes) -> Result<Answer, HttpError> {
        let request = self.client.post(&format!("{}/invocations", self.base_url));
        let request = request.insert_header((header::CONTENT_TYPE, "application/json"));
        http::fetch(request, Some(body), self.body_bytes_max).await
    }
}

impl ModelRefusal {
    /// Whether it is probably about the row that was asked: another one may have odds. The daemon goes on without a decision.
    pub const fn is_about_the_row(&self) -> bool {
        matches!(self, Self::Row(_) | Self::Status { status: 400 | 422, .. })
    }

    /// What the user can do.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Http(HttpError::Timeout { .. }) => {
                "it accepted the request and did not answer: see the server's log and load; a server that has just started \
                 may still be loading its model"
            }
            Self::Http(HttpError::BodyTooLarge { .. }) => "is model.port MLflow's? Three numbers per row are expected",
            Self::Http(HttpError::Connect(_)) => {
                "are model.port and model.scheme right? https requires a certificate for model.host by a CA that this machine \
                 trusts, or by your own CA in SSL_CERT_FILE"
            }
            Self::Http(_) => {
                "are model.port (of `mlflow models serve`) and model.scheme right? Then see its log: workers may be crashing"
            }
            Self::Status { status: 400, .. } => {
                "the model refuses the daemon's request: a flat X_tabular of 23 numbers and an X_sequential of 60x23 per row, \
                 as dataframe_split; compare it with the signature the model was logged with"
            }
            Self::Status { status: 401 | 403, .. } => "the daemon sends no password: allow this machine without one",
            Self::Status { status: 404 | 405, .. } => {
                "there is no /invocations: is model.port that of `mlflow models serve`, not of the tracking server?"
            }
            Self::Status { status: 415, .. } => {
                "it does not accept application/json: is model.port that of `mlflow models serve`?"
            }
            Self::Status { status: 500..=599, .. } => "see the model server's log",
            Self::Status { .. } => "is model.port that of `mlflow models serve`, without a proxy in between?",
            Self::Answer(_) | Self::Row(_) => {
                "the model must answer {\"predictions\": [[p_sell, p_hold, p_buy], ...]}, one triple per row that sums \
                 to 1, or records with class_0_prob, class_1_prob, class_2_prob"
            }
        }
    }
}
