//! A journal in memory and a gateway with given answers; nothing here ever waits.

use super::*;
use crate::domain::{
    clock::Expiry,
    guard::Obstacles,
    instrument::{Instrument, Symbol},
    order::{Order, Outcome, Side, client_order_id, close_order_id},
    order_state::OrderState,
    position::Position,
    reconcile::{Proof, Unproven},
};
use std::{
    cell::{Cell, RefCell},
    future::ready,
    pin::pin,
    task::{Context, Poll, Waker},
};

pub(super) const BAR: i64 = 1_500_000_000;

/// The value of a future that never waits.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// An order, its state, and the tickets before it.
pub(super) type Entry = (Order, OrderState, Option<Vec<i64>>);

/// A journal in memory; the calls in `fails`, counted from 1, fail.
#[derive(Default)]
pub(super) struct Book {
    pub orders: RefCell<Vec<Entry>>,
    pub calls: Cell<usize>,
    pub fails: RefCell<Vec<usize>>,
    pub time: Cell<Duration>,
    pub fills: RefCell<Vec<Fill>>,
    pub fills_read: Cell<usize>,
    pub live_since: Cell<Duration>,
    pub first_equity: Cell<Option<f64>>,
    /// The claim that each order names.
    pub epochs: RefCell<Vec<Option<i64>>>,
}

impl Book {
    fn call(&self) -> Result<(), JournalError> {
        self.calls.set(self.calls.get() + 1);
        let fails = self.fails.borrow().contains(&self.calls.get());
        if fails { Err(JournalError::Failed("as scripted".into())) } else { Ok(()) }
    }

    pub fn state(&self, id: Uuid) -> Option<OrderState> {
        self.orders.borrow().iter().find(|(order, ..)| order.client_order_id == id).map(|(_, state, _)| *state)
    }

    /// Symbol, whether it is a close, and state of every order.
    pub fn summary(&self) -> Vec<(String, bool, OrderState)> {
        let orders = self.orders.borrow();
        orders.iter().map(|(order, state, _)| (order.symbol.to_string(), order.closes.is_some(), *state)).collect()
    }

    fn advance(&self, id: Uuid, next: impl Fn(OrderState) -> OrderState) -> Result<(), JournalError> {
        let mut orders = self.orders.borrow_mut();
        let found = orders.iter_mut().find(|(order, ..)| order.client_order_id == id);
        let (_, state, _) = found.ok_or(JournalError::NoSuchOrder(id))?;
        let to = next(*state);
        if *state != to && !state.may_become(to) {
            return Err(JournalError::Transition { from: *state, to });
        }
        *state = to;
        Ok(())
    }
}

impl OrderJournal for Book {
    fn read_standing(&self, _: StandingQuestion) -> impl Future<Output = Result<Standing, JournalError>> {
        ready(self.call().map(|()| {
            let mut standing = Standing { taken_at: self.time.get(), ..Standing::default() };
            for (order, state, tickets_before) in self.orders.borrow_mut().iter_mut() {
                *state = state.after_restart();
                match *state {
                    OrderState::Unknown => {
                        standing.unresolved.extend(order.keys());
                        standing.failures_in_a_row += 1;
                        standing.unproven.push(Unproven {
                            id: order.client_order_id,
                            symbol: order.symbol.clone(),
                            gateway_name: order.gateway_name.clone(),
                            bar_close_time: order.bar_close_time,
                            side: order.side,
                            volume: order.volume,
                            closes: order.closes,
                            tickets_before: tickets_before.clone(),
                            unknown_since: Duration::ZERO,
                            dialect: Some("v43".into()),
                            account_mode: Some(AccountMode::Hedging),
                        });
                    }
                    OrderState::Filled => standing.failures_in_a_row = 0,
                    _ => standing.failures_in_a_row += 1,
                }
            }
            standing
        }))
    }

    fn history(&self) -> impl Future<Output = Result<History, JournalError>> {
        let mut history = History::default();
        for (order, ..) in self.orders.borrow().iter() {
            history.note(order.keys(), order.bar_close_time, Duration::ZERO);
            history.orders.push_back(Duration::ZERO);
        }
        history.live_since = self.live_since.get();
        ready(Ok(history))
    }

