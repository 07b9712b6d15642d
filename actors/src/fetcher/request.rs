//! One symbol's call: key, deadline, one retry, and a pause if the provider asks for one. Used by the Fetcher and
//! `sentinel bars`.

use super::FetchError;
use crate::{
    adapters::{
        endpoint::{Endpoint, Inflight},
        eodhd::{AnswerError, ApiKey, ApiToken, parse},
        http::{self, HttpError, within},
    },
    domain::window::RawBar,
    messages::ApiUsage,
};
use awc::http::header;
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Pause before a retry, unless the server asks for another one.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause that a server can cause: a wrong `Retry-After` must not stop requests for a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// What the requests of one cycle need.
pub struct Session {
    client: http::Client,
    key: ApiKey,
}

/// The connection data for EODHD, kept from cycle to cycle.
pub struct Requests {
    base_url: String,
    deadline: Duration,
    body_bytes_max: usize,
    inflight: Inflight,
    /// Created by the first cycle. If that fails, the next cycle tries again.
    client: RefCell<Option<http::Client>>,
    /// No request for any symbol is made before this time.
    closed_until: Cell<Option<Instant>>,
}

impl Requests {
    /// Does not connect yet. `deadline` is for one symbol's whole call, `body_bytes_max` for its answer after decompression.
    pub fn new(base_url: &str, deadline: Duration, body_bytes_max: usize, inflight: Inflight) -> Self {
        Self {
            base_url: base_url.to_owned(),
            deadline,
            body_bytes_max,
            inflight,
            client: RefCell::new(None),
            closed_until: Cell::new(None),
        }
    }

    /// Prepares a cycle: reads the key, and creates the client if there is none.
    ///
    /// # Errors
    /// A pause is not over, or there is no key or no trusted root.
    pub fn open(&self, token: &ApiToken) -> Result<Session, FetchError> {
        let wait = self.closed_for();
        if wait > Duration::ZERO {
            return Err(FetchError::RateLimited { wait });
        }
        let key = token.read()?;
        let mut client = self.client.borrow_mut();
        let client = match &*client {
            Some(client) => client.clone(),
            None => {
                let built =
                    http::Client::new(&self.base_url).map_err(|error| FetchError::NoClient(error.to_string()))?;
                client.insert(built).clone()
            }
        };
        Ok(Session { client, key })
    }

    /// The rows of one symbol, within the deadline. `api` also counts a call whose future is dropped at the deadline.
    ///
    /// # Errors
    /// Errors of [`HttpError`] and [`AnswerError`], or a pause that another symbol's answer asked for.
    pub async fn bars(&self, session: &Session, url: &str, api: &RefCell<ApiUsage>) -> Result<Vec<RawBar>, FetchError> {
        let give_up_at = Instant::now() + self.deadline;
        let body = within(self.deadline, self.answer(session, url, give_up_at, api)).await.inspect_err(|error| {
            if matches!(error, FetchError::Http(HttpError::Timeout { .. })) {
                api.borrow_mut().errors.push(error.kind());
            }
        })?;
        parse(&body).map_err(|error| match error {
            // The parser's error quotes unexpected text, which may contain the key.
            AnswerError::BadShape(text) => AnswerError::BadShape(session.key.redact(&text)).into(),
            error @ AnswerError::Empty => error.into(),
        })
    }

    async fn answer(
        &self,
        session: &Session,
        url: &str,
        give_up_at: Instant,
        api: &RefCell<ApiUsage>,
    ) -> Result<Vec<u8>, FetchError> {
        if !self.pause(Duration::ZERO, give_up_at).await {
            return Err(FetchError::RateLimited { wait: self.closed_for() });
        }
        let error = match self.attempt(session, url, api).await {
            Ok(body) => return Ok(body),
            Err(error) => error,
        };
        match pause_before_retry(&error) {
            Some(pause) if self.pause(pause, give_up_at).await => Ok(self.attempt(session, url, api).await?),
            _ => Err(error.into()),
        }
    }

    async fn attempt(&self, session: &Session, url: &str, api: &RefCell<ApiUsage>) -> Result<Vec<u8>, HttpError> {
        let _under_way = self.inflight.enter(Endpoint::Eodhd);
        api.borrow_mut().calls += 1;
        let request = session.client.get(url).insert_header((header::AUTHORIZATION, session.key.header()));
        http::get(request, self.body_bytes_max).await.map_err(|mut error| {
            api.borrow_mut().errors.push(error.error_code());
            if let HttpError::Status { status, retry_after, body } = &mut error {
                *body = session.key.redact(body);
                if let (429 | 503, Some(wait)) = (*status, *retry_after) {
                    self.close_for(wait);
                }
            }
            error
        })
    }

    /// Waits at least `at_least`, and until requests are allowed again. Returns false at once if that would take too long.
    async fn pause(&self, at_least: Duration, give_up_at: Instant) -> bool {
        let mut wait = at_least.max(self.closed_for());
        while wait > Duration::ZERO {
            if Instant::now() + wait >= give_up_at {
                return false;
            }
            sleep(wait).await;
            // Another symbol's answer may have asked for a longer pause in the meantime.
            wait = self.closed_for();
        }
        true
    }

    fn close_for(&self, wait: Duration) {
        if wait > RETRY_AFTER_MAX && self.closed_for() == Duration::ZERO {
            warn!(
                stage = "fetch",
                retry_after_s = wait.as_secs(),
                "the provider asks for a pause (Retry-After) of more than an hour: it is asked again after {} s",
                RETRY_AFTER_MAX.as_secs()
            );
        }
        let until = Instant::now() + wait.min(RETRY_AFTER_MAX);
        self.closed_until.set(self.closed_until.get().max(Some(until)));
    }

    fn closed_for(&self) -> Duration {
        self.closed_until.get().map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// How long to wait before a retry, if a retry can help. Requests for bars can be repeated safely.
fn pause_before_retry(error: &HttpError) -> Option<Duration> {
    match error {
        // The server was restarted, or a proxy closed the connection. A new connection works at once.
        HttpError::Broken(_) => Some(Duration::ZERO),
        HttpError::Connect(_) => Some(RETRY_PAUSE),
        HttpError::Status { status: 429 | 500..=599, retry_after, .. } => {
            Some(retry_after.unwrap_or(RETRY_PAUSE).min(RETRY_AFTER_MAX))
        }
        _ => None,
    }
}
