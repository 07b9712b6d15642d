//! The table: its columns, the words for a position, and what is cut.

use super::*;
use crate::tools::account::fixtures::{BAR, ID, filled};
use sentinel_actors::domain::order_state::OrderState;

#[test]
fn a_row_has_all_columns() {
    let part = OrderRow { filled_volume: Some(0.04), ..filled(ID) };
    let lines = table(&[part], &Holdings::default());
    let [title, row] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    assert!(title.starts_with("ID        SYMBOL  BAR CLOSE (UTC)"), "{title}");
    assert_eq!(row, "f20cfd40  EURUSD  2026-11-22 14:00  BUY 0.04 of 0.1  filled  1.09321  50000001  open");
}

#[test]
fn a_position_is_called_closed_only_if_the_journal_knows_it() {
    let word = |order: &OrderRow| cells(order, &Holdings::default(), 8)[7].clone();
    assert_eq!(word(&filled(ID)), "open");
    let made_room = OrderRow { closed_at_ms: Some(BAR * 1_000), ..filled(ID) };
    assert_eq!(word(&made_room), "unknown");
    assert_eq!(word(&OrderRow { is_close_known: true, ..made_room }), "closed");
    assert_eq!(word(&OrderRow { closes: Some(7), ..filled(ID) }), "closes 7");
    assert_eq!(word(&OrderRow { state: OrderState::Rejected, ticket: None, ..filled(ID) }), "-");
}

#[test]
fn no_line_is_longer_than_a_terminal_and_ids_are_not_cut() {
    let long = OrderRow {
        symbol: "A_VERY_LONG_NAME_OF_A_SYMBOL_123".into(),
        closes: Some(i64::MAX),
        volume: 123_456.789_012_345,
        filled_volume: Some(0.000_000_123_4),
        ticket: Some(i64::MAX),
        price: Some(1.123_456_789_012_345),
        reason: Some("no money, said the broker at some length, with ümläuts ".repeat(4)),
        state: OrderState::Rejected,
        ..filled(ID)
    };
    let other = filled("f20cfd40-3bf1-5e7f-b0ab-e952611bc0a2");
    for orders in [vec![long.clone()], vec![filled(ID), long.clone()], vec![long, other]] {
        let text = table(&orders, &Holdings::default());
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{text}");
        for (line, order) in text.lines().skip(1).zip(&orders) {
            let shown = line.split_whitespace().next().unwrap();
            assert!(order.id.to_string().starts_with(shown), "{text}");
        }
    }
}

#[test]
fn ids_are_as_long_as_needed_to_be_unique() {
    let ids = |rows: &[OrderRow]| id_digits(rows);
    assert_eq!(ids(&[filled(ID)]), 8);
    assert_eq!(ids(&[filled(ID), filled("f20cfd40-4bf1-5e7f-b0ab-e952611bc0a1")]), 10);
    assert_eq!(ids(&[filled(ID), filled("f20cfd40-3bf1-5e7f-b0ab-e952611bc0a2")]), 13);
    assert_eq!(table(&[], &Holdings::default()), "no orders\n");
}
