//! The desk between a ledger and a gateway that fail when they are told to.

use super::{fakes::*, *};
use crate::domain::order_state::OrderState;

#[test]
fn an_order_is_on_disk_before_it_is_sent_and_after_its_fate_is_known() {
    let (mut it, book, mut gateway) = (desk(), Book::default(), filling());
    let order = order("EURUSD", BAR);
    assert!(cycle(&mut it, &book, &mut gateway, &order).is_ok());
    assert_eq!(book.state(order.client_order_id), Some(OrderState::Filled));
    assert_eq!(book.calls.get(), 4, "stock, intent, sending, outcome");
    assert_eq!(cycle(&mut it, &book, &mut gateway, &order), Err(Suppression::AlreadyOrdered));
    let restarted = cycle(&mut desk(), &book, &mut gateway, &order);
    assert_eq!(restarted, Err(Suppression::AlreadyOrdered), "a restart knows it too");
    assert_eq!(gateway.sent, 1);
}

#[test]
fn nothing_is_sent_while_a_write_before_it_fails() {
    for failing_call in [1, 2, 3] {
        let (mut it, book, mut gateway) = (desk(), Book::default(), filling());
        book.fails.borrow_mut().push(failing_call);
        let first = order("EURUSD", BAR);
        assert_eq!(cycle(&mut it, &book, &mut gateway, &first), Err(Suppression::Journal), "call {failing_call}");
        let other = place(&mut it, &book, &mut gateway, &order("GBPUSD", BAR));
        assert_eq!(other, Err(Suppression::Journal), "nor any other order of the cycle");
        assert_eq!(gateway.sent, 0);
        let next = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
        assert!(next.is_ok(), "the journal works again, and so does trading");
        assert!(book.state(first.client_order_id).is_none_or(|state| state.is_settled()), "call {failing_call}");
        assert!(it.debts.is_empty());
    }
}

#[test]
fn a_fate_that_cannot_be_written_stops_trading_until_it_can_be() {
    let (mut it, book, mut gateway) = (desk(), Book::default(), filling());
    book.fails.borrow_mut().extend([4, 5]);
    let first = order("EURUSD", BAR);
    assert!(cycle(&mut it, &book, &mut gateway, &first).is_ok(), "it was filled, whatever the disk says");
    assert_eq!(book.state(first.client_order_id), Some(OrderState::Sending));
    let next = order("EURUSD", BAR + 3_600);
    assert_eq!(cycle(&mut it, &book, &mut gateway, &next), Err(Suppression::Journal));
    assert!(cycle(&mut it, &book, &mut gateway, &next).is_ok());
    assert_eq!(book.state(first.client_order_id), Some(OrderState::Filled), "what was owed is written");
    assert_eq!(gateway.sent, 2);
}

#[test]
fn an_unknown_order_blocks_its_symbol_and_the_rest_of_its_cycle() {
    let (mut it, book) = (desk(), Book::default());
    assert!(cycle(&mut it, &book, &mut silent(), &order("EURUSD", BAR)).is_ok());
    let mut gateway = filling();
    let rest = place(&mut it, &book, &mut gateway, &order("GBPUSD", BAR));
    assert_eq!(rest, Err(Suppression::Unresolved));
    let next = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
    assert_eq!(next, Err(Suppression::Unresolved), "the symbol stays blocked");
    assert!(place(&mut it, &book, &mut gateway, &order("GBPUSD", BAR)).is_ok(), "the others do not");
    assert_eq!(gateway.sent, 1);
}

#[test]
fn a_crash_before_the_send_expires_and_one_after_it_is_unknown() {
    for (writes, state, then) in
        [(2, OrderState::Expired, Suppression::AlreadyOrdered), (3, OrderState::Unknown, Suppression::AlreadyOrdered)]
    {
        let book = Book::default();
        let order = order("EURUSD", BAR);
        // The process ends here: whatever comes after these writes never happens.
        let intent = OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None };
        let steps = [intent, OrderStep::Sending(order.client_order_id)];
        for step in steps.into_iter().take(writes - 1) {
            now(book.write(step)).unwrap();
        }
        let mut gateway = filling();
        assert_eq!(cycle(&mut desk(), &book, &mut gateway, &order), Err(then));
        assert_eq!(book.state(order.client_order_id), Some(state));
        assert_eq!(gateway.sent, 0, "the bar is not ordered again");
    }
}

#[test]
fn what_shutdown_gives_up_is_not_sent_and_says_so() {
    let (mut it, book) = (desk(), Book::default());
    let mut gateway = Gateway { answer: Err(Suppression::Shutdown), ..filling() };
    let order = order("EURUSD", BAR);
    assert_eq!(cycle(&mut it, &book, &mut gateway, &order), Err(Suppression::Shutdown));
    assert_eq!(book.state(order.client_order_id), Some(OrderState::NotSent));
    gateway.objection = Some(Suppression::Shutdown);
    assert_eq!(cycle(&mut it, &book, &mut gateway, &self::order("GBPUSD", BAR)), Err(Suppression::Shutdown));
    assert_eq!(gateway.sent, 1);
}