    fn fills(&self, _: &[i64]) -> impl Future<Output = Result<Vec<Fill>, JournalError>> {
        self.fills_read.set(self.fills_read.get() + 1);
        ready(Ok(self.fills.borrow().clone()))
    }

    fn first_equity(&self, equity: f64) -> impl Future<Output = Result<f64, JournalError>> {
        let first = self.first_equity.get().unwrap_or(equity);
        self.first_equity.set(Some(first));
        ready(Ok(first))
    }

    fn write(&self, steps: Vec<OrderStep>) -> impl Future<Output = Result<(), JournalError>> {
        ready(self.call().and_then(|()| {
            steps.into_iter().try_for_each(|step| match step {
                OrderStep::Intent { order, .. } if self.state(order.client_order_id).is_some() => {
                    Err(JournalError::Exists)
                }
                OrderStep::Intent { order, tickets_before } => {
                    self.orders.borrow_mut().push((*order, OrderState::Intent, tickets_before));
                    Ok(())
                }
                OrderStep::Sending(id, epoch) => {
                    self.epochs.borrow_mut().push(epoch);
                    self.advance(id, |_| OrderState::Sending)
                }
                OrderStep::Outcome(order, outcome) => self.advance(order.client_order_id, |_| OrderState::of(&outcome)),
                OrderStep::GivenUp(id, _) => self.advance(id, OrderState::after_giving_up),
                OrderStep::Proven(id, Proof::Filled { .. }) => self.advance(id, |_| OrderState::Filled),
                OrderStep::Proven(id, Proof::Rejected) => self.advance(id, |_| OrderState::Rejected),
                OrderStep::TakenOver(_) | OrderStep::Reported(..) => panic!("the manager writes none"),
            })
        }))
    }
}

/// Answers every order in the same way, counts orders, and answers queries.
pub(super) struct Gateway {
    pub answer: Result<Outcome, Suppression>,
    pub close_answer: Outcome,
    pub sent: usize,
    pub obstacles: Obstacles,
    pub positions: Result<Positions, Suppression>,
    pub equity: Option<f64>,
    pub asked: usize,
    pub now: Moment,
    /// What `obstacles.bars_after` becomes while the positions are asked for.
    pub taken_over_at: Option<i64>,
    pub epoch: Option<i64>,
    /// The claim under which each order was to be sent.
    pub sent_under: Vec<Option<i64>>,
    /// Why no order may be claimed.
    pub unclaimable: Option<Suppression>,
    /// What was asked for: `prepare`, `send`, `settle`.
    pub calls: Vec<&'static str>,
}

impl GatewayPort for Gateway {
    fn obstacles(&self) -> Obstacles {
        self.obstacles
    }

    fn epoch(&self, _: &Symbol) -> Option<i64> {
        self.epoch
    }

    fn prepare_claim(&mut self, _: &Order, _: Option<&[i64]>) -> impl Future<Output = Result<(), Suppression>> {
        self.calls.push("prepare");
        ready(self.unclaimable.map_or(Ok(()), Err))
    }

    fn settle_claim(&mut self) -> impl Future<Output = ()> {
        self.calls.push("settle");
        ready(())
    }

    fn may_ask(&self) -> bool {
        let Obstacles { is_stopping, lacks_handshake, is_breaker_open, .. } = self.obstacles;
        !is_stopping && !lacks_handshake && !is_breaker_open
    }

    fn exchange(
        &mut self,
        order: &Order,
        _: Expiry,
        epoch: Option<i64>,
    ) -> impl Future<Output = Result<OrderResult, Suppression>> {
        self.calls.push("send");
        self.sent += 1;
        self.sent_under.push(epoch);
        let answer = if order.closes.is_some() { Ok(self.close_answer.clone()) } else { self.answer.clone() };
        ready(answer.map(OrderResult::without_reply))
    }

