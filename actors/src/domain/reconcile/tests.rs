//! What two lists of positions prove about an order of unknown outcome.

use super::*;
use crate::domain::instrument::Instrument;

fn unproven(closes: Option<i64>) -> Unproven {
    Unproven {
        id: Uuid::nil(),
        symbol: Symbol::new("EURUSD"),
        gateway_name: "EURUSDm".into(),
        bar_close_time: 900,
        side: Side::Buy,
        volume: 0.1,
        closes,
        tickets_before: Some(vec![5]),
        dialect: Some("v43".into()),
        account_mode: Some(AccountMode::Hedging),
        unknown_since: Duration::from_secs(1_000),
    }
}

fn position(ticket: i64, side: Side, volume: f64) -> Position {
    Position { ticket, gateway_name: "EURUSDm".into(), side, volume }
}

/// EURUSDm and GBPUSDm are configured.
fn names() -> KnownNames {
    let instrument = |name: &str| Instrument {
        symbol: Symbol::new(name),
        ticker: String::new(),
        gateway_name: name.into(),
        threshold: 0.6,
        volume: 0.1,
        digits: 5,
        stop_loss: None,
        take_profit: None,
    };
    KnownNames::new(&["EURUSDm", "GBPUSDm"].map(instrument), &[])
}

/// The result if the same list is returned twice.
fn proven(list: &[Position], mode: AccountMode) -> Option<Proof> {
    unproven(None).prove([list, list], &names(), mode)
}

#[test]
fn exactly_one_new_ticket_of_the_orders_kind_is_a_fill() {
    let old = position(5, Side::Buy, 0.1);
    let new = position(6, Side::Buy, 0.1);
    for mode in [AccountMode::Netting, AccountMode::Hedging] {
        assert_eq!(proven(&[old.clone(), new.clone()], mode), Some(Proof::Filled { ticket: 6 }));
        assert_eq!(proven(&[old.clone(), new.clone(), position(7, Side::Buy, 0.1)], mode), None, "which of them?");
        assert_eq!(proven(&[old.clone(), position(6, Side::Sell, 0.1)], mode), None);
        assert_eq!(proven(&[old.clone(), position(6, Side::Buy, 0.2)], mode), None);
        let elsewhere = Position { gateway_name: "GBPUSDm".into(), ..new.clone() };
        let filled = Some(Proof::Filled { ticket: 6 });
        assert_ne!(proven(&[old.clone(), elsewhere.clone()], mode), filled);
        let beside = Position { ticket: 8, ..elsewhere };
        assert_eq!(proven(&[old.clone(), new.clone(), beside], mode), filled, "another instrument's is explained");
        let shouted = Position { gateway_name: "EurUsdM".into(), ..new.clone() };
        assert_eq!(proven(&[old.clone(), shouted], mode), filled, "case is no other name");
    }
}

#[test]
fn a_new_position_that_no_name_explains_proves_nothing() {
    let old = position(5, Side::Buy, 0.1);
    for name in ["EURUSD.raw", "Euro Dollar"] {
        let stranger = Position { gateway_name: name.into(), ..position(6, Side::Buy, 0.1) };
        assert_eq!(proven(&[old.clone(), stranger.clone()], AccountMode::Hedging), None, "{name}");
        let both = [old.clone(), position(7, Side::Buy, 0.1), stranger];
        assert_eq!(proven(&both, AccountMode::Hedging), None, "which of them?");
    }
    let renamed = Position { gateway_name: "EURUSD.raw".into(), ..old };
    assert_eq!(proven(&[renamed], AccountMode::Hedging), Some(Proof::Rejected), "its ticket was there before");
}

#[test]
fn an_order_may_be_open_under_the_name_that_its_symbol_has_now() {
    let renamed = Unproven { gateway_name: "EURUSD.x".into(), symbol: Symbol::new("EURUSDm"), ..unproven(None) };
    let list = [position(5, Side::Buy, 0.1), position(6, Side::Buy, 0.1)];
    let proof = renamed.prove([&list, &list], &names(), AccountMode::Hedging);
    assert_eq!(proof, Some(Proof::Filled { ticket: 6 }), "and not: it is nowhere");
}

#[test]
fn an_absence_proves_nothing_of_another_dialect_or_netting() {
    let order = unproven(None);
    let at = order.unknown_since + SETTLES_AFTER;
    for dialect in [Some("envelope".to_owned()), None] {
        assert!(!Unproven { dialect, ..order.clone() }.is_provable(at, "v43"));
    }
    let old = [position(5, Side::Buy, 0.1)];
    for account_mode in [Some(AccountMode::Netting), None] {
        let order = Unproven { account_mode, ..order.clone() };
        assert_eq!(order.prove([&old, &old], &names(), AccountMode::Hedging), None);
    }
}

#[test]
fn no_change_is_a_refusal_only_where_every_order_makes_a_ticket() {
    let old = [position(5, Side::Buy, 0.1)];
    assert_eq!(proven(&old, AccountMode::Hedging), Some(Proof::Rejected));
    assert_eq!(proven(&old, AccountMode::Netting), None);
    assert_eq!(proven(&[], AccountMode::Hedging), None, "a ticket that went may have been closed by ours");
}

#[test]
fn two_answers_that_differ_prove_nothing() {
    let (old, new) = (position(5, Side::Buy, 0.1), position(6, Side::Buy, 0.1));
    let one = [old.clone()];
    let two = [old, new];
    assert_eq!(unproven(None).prove([&one, &two], &names(), AccountMode::Hedging), None);
    assert_eq!(unproven(None).prove([&two, &one], &names(), AccountMode::Hedging), None);
}

#[test]
fn a_close_is_proven_by_the_tickets_absence_and_by_nothing_else() {
    let close = unproven(Some(5));
    assert_eq!(close.prove([&[], &[]], &names(), AccountMode::Netting), Some(Proof::Filled { ticket: 5 }));
    let open = [position(5, Side::Sell, 0.1)];
    assert_eq!(close.prove([&open, &open], &names(), AccountMode::Hedging), None);
    assert_eq!(close.prove([&[], &open], &names(), AccountMode::Hedging), None);
    let renamed = [Position { gateway_name: "Euro Dollar".into(), ..open[0].clone() }];
    assert_eq!(close.prove([&renamed, &renamed], &names(), AccountMode::Hedging), None, "under another name");
}

#[test]
fn nothing_is_provable_before_the_signature_has_died_nor_without_the_tickets_before() {
    let order = unproven(None);
    let at = order.unknown_since + SETTLES_AFTER;
    assert!(order.is_provable(at, "v43") && !order.is_provable(at - Duration::from_nanos(1), "v43"));
    let blind = Unproven { tickets_before: None, ..order };
    assert!(!blind.is_provable(at, "v43"));
    assert_eq!(blind.prove([&[], &[]], &names(), AccountMode::Hedging), None);
}
