//! Which positions count towards a limit, under which names.

use super::*;
use crate::domain::instrument::Symbol;
use uuid::Uuid;

fn order() -> Order {
    Order {
        client_order_id: Uuid::nil(),
        symbol: Symbol::new("EURUSD"),
        gateway_name: "EURUSDm".into(),
        closes: None,
        side: Side::Buy,
        volume: 0.1,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time: 0,
    }
}

fn names() -> KnownNames {
    let instrument = |name: &str| Instrument {
        symbol: Symbol::new(name.trim_end_matches('m')),
        ticker: String::new(),
        gateway_name: name.into(),
        threshold: 0.6,
        volume: 0.1,
        digits: 5,
        stop_loss: None,
        take_profit: None,
    };
    KnownNames::new(&["EURUSDm", "GBPUSDm"].map(instrument), &["Gas".into()])
}

fn position(ticket: i64, name: &str) -> Position {
    Position { ticket, gateway_name: name.into(), side: Side::Buy, volume: 0.1 }
}

fn fill(ticket: i64, tickets_before: Option<Vec<i64>>) -> Fill {
    Fill {
        id: Uuid::nil(),
        ticket,
        symbol: Symbol::new("EURUSD"),
        gateway_name: "EURUSDm".into(),
        side: Side::Buy,
        volume: 0.1,
        tickets_before,
        is_open: true,
        was_listed: false,
    }
}

/// The number of buys that count towards the order's limit.
fn buys(all: &[Position], fills: &[Fill]) -> usize {
    Exposure::listed(&order(), all, &names(), fills).count(Side::Buy)
}

#[test]
fn a_position_counts_under_any_spelling_of_its_name() {
    for name in ["EURUSDm", "eurusdM", "EURUSD", "EURUSD.raw", "EUR/USD", "mEURUSDm"] {
        assert_eq!(buys(&[position(7, name)], &[]), 1, "{name}");
    }
    for name in ["GBPUSDm", "XAUUSD", "EU", "Gold"] {
        assert_eq!(buys(&[position(7, name)], &[]), 0, "{name}");
    }
}

#[test]
fn a_ticket_of_ours_counts_whatever_it_is_called() {
    let exposure = Exposure::listed(&order(), &[position(7, "Euro Dollar")], &names(), &[fill(7, None)]);
    assert_eq!(exposure.count(Side::Buy), 1);
    assert!(exposure.positions.is_empty() && exposure.doubts[0].is_ours, "nobody may close what is a doubt");
    let ended = Fill { is_open: false, ..fill(7, None) };
    assert_eq!(buys(&[position(7, "Euro Dollar")], &[ended]), 1, "whatever the journal thinks of it");
    let other = Fill { gateway_name: "GBPUSDm".into(), symbol: Symbol::new("GBPUSD"), ..fill(7, None) };
    assert_eq!(buys(&[position(7, "Euro Dollar")], &[other]), 0, "another instrument's");
}

#[test]
fn a_fill_that_is_not_listed_may_be_any_new_position_that_nobody_explains() {
    let stranger = [position(9, "Euro Dollar")];
    assert_eq!(buys(&stranger, &[fill(7, Some(vec![5]))]), 1, "its ticket may be the deal's");
    assert_eq!(buys(&stranger, &[fill(7, None)]), 1);
    assert_eq!(buys(&[position(9, "XAU/USD.raw")], &[fill(7, None)]), 0, "gold is no spelling of it");
    assert_eq!(buys(&stranger, &[fill(7, Some(vec![9]))]), 0, "it was there before");
    assert_eq!(buys(&stranger, &[]), 0, "nothing of ours is missing");
    let ended = Fill { is_open: false, ..fill(7, None) };
    assert_eq!(buys(&stranger, &[ended]), 0, "nor is what has ended");
    assert_eq!(buys(&[position(9, "GBPUSDm")], &[fill(7, None)]), 0, "a configured name explains it");
    let large = [Position { volume: 1.0, ..position(9, "Euro Dollar") }];
    assert_eq!(buys(&large, &[fill(7, None)]), 0, "it is larger than what was filled");
    assert_eq!(buys(&[position(7, "EURUSDm"), position(9, "Gold")], &[fill(7, None)]), 1, "ours is listed");
}

#[test]
fn a_ticket_of_ours_is_no_other_configured_instruments() {
    let exposure = Exposure::listed(&order(), &[position(7, "GBPUSDm")], &names(), &[fill(7, None)]);
    assert!(exposure.doubts[0].is_ours, "ours, and listed under the other name");
    let other = Fill { gateway_name: "GBPUSDm".into(), symbol: Symbol::new("GBPUSD"), ..fill(7, None) };
    let exposure = Exposure::listed(&order(), &[position(7, "EURUSDm")], &names(), &[other]);
    assert!(exposure.positions.is_empty() && exposure.count(Side::Buy) == 1, "it holds, and nobody closes it");
}

#[test]
fn a_fill_stays_the_instruments_when_either_of_its_names_is_changed() {
    let before = Fill { gateway_name: "EURUSD.old".into(), ..fill(7, None) };
    assert_eq!(buys(&[position(7, "EURUSD.old")], std::slice::from_ref(&before)), 1);
    assert_eq!(Exposure::by_journal(&order(), &[before]).positions.len(), 1);
    let ours = Fill { symbol: Symbol::new("Euro"), ..fill(7, None) };
    assert_eq!(Exposure::by_journal(&order(), &[ours]).positions.len(), 1);
    let both = Fill { symbol: Symbol::new("Euro"), gateway_name: "EURUSD.old".into(), ..fill(7, None) };
    assert_eq!(buys(&[position(7, "EURUSD.old")], &[both]), 1, "not configured any more, and alike");
}

#[test]
fn a_doubt_has_an_end() {
    let stranger = [position(9, "Euro Dollar")];
    let was_listed = Fill { was_listed: true, ..fill(7, None) };
    assert_eq!(buys(&stranger, &[was_listed]), 0, "it was listed, so it is gone");
    assert_eq!(buys(&[position(9, "Gas")], &[fill(7, None)]), 0, "the settings say whose that is");
    let own_volume = Fill { volume: 0.0, ..fill(7, None) };
    assert_eq!(buys(&stranger, &[own_volume]), 1, "nobody said how much was filled");
}

#[test]
fn what_could_be_the_instruments_is_kept_for_a_proof() {
    let all = [position(1, "EURUSDm"), position(2, "GBPUSDm"), position(3, "Gold"), position(4, "eurusdm")];
    assert_eq!(Exposure::listed(&order(), &all, &names(), &[]).tickets, Some(vec![1, 3, 4]));
}
