//! The rules of orders on paper: those of live orders, by a second [`OrderManager`] whose journal and gateway are the account on
//! paper. Nothing in it waits, so an order is booked or refused at once.

use super::{OrderTerms, PaperAccount, PaperBook, PaperEquity, PaperOrder, PaperTerms, paper_order_id};
use crate::domain::{
    bar::Bar,
    clock::{Expiry, Moment},
    exposure::{Fill, KnownNames},
    fill::Costs,
    guard::{Limits, Obstacles, Suppression},
    instrument::{Instrument, Symbol},
    journal::{History, JournalError, OrderStep, Standing, StandingQuestion},
    money::Money,
    order::{Order, Outcome, Side},
    order_manager::{GatewayPort, OrderJournal, OrderManager, OrderResult, Rules},
    position::{Position, Positions},
};
use std::{
    cell::RefCell,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use uuid::Uuid;

const DAY_S: u64 = 86_400;

/// What orders on paper are held to.
#[derive(Debug, Clone)]
pub struct PaperRules {
    /// The limits of live orders.
    pub limits: Limits,
    /// How fills are made.
    pub terms: PaperTerms,
    /// How points become money.
    pub money: Arc<Money>,
    /// The account whose orders these would be; part of their identity.
    pub account: String,
    /// Name of the model; part of their identity.
    pub model: String,
}

/// A decided BUY or SELL to which no rule before the gateway applies.
#[derive(Debug, Clone, Copy)]
pub struct PaperSignal<'a> {
    /// What to trade.
    pub instrument: &'a Instrument,
    /// Direction.
    pub side: Side,
    /// The model's probability for that side, a ratio in 0..=1.
    pub confidence: f64,
    /// The newest closed bar.
    pub bar: &'a Bar,
    /// When it closed, unix seconds.
    pub bar_close_time: i64,
    /// What is charged; `None`: nothing, and its figures are before costs.
    pub costs: Option<Costs>,
}

/// Takes bars and signals, and keeps the account.
#[derive(Debug)]
pub struct PaperOrderManager {
    rules: PaperRules,
    account: RefCell<PaperAccount>,
    history: RefCell<Option<History>>,
    manager: OrderManager,
}

impl PaperOrderManager {
    /// What the open trades would bring now, by symbol; `None` if that is not known in money.
    pub fn open_profit(&self) -> Vec<(Symbol, Option<f64>)> {
        self.account.borrow().open_profit(&self.rules.money)
    }

    /// Goes on from what was kept.
    pub fn new(rules: PaperRules, instruments: &[Instrument], book: PaperBook, history: History) -> Self {
        let manager = Rules {
            // Every order is filled.
            limits: Limits { failures_in_a_row_max: 0, ..rules.limits },
            account_mode: rules.terms.account_mode,
            proving_dialect: None,
            decision_age_max: Duration::MAX,
            waits_for_new_bar: false,
        };
        Self {
            account: RefCell::new(PaperAccount::new(rules.terms, book)),
            history: RefCell::new(Some(history)),
            manager: OrderManager::new(manager, KnownNames::new(instruments, &[])),
            rules,
        }
    }

    /// Follows open trades through a cycle's windows: closed bars, oldest first. `close_time` answers when a bar closed, unix
    /// seconds. `now`: wall clock since the unix epoch.
    pub fn advance<'a>(
        &mut self,
        windows: impl Iterator<Item = (&'a Symbol, &'a [Bar])> + Clone,
        close_time: impl Fn(&Bar) -> i64,
        now: Duration,
    ) {
        let account = self.account.get_mut();
        account.begin_day(now.as_secs() / DAY_S, &self.rules.money);
        for (symbol, bars) in windows.clone() {
            if let Some(last) = bars.last() {
                account.note_close(symbol, last.close, &self.rules.money);
            }
        }
        for (symbol, bars) in windows {
            account.advance(symbol, bars, &close_time, now);
        }
        account.price(&self.rules.money, now);
    }

    /// Ends the open trades of symbols that are not among these any more, without a figure. Answers the symbol of each.
    pub fn give_up(&mut self, instruments: &[Instrument], now: Duration) -> Vec<Symbol> {
        let is_traded = |symbol: &Symbol| instruments.iter().any(|instrument| instrument.symbol == *symbol);
        self.account.get_mut().give_up(is_traded, now)
    }

    /// Begins a cycle's signals.
    pub fn begin(&mut self, now: Duration) {
        let books = Books { account: &self.account, history: &self.history, now, signal: None };
        // Without an answer every order is refused, as it is in live trading.
        let _ = ready(self.manager.begin(&books, moment(now)));
    }

    /// Books the order of a signal, unless a rule forbids it. Answers its id.
    ///
    /// # Errors
    /// The rule.
    pub fn place(&mut self, signal: &PaperSignal<'_>, now: Duration) -> Result<Uuid, Suppression> {
        let PaperSignal { instrument, side, confidence, bar, bar_close_time, costs } = *signal;
        let id = paper_order_id(&self.rules.account, &instrument.symbol, &self.rules.model, bar_close_time);
        let order = Order::new(id, instrument, side, confidence, bar.close, bar_close_time);
        let order = order.map_err(|_| Suppression::BadStop)?;
        let terms = OrderTerms { close: bar.close, digits: instrument.digits, bar_open_time: bar.open_time, costs };
        let signal = Some(terms);
        let mut gateway = Gateway { account: &self.account, money: &self.rules.money, now };
        let books = Books { account: &self.account, history: &self.history, now, signal };
        let mut closes = Vec::new();
        let placed = ready(self.manager.place(&order, moment(now), (&books, &mut gateway), &mut closes));
        placed.unwrap_or(Err(Suppression::Journal)).map(|_| id)
    }

    /// What the journal lacks.
    pub fn changes(&mut self) -> (Vec<&PaperOrder>, Option<PaperEquity>) {
        self.account.get_mut().changes(&self.rules.money)
    }

    /// All of that is kept now.
    pub fn kept(&mut self) {
        self.account.get_mut().kept(&self.rules.money);
    }
}

