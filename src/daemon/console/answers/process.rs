//! The view System: how long stages take, and the state of the process.

use super::{Answer, Body, answer, health, millis, no_actor, samples::Samples, sent};
use crate::daemon::console::{app_state::AppState, warnings};
use actix_web::{HttpRequest, HttpResponse, web};
use sentinel_actors::{
    adapters::endpoint::Endpoint,
    domain::{breaker::BreakerState, names::ActorName},
};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Each stage and its histogram.
const STAGES: [(&str, &str); 6] = [
    ("fetch", "sentinel_data_fetch_duration_seconds"),
    ("features", "sentinel_feature_build_duration_seconds"),
    ("predict", "sentinel_prediction_latency_seconds"),
    ("send", "sentinel_zmq_send_latency_seconds"),
    ("gateway", "sentinel_gateway_roundtrip_seconds"),
    ("cycle", "sentinel_trading_cycle_duration_seconds"),
];

pub async fn stages(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_stages(&request, &app).await)
}

async fn make_stages(request: &HttpRequest, app: &AppState) -> Answer {
    let health = health(app).await?;
    let text = app.metrics.answer().await.ok_or_else(no_actor)?;
    let samples = Samples::of(&text.text);
    let row = |(stage, family): (&str, &str)| {
        let state = health.stages.iter().find(|(name, _)| *name == stage).map(|(_, state)| state);
        let milliseconds = |share| samples.quantile(family, share).map(|seconds| seconds * 1e3);
        // The metric has the daemon's start until there is a success.
        let succeeded = state
            .and_then(|state| state.last_success_age_seconds)
            .and_then(|_| samples.get(&format!("sentinel_step_last_success_timestamp_seconds{{step=\"{stage}\"}}")));
        json!({
            "stage": stage, "is_up": state.map(|state| state.up), "count": samples.count(&format!("{family}_count")).unwrap_or(0),
            "p50_ms": milliseconds(0.5), "p95_ms": milliseconds(0.95),
            "last_outcome": state.map(|state| state.last_outcome.clone()), "last_success_ms": succeeded.map(to_ms),
        })
    };
    let rows: Vec<_> = STAGES.into_iter().map(row).collect();
    let cycle_id = health.last_cycle.as_ref().and_then(|cycle| i64::try_from(cycle.cycle_id).ok());
    let body = json!({"since_ms": millis(app.facts.started), "rows": rows});
    answer(request, app, Body::new(cycle_id, body))
}

#[allow(clippy::cast_possible_truncation)] // unix seconds
fn to_ms(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

pub async fn system(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_system(&request, &app).await)
}

async fn make_system(request: &HttpRequest, app: &AppState) -> Answer {
    let health = health(app).await?;
    let text = app.metrics.answer().await.ok_or_else(no_actor)?;
    let samples = Samples::of(&text.text);
    let facts = &app.facts;
    let actor = |name: ActorName| {
        let name = name.as_str();
        let is_up = samples.get(&format!("sentinel_actor_up{{actor=\"{name}\"}}")).map(|up| up == 1.0);
        let restarts = samples.count(&format!("sentinel_actor_restarts_total{{actor=\"{name}\"}}")).unwrap_or(0);
        json!({"name": name, "is_up": is_up, "restarts": restarts})
    };
    let breaker = |endpoint: Endpoint| {
        let name = endpoint.as_str();
        let is_in = |state: &BreakerState| {
            let state = state.as_str();
            samples.get(&format!("sentinel_breaker_state{{endpoint=\"{name}\",state=\"{state}\"}}")) == Some(1.0)
        };
        let state = BreakerState::ALL.into_iter().find(is_in);
        json!({"name": name, "state": state.map(BreakerState::as_str)})
    };
    let calls = samples.count("sentinel_api_calls_total{endpoint=\"eodhd\"}");
    let quota = calls.map(|calls| {
        let failed = samples.sum("sentinel_api_errors_total{endpoint=\"eodhd\"");
        json!({"calls": calls, "failed": failed, "since_ms": millis(facts.started)})
    });
    let file = |path: &Path, is_writable: Option<bool>| json!({"path": path.display().to_string(), "bytes": bytes(path), "is_writable": is_writable});
    let body = json!({
        "build": {"version": facts.build.version, "revision": facts.build.revision, "rustc": facts.build.rustc},
        "config_hash": format!("{:012x}", facts.config_hash),
        "uptime_s": Value::Null, "memory_bytes": Value::Null, "open_files": Value::Null,
        "actors": ActorName::ALL.into_iter().map(actor).collect::<Vec<_>>(),
        "breakers": Endpoint::ALL.into_iter().map(breaker).collect::<Vec<_>>(),
        "quota": quota,
        "journal": file(&facts.journal, health.is_journal_writable),
        "archive": facts.archive.as_deref().map(|path| file(path, None)),
        "warnings": warnings::newest(),
    });
    let cycle_id = health.last_cycle.as_ref().and_then(|cycle| i64::try_from(cycle.cycle_id).ok());
    let body = Body::new(cycle_id, body)
        .passing("uptime_s", json!(health.uptime_seconds))
        .passing("memory_bytes", json!(samples.count("process_resident_memory_bytes")))
        .passing("open_files", json!(samples.count("process_open_fds")));
    answer(request, app, body)
}

/// Of the file and its write-ahead log.
fn bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    size(path) + size(Path::new(&log))
}
