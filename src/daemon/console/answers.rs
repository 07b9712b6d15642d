//! The answers of the JSON API. Each is made of what the journal, the archive and the MetricsActor say at this moment; what
//! none of them says is `null`.

mod charts;
mod money;
mod now;
mod orders;
mod process;
mod samples;

pub(super) use charts::{bars, decisions, odds};
pub(super) use money::{equity, model, money};
pub(super) use now::{halt_now, now};
pub(super) use orders::{order, orders, positions};
pub(super) use process::{stages, system};

use super::{
    app_state::AppState,
    assets::{hex, same_tag},
    facts::SymbolFacts,
    security::failure,
};
use crate::daemon::http::{accept, sliced_body::SlicedBody};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY,
        },
    },
};
use sentinel_actors::{
    adapters::{
        gzip::gzip,
        journal::{ROWS_MAX, ReadError},
    },
    metrics::health::Health,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, time::Duration};

/// Shorter answers gain nothing by compression.
const GZIP_BYTES_MIN: usize = 1_024;

/// An answer, or the error in its place.
type Answer = Result<HttpResponse, HttpResponse>;

fn sent(answer: Answer) -> HttpResponse {
    answer.unwrap_or_else(|refusal| refusal)
}

/// The body of an answer: what its tag is made of, and what changes without being news.
struct Body {
    news: Map<String, Value>,
    cycle_id: Option<i64>,
    /// Replaces values of `news` after the tag was made.
    passing: Vec<(&'static str, Value)>,
}

impl Body {
    fn new(cycle_id: Option<i64>, fields: Value) -> Self {
        let news = match fields {
            Value::Object(fields) => fields,
            other => Map::from_iter([("rows".to_owned(), other)]),
        };
        Self { news, cycle_id, passing: Vec::new() }
    }

    fn passing(mut self, name: &'static str, value: Value) -> Self {
        self.passing.push((name, value));
        self
    }
}

/// Sends it, or 304 if the client has it.
fn answer(request: &HttpRequest, app: &AppState, mut body: Body) -> Answer {
    let failed = |error: serde_json::Error| failure(StatusCode::INTERNAL_SERVER_ERROR, "failed", &error.to_string());
    body.news.insert("schema".into(), 1.into());
    body.news.insert("cycle_id".into(), body.cycle_id.into());
    let digest = hex(&Sha256::digest(serde_json::to_vec(&body.news).map_err(failed)?));
    let tag = format!("\"{}-{digest}\"", body.cycle_id.unwrap_or(0));
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, tag.clone())).insert_header((CACHE_CONTROL, "no-store"));
    response.insert_header((VARY, "Accept-Encoding"));
    if accept::all(request, &IF_NONE_MATCH).split(',').any(|known| same_tag(known, &tag)) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    body.news.insert("now_ms".into(), now_ms(app).into());
    body.news.extend(body.passing.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let bytes = serde_json::to_vec(&body.news).map_err(failed)?;
    response.insert_header((CONTENT_TYPE, "application/json"));
    let takes_gzip = bytes.len() >= GZIP_BYTES_MIN && accept::takes_gzip(&accept::all(request, &ACCEPT_ENCODING));
    Ok(match takes_gzip.then(|| gzip(&bytes)).flatten() {
        Some(gzip) => response.insert_header((CONTENT_ENCODING, "gzip")).body(SlicedBody::of(gzip)),
        None => response.body(SlicedBody::of(bytes)),
    })
}

/// The error for a file that does not answer.
pub(super) fn unread(error: ReadError) -> HttpResponse {
    let code = match error {
        ReadError::Busy => "busy",
        ReadError::Failed(_) => "journal",
    };
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, code, &error.to_string());
    response.headers_mut().insert(RETRY_AFTER, 1.into());
    response
}

fn no_actor() -> HttpResponse {
    unread(ReadError::Failed("the MetricsActor did not answer in time".into()))
}

/// The daemon's health now.
async fn health(app: &AppState) -> Result<Health, HttpResponse> {
    app.health.answer().await.ok_or_else(no_actor)
}

/// The newest cycle that ended; if the MetricsActor does not say, the newest of the journal.
async fn newest_cycle(app: &AppState, in_journal: Option<i64>) -> Option<i64> {
    let health = app.health.answer().await;
    health.and_then(|health| i64::try_from(health.last_cycle?.cycle_id).ok()).or(in_journal)
}

fn now_ms(app: &AppState) -> i64 {
    millis(app.clock.now())
}

fn millis(since_epoch: Duration) -> i64 {
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn as_json(value: impl serde::Serialize) -> Result<Value, HttpResponse> {
    serde_json::to_value(value)
        .map_err(|error| failure(StatusCode::INTERNAL_SERVER_ERROR, "failed", &error.to_string()))
}

/// The parameters of a request.
struct Query(HashMap<String, String>);

impl Query {
    fn of(request: &HttpRequest) -> Result<Self, HttpResponse> {
        let query = actix_web::web::Query::<HashMap<String, String>>::from_query(request.query_string());
        query.map(|query| Self(query.into_inner())).map_err(|_| bad("the parameters cannot be read"))
    }

    /// An empty one counts as not given.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<i64>, HttpResponse> {
        let number =
            self.text(name).map(|text| text.parse().map_err(|_| bad(&format!("{name} must be a whole number"))));
        number.transpose()
    }

    fn limit(&self) -> Result<usize, HttpResponse> {
        match self.number("limit")?.map(usize::try_from) {
            None => Ok(ROWS_MAX),
            Some(Ok(limit)) if (1..=ROWS_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(bad("limit must be 1 to 500")),
        }
    }

    /// A configured symbol, if one is named.
    fn symbol<'d>(&self, app: &'d AppState) -> Result<Option<&'d SymbolFacts>, HttpResponse> {
        let Some(name) = self.text("symbol") else { return Ok(None) };
        let unknown = || failure(StatusCode::NOT_FOUND, "not_found", "no such symbol is configured");
        app.facts.symbol(name).map(Some).ok_or_else(unknown)
    }

    /// A configured symbol.
    fn required_symbol<'d>(&self, app: &'d AppState) -> Result<&'d SymbolFacts, HttpResponse> {
        self.symbol(app)?.ok_or_else(|| bad("symbol is missing"))
    }
}

fn bad(message: &str) -> HttpResponse {
    failure(StatusCode::BAD_REQUEST, "bad_request", message)
}