const fn moment(now: Duration) -> Moment {
    Moment { wall: now, monotonic: now }
}

/// What a future gives that never waits.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The account as a gateway: it fills everything.
struct Gateway<'a> {
    account: &'a RefCell<PaperAccount>,
    money: &'a Money,
    now: Duration,
}

impl GatewayPort for Gateway<'_> {
    fn obstacles(&self) -> Obstacles {
        Obstacles::default()
    }

    fn may_ask(&self) -> bool {
        true
    }

    /// It is booked where its outcome is written.
    async fn exchange(&mut self, _: &Order, _: Expiry, _: Option<i64>) -> Result<OrderResult, Suppression> {
        Ok(OrderResult::without_reply(Outcome::Filled { ticket: 0, price: None, volume: None }))
    }

    /// What is open counts by the books.
    async fn positions(&mut self) -> Result<Positions, Suppression> {
        Ok(Positions::Untold)
    }

    async fn equity(&mut self) -> Option<f64> {
        self.account.borrow().equity(self.money).equity
    }

    async fn positions_twice(&mut self) -> Option<[Vec<Position>; 2]> {
        None
    }

    fn now(&self) -> Moment {
        moment(self.now)
    }

    /// A close is no order of its own: the signal's order ends the position.
    fn close_order_id(&self, order: &Order, _: i64) -> Uuid {
        order.client_order_id
    }
}

/// The account as a journal.
struct Books<'a> {
    account: &'a RefCell<PaperAccount>,
    history: &'a RefCell<Option<History>>,
    now: Duration,
    /// What the signal says and an order does not.
    signal: Option<OrderTerms>,
}

impl OrderJournal for Books<'_> {
    async fn read_standing(&self, _: StandingQuestion) -> Result<Standing, JournalError> {
        Ok(Standing { taken_at: self.now, ..Standing::default() })
    }

    async fn history(&self) -> Result<History, JournalError> {
        Ok(self.history.borrow_mut().take().unwrap_or_default())
    }

    async fn fills(&self, _: &[i64]) -> Result<Vec<Fill>, JournalError> {
        let fill = |open: &PaperOrder| Fill {
            id: open.id,
            ticket: open.ticket,
            symbol: open.symbol.clone(),
            gateway_name: open.gateway_name.clone(),
            side: open.side,
            volume: open.volume,
            tickets_before: None,
            is_open: open.counts(),
            was_listed: false,
        };
        Ok(self.account.borrow().open().map(fill).collect())
    }

    async fn first_equity(&self, equity: f64) -> Result<f64, JournalError> {
        Ok(self.account.borrow_mut().first_equity(self.now.as_secs() / DAY_S, equity))
    }

    /// Intent and sending need no place of their own: the order is booked at once, or not at all.
    async fn write(&self, steps: Vec<OrderStep>) -> Result<(), JournalError> {
        let mut account = self.account.borrow_mut();
        for step in steps {
            let (OrderStep::Outcome(order, Outcome::Filled { .. }), Some(signal)) = (step, self.signal) else {
                continue;
            };
            match order.closes {
                Some(ticket) => account.end(ticket, order.client_order_id),
                None => account.book(&order, signal, self.now),
            }
        }
        Ok(())
    }
}
