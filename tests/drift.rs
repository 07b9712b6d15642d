//! Drift of the model's confidences in the whole daemon: it needs 500 bars, which must survive a restart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod helpers;

use helpers::{TestApp, spawn_app};
use sentinel_actors::{
    adapters::{journal::Store, system_clock::SystemClock},
    domain::{clock::Clock, decision::Prediction, instrument::Symbol, journal::DecisionRecord},
};
use std::{fs, path::Path};
use tempfile::TempDir;

const DRIFT: &str = "sentinel_prediction_drift_psi";

/// A daemon that runs one cycle, on this folder's journal and reference.
async fn daemon(folder: &Path, model: &str) -> TestApp {
    let file = |name: &str| folder.join(name).display().to_string();
    let (journal, reference) = (file("journal.db"), file("confidences.json"));
    let flags = [
        ("schedule.cycles", "1"),
        ("journal.path", journal.as_str()),
        ("model.name", model),
        ("model.confidence_reference", reference.as_str()),
    ];
    spawn_app(&flags, |plan| plan).await
}

/// Writes the decisions of an earlier daemon for this many bars, all before those of the sandbox.
fn earlier(journal: &Path, bars: i64) {
    let decided = |bar| DecisionRecord {
        symbol: Symbol::new("EURUSD"),
        market_now: None,
        bar_close_time: Some(1_000_000_000 + 3_600 * bar),
        window: None,
        features: None,
        prediction: Some(Prediction::parse([0.9, 0.1, 0.0]).unwrap()),
        threshold: 0.6,
        action: None,
        reason: None,
        stopped: None,
        failure_detail: None,
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    };
    let now = u64::try_from(SystemClock.now().as_millis()).unwrap();
    let records: Vec<_> = (0..bars).map(decided).collect();
    Store::open(journal).unwrap().record_decisions(now, "baseline", &records).unwrap();
}

#[actix_rt::test]
async fn a_restarted_daemon_continues_with_its_confidences() {
    let folder = TempDir::new().unwrap();
    let reference = r#"{"bounds": [0.4, 0.5, 1], "shares": [0.4, 0.4, 0.2]}"#;
    fs::write(folder.path().join("confidences.json"), reference).unwrap();
    earlier(&folder.path().join("journal.db"), 498);
    let app = daemon(folder.path(), "baseline").await;
    let metrics = app.wait_for("sentinel_trading_cycles_total", 1.0).await;
    assert_eq!((metrics["sentinel_trading_cycles_failed_total"], metrics[DRIFT]), (0.0, 0.0), "499 are not enough");
    app.stop().await;

    earlier(&folder.path().join("journal.db"), 499);
    let app = daemon(folder.path(), "baseline").await;
    let drifted = app.metrics().await[DRIFT];
    assert!(drifted > 0.25, "with the earlier daemon's there are 500: {drifted}");
    let metrics = app.wait_for("sentinel_trading_cycles_total", 1.0).await;
    assert_eq!(metrics[DRIFT], drifted, "the market restarts: the same bar is not counted again");
    app.stop().await;

    let app = daemon(folder.path(), "another").await;
    assert_eq!(app.metrics().await[DRIFT], 0.0, "another model has its own confidences");
    app.stop().await;
}
