//! A request to EODHD as the daemon makes it: same key, deadline, retry, pause that is asked for, and breaker. Where the
//! daemon would leave the bars to its next cycle, this waits and asks again, until the breaker opens.

use crate::{
    net,
    settings::{Resolved, VerifyMarket},
    tools::{eodhd::meaning, progress::Progress},
};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Endpoint, Inflight},
        eodhd::intraday_url,
        http::HttpError,
    },
    domain::{
        breaker::{BreakerPolicy, CallEnd},
        window::RawBar,
    },
    fetcher::{FetchError, Requests},
    messages::ApiUsage,
};
use std::{cell::RefCell, time::Duration};

/// Before the second try; doubled before each one after it.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that EODHD can ask for, as for the daemon.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// When a breaker that never opens would ask for ever.
const TRIES: u32 = 5;

/// EODHD, and who asks.
pub(super) struct Asking<'a> {
    settings: &'a Resolved<VerifyMarket>,
    requests: Requests,
    breakers: Breakers,
    usage: RefCell<ApiUsage>,
}

/// Why there is no answer.
pub(super) enum Ended {
    /// A shorter range has a shorter one.
    TooLong,
    /// Nothing that this run could do about it.
    Error(anyhow::Error),
}

impl<'a> Asking<'a> {
    pub(super) fn new(settings: &'a Resolved<VerifyMarket>) -> Self {
        let (data, breaker) = (&settings.data, settings.breaker);
        let failures = if breaker.failures == 0 { TRIES } else { breaker.failures };
        let (url, deadline) = (net::base_url(&data.base_url), Duration::from_millis(data.deadline_ms));
        Self {
            settings,
            requests: Requests::new(url, deadline, data.body_bytes_max, Inflight::default()),
            breakers: Breakers::new(BreakerPolicy { failures, ..breaker }),
            usage: RefCell::default(),
        }
    }

    /// The rows of bars that open at `from` or later, and before `to`.
    pub(super) async fn rows(
        &mut self,
        ticker: &str,
        from: i64,
        to: i64,
        progress: &mut Progress,
    ) -> Result<Vec<RawBar>, Ended> {
        let data = &self.settings.data;
        let url = intraday_url(net::base_url(&data.base_url), ticker, data.interval, Some((from, to - 1)));
        let mut pause = PAUSE;
        loop {
            let error = match self.once(&url).await {
                Ok(rows) => return Ok(rows),
                Err(FetchError::Http(HttpError::BodyTooLarge { .. })) => return Err(Ended::TooLong),
                Err(error) => error,
            };
            let wait = match &error {
                FetchError::RateLimited { wait } => *wait,
                FetchError::Http(HttpError::Status { status: 429 | 503, retry_after: Some(wait), .. }) => {
                    pause.max((*wait).min(PAUSE_MAX))
                }
                error if is_passing(error) => pause,
                _ => return Err(Ended::Error(refused(&error))),
            };
            if !self.breakers.admits(Endpoint::Eodhd) {
                return Err(Ended::Error(refused(&error).context("too many requests failed in a row")));
            }
            progress.note(&format!("{error}; asking again in {:.0} s", wait.as_secs_f64().max(1.0)));
            if !matches!(error, FetchError::RateLimited { .. }) {
                pause = pause.saturating_mul(2);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(&self, url: &str) -> Result<Vec<RawBar>, FetchError> {
        let session = self.requests.open(&self.settings.purpose.token)?;
        let rows = self.requests.bars(&session, url, &self.usage).await;
        let is_asked = !matches!(rows, Err(FetchError::RateLimited { .. }));
        if is_asked {
            let end = rows.as_ref().err().map_or(CallEnd::Answered, FetchError::call_end);
            self.breakers.note_end(Endpoint::Eodhd, end);
        }
        rows
    }
}

/// Whether it may be over in a while.
const fn is_passing(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::Http(
            HttpError::Timeout { .. }
                | HttpError::Connect(_)
                | HttpError::Broken(_)
                | HttpError::Status { status: 429 | 500..=599, .. }
        )
    )
}

/// With what to do about it.
fn refused(error: &FetchError) -> anyhow::Error {
    let way = match error {
        FetchError::Http(HttpError::Status { status, .. }) => {
            let (meaning, way, _) = meaning(*status);
            return anyhow::anyhow!("{error}: {meaning}; {way}");
        }
        FetchError::NoKey(_) => "set EODHD_API_TOKEN, or EODHD_API_TOKEN_FILE to a file that holds it",
        FetchError::NoClient(_) => "install ca-certificates, or set SSL_CERT_FILE",
        FetchError::Answer(_) => "is data.base_url EODHD's, and no proxy or login page in between?",
        FetchError::Http(HttpError::Timeout { .. }) => "look at the network, or raise data.deadline_ms",
        _ => "is data.base_url right, and may this machine connect to it (firewall, DNS)?",
    };
    anyhow::anyhow!("{error}; {way}")
}