    fn positions(&mut self) -> impl Future<Output = Result<Positions, Suppression>> {
        self.asked += 1;
        ready(self.positions.clone())
    }

    fn equity(&mut self) -> impl Future<Output = Option<f64>> {
        ready(self.equity)
    }

    fn positions_twice(&mut self) -> impl Future<Output = Option<[Vec<Position>; 2]>> {
        self.asked += 2;
        self.obstacles.bars_after = self.taken_over_at.or(self.obstacles.bars_after);
        ready(match &self.positions {
            Ok(Positions::Known(positions)) => Some([positions.clone(), positions.clone()]),
            _ => None,
        })
    }

    fn now(&self) -> Moment {
        self.now
    }

    fn close_order_id(&self, order: &Order, ticket: i64) -> Uuid {
        close_order_id("demo", &order.symbol, "baseline", order.bar_close_time, ticket)
    }
}

pub(super) fn filled() -> Outcome {
    Outcome::Filled { ticket: 1, price: None, volume: None }
}

pub(super) fn unknown() -> Outcome {
    Outcome::Unknown { reason: "silent".into() }
}

pub(super) fn filling() -> Gateway {
    Gateway {
        answer: Ok(filled()),
        close_answer: filled(),
        sent: 0,
        obstacles: Obstacles::default(),
        positions: Ok(Positions::Untold),
        equity: None,
        asked: 0,
        now: Moment::default(),
        taken_over_at: None,
        epoch: None,
        sent_under: Vec::new(),
        unclaimable: None,
        calls: Vec::new(),
    }
}

pub(super) fn silent() -> Gateway {
    Gateway { answer: Ok(unknown()), ..filling() }
}

/// A BUY of 0.01 lots.
pub(super) fn order(symbol: &str, bar_close_time: i64) -> Order {
    let symbol = Symbol::new(symbol);
    Order {
        client_order_id: client_order_id("demo", &symbol, "baseline", bar_close_time),
        gateway_name: symbol.to_string(),
        symbol,
        closes: None,
        side: Side::Buy,
        volume: 0.01,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time,
    }
}

/// A fill of ours that counts as open.
pub(super) fn fill(ticket: i64, side: Side) -> Fill {
    Fill {
        id: Uuid::nil(),
        ticket,
        symbol: Symbol::new("EURUSD"),
        gateway_name: "EURUSD".into(),
        side,
        volume: 0.01,
        tickets_before: None,
        is_open: true,
        was_listed: false,
    }
}

pub(super) fn position(ticket: i64, side: Side) -> Position {
    Position { ticket, gateway_name: "EURUSD".into(), side, volume: 0.01 }
}

/// A manager for EURUSD and GBPUSD.
pub(super) fn manager_by(rules: Rules) -> OrderManager {
    let instrument = |name: &str| Instrument {
        symbol: Symbol::new(name),
        ticker: format!("{name}.FOREX"),
        gateway_name: name.into(),
        threshold: 0.6,
        volume: 0.01,
        digits: 5,
        stop_loss: None,
        take_profit: None,
    };
    OrderManager::new(rules, KnownNames::new(&["EURUSD", "GBPUSD"].map(instrument), &[]))
}

/// A manager without limits.
pub(super) fn manager() -> OrderManager {
    manager_by(Rules::default())
}

pub(super) fn manager_with(limits: Limits) -> OrderManager {
    manager_by(Rules { limits, ..Rules::default() })
}

/// A cycle with one order.
pub(super) fn cycle(
    manager: &mut OrderManager,
    book: &Book,
    gateway: &mut Gateway,
    order: &Order,
) -> Result<OrderResult, Suppression> {
    let _ = now(manager.begin(book, gateway.now));
    place(manager, book, gateway, order)
}

/// One more order of the cycle.
pub(super) fn place(
    manager: &mut OrderManager,
    book: &Book,
    gateway: &mut Gateway,
    order: &Order,
) -> Result<OrderResult, Suppression> {
    now(manager.place(order, Moment::default(), (book, gateway), &mut Vec::new()))
}
