//! Each kind of row, in words.

use super::*;
use sentinel_actors::{
    adapters::journal::{OrderRow, Step},
    domain::order_state::OrderState,
};
use uuid::Uuid;

const NOW: i64 = 1_763_812_800;

fn row() -> DecisionRow {
    let mut features = [0.0; 23];
    features[9] = 61.234_56;
    features[12] = 0.000_123_456;
    DecisionRow {
        cycle_id: NOW * 1_000,
        symbol: "EURUSD".into(),
        market_now: Some(NOW),
        bar_close_time: Some(NOW - 3_838),
        close: Some(1.084_12),
        bars_sha256: None,
        features: Some(features),
        probabilities: Some([0.1, 0.2, 0.7]),
        threshold: 0.6,
        action: Some("BUY".into()),
        suppressed: None,
        failure: None,
        failure_detail: None,
        order: None,
        closes: Vec::new(),
        ordered_before: Vec::new(),
        paper: None,
        paper_suppressed: None,
    }
}

fn life() -> OrderLife {
    let order = OrderRow {
        filled_volume: None,
        dialect: Some("v43".into()),
        id: Uuid::nil(),
        account: "demo".into(),
        symbol: "EURUSD".into(),
        model: "baseline".into(),
        bar_close_time: NOW,
        closes: None,
        side: "BUY".into(),
        volume: 0.01,
        stop_loss: 1.08,
        take_profit: 0.0,
        state: OrderState::Filled,
        ticket: Some(7),
        price: Some(1.1),
        reason: None,
        closed_at_ms: None,
        is_close_known: false,
        created_at_ms: NOW * 1_000,
        updated_at_ms: NOW * 1_000,
    };
    let step = |state| Step { at_ms: NOW * 1_000, state, who: "daemon".into(), note: None };
    OrderLife { order, steps: [OrderState::Intent, OrderState::Sending, OrderState::Filled].map(step).to_vec() }
}

fn has(row: &DecisionRow, parts: &[&str]) {
    let text = decision(row);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn an_order_is_shown_from_bar_to_reply() {
    let filled = DecisionRow { order: Some(life()), ..row() };
    has(
        &filled,
        &[
            "2025-11-22T12:00:00.000Z  EURUSD  BUY: filled",
            "closed 2025-11-22T10:56:02Z, 1 h 3 min old, at 1.08412",
            "rsi_14 61.23  macd_hist 0.0001235",
            "SELL 0.100  HOLD 0.200  BUY 0.700, threshold 0.6",
            "BUY has 0.700, which is above 0.6, and no rule stopped it",
            "BUY 0.01 lots, stop-loss 1.08, no take-profit",
            "filled, ticket 7 at 1.1",
            "sending   daemon",
        ],
    );
}

#[test]
fn a_partial_fill_names_both_volumes() {
    let mut life = life();
    life.order.filled_volume = Some(0.004);
    has(&DecisionRow { order: Some(life), ..row() }, &["BUY 0.01 lots", "filled, 0.004 of 0.01 lots, ticket 7 at 1.1"]);
}

#[test]
fn a_signal_that_was_not_sent_has_its_reason() {
    let stopped = DecisionRow { suppressed: Some("market_closed".into()), ..row() };
    has(&stopped, &["BUY, not sent: market_closed", "market_closed: the market is closed by the trading calendar"]);
    let below = DecisionRow {
        action: Some("HOLD".into()),
        threshold: 0.7,
        suppressed: Some("below_threshold".into()),
        ..row()
    };
    has(&below, &["EURUSD  HOLD: below_threshold", "BUY has 0.700, which is not above 0.7, so it is HOLD"]);
    let again = DecisionRow {
        suppressed: Some("already_ordered".into()),
        ordered_before: vec![OrderRow { reason: Some("no money".into()), ticket: None, price: None, ..life().order }],
        ..row()
    };
    has(&again, &["BUY, not sent: already_ordered", "before    00000000", "filled: no money"]);
    let later = DecisionRow { suppressed: Some("whim".into()), ..row() };
    has(&later, &["rule      whim\n"]);
}

#[test]
fn what_paper_did_has_a_line_of_its_own() {
    assert!(!decision(&row()).contains("paper"), "it was not asked");
    let suppressed = |live: Option<&str>, paper: &str| DecisionRow {
        suppressed: live.map(str::to_owned),
        paper_suppressed: Some(paper.into()),
        ..row()
    };
    has(&suppressed(Some("market_closed"), "market_closed"), &["paper     not ordered either: market_closed\n"]);
    has(
        &suppressed(Some("dry_run"), "cooldown"),
        &["paper     not ordered: cooldown: the symbol's last order is too recent"],
    );
}

#[test]
fn a_hold_says_so_and_a_failure_names_its_kind() {
    let hold = DecisionRow { probabilities: Some([0.1, 0.8, 0.1]), action: Some("HOLD".into()), ..row() };
    has(&hold, &["EURUSD  HOLD\n", "HOLD has the highest odds"]);
    let failed = DecisionRow {
        action: None,
        probabilities: None,
        features: None,
        bar_close_time: None,
        failure: Some(("fetch".into(), "timeout".into())),
        failure_detail: Some("no answer in 10 s".into()),
        ..row()
    };
    has(&failed, &["no decision: fetch failed, timeout", "rule      fetch failed, error timeout: no answer in 10 s"]);
    assert!(!decision(&failed).contains("bar "));
    let lost = DecisionRow { failure: Some(("send".into(), "panic".into())), ..row() };
    has(&lost, &["BUY: send failed, panic"]);
}

#[test]
fn numbers_keep_their_significant_digits() {
    for (value, text) in [
        (0.0, "0"),
        (13.0, "13"),
        (61.234_56, "61.23"),
        (-0.000_337_12, "-0.0003371"),
        (11_138.85, "11139"),
        (1.000_53, "1.001"),
        (3e-12, "3.0e-12"),
        (100.0, "100"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(short(value), text);
    }
}

#[test]
fn ages_are_in_words() {
    assert_eq!([0, 59, 185, 7_800].map(age), ["0 s", "59 s", "3 min 5 s", "2 h 10 min"]);
    assert_eq!(age(-5), "-5 s");
}
