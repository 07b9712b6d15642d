//! What is open on the account on paper, what was earned, and what of that the journal lacks.

use super::{
    PaperBook, PaperEquity, PaperOrder, PaperTerms, RATE_WAIT, Unkept,
    trade::{follow, lost},
};
use crate::domain::{
    bar::Bar,
    fill::Costs,
    instrument::Symbol,
    money::{Money, NotKnown},
    order::Order,
    position::{AccountMode, Opposite},
};
use std::{collections::VecDeque, time::Duration};
use uuid::Uuid;

/// What an order does not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderTerms {
    /// The price decided on.
    pub close: f64,
    /// Decimal places of a price.
    pub digits: u32,
    /// When the bar decided on opened, unix seconds.
    pub bar_open_time: i64,
    /// What is charged.
    pub costs: Option<Costs>,
}

/// The account.
#[derive(Debug)]
pub struct PaperAccount {
    terms: PaperTerms,
    /// Open trades, and what has changed since it was kept last; oldest first.
    orders: VecDeque<PaperOrder>,
    last_ticket: i64,
    /// The sums of what has ended; `equity` and `open_points` are not used.
    ended: PaperEquity,
    kept: Option<PaperEquity>,
    first_equity: Option<(u64, f64)>,
    /// The newest close of each symbol that is the rate of one.
    closes: Vec<(Symbol, f64)>,
}

impl PaperAccount {
    /// Goes on from what was kept. A start that the settings have changed since is a deposit or a withdrawal.
    pub fn new(terms: PaperTerms, book: PaperBook) -> Self {
        let PaperBook { orders, last_ticket, equity: kept, first_equity } = book;
        let begin = PaperEquity { start: terms.start, balance: terms.start, ..PaperEquity::default() };
        let ended = kept.map_or(begin, |kept| PaperEquity {
            start: terms.start,
            balance: kept.balance + terms.start - kept.start,
            ..kept
        });
        // With what was deposited since, or a smaller start would be a loss of this day.
        let deposited = kept.map_or(0.0, |kept| terms.start - kept.start);
        let first_equity = first_equity.map(|(day, equity)| (day, equity + deposited));
        Self { terms, orders: orders.into(), last_ticket, ended, kept, first_equity, closes: Vec::new() }
    }

