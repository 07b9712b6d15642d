//! The daemon's request to EODHD: same address, header and deadline, but no retry, so that the user sees the first answer. The key
//! is removed from all returned text.

use super::Resolved;
use crate::{settings::DataSettings, tools::eodhd::meaning};
use awc::http::header;
use bytes::Bytes;
use sentinel_actors::{
    adapters::{
        eodhd::{ApiKey, TokenError},
        http::{self, Answer, HttpError},
    },
    domain::sanitize::one_line,
};
use std::time::{Duration, Instant};

/// A client of EODHD with the key.
pub struct Provider {
    client: http::Client,
    key: ApiKey,
    deadline: Duration,
    body_bytes_max: usize,
}

/// Why no request can be sent.
#[derive(Debug, thiserror::Error)]
pub enum NoProvider {
    /// No key.
    #[error(transparent)]
    Key(#[from] TokenError),
    /// No HTTPS client.
    #[error(transparent)]
    Client(#[from] std::io::Error),
}

/// An answer, whatever its status.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Requests per minute: the limit, and how many are left.
    pub rate: Option<(u64, u64)>,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// Duration of the whole call.
    pub took: Duration,
}

/// The failure of a request, and what to do.
pub struct MarketRefusal {
    /// The failure as text, without the key.
    pub found: String,
    /// What to do.
    pub advice: String,
    /// Whether the answer for the next symbol would be the same.
    pub is_for_all: bool,
}

impl Provider {
    /// Reads the key and creates the client.
    pub fn new(settings: &Resolved) -> Result<Self, NoProvider> {
        let data = &settings.data;
        Ok(Self {
            key: settings.purpose.token.read()?,
            client: http::Client::new(&data.base_url)?,
            deadline: Duration::from_millis(data.deadline_ms),
            body_bytes_max: data.body_bytes_max,
        })
    }

    /// Sends a request; any status is an answer.
    pub async fn get(&self, url: &str) -> Result<Reply, HttpError> {
        let began = Instant::now();
        let request = self.client.get(url).insert_header((header::AUTHORIZATION, self.key.header()));
        let answer = http::within(self.deadline, http::fetch(request, None, self.body_bytes_max)).await?;
        let Answer { status, headers, body, .. } = answer;
        let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let number = |name| text(name).and_then(|text| text.trim().parse::<u64>().ok());
        let rate = number("x-ratelimit-limit").zip(number("x-ratelimit-remaining"));
        let retry_after = text("retry-after").map(|value| self.clean(value));
        Ok(Reply { status, body, rate, retry_after, took: began.elapsed() })
    }

    /// External text, safe for a terminal and without the key.
    pub fn clean(&self, text: &str) -> String {
        // Redacted before it is cut, so that no part of the key remains.
        one_line(&self.key.redact(text))
    }

    /// The meaning of an answer other than 200.
    pub fn explain(&self, reply: &Reply) -> MarketRefusal {
        let (meaning, advice, is_for_all) = meaning(reply.status);
        let body = self.clean(&String::from_utf8_lossy(&reply.body));
        let body = if body.is_empty() { String::new() } else { format!("; answer: {body:?}") };
        let is_long = |wait: &String| wait.trim().parse::<u64>().is_ok_and(|wait| wait > 3_600);
        let capped = |wait| if is_long(wait) { " (the daemon waits at most an hour)" } else { "" };
        let wait = reply.retry_after.as_ref().map(|wait| format!("; Retry-After: {wait}{}", capped(wait)));
        let wait = wait.unwrap_or_default();
        MarketRefusal {
            found: format!("status {}: {meaning}{wait}{body}", reply.status),
            advice: advice.into(),
            is_for_all,
        }
    }
}

/// The meaning of a call without an answer.
pub fn unanswered(error: &HttpError, data: &DataSettings) -> MarketRefusal {
    let (advice, is_for_all) = match error {
        HttpError::Timeout { .. } => {
            ("try again; if this persists, check the network, or raise data.deadline_ms", true)
        }
        HttpError::BodyTooLarge { .. } => {
            ("raise data.body_bytes_max, or lower data.lookback_bars; EODHD sends 150 bytes per bar", false)
        }
        _ if data.base_url.starts_with("https:") => (
            "is data.base_url right, can this machine connect to it (firewall, DNS), and is its certificate trusted \
             (ca-certificates, or SSL_CERT_FILE for your own CA)?",
            true,
        ),
        _ => ("is data.base_url right, and can this machine connect to it (firewall, DNS)?", true),
    };
    MarketRefusal { found: error.to_string(), advice: advice.into(), is_for_all }
}
