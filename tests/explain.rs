//! The commands `explain`, `orders show`, `orders closed` and `resume` on a real daemon's journal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "helpers/abandoned.rs"]
mod abandoned;
#[path = "helpers/binary.rs"]
mod binary;
mod helpers;
#[path = "helpers/servers.rs"]
mod servers;

use abandoned::leave_an_order_in_flight;
use helpers::{TestApp, spawn_app};
use sentinel_actors::{
    adapters::journal::Store,
    domain::{
        guard::Suppression,
        instrument::Symbol,
        journal::{DecisionRecord, Reason},
    },
};
use serde_json::Value;
use servers::{PlaceOrderGateway, yesterdays_market_and_a_sure_model};
use std::{collections::HashSet, path::Path};
use tempfile::TempDir;

/// Runs `sentinel ...`: whether it succeeded, and its output.
fn sentinel(journal: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = binary::sentinel();
    command.args(arguments).arg("--journal").arg(journal).env("USER", "eve");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn said(journal: &Path, arguments: &[&str]) -> String {
    let (good, text) = sentinel(journal, arguments);
    assert!(good, "{arguments:?}: {text}");
    text
}

fn explained(journal: &Path, arguments: &[&str]) -> Vec<Value> {
    serde_json::from_str(&said(journal, &[&["explain", "--json"], arguments].concat())).unwrap()
}

async fn live(journal: &Path, flags: &[(&'static str, &str)]) -> TestApp {
    let journal = journal.display().to_string();
    let mut all = vec![("schedule.back_to_back", "true"), ("trading.live", "true"), ("journal.path", journal.as_str())];
    all.extend(flags);
    spawn_app(&all, |plan| plan).await
}

/// Runs a daemon for this many cycles; returns the rows of `explain`.
async fn run(cycles: u32, flags: &[(&'static str, &str)]) -> Vec<Value> {
    let folder = TempDir::new().unwrap();
    run_in(&folder.path().join("journal.db"), cycles, flags).await
}

async fn run_in(journal: &Path, cycles: u32, flags: &[(&'static str, &str)]) -> Vec<Value> {
    let count = cycles.to_string();
    let app = live(journal, &[flags, &[("schedule.cycles", count.as_str())]].concat()).await;
    app.wait_for("sentinel_trading_cycles_total", f64::from(cycles)).await;
    app.stop().await;
    let rows = explained(journal, &["--last", "100000"]);
    assert_eq!(rows.len(), cycles as usize, "a row per symbol and cycle");
    assert_all_explained(&rows);
    rows
}

/// Every BUY or SELL has an order or a known reason, every failed stage its kind.
fn assert_all_explained(rows: &[Value]) {
    let reasons: HashSet<_> = Suppression::ALL.iter().map(|reason| reason.as_str()).collect();
    for row in rows {
        let (likeliest, action) = (row["likeliest"].as_str(), row["action"].as_str());
        let reason = row["reason"].as_str();
        let is_explained = match (likeliest, action) {
            (None, None) => row["failure"]["kind"].is_string() || reason == Some("shutdown"),
            (Some("HOLD"), Some("HOLD")) => reason.is_none() && row["order"].is_null(),
            (Some(_), Some("HOLD")) => reason == Some("below_threshold") && row["order"].is_null(),
            (Some(_), Some(_)) => row["order"].is_object() != reason.is_some_and(|reason| reasons.contains(reason)),
            _ => false,
        };
        assert!(is_explained, "{row:#}");
        assert_eq!(row["rule"].is_string(), reason.is_some(), "{row:#}");
    }
}

fn reasons(rows: &[Value]) -> HashSet<&str> {
    rows.iter().filter_map(|row| row["reason"].as_str()).collect()
}

#[actix_rt::test]
async fn every_cycle_of_a_replay_is_explained() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let rows = run_in(&journal, 250, &[("guards.positions_max", "1")]).await;
    assert!(reasons(&rows).contains("position_limit") && reasons(&rows).contains("below_threshold"));
    assert!(rows.iter().any(|row| row["likeliest"] == "HOLD"));
    let filled = rows.iter().find(|row| row["order"]["state"] == "filled").expect("some order is filled");
    assert_eq!(filled["bar_age_s"], 0, "the clock is the bars'");
    assert_eq!(filled["features"].as_object().map(serde_json::Map::len), Some(23));
    assert_eq!((&filled["order"]["bar"], &filled["order"]["kind"]), (&filled["bar"], &Value::from("open")));
    assert_eq!(filled["order"]["events"].as_array().map(Vec::len), Some(3));
    let id = filled["order"]["id"].as_str().unwrap();
    let ticket = filled["order"]["ticket"].as_i64().unwrap();

    let began = filled["began"].as_str().unwrap();
    let minute = said(&journal, &["explain", "--symbol", "EURUSD", "--at", began]);
    let tells =
        [began, id, "rsi_14", "odds      SELL 0.", "no rule stopped it", "stop-loss", &format!("ticket {ticket}")];
    for part in tells {
        assert!(minute.contains(part), "{part} is not in\n{minute}");
    }
    let last = said(&journal, &["explain"]);
    assert_eq!(last.lines().filter(|line| !line.starts_with(' ')).count(), 1, "the last cycle, one symbol: {last}");

    let life = said(&journal, &["orders", "show", id]);
    assert!(life.contains("sending") && life.contains("daemon") && life.contains(id), "{life}");
    let table = said(&journal, &["orders"]);
    assert!(table.contains("PRICE") && table.contains("POSITION") && table.contains(&id[..8]), "{table}");
    assert!(!table.contains(id) && table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert_eq!(said(&journal, &["orders", "show", &id[..13].to_uppercase()]), life);
}

#[actix_rt::test]
async fn a_close_is_explained_with_the_order_that_caused_it() {
    let rows = run(250, &[("guards.opposite", "close_then_open"), ("guards.positions_max", "1")]).await;
    let turned = rows.iter().find(|row| row["closes"].as_array().is_some_and(|closes| !closes.is_empty()));
    let close = &turned.expect("some position is turned")["closes"][0];
    assert_eq!((&close["kind"], &close["state"]), (&Value::from("close"), &Value::from("filled")));
    assert!(close["closes"].is_number());
}

#[actix_rt::test]
async fn each_rule_that_stops_a_signal_is_named() {
    let folder = TempDir::new().unwrap();
    let halt = folder.path().join("halt");
    std::fs::write(&halt, "").unwrap();
    let halted = run(60, &[("guards.halt_file", halt.to_str().unwrap())]).await;
    assert_eq!(reasons(&halted), HashSet::from(["halted", "below_threshold"]));
    let unsure = run(60, &[("trading.threshold", "0.99")]).await;
    assert_eq!(reasons(&unsure), HashSet::from(["below_threshold"]));
    let dry = run(60, &[("trading.live", "false")]).await;
    assert_eq!(reasons(&dry), HashSet::from(["dry_run", "below_threshold"]));
    let (base_url, port) = yesterdays_market_and_a_sure_model();
    let flags = [
        ("schedule.clock", "system"),
        ("market.calendar", "always"),
        ("data.base_url", &base_url),
        ("model.port", &port),
    ];
    let stale = run(2, &flags).await;
    assert_eq!((reasons(&stale), &stale[0]["likeliest"]), (HashSet::from(["stale_bar"]), &"BUY".into()));
    let day = 86_400;
    assert!(stale[0]["bar_age_s"].as_i64().is_some_and(|age| (day..day + 3_660).contains(&age)), "{:#}", stale[0]);

    let journal = folder.path().join("journal.db");
    leave_an_order_in_flight(&journal);
    let blocked = run_in(&journal, 60, &[]).await;
    assert_eq!(reasons(&blocked), HashSet::from(["unresolved", "below_threshold"]));
}

#[actix_rt::test]
async fn a_failed_stage_names_its_error_kind() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    // Nothing listens on port 1.
    let rows = run_in(&journal, 1, &[("model.port", "1")]).await;
    assert_eq!((&rows[0]["failure"]["stage"], &rows[0]["failure"]["kind"]), (&"predict".into(), &"connect".into()));
    assert!(rows[0]["failure"]["detail"].is_string() && rows[0]["features"].is_object());
    let text = said(&journal, &["explain"]);
    assert!(text.contains("no decision: predict failed, connect"), "{text}");
    let rows = run(1, &[("data.base_url", "http://127.0.0.1:1")]).await;
    assert_eq!((&rows[0]["failure"]["stage"], &rows[0]["failure"]["kind"]), (&"fetch".into(), &"connect".into()));
}

#[test]
fn cycles_are_found_by_minute_and_symbol() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let (good, text) = sentinel(&journal, &["explain"]);
    assert!(!good && text.contains("there is no journal") && text.contains("--journal"), "{text}");
    let mut store = Store::open(&journal).unwrap();
    let (good, text) = sentinel(&journal, &["explain"]);
    assert!(!good && text.contains("no decisions yet"), "{text}");
    let record = |symbol: &str| DecisionRecord {
        symbol: Symbol::new(symbol),
        market_now: None,
        bar_close_time: None,
        window: None,
        features: None,
        prediction: None,
        threshold: 0.6,
        action: None,
        reason: Some(Reason::Failed { stage: "fetch", kind: "timeout" }),
        stopped: None,
        failure_detail: None,
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    };
    // 2025-11-22T12:00:58Z, and the two minutes after.
    for minute in 0..3 {
        store
            .record_decisions(1_763_812_858_000 + minute * 60_000, "baseline", &[record("USDJPY"), record("EURUSD")])
            .unwrap();
    }
    let found = |arguments: &[&str]| {
        let rows = explained(&journal, arguments);
        let name =
            |row: &Value| format!("{} {}", &row["began"].as_str().unwrap()[14..16], row["symbol"].as_str().unwrap());
        rows.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(found(&[]), ["02 USDJPY", "02 EURUSD"]);
    assert_eq!(found(&["--at", "2025-11-22T12:01"]), ["01 USDJPY", "01 EURUSD"]);
    assert_eq!(found(&["--at", "2025-11-22T12:00:00Z", "--symbol", "EURUSD"]), ["00 EURUSD"]);
    assert_eq!(found(&["--last", "2", "--symbol", "USDJPY"]), ["01 USDJPY", "02 USDJPY"]);
    for nothing in [&["--at", "2025-11-22T12:03"][..], &["--symbol", "GBPUSD"]] {
        let (good, text) = sentinel(&journal, &[&["explain"], nothing].concat());
        assert!(!good, "{text}");
        for part in ["2025-11-22T12:00:58.000Z", "2025-11-22T12:02:58.000Z", "EURUSD, USDJPY"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
    for wrong in [&["--at", "noon"][..], &["--last", "0"], &["--at", "12:00", "--last", "2"]] {
        let (good, text) = sentinel(&journal, &[&["explain"], wrong].concat());
        assert!(!good && text.contains("--help"), "{text}");
    }
}

#[actix_rt::test]
async fn a_position_marked_as_closed_frees_its_symbol() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let gateway = PlaceOrderGateway::start("filled");
    let flags = [("guards.positions_max", "1"), ("guards.opposite", "skip"), ("schedule.cycles", "0")];
    let app = live(&journal, &[&flags[..], &gateway.flags()].concat()).await;
    app.wait_for("sentinel_signals_suppressed_total{reason=\"position_limit\"}", 1.0).await;
    app.wait_for("sentinel_signals_suppressed_total{reason=\"opposite\"}", 1.0).await;
    assert_eq!(app.metrics().await["sentinel_orders_total{outcome=\"filled\"}"], 1.0, "only one position");

    let orders: Vec<Value> = serde_json::from_str(&said(&journal, &["orders", "--json"])).unwrap();
    let id = orders[0]["id"].as_str().unwrap();
    assert!(orders[0]["closed_at_ms"].is_null());
    let (good, text) = sentinel(&journal, &["orders", "closed", id, "--note", " "]);
    assert!(!good && text.contains("--note"), "{text}");
    said(&journal, &["orders", "closed", id, "--note", "not in the terminal"]);
    let (good, text) = sentinel(&journal, &["orders", "closed", id, "--note", "again"]);
    assert!(!good && text.contains("no position that counts"), "{text}");
    app.wait_for("sentinel_orders_total{outcome=\"filled\"}", 2.0).await;
    app.stop().await;

    let life = said(&journal, &["orders", "show", id]);
    assert!(life.contains("person:eve") && life.contains("closed: not in the terminal"), "{life}");
    let orders: Vec<Value> = serde_json::from_str(&said(&journal, &["orders", "--json"])).unwrap();
    assert!(orders[0]["closed_at_ms"].is_number() && orders[0]["state"] == "filled");
    let nobody = uuid::Uuid::nil().to_string();
    for command in [&["orders", "show", &nobody][..], &["orders", "closed", &nobody, "--note", "none"]] {
        let (good, text) = sentinel(&journal, command);
        assert!(!good && text.contains("sentinel orders"), "{text}");
    }
}

#[actix_rt::test]
async fn resume_resets_the_count_of_failed_orders_in_a_row() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let gateway = PlaceOrderGateway::start("rejected");
    let flags = [("guards.failures_in_a_row_max", "1"), ("schedule.cycles", "0")];
    let app = live(&journal, &[&flags[..], &gateway.flags()].concat()).await;
    app.wait_for("sentinel_signals_suppressed_total{reason=\"failures\"}", 3.0).await;
    assert_eq!(app.metrics().await["sentinel_orders_total{outcome=\"rejected\"}"], 1.0);
    let text = said(&journal, &["resume"]);
    assert!(text.contains("in a row is reset"), "{text}");
    app.wait_for("sentinel_orders_total{outcome=\"rejected\"}", 2.0).await;
    app.stop().await;
}
