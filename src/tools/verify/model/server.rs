//! One question to the model server as the daemon asks it, with more patience: how late it is, is part of the answer.

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

/// How many times the daemon's deadline is waited, and how long at least.
const PATIENCE: u32 = 5;
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// The model server.
pub struct Server {
    client: http::Client,
    host: String,
    port: u16,
    base_url: String,
    /// As configured.
    pub tabular: Tabular,
    patience: Duration,
    body_bytes_max: usize,
}

/// Why a question has no odds.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No complete answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer other than 200.
    #[error("status {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// What the server says, on one line.
        message: String,
    },
    /// A 200 that holds no rows.
    #[error("status 200, but {0}")]
    Answer(#[from] AnswerError),
    /// A 200 with a row that holds no odds.
    #[error("status 200, but {0}")]
    Row(String),
}

impl Server {
    /// Connects to nothing yet.
    pub fn new(model: &ModelSettings) -> io::Result<Self> {
        let base_url = model.base_url();
        Ok(Self {
            client: http::Client::new(&base_url)?,
            host: model.host.clone(),
            port: model.port,
            base_url,
            tabular: model.tabular,
            patience: (Duration::from_millis(model.deadline_ms) * PATIENCE).max(PATIENCE_MIN),
            body_bytes_max: model.body_bytes_max,
        })
    }

    /// A TCP connection and not a byte on it: a port that swallows packets is told from a server that is silent.
    pub async fn reach(&self) -> io::Result<()> {
        let connecting = TcpStream::connect((without_brackets(&self.host), self.port));
        tokio::time::timeout(self.patience, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?.map(drop)
    }

    /// Status and text of a small page.
    pub async fn page(&self, path: &str) -> Result<(u16, String), HttpError> {
        let request = self.client.get(&format!("{}{path}", self.base_url));
        let answer = http::within(self.patience, http::fetch(request, None, self.body_bytes_max)).await?;
        Ok((answer.status, one_line(&String::from_utf8_lossy(&answer.body))))
    }

    /// The odds of these rows, and how long the whole call took.
    pub async fn odds(&self, rows: &[&FeatureSet], tabular: Tabular) -> Result<(Vec<Prediction>, Duration), Refusal> {
        let body = Bytes::from(write_request(rows, tabular));
        let began = Instant::now();
        let answer = http::within(self.patience, async {
            match self.post(body.clone()).await {
                // A worker that was just restarted, for example; the daemon asks again, too.
                Err(HttpError::Broken(_)) => self.post(body).await,
                answer => answer,
            }
        });
        let Answer { status, body, .. } = answer.await?;
        if status != 200 {
            return Err(Refusal::Status { status, message: error_text(&body) });
        }
        let parsed = parse_answer(&body, rows.len())?;
        let took = began.elapsed();
        let odds: Result<Vec<_>, _> = parsed.into_iter().collect();
        Ok((odds.map_err(Refusal::Row)?, took))
    }

    async fn post(&self, body: Bytes) -> Result<Answer, HttpError> {
        let request = self.client.post(&format!("{}/invocations", self.base_url));
        let request = request.insert_header((header::CONTENT_TYPE, "application/json"));
        http::fetch(request, Some(body), self.body_bytes_max).await
    }
}

impl Refusal {
    /// What a person can do about it.
    pub const fn way_out(&self) -> &'static str {
        match self {
            Self::Http(HttpError::Timeout { .. }) => {
                "it took the request and is silent: look at the server's log and load; a server that has just started \
                 may still load its model"
            }
            Self::Http(HttpError::BodyTooLarge { .. }) => "is model.port MLflow's? Three numbers a row are expected",
            Self::Http(HttpError::Connect(_)) => {
                "is model.port right and model.scheme what it speaks? https wants a certificate for model.host of a root that \
                 this machine trusts, or of your own CA in SSL_CERT_FILE"
            }
            Self::Http(_) => {
                "is model.port that of `mlflow models serve`, and model.scheme what it speaks? Then look at its log: workers \
                 may be dying"
            }
            Self::Status { status: 400, .. } => {
                "the model refuses what the daemon sends: a flat X_tabular of 23 numbers and an X_sequential of 60x23 \
                 per row, as dataframe_split; compare with the signature it was logged with"
            }
            Self::Status { status: 401 | 403, .. } => "the daemon sends no password: let this machine in without one",
            Self::Status { status: 404 | 405, .. } => {
                "there is no /invocations: is model.port that of `mlflow models serve`, not of the tracking server?"
            }
            Self::Status { status: 415, .. } => {
                "it does not take application/json: is model.port that of `mlflow models serve`?"
            }
            Self::Status { status: 500..=599, .. } => "look at the model server's log",
            Self::Status { .. } => "is model.port that of `mlflow models serve`, and no proxy in between?",
            Self::Answer(_) | Self::Row(_) => {
                "the model must answer {\"predictions\": [[p_sell, p_hold, p_buy], ...]}, one triple per row that sums \
                 to 1, or records with class_0_prob, class_1_prob, class_2_prob"
            }
        }
    }
}
