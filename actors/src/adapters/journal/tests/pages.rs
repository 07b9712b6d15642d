//! What the journal costs in each cycle: the pages that a write touches, and the index that a question takes.

use super::{
    versions::{decided, version, window},
    *,
};
use crate::domain::bar::Bar;

/// How many pages a write adds to the write-ahead log.
fn pages(disk: &Disk, store: &mut Store, write: impl FnOnce(&mut Store)) -> u64 {
    store.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let page_size: u32 = store.connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    write(store);
    let log = std::fs::metadata(disk.folder.path().join("journal.db-wal")).unwrap();
    // A header of its own, and one of 24 bytes before each page.
    (log.len() - 32) / u64::from(page_size + 24)
}

/// What most of these took: now and then a page is full.
fn usual(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts[counts.len() / 2]
}

#[test]
fn a_decision_on_a_new_bar_writes_four_pages() {
    let disk = Disk::new();
    let (mut store, version, mut window) = (disk.open(), version("a"), window());
    let mut record = |store: &mut Store, cycle_id: u64| {
        window = window.iter().map(|bar| Bar { open_time: bar.open_time + 3_600, ..*bar }).collect();
        let symbol = Symbol::new("EURUSD");
        let bar_close_time = window[window.len() - 4].open_time + 3_600;
        let due = [Due { symbol: &symbol, digits: 5, bar_close_time, horizon: 3, exit_price: 1.1 }];
        let cycle = CycleRecord {
            cycle_id,
            model: "baseline",
            version: Some(&version),
            decisions: &[decided(&window, [0.1, 0.2, 0.7])],
            due: &due,
            reported: None,
            paper: None,
        };
        store.record_cycle(&cycle).unwrap();
    };
    let counts = (1..=30).map(|cycle_id| pages(&disk, &mut store, |store| record(store, cycle_id))).collect();
    assert_eq!(usual(counts), 4, "decisions and their index, first decisions, outcomes");
    assert_eq!(store.outcomes("baseline", "EURUSD").unwrap().len(), 27);
}

#[test]
fn an_order_writes_six_pages_before_its_send_and_after() {
    let disk = Disk::new();
    let mut store = disk.open();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for number in 1..=30 {
        let order = order("EURUSD", BAR + 3_600 * number);
        let intent = OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None };
        let steps = [intent, OrderStep::Sending(order.client_order_id, None)];
        before.push(pages(&disk, &mut store, |store| store.order_steps(&steps, &identity(), NOW).unwrap()));
        let outcome = OrderStep::Outcome(Box::new(order), filled().unwrap());
        after.push(pages(&disk, &mut store, |store| store.order_step(&outcome, &identity(), NOW).unwrap()));
    }
    assert_eq!((usual(before), usual(after)), (6, 6));
}

#[test]
fn decisions_are_found_by_cycle_and_bar_without_a_sort() {
    let disk = Disk::new();
    let store = disk.open();
    let plan = |sql: &str| -> String {
        store.connection.query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |row| row.get(3)).unwrap()
    };
    for (sql, wanted) in [
        ("SELECT close FROM decisions WHERE symbol = 'x' AND cycle_id = 1", "cycle_symbol (cycle_id=? AND symbol=?)"),
        (
            "SELECT close FROM decisions WHERE cycle_id >= 1 AND cycle_id < 2 ORDER BY cycle_id, id",
            "cycle_symbol (cycle_id>? AND cycle_id<?)",
        ),
        (
            "SELECT id FROM decisions WHERE symbol = 'x' AND cycle_id <= 1 ORDER BY cycle_id DESC LIMIT 1",
            "cycle_symbol (cycle_id<?)",
        ),
        ("SELECT max(cycle_id) FROM decisions", "cycle_symbol"),
        ("DELETE FROM decisions WHERE cycle_id < 1", "cycle_symbol (cycle_id<?)"),
        (
            "SELECT 1 FROM confidences WHERE model = 'm' AND symbol = 'x' AND bar_close_time = 1",
            "(model=? AND bar_close_time=? AND symbol=?)",
        ),
        (
            "SELECT confidence FROM confidences WHERE model = 'm' ORDER BY bar_close_time DESC, symbol DESC",
            "PRIMARY KEY (model=?)",
        ),
    ] {
        assert!(plan(sql).contains(wanted), "{sql}: {}", plan(sql));
    }
}
