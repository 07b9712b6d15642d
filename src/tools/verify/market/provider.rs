//! One question to EODHD as the daemon asks it: same address, same header, same deadline. No retry: a person wants to
//! see what it says. Whatever text comes back is without the key.

use super::Resolved;
use crate::settings::DataSettings;
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

/// EODHD, and who asks.
pub struct Provider {
    client: http::Client,
    key: ApiKey,
    deadline: Duration,
    body_bytes_max: usize,
}

/// Why nothing can be asked.
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
    /// Requests a minute: allowed, and left of them.
    pub rate: Option<(u64, u64)>,
    /// `Retry-After`, as it was said.
    pub retry_after: Option<String>,
    /// The whole call.
    pub took: Duration,
}

/// What was found instead of an answer, and what to do about it.
pub struct Refusal {
    /// Said for a person; without the key.
    pub found: String,
    /// What to do.
    pub way_out: String,
    /// Whether the next symbol would be told the same.
    pub is_for_all: bool,
}

impl Provider {
    /// Reads the key and makes the client.
    pub fn new(settings: &Resolved) -> Result<Self, NoProvider> {
        let data = &settings.data;
        Ok(Self {
            key: settings.purpose.token.read()?,
            client: http::Client::new(&data.base_url)?,
            deadline: Duration::from_millis(data.deadline_ms),
            body_bytes_max: data.body_bytes_max,
        })
    }

    /// Asks; any status is an answer.
    pub async fn get(&self, url: &str) -> Result<Reply, HttpError> {
        let began = Instant::now();
        let request = self.client.get(url).insert_header((header::AUTHORIZATION, self.key.header()));
        let answer = http::within(self.deadline, http::fetch(request, None, self.body_bytes_max)).await?;
        let Answer { status, headers, body, .. } = answer;
        let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let number = |name| text(name).and_then(|text| text.trim().parse::<u64>().ok());
        let rate = number("x-ratelimit-limit").zip(number("x-ratelimit-remaining"));
        let retry_after = text("retry-after").map(|said| self.clean(said));
        Ok(Reply { status, body, rate, retry_after, took: began.elapsed() })
    }

    /// Outside text made fit for a terminal, without the key.
    pub fn clean(&self, text: &str) -> String {
        // Redacted before it is cut, so that no half of the key is left.
        one_line(&self.key.redact(text))
    }

    /// What an answer other than 200 means.
    pub fn explain(&self, reply: &Reply) -> Refusal {
        let (meaning, way_out, is_for_all) = meaning(reply.status);
        let said = self.clean(&String::from_utf8_lossy(&reply.body));
        let said = if said.is_empty() { String::new() } else { format!("; it says {said:?}") };
        let is_long = |wait: &String| wait.trim().parse::<u64>().is_ok_and(|wait| wait > 3_600);
        let capped = |wait| if is_long(wait) { " (the daemon waits an hour at most)" } else { "" };
        let wait = reply.retry_after.as_ref().map(|wait| format!("; Retry-After: {wait}{}", capped(wait)));
        let wait = wait.unwrap_or_default();
        Refusal {
            found: format!("status {}: {meaning}{wait}{said}", reply.status),
            way_out: way_out.into(),
            is_for_all,
        }
    }
}

/// What a call without an answer means.
pub fn unanswered(error: &HttpError, data: &DataSettings) -> Refusal {
    let (way_out, is_for_all) = match error {
        HttpError::Timeout { .. } => {
            ("try again; if it stays so, look at the network, or raise data.deadline_ms", true)
        }
        HttpError::BodyTooLarge { .. } => {
            ("raise data.body_bytes_max, or lower data.lookback_bars; EODHD sends 150 bytes a bar", false)
        }
        _ if data.base_url.starts_with("https:") => (
            "is data.base_url right, may this machine connect to it (firewall, DNS), and is its certificate trusted \
             (ca-certificates, or SSL_CERT_FILE for a CA of your own)?",
            true,
        ),
        _ => ("is data.base_url right, and may this machine connect to it (firewall, DNS)?", true),
    };
    Refusal { found: error.to_string(), way_out: way_out.into(), is_for_all }
}

/// Meaning, way out, and whether it holds for every symbol.
const fn meaning(status: u16) -> (&'static str, &'static str, bool) {
    match status {
        401 => (
            "the key is not accepted",
            "set EODHD_API_TOKEN, or the file of EODHD_API_TOKEN_FILE, to the key of your EODHD dashboard, without quotes",
            true,
        ),
        402 => (
            "the calls of the day are used up, or the plan does not pay for this",
            "wait for midnight GMT, or take a larger plan; `quota` says what the settings need",
            true,
        ),
        403 => (
            "the key may not have this",
            "does the plan behind this key include intraday data of FOREX? Your EODHD dashboard tells",
            true,
        ),
        404 => (
            "no such ticker, or no such page",
            "correct this symbol's `ticker` in [[symbols]] (EURUSD.FOREX); if every symbol is missing, data.base_url",
            false,
        ),
        422 => (
            "the arguments are refused",
            "is data.interval one that EODHD has for this ticker, and data.lookback_bars within its range (1m: 120 days)?",
            false,
        ),
        429 => (
            "too many requests",
            "wait as long as it says; then fewer symbols, data.poll = \"bar\", and nothing else that uses this key",
            true,
        ),
        300..=399 => (
            "it points elsewhere, and redirects are not followed: the key would go along",
            "set data.base_url to the address it points to, if that is EODHD's",
            true,
        ),
        500..=599 => ("trouble of its own", "try again later; the daemon does so in every cycle", false),
        _ => ("no answer that EODHD documents", "is data.base_url EODHD's, and no proxy in between?", false),
    }
}
