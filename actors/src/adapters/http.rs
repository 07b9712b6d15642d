//! The HTTP client: a new connection per request; one deadline for connecting, head and body; a limit for the body; no
//! redirects; errors that are `Send` and have a short name from a fixed set. Used by the Fetcher, the Predictor, the Deadman
//! and the commands.
//!
//! `client` makes the requests, `transport` makes the connections, `interim_responses` skips interim answers.

use crate::domain::{breaker::CallEnd, sanitize::one_line};
use awc::{
    ClientRequest, ClientResponse, SendClientRequest,
    error::{ConnectError, PayloadError, SendRequestError},
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures_util::Stream;
use std::time::Duration;

mod client;
mod dns_cache;
mod identity;
mod interim_responses;
#[cfg(test)]
mod tests;
mod transport;

pub use client::Client;
pub use identity::Identity;

/// How much of an error's body is read, and how long that may take.
const EXCERPT_BYTES_MAX: usize = 65_536;
const EXCERPT_DEADLINE: Duration = Duration::from_millis(250);

/// Why an HTTP call had no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The whole call, body included, took longer than its deadline.
    #[error("no complete answer within {} ms", .deadline.as_millis())]
    Timeout {
        /// The deadline.
        deadline: Duration,
    },
    /// No connection: name resolution, TCP or TLS.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke before the answer was complete.
    #[error("the connection broke{}{}", if .0.starts_with("after ") { " " } else { ": " }, .0)]
    Broken(String),
    /// An answer other than 200; redirects are not followed.
    #[error("status {status}: {body:?}")]
    Status {
        /// HTTP status.
        status: u16,
        /// How long the server asks us to wait before the next request.
        retry_after: Option<Duration>,
        /// The beginning of the body, on one line.
        body: String,
    },
    /// The body is longer than the limit, after decompression.
    #[error("the body is longer than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

impl HttpError {
    /// The value of `sentinel_api_errors_total{error_code}` for this error.
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Connect(_) => "connect",
            Self::Status { status, .. } => status_code_label(*status),
            Self::Broken(_) | Self::BodyTooLarge { .. } => "exception",
        }
    }

    /// What the error says about the endpoint. If the answer concerns only this request, it is [`CallEnd::Refused`]: an empty
    /// or partial 2xx, and each 4xx except those that concern the account, the rate of requests or the way to the server. A
    /// redirect or a change of protocol would affect every request.
    pub const fn call_end(&self) -> CallEnd {
        match self {
            Self::Status { status: 401..=403 | 407 | 408 | 421 | 423 | 425 | 429, .. } => CallEnd::Failed,
            Self::Status { status: 200..=299 | 400..=499, .. } | Self::BodyTooLarge { .. } => CallEnd::Refused,
            Self::Status { .. } | Self::Timeout { .. } | Self::Connect(_) | Self::Broken(_) => CallEnd::Failed,
        }
    }
}

/// The statuses that have their own label.
fn status_code_label(status: u16) -> &'static str {
    match status {
        401 => "401",
        402 => "402",
        403 => "403",
        404 => "404",
        422 => "422",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "exception",
    }
}

/// Sends a request without a body and reads the whole answer.
///
/// # Errors
/// Everything except a complete 200, see [`HttpError`].
pub async fn get(request: ClientRequest, body_bytes_max: usize) -> Result<Vec<u8>, HttpError> {
    read(request.send(), body_bytes_max, as_it_is).await
}

/// Sends a request with a body and reads the whole answer. `error_text` turns an error's body, or the beginning of it, into
/// text.
///
/// # Errors
/// Everything except a complete 200, see [`HttpError`].
pub async fn post(
    request: ClientRequest,
    body: Bytes,
    body_bytes_max: usize,
    error_text: fn(&[u8]) -> String,
) -> Result<Vec<u8>, HttpError> {
    read(request.send_body(body), body_bytes_max, error_text).await
}

