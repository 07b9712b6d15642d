//! One symbol's call: key, deadline, one retry, and the pause that the provider may ask for.

use super::{Config, FetchError};
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

/// Before a retry, unless the server names another pause.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause a server can impose: a wrong `Retry-After` must not silence the market for a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// What the requests of one cycle need.
pub struct Session {
    client: http::Client,
    key: ApiKey,
}

/// The way to EODHD, kept from cycle to cycle.
pub struct Requests {
    base_url: String,
    deadline: Duration,
    body_bytes_max: usize,
    inflight: Inflight,
    /// Built by the first cycle; tried again by the next one if that fails.
    client: RefCell<Option<http::Client>>,
    /// No request for any symbol before this.
    closed_until: Cell<Option<Instant>>,
}

impl Requests {
    /// Opens nothing yet.
    pub fn new(config: &Config) -> Self {
        Self {
            base_url: config.base_url.clone(),
            deadline: config.deadline,
            body_bytes_max: config.body_bytes_max,
            inflight: config.inflight.clone(),
            client: RefCell::new(None),
            closed_until: Cell::new(None),
        }
    }

    /// Readies a cycle: reads the key and builds the client if there is none.
    ///
    /// # Errors
    /// A pause that is not over, no key, no trusted roots.
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

    /// Rows of one symbol, within the deadline. `api` counts even if this future is dropped at the deadline.
    ///
    /// # Errors
    /// Those of [`HttpError`] and [`AnswerError`], and a pause that another symbol's answer asked for.
    pub async fn bars(&self, session: &Session, url: &str, api: &RefCell<ApiUsage>) -> Result<Vec<RawBar>, FetchError> {
        let give_up_at = Instant::now() + self.deadline;
        let body = within(self.deadline, self.answer(session, url, give_up_at, api)).await.inspect_err(|error| {
            if matches!(error, FetchError::Http(HttpError::Timeout { .. })) {
                api.borrow_mut().errors.push(error.kind());
            }
        })?;
        parse(&body).map_err(|error| match error {
            // The parser quotes what it did not expect.
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

    /// Waits `at_least` that long, and until requests are allowed again; answers false at once if that is too late.
    async fn pause(&self, at_least: Duration, give_up_at: Instant) -> bool {
        let mut wait = at_least.max(self.closed_for());
        while wait > Duration::ZERO {
            if Instant::now() + wait >= give_up_at {
                return false;
            }
            sleep(wait).await;
            // Another symbol's answer may have asked for more in the meantime.
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

/// Asking for bars is safe to repeat; this is how long to wait first, if a repetition can help.
fn pause_before_retry(error: &HttpError) -> Option<Duration> {
    match error {
        // A server that was restarted, or a proxy that hung up: another connection works at once.
        HttpError::Broken(_) => Some(Duration::ZERO),
        HttpError::Connect(_) => Some(RETRY_PAUSE),
        HttpError::Status { status: 429 | 500..=599, retry_after, .. } => {
            Some(retry_after.unwrap_or(RETRY_PAUSE).min(RETRY_AFTER_MAX))
        }
        _ => None,
    }
}