    /// All open trades, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &PaperOrder> {
        self.orders.iter().filter(|order| order.is_open())
    }

    /// Notes the newest close of a symbol if money is counted by it. Of all symbols before any is [advanced](Self::advance).
    pub fn note_close(&mut self, symbol: &Symbol, close: f64, money: &Money) {
        if !money.takes_price_of(symbol) {
            return;
        }
        match self.closes.iter_mut().find(|(name, _)| name == symbol) {
            Some((_, known)) => *known = close,
            None => self.closes.push((symbol.clone(), close)),
        }
    }

    /// Follows the open trades of a symbol through the bars of its window (closed, oldest first) that they have not seen.
    /// `close_time` answers when a bar closed, unix seconds; `now`: wall clock since the unix epoch. What those that end bring is to
    /// be [priced](Self::price).
    pub fn advance(&mut self, symbol: &Symbol, bars: &[Bar], close_time: impl Fn(&Bar) -> i64, now: Duration) {
        let terms = self.terms;
        for order in self.orders.iter_mut().filter(|order| order.is_open() && order.symbol == *symbol) {
            let seen = bars.partition_point(|bar| bar.open_time <= order.seen_to);
            let Some(last) = bars[seen..].last() else { continue };
            let was_entered = order.entry.is_some();
            // Where the window begins later than what was seen, it is not known what is missing before it.
            order.exit = match seen {
                0 => Some(lost(close_time(last))),
                _ => follow(order, &bars[seen..], &terms, &close_time),
            };
            let unkept = if was_entered && order.exit.is_none() { Unkept::Progress } else { Unkept::All };
            order.unkept = order.unkept.max(unkept);
            let Some(exit) = order.exit else { continue };
            order.ended_at = Some(now);
            order.waits_for_rate = exit.net_points.is_some();
            self.ended.points += exit.net_points.unwrap_or(0.0);
            self.ended.unpriced += 1;
        }
    }

    /// Counts in money what ended trades brought. Where the symbol of the rate has no price yet, the trade waits for it for
    /// [`RATE_WAIT`], also over a restart. `now`: wall clock since the unix epoch.
    pub fn price(&mut self, money: &Money, now: Duration) {
        let closes = &self.closes;
        let close_of = |named: &Symbol| closes.iter().find(|(name, _)| name == named).map(|(_, close)| *close);
        for order in self.orders.iter_mut().filter(|order| order.waits_for_rate) {
            if order.ended_at.is_some_and(|ended| now.saturating_sub(ended) > RATE_WAIT) {
                order.waits_for_rate = false;
                continue;
            }
            let Some(exit) = &mut order.exit else { continue };
            match money.profit(&order.symbol, exit.net_points.unwrap_or(0.0), order.volume, close_of) {
                Ok(profit) => {
                    exit.profit = Some(profit);
                    self.ended.balance += profit;
                    self.ended.unpriced = self.ended.unpriced.saturating_sub(1);
                    (order.waits_for_rate, order.unkept) = (false, Unkept::All);
                }
                Err(NotKnown::Price { .. }) => {}
                Err(_) => order.waits_for_rate = false,
            }
        }
    }

    /// Ends the open trades of symbols that are not traded any more, without a figure: no bars of them come. Answers their symbols.
    pub(super) fn give_up(&mut self, is_traded: impl Fn(&Symbol) -> bool, now: Duration) -> Vec<Symbol> {
        let at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let mut symbols = Vec::new();
        for order in self.orders.iter_mut().filter(|order| order.is_open() && !is_traded(&order.symbol)) {
            (order.exit, order.ended_at, order.unkept) = (Some(lost(at)), Some(now), Unkept::All);
            self.ended.unpriced += 1;
            symbols.push(order.symbol.clone());
        }
        symbols
    }

    /// Books an order of a signal. On a netting account that opens beside other positions, it ends the oldest of the other side
    /// instead.
    pub(super) fn book(&mut self, order: &Order, terms: OrderTerms, now: Duration) {
        let OrderTerms { close, digits, bar_open_time, costs } = terms;
        self.last_ticket += 1;
        let is_netting = self.terms.account_mode == AccountMode::Netting && self.terms.opposite == Opposite::Open;
        let is_met =
            |open: &&mut PaperOrder| is_netting && open.counts() && is_same(open, order) && open.side != order.side;
        let met = self.orders.iter_mut().find(is_met).map(|open| {
            (open.ended_by, open.unkept) = (Some(order.client_order_id), Unkept::All);
            open.ticket
        });
        self.orders.push_back(PaperOrder {
            id: order.client_order_id,
            symbol: order.symbol.clone(),
            gateway_name: order.gateway_name.clone(),
            bar_close_time: order.bar_close_time,
            side: order.side,
            volume: order.volume,
            stop_loss: order.stop_loss,
            take_profit: order.take_profit,
            confidence: order.confidence,
            close,
            digits,
            ticket: self.last_ticket,
            closes: met,
            costs,
            entry: None,
            seen_to: bar_open_time,
            bars_seen: 0,
            mark: close,
            nights: 0,
            ended_by: None,
            exit: None,
            ended_at: None,
            created_at: now,
            waits_for_rate: false,
            unkept: Unkept::All,
        });
    }

    /// Ends a ticket at the next bar's open.
    pub(super) fn end(&mut self, ticket: i64, by: Uuid) {
        if let Some(open) = self.orders.iter_mut().find(|open| open.counts() && open.ticket == ticket) {
            (open.ended_by, open.unkept) = (Some(by), Unkept::All);
        }
    }

    /// What the account is worth now.
    pub fn equity(&self, money: &Money) -> PaperEquity {
        let close_of = |named: &Symbol| self.closes.iter().find(|(name, _)| name == named).map(|(_, close)| *close);
        let (mut open_points, mut open_profit) = (0.0, Some(0.0));
        for order in self.open() {
            let points = order.open_points();
            open_points += points;
            let profit = money.profit(&order.symbol, points, order.volume, close_of).ok();
            open_profit = open_profit.zip(profit).map(|(sum, profit)| sum + profit);
        }
        let equity = open_profit.map(|profit| self.ended.balance + profit);
        PaperEquity { equity, open_points, ..self.ended }
    }

    /// What the open trades would bring now, by symbol; `None` if that is not known in money.
    pub fn open_profit(&self, money: &Money) -> Vec<(Symbol, Option<f64>)> {
        let close_of = |named: &Symbol| self.closes.iter().find(|(name, _)| name == named).map(|(_, close)| *close);
        let mut by_symbol: Vec<(Symbol, Option<f64>)> = Vec::new();
        for order in self.open() {
            let profit = money.profit(&order.symbol, order.open_points(), order.volume, close_of).ok();
            match by_symbol.iter_mut().find(|(symbol, _)| *symbol == order.symbol) {
                Some((_, sum)) => *sum = sum.zip(profit).map(|(sum, profit)| sum + profit),
                None => by_symbol.push((order.symbol.clone(), profit)),
            }
        }
        by_symbol
    }

    /// Notes what a day (UTC, days since the unix epoch) begins with, if it is known.
    pub(super) fn begin_day(&mut self, day: u64, money: &Money) {
        if self.first_equity.is_none_or(|(known, _)| known != day) {
            self.first_equity = self.equity(money).equity.map(|equity| (day, equity)).or(self.first_equity);
        }
    }

    /// Notes the equity if it is the first of its day, and answers the day's first.
    pub(super) fn first_equity(&mut self, day: u64, equity: f64) -> f64 {
        let first = self.first_equity.filter(|(known, _)| *known == day).unwrap_or((day, equity));
        self.first_equity = Some(first);
        first.1
    }

    /// What the journal lacks: orders that changed, and what the account is worth if that did.
    pub fn changes(&self, money: &Money) -> (Vec<&PaperOrder>, Option<PaperEquity>) {
        let equity = self.equity(money);
        let is_due = self.kept != Some(equity) && (self.kept.is_some() || self.last_ticket > 0);
        (self.orders.iter().filter(|order| order.unkept > Unkept::Nothing).collect(), is_due.then_some(equity))
    }

    /// All of that is kept now. What has ended is not needed any more once it is priced.
    pub fn kept(&mut self, money: &Money) {
        self.orders.retain(|order| order.is_open() || order.waits_for_rate);
        self.orders.iter_mut().for_each(|order| order.unkept = Unkept::Nothing);
        if self.kept.is_some() || self.last_ticket > 0 {
            self.kept = Some(self.equity(money));
        }
    }
}

fn is_same(open: &PaperOrder, order: &Order) -> bool {
    open.symbol == order.symbol || open.gateway_name.eq_ignore_ascii_case(&order.gateway_name)
}