fn as_it_is(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// A whole answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: header::HeaderMap,
    /// The `Content-Type` header, empty if there is none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Sends a request, with or without a body, and reads the whole answer, whatever its status. For commands that show what a
/// server answers; [`get`] and [`post`] are for stages, which can only use a 200.
///
/// # Errors
/// There is no complete answer, or it is longer than the limit.
pub async fn fetch(request: ClientRequest, body: Option<Bytes>, body_bytes_max: usize) -> Result<Answer, HttpError> {
    let sent = match body {
        Some(body) => request.send_body(body),
        None => request.send(),
    };
    let mut response = answer(sent).await?;
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let body = whole_body(&mut response, body_bytes_max).await?;
    Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), content_type, body })
}

/// Sends a request without a body and returns the status of the answer, without reading the body.
///
/// # Errors
/// There is no answer.
pub async fn status(request: ClientRequest) -> Result<u16, HttpError> {
    Ok(answer(request.send()).await?.status().as_u16())
}

async fn answer(
    sent: SendClientRequest,
) -> Result<ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>>>, HttpError> {
    let response = sent.await.map_err(send_error)?;
    // Interim answers were skipped before. So this is a change of protocol that was not requested, and no HTTP follows.
    if response.status().is_informational() {
        return Err(HttpError::Broken(format!("status {} instead of an answer", response.status().as_u16())));
    }
    Ok(response)
}

async fn whole_body<S>(response: &mut ClientResponse<S>, body_bytes_max: usize) -> Result<Bytes, HttpError>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    let announced = body_bytes(response.status(), response.headers());
    match response.body().limit(body_bytes_max).await {
        // awc takes a connection that ends for the end of the body.
        Ok(body) => match announced.filter(|announced| *announced > body.len() as u64) {
            Some(announced) => Err(HttpError::Broken(format!("after {} of {announced} bytes", body.len()))),
            None => Ok(body),
        },
        Err(PayloadError::Overflow) => Err(HttpError::BodyTooLarge { limit: body_bytes_max }),
        Err(error) => Err(HttpError::Broken(one_line(&error.to_string()))),
    }
}

/// How long the body is to be; `None` if nothing says it. A compressed body has another length when it is read.
fn body_bytes(status: StatusCode, headers: &header::HeaderMap) -> Option<u64> {
    let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_as_sent = headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    let length = headers.get(header::CONTENT_LENGTH).filter(|_| is_as_sent && !is_empty)?;
    length.to_str().ok()?.trim().parse().ok()
}

async fn read(
    sent: SendClientRequest,
    body_bytes_max: usize,
    error_text: fn(&[u8]) -> String,
) -> Result<Vec<u8>, HttpError> {
    let mut response = answer(sent).await?;
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    if status != StatusCode::OK {
        // An error's body is only an excerpt for the log. If it is slow, long or broken, the status is still reported.
        let excerpt = tokio::time::timeout(EXCERPT_DEADLINE, response.body().limit(EXCERPT_BYTES_MAX)).await;
        let body = excerpt.ok().and_then(Result::ok).unwrap_or_default();
        let body = one_line(&error_text(&body));
        return Err(HttpError::Status { status: status.as_u16(), retry_after, body });
    }
    Ok(whole_body(&mut response, body_bytes_max).await?.to_vec())
}

fn send_error(error: SendRequestError) -> HttpError {
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => HttpError::Broken("disconnected".into()),
        SendRequestError::Connect(error) => HttpError::Connect(one_line(&error.to_string())),
        error => HttpError::Broken(one_line(&error.to_string())),
    }
}

/// One deadline for everything that `call` does.
///
/// # Errors
/// [`HttpError::Timeout`], or the error of `call`.
pub async fn within<T, E: From<HttpError>>(
    deadline: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let began = tokio::time::Instant::now();
    let done = tokio::time::timeout(deadline, call).await;
    // If the process was suspended meanwhile, the answer may be there when it continues, and tokio would take the answer
    // before it checks the time.
    match done {
        Ok(done) if began.elapsed() <= deadline => done,
        Ok(_) | Err(_) => Err(HttpError::Timeout { deadline }.into()),
    }
}

/// `Retry-After` as in RFC 9110: seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value.trim()).ok()?;
    (date.to_utc() - chrono::Utc::now()).to_std().ok()
}
