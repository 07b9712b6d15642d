//! What was written is what is read, and no more than was asked for.

use super::*;
use crate::{
    adapters::journal::Identity,
    domain::{
        bar::Bar,
        decision::{Action, Prediction},
        features::{FeatureSet, SEQUENCE_BARS},
        instrument::Symbol,
        journal::{DecisionRecord, OrderStep, Reason},
        order::{Order, Outcome, Side, client_order_id},
    },
};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;

const BAR: i64 = 1_500_000_000;
const CYCLE: u64 = 1_500_000_058_000;
const MINUTE: u64 = 60_000;

fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("journal.db")).unwrap();
    (folder, store)
}

fn failed(symbol: &str) -> DecisionRecord {
    DecisionRecord {
        symbol: Symbol::new(symbol),
        market_now: Some(BAR + 58),
        bar_close_time: None,
        window: None,
        features: None,
        prediction: None,
        threshold: 0.6,
        action: None,
        reason: Some(Reason::Failed { stage: "fetch", kind: "timeout" }),
        stopped: None,
        failure_detail: Some("no answer\nin 10 s".into()),
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    }
}

fn bought(symbol: &str) -> DecisionRecord {
    let bar = Bar { open_time: BAR - 3_600, open: 1.0, high: 1.2, low: 0.9, close: 1.1, volume: 5.0 };
    let mut tabular = [0.0; FEATURE_COUNT];
    tabular[9] = 61.5;
    let sequence = Box::new([[0.0; FEATURE_COUNT]; SEQUENCE_BARS]);
    DecisionRecord {
        bar_close_time: Some(BAR),
        window: Some(Arc::from([bar])),
        features: Some(Arc::new(FeatureSet { tabular, sequence })),
        prediction: Some(Prediction::parse([0.1, 0.2, 0.7]).unwrap()),
        action: Some(Action::Buy),
        reason: None,
        stopped: None,
        failure_detail: None,
        ..failed(symbol)
    }
}

fn order(symbol: &str, closes: Option<i64>) -> Order {
    let symbol = Symbol::new(symbol);
    let id = if closes.is_some() { Uuid::from_u128(7) } else { client_order_id("demo", &symbol, "baseline", BAR) };
    Order {
        client_order_id: id,
        gateway_name: symbol.to_string(),
        symbol,
        closes,
        side: Side::Buy,
        volume: 0.01,
        stop_loss: 1.08,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time: BAR,
    }
}

fn fill(store: &mut Store, order: &Order) {
    let identity = Identity {
        account: "demo".into(),
        model: "baseline".into(),
        dialect: "v43",
        account_mode: crate::domain::position::AccountMode::Hedging,
    };
    let filled = Outcome::Filled { ticket: 7, price: None, volume: None };
    for step in [
        OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None },
        OrderStep::Sending(order.client_order_id, Some(40)),
        OrderStep::Outcome(Box::new(order.clone()), filled),
    ] {
        store.order_step(&step, &identity, Duration::from_millis(CYCLE)).unwrap();
    }
}

#[test]
fn a_decision_is_read_back_with_its_order_and_closes() {
    let (_folder, mut store) = store();
    let (close, open) = (order("EURUSD", Some(5)), order("EURUSD", None));
    fill(&mut store, &close);
    fill(&mut store, &open);
    let id = open.client_order_id;
    let record =
        DecisionRecord { client_order_id: Some(id), close_ids: vec![close.client_order_id], ..bought("EURUSD") };
    store.record_decisions(CYCLE, "baseline", &[record]).unwrap();
    let rows = store.decisions(Pick::Last(1), None).unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.cycle_id, row.symbol.as_str()), (1_500_000_058_000, "EURUSD"));
    assert_eq!((row.market_now, row.bar_close_time, row.close), (Some(BAR + 58), Some(BAR), Some(1.1)));
    assert_eq!((row.features.unwrap()[9], row.probabilities), (61.5, Some([0.1, 0.2, 0.7])));
    assert_eq!((row.threshold, row.action.as_deref()), (0.6, Some("BUY")));
    assert_eq!(row.bars_sha256.as_deref().map(str::len), Some(64));
    let life = row.order.as_ref().unwrap();
    assert_eq!((life.order.id, life.order.stop_loss), (id, 1.08));
    assert_eq!(life.steps.iter().map(|step| step.state.as_str()).collect::<Vec<_>>(), ["intent", "sending", "filled"]);
    let notes: Vec<_> = life.steps.iter().map(|step| step.note.as_deref()).collect();
    assert_eq!(notes, [None, Some("claim epoch 40"), None], "under which claim it was sent");
    assert_eq!(row.closes.iter().map(|life| life.order.closes).collect::<Vec<_>>(), [Some(5)]);
    assert_eq!(store.order_life(id).unwrap(), *life);
    assert_eq!(store.order_life(Uuid::nil()), Err(JournalError::NoSuchOrder(Uuid::nil())));
}

