//! The five checks of the original daemon, with their names and output: what HUB relies on still holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics
#![allow(clippy::print_stdout)] // its figures

mod helpers;

use helpers::{TestApp, samples, spawn_app};
use sentinel::tools::probe::contract;
use std::time::Instant;

/// A daemon after twenty cycles, some with orders.
async fn traded() -> TestApp {
    let app =
        spawn_app(&[("schedule.cycles", "20"), ("schedule.back_to_back", "true"), ("trading.live", "true")], |plan| {
            plan
        })
        .await;
    app.wait_for("sentinel_trading_cycles_total", 20.0).await;
    app
}

#[actix_rt::test]
async fn metrics_initialisation() {
    let app = spawn_app(&[("schedule.cycles", "1")], |plan| plan).await;
    let text = app.get("/metrics").await.2;
    for family in contract::names() {
        assert!(text.contains(&format!("# TYPE {family} ")), "{family} is missing from the first scrape");
    }
    println!("entries: {} families of the original, all present at the first scrape", contract::names().count());
    app.stop().await;
}

#[actix_rt::test]
async fn metrics_server_start() {
    let started = Instant::now();
    let app = spawn_app(&[("schedule.cycles", "1")], |plan| plan).await;
    let (status, ..) = app.get("/livez").await;
    assert_eq!(status, 200);
    println!("time: serving on {} after {} ms", app.address, started.elapsed().as_millis());
    app.stop().await;
}

#[actix_rt::test]
async fn metrics_endpoint() {
    let app = traded().await;
    let asked = Instant::now();
    let (status, content_type, body) = app.get("/metrics").await;
    println!("time: {} us; bytes: {}", asked.elapsed().as_micros(), body.len());
    assert_eq!((status, content_type.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let (status, content_type, health) = app.get("/health").await;
    println!("health: {health}");
    assert_eq!((status, content_type.as_str()), (200, "application/json"));
    assert!(health.contains(r#""status":"ok""#), "{health}");
    app.stop().await;
}

#[actix_rt::test]
async fn metrics_recording() {
    let app = traded().await;
    let metrics = app.metrics().await;
    for sample in [
        "sentinel_trading_cycles_total",
        "sentinel_trading_cycle_duration_seconds_count",
        "sentinel_data_fetch_duration_seconds_count",
        "sentinel_feature_build_duration_seconds_count",
        "sentinel_prediction_requests_total",
        "sentinel_prediction_latency_seconds_count",
        "sentinel_api_calls_total{endpoint=\"eodhd\"}",
        "sentinel_api_calls_total{endpoint=\"hub\"}",
    ] {
        assert_eq!(metrics[sample], 20.0, "{sample}");
    }
    let signals = |family: &str| -> f64 {
        ["BUY", "SELL", "HOLD"].iter().map(|action| metrics[&format!("{family}{{action=\"{action}\"}}")]).sum()
    };
    assert_eq!(signals("sentinel_trading_signals_total"), 20.0, "every decision counts, including HOLD");
    let executed = signals("sentinel_trading_signals_executed_total");
    assert!(executed > 0.0, "some of twenty cycles trade");
    assert_eq!(metrics["sentinel_zmq_send_latency_seconds_count"], executed);
    let confidence = metrics["sentinel_last_prediction_confidence"];
    assert!(confidence > 1.0 / 3.0 && confidence <= 1.0, "{confidence}");
    assert!(metrics["sentinel_last_cycle_timestamp_unix"] > 1.7e9);
    for failures in ["trading_cycles_failed", "data_fetch_failed", "prediction_failures", "zmq_send_failures"] {
        assert_eq!(metrics[&format!("sentinel_{failures}_total")], 0.0, "{failures}");
    }
    println!("entries: {} samples; executed: {executed}", metrics.len());
    app.stop().await;
}

#[actix_rt::test]
async fn metrics_retrieval_and_format() {
    let app = traded().await;
    let text = app.get("/metrics").await.2;
    let entries = samples(&text).len();
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(entries, lines, "no duplicate series");
    for bound in ["0.1", "0.5", "1.0", "2.0", "5.0", "10.0", "+Inf"] {
        let series = format!("sentinel_trading_cycle_duration_seconds_bucket{{le=\"{bound}\"}}");
        assert!(text.contains(&series), "{series}");
    }
    assert!(text.ends_with('\n'));
    println!("bytes: {}; entries: {entries}; format: text 0.0.4", text.len());
    app.stop().await;
}
