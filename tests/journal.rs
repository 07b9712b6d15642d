//! The daemon and its journal: restarts, unknown orders and how they are resolved, faults of the journal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "helpers/abandoned.rs"]
mod abandoned;
#[path = "helpers/binary.rs"]
mod binary;
mod helpers;

use abandoned::leave_an_order_in_flight;
use helpers::{TestApp, spawn_app};
use sentinel_actors::{
    adapters::journal::{OrderRow, Store},
    domain::order_state::OrderState,
};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::Duration,
};
use tempfile::TempDir;
use uuid::Uuid;

const UNRESOLVED: &str = "sentinel_signals_suppressed_total{reason=\"unresolved\"}";

async fn live(journal: &Path, cycles: &str) -> TestApp {
    let journal = journal.display().to_string();
    let flags = [
        ("schedule.cycles", cycles),
        ("schedule.back_to_back", "true"),
        ("trading.live", "true"),
        ("guards.positions_max", "0"),
        ("journal.path", journal.as_str()),
    ];
    spawn_app(&flags, |plan| plan).await
}

fn orders(journal: &Path) -> Vec<OrderRow> {
    Store::open_existing(journal).unwrap().orders(false).unwrap()
}

/// Runs `sentinel orders ...`: whether it succeeded, and its output.
fn sentinel_orders(journal: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = binary::sentinel();
    command.arg("orders").args(arguments).arg("--journal").arg(journal).env("USER", "eve");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[actix_rt::test]
async fn a_restart_on_the_same_journal_orders_no_bar_twice() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let app = live(&journal, "20").await;
    app.wait_for("sentinel_trading_cycles_total", 20.0).await;
    let sent = app.gateway.summary().orders_filled;
    app.stop().await;
    let first = orders(&journal);
    assert!(sent > 0 && first.len() as u64 == sent, "every sent order is in the journal");
    assert!(first.iter().all(|order| order.state == OrderState::Filled && order.ticket.is_some()));

    // The market restarts, so the same bars come again, and five more.
    let app = live(&journal, "25").await;
    let metrics = app.wait_for("sentinel_trading_cycles_total", 25.0).await;
    assert!(metrics["sentinel_signals_suppressed_total{reason=\"already_ordered\"}"] >= sent as f64);
    let sent_again = app.gateway.summary().orders_filled;
    app.stop().await;
    let all = orders(&journal);
    assert_eq!(all.len() as u64, sent + sent_again);
    let bars: HashSet<_> = all.iter().map(|order| order.bar_close_time).collect();
    assert_eq!(bars.len(), all.len(), "no bar twice");
    let newest = first.iter().map(|order| order.bar_close_time).max();
    assert!(all[first.len()..].iter().all(|order| Some(order.bar_close_time) > newest));
}

#[actix_rt::test]
async fn an_unknown_order_blocks_its_symbol_until_it_is_resolved() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let id = leave_an_order_in_flight(&journal).to_string();
    let app = live(&journal, "0").await;
    let metrics = app.wait_for(UNRESOLVED, 2.0).await;
    assert_eq!(metrics["sentinel_orders_unresolved"], 1.0);
    assert_eq!(app.gateway.summary().orders_filled, 0);
    let (status, _, health) = app.get("/health").await;
    assert_eq!(status, 200);
    assert!(health.contains(r#""status":"degraded""#) && health.contains(&id), "{health}");

    let (listed, json) = sentinel_orders(&journal, &["--unresolved", "--json"]);
    assert!(listed && json.contains(&id) && json.contains(r#""state": "unknown""#), "{json}");
    let (settled, says) = sentinel_orders(&journal, &["resolve", &id, "filled", "--note", "seen"]);
    assert!(!settled && says.contains("--ticket"), "{says}");
    let (settled, says) = sentinel_orders(&journal, &["resolve", &id, "rejected", "--note", "not in the terminal"]);
    assert!(settled, "{says}");
    let (settled, says) = sentinel_orders(&journal, &["resolve", &id, "rejected", "--note", "again"]);
    assert!(!settled && says.contains("only an unknown order"), "{says}");
    let nobody = Uuid::nil().to_string();
    let (settled, says) = sentinel_orders(&journal, &["resolve", &nobody, "rejected", "--note", "none"]);
    assert!(!settled && says.contains("sentinel orders"), "{says}");

    let metrics = app.wait_for("sentinel_orders_total{outcome=\"filled\"}", 1.0).await;
    assert_eq!(metrics["sentinel_orders_unresolved"], 0.0);
    app.stop().await;
}

#[actix_rt::test]
async fn a_second_daemon_on_the_same_journal_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let app = live(&journal, "1").await;
    let mut second = binary::sentinel();
    second.args(["run", "--once", "--no-metrics", "--journal"]).arg(&journal).env("EODHD_API_TOKEN", "test");
    let output = second.output().unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{says}");
    assert!(says.contains("another daemon is running on the journal") && says.contains("--journal"), "{says}");
    app.stop().await;
}

#[actix_rt::test]
async fn an_unwritable_journal_stops_trading_but_not_the_process() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("journal.db");
    let app = live(&journal, "0").await;
    app.wait_for("sentinel_orders_total{outcome=\"filled\"}", 1.0).await;
    let other = rusqlite::Connection::open(&journal).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    app.wait_for("sentinel_journal_write_failures_total", 1.0).await;
    let sent = app.gateway.summary().orders_filled;
    let (ready, ..) = app.get("/readyz").await;
    let (_, _, health) = app.get("/health").await;
    assert_eq!(ready, 503);
    assert!(health.contains("the journal cannot be written"), "{health}");
    app.wait_for("sentinel_signals_suppressed_total{reason=\"journal\"}", 1.0).await;
    assert!(app.gateway.summary().orders_filled <= sent, "nothing is sent without a journal");
    other.execute_batch("ROLLBACK").unwrap();
    let filled = app.metrics().await["sentinel_orders_total{outcome=\"filled\"}"];
    // An order whose outcome could not be written is proven about a minute later; until then its symbol waits.
    let goes_on = |now: &HashMap<String, f64>| {
        now["sentinel_orders_total{outcome=\"filled\"}"] > filled || now["sentinel_orders_unresolved"] == 1.0
    };
    app.wait_until("orders, or one that is unresolved", goes_on).await;
    let is_ready = async {
        while app.get("/readyz").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_ready).await.expect("ready again");
    app.stop().await;
}