#[test]
fn a_repeated_bar_is_read_with_the_order_that_it_had() {
    let (_folder, mut store) = store();
    fill(&mut store, &order("EURUSD", Some(5)));
    fill(&mut store, &order("EURUSD", None));
    fill(&mut store, &order("GBPUSD", None));
    let again = DecisionRecord { reason: Some(Reason::Suppressed("already_ordered")), ..bought("EURUSD") };
    store.record_decisions(CYCLE, "baseline", &[again]).unwrap();
    let rows = store.decisions(Pick::Last(1), None).unwrap();
    let before: Vec<_> = rows[0].ordered_before.iter().map(|order| order.id).collect();
    assert_eq!(before, [order("EURUSD", None).client_order_id]);
}

#[test]
fn a_failure_keeps_its_kind_and_one_line_of_detail() {
    let (_folder, mut store) = store();
    let long = DecisionRecord { failure_detail: Some("x".repeat(9_000)), ..failed("GBPUSD") };
    store.record_decisions(CYCLE, "baseline", &[failed("EURUSD"), long]).unwrap();
    let rows = store.decisions(Pick::Last(1), None).unwrap();
    assert_eq!(rows[0].failure, Some(("fetch".into(), "timeout".into())));
    assert_eq!(rows[0].failure_detail.as_deref(), Some("no answer in 10 s"));
    assert!(rows[1].failure_detail.as_ref().is_some_and(|detail| detail.len() < 300));
    assert_eq!((rows[0].features, rows[0].probabilities, rows[0].close), (None, None, None));
    assert_eq!((rows[0].suppressed.as_deref(), rows[0].bars_sha256.as_deref()), (None, None));
}

#[test]
fn cycles_are_picked_by_number_by_minute_and_by_symbol() {
    let (_folder, mut store) = store();
    assert_eq!(store.coverage().unwrap(), None);
    assert!(store.decisions(Pick::Last(1), None).unwrap().is_empty());
    for minute in 0..3 {
        // Not in the order of the alphabet.
        store.record_decisions(CYCLE + minute * MINUTE, "baseline", &[failed("GBPUSD"), bought("EURUSD")]).unwrap();
    }
    store.record_decisions(CYCLE + 3 * MINUTE, "baseline", &[failed("GBPUSD")]).unwrap();
    let first = i64::try_from(CYCLE).unwrap();
    let found = |pick, symbol| {
        let rows = store.decisions(pick, symbol).unwrap();
        rows.into_iter().map(|row| ((row.cycle_id - first) / 60_000, row.symbol)).collect::<Vec<_>>()
    };
    let row = |minute, symbol: &str| (minute, symbol.to_owned());
    assert_eq!(found(Pick::Last(1), None), [row(3, "GBPUSD")]);
    assert_eq!(found(Pick::Last(2), None), [row(2, "GBPUSD"), row(2, "EURUSD"), row(3, "GBPUSD")]);
    assert_eq!(found(Pick::Last(2), Some("EURUSD")), [row(1, "EURUSD"), row(2, "EURUSD")], "its own last ones");
    assert_eq!(found(Pick::Last(u32::MAX), None).len(), 7);
    let begin = first - 58_000;
    assert_eq!(found(Pick::Between(begin, begin + 60_000), None), [row(0, "GBPUSD"), row(0, "EURUSD")]);
    assert_eq!(found(Pick::Between(first - 60_000, first), None), [], "a minute ends before the next begins");
    let last = first + 180_000;
    let symbols = vec!["EURUSD".into(), "GBPUSD".into()];
    assert_eq!(store.coverage().unwrap(), Some(Coverage { first, last, symbols }));
}
