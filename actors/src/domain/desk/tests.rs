//! The desk between a ledger and a gateway that fail when they are told to.

use super::*;
use crate::domain::{
    instrument::Symbol,
    order::{Side, client_order_id},
    order_state::OrderState,
};
use std::{
    cell::{Cell, RefCell},
    future::{Future, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};
use uuid::Uuid;

const BAR: i64 = 1_500_000_000;

/// Nothing here ever waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// A journal in memory; the calls in `fails`, counted from 1, fail.
#[derive(Default)]
struct Book {
    orders: RefCell<Vec<(Order, OrderState)>>,
    calls: Cell<usize>,
    fails: RefCell<Vec<usize>>,
}

impl Book {
    fn call(&self) -> Result<(), JournalError> {
        self.calls.set(self.calls.get() + 1);
        let fails = self.fails.borrow().contains(&self.calls.get());
        if fails { Err(JournalError::Failed("as scripted".into())) } else { Ok(()) }
    }

    fn state(&self, id: Uuid) -> Option<OrderState> {
        self.orders.borrow().iter().find(|(order, _)| order.client_order_id == id).map(|(_, state)| *state)
    }

    fn advance(&self, id: Uuid, next: impl Fn(OrderState) -> OrderState) -> Result<(), JournalError> {
        let mut orders = self.orders.borrow_mut();
        let found = orders.iter_mut().find(|(order, _)| order.client_order_id == id);
        let (_, state) = found.ok_or(JournalError::NoSuchOrder(id))?;
        let to = next(*state);
        if *state != to && !state.may_become(to) {
            return Err(JournalError::Transition { from: *state, to });
        }
        *state = to;
        Ok(())
    }
}

impl Ledger for Book {
    fn take_stock(&self, _: bool) -> impl Future<Output = Result<Stock, JournalError>> {
        ready(self.call().map(|()| {
            let mut stock = Stock::default();
            for (order, state) in self.orders.borrow_mut().iter_mut() {
                *state = state.after_restart();
                let newest = stock.newest_ordered.entry(order.symbol.clone()).or_insert(order.bar_close_time);
                *newest = order.bar_close_time.max(*newest);
                if *state == OrderState::Unknown {
                    stock.unresolved.insert(order.symbol.clone());
                }
            }
            stock
        }))
    }

    fn write(&self, step: OrderStep) -> impl Future<Output = Result<(), JournalError>> {
        ready(self.call().and_then(|()| match step {
            OrderStep::Intent(order) if self.state(order.client_order_id).is_some() => Err(JournalError::Exists),
            OrderStep::Intent(order) => {
                self.orders.borrow_mut().push((*order, OrderState::Intent));
                Ok(())
            }
            OrderStep::Sending(id) => self.advance(id, |_| OrderState::Sending),
            OrderStep::Outcome(order, outcome) => self.advance(order.client_order_id, |_| OrderState::of(&outcome)),
            OrderStep::GivenUp(id, _) => self.advance(id, OrderState::after_giving_up),
        }))
    }
}

/// Answers every order the same way and counts them.
struct Gateway {
    answer: Result<Outcome, Suppression>,
    sent: usize,
    is_stopping: bool,
}

impl GatewayPort for Gateway {
    fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    fn exchange(&mut self, _: &Order) -> impl Future<Output = Result<Fate, Suppression>> {
        self.sent += 1;
        ready(self.answer.clone().map(Fate::without_reply))
    }
}

fn filling() -> Gateway {
    Gateway { answer: Ok(Outcome::Filled { ticket: 1, price: None }), sent: 0, is_stopping: false }
}

fn silent() -> Gateway {
    Gateway { answer: Ok(Outcome::Unknown { reason: "silent".into() }), ..filling() }
}

fn order(symbol: &str, bar_close_time: i64) -> Order {
    let symbol = Symbol::new(symbol);
    Order {
        client_order_id: client_order_id("demo", &symbol, "baseline", bar_close_time),
        gateway_name: symbol.to_string(),
        symbol,
        side: Side::Buy,
        volume: 0.01,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time,
    }
}

/// A cycle with one order.
fn cycle(desk: &mut Desk, book: &Book, gateway: &mut Gateway, order: &Order) -> Result<Fate, Suppression> {
    let _ = now(desk.begin(book));
    now(desk.place(order, book, gateway))
}

#[test]
fn an_order_is_on_disk_before_it_is_sent_and_after_its_fate_is_known() {
    let (mut desk, book, mut gateway) = (Desk::default(), Book::default(), filling());
    let order = order("EURUSD", BAR);
    assert!(cycle(&mut desk, &book, &mut gateway, &order).is_ok());
    assert_eq!(book.state(order.client_order_id), Some(OrderState::Filled));
    assert_eq!(book.calls.get(), 4, "stock, intent, sending, outcome");
    assert_eq!(cycle(&mut desk, &book, &mut gateway, &order), Err(Suppression::AlreadyOrdered));
    let restarted = cycle(&mut Desk::default(), &book, &mut gateway, &order);
    assert_eq!(restarted, Err(Suppression::AlreadyOrdered), "a restart knows it too");
    assert_eq!(gateway.sent, 1);
}

#[test]
fn nothing_is_sent_while_a_write_before_it_fails() {
    for failing_call in [1, 2, 3] {
        let (mut desk, book, mut gateway) = (Desk::default(), Book::default(), filling());
        book.fails.borrow_mut().push(failing_call);
        let first = order("EURUSD", BAR);
        assert_eq!(cycle(&mut desk, &book, &mut gateway, &first), Err(Suppression::Journal), "call {failing_call}");
        let other = now(desk.place(&order("GBPUSD", BAR), &book, &mut gateway));
        assert_eq!(other, Err(Suppression::Journal), "nor any other order of the cycle");
        assert_eq!(gateway.sent, 0);
        let next = cycle(&mut desk, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
        assert!(next.is_ok(), "the journal works again, and so does trading");
        assert!(book.state(first.client_order_id).is_none_or(|state| state.is_settled()), "call {failing_call}");
        assert!(!desk.has_debts());
    }
}

#[test]
fn a_fate_that_cannot_be_written_stops_trading_until_it_can_be() {
    let (mut desk, book, mut gateway) = (Desk::default(), Book::default(), filling());
    book.fails.borrow_mut().extend([4, 5]);
    let first = order("EURUSD", BAR);
    assert!(cycle(&mut desk, &book, &mut gateway, &first).is_ok(), "it was filled, whatever the disk says");
    assert_eq!(book.state(first.client_order_id), Some(OrderState::Sending));
    let next = order("EURUSD", BAR + 3_600);
    assert_eq!(cycle(&mut desk, &book, &mut gateway, &next), Err(Suppression::Journal));
    assert!(cycle(&mut desk, &book, &mut gateway, &next).is_ok());
    assert_eq!(book.state(first.client_order_id), Some(OrderState::Filled), "what was owed is written");
    assert_eq!(gateway.sent, 2);
}

#[test]
fn an_unknown_order_blocks_its_symbol_and_the_rest_of_its_cycle() {
    let (mut desk, book) = (Desk::default(), Book::default());
    assert!(cycle(&mut desk, &book, &mut silent(), &order("EURUSD", BAR)).is_ok());
    let mut gateway = filling();
    let rest = now(desk.place(&order("GBPUSD", BAR), &book, &mut gateway));
    assert_eq!(rest, Err(Suppression::Unresolved));
    let next = cycle(&mut desk, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
    assert_eq!(next, Err(Suppression::Unresolved), "the symbol stays blocked");
    assert!(now(desk.place(&order("GBPUSD", BAR), &book, &mut gateway)).is_ok(), "the others do not");
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
        let steps = [OrderStep::Intent(Box::new(order.clone())), OrderStep::Sending(order.client_order_id)];
        for step in steps.into_iter().take(writes - 1) {
            now(book.write(step)).unwrap();
        }
        let mut gateway = filling();
        assert_eq!(cycle(&mut Desk::default(), &book, &mut gateway, &order), Err(then));
        assert_eq!(book.state(order.client_order_id), Some(state));
        assert_eq!(gateway.sent, 0, "the bar is not ordered again");
    }
}

#[test]
fn what_shutdown_gives_up_is_not_sent_and_says_so() {
    let (mut desk, book) = (Desk::default(), Book::default());
    let mut gateway = Gateway { answer: Err(Suppression::Shutdown), ..filling() };
    let order = order("EURUSD", BAR);
    assert_eq!(cycle(&mut desk, &book, &mut gateway, &order), Err(Suppression::Shutdown));
    assert_eq!(book.state(order.client_order_id), Some(OrderState::NotSent));
    gateway.is_stopping = true;
    assert_eq!(cycle(&mut desk, &book, &mut gateway, &self::order("GBPUSD", BAR)), Err(Suppression::Shutdown));
    assert_eq!(gateway.sent, 1);
}
