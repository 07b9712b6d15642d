//! The promises, checked at every step: what is handed over, what arrives, what is executed, what the journal says.
//!
//! Known from the gateway's and the journal's own rows, never from the core's memory. Not promised, and so kept out of
//! the runs: a person's trade of the very size of an order of unknown outcome, and such an order's own position closed
//! before anybody asked for it, can each be taken for what they are not.

use crate::{broker::Held, gateway::Truth, world::World};
use sentinel_actors::{
    adapters::journal::{OrderRow, Store},
    domain::{
        guard::Limits,
        order::{Order, Outcome, Side},
        order_manager::Rules,
        order_state::OrderState,
        position::{Opposite, Position},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What the gateway said of its positions in this cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    NotAsked,
    Positions,
    Nothing,
}

#[derive(Debug)]
pub struct Invariants {
    limits: Limits,
    waits_for_new_bar: bool,
    /// Whether the gateway's names of positions tell nothing.
    is_foreign: bool,
    /// The journal's orders as of the last write that went through.
    rows: Vec<OrderRow>,
    arrived: BTreeSet<Uuid>,
    /// Newest bar of an order that arrived, by model and symbol.
    newest: BTreeMap<(String, String), i64>,
    /// Orders that were handed over, and when their cycles began.
    paced: Vec<(Duration, String)>,
    /// Fills that count as open where nobody tells: symbol, side, ticket.
    held: Vec<(String, String, i64)>,
    firsts: BTreeMap<u64, f64>,
    /// Orders that were there when a person said to go on: clocks differ from life to life.
    resumed: BTreeSet<Uuid>,
    began: Duration,
    told: Told,
    equity: Option<f64>,
    is_cycle_unknown: bool,
    /// When each order's bar was decided on, by the true time, milliseconds.
    decided_ms: BTreeMap<Uuid, u64>,
    /// Since when the journal knows the account.
    live_since: Option<Duration>,
    /// What the living daemon knows the outcome of, and what it could not write.
    known: BTreeSet<Uuid>,
    owed: BTreeSet<Uuid>,
}

impl Invariants {
    pub const fn new(Rules { limits, waits_for_new_bar, .. }: Rules, is_foreign: bool) -> Self {
        Self {
            limits,
            waits_for_new_bar,
            is_foreign,
            rows: Vec::new(),
            arrived: BTreeSet::new(),
            newest: BTreeMap::new(),
            paced: Vec::new(),
            held: Vec::new(),
            firsts: BTreeMap::new(),
            resumed: BTreeSet::new(),
            began: Duration::ZERO,
            told: Told::NotAsked,
            equity: None,
            is_cycle_unknown: false,
            decided_ms: BTreeMap::new(),
            live_since: None,
            known: BTreeSet::new(),
            owed: BTreeSet::new(),
        }
    }

    pub fn rows(&self) -> &[OrderRow] {
        &self.rows
    }

    pub const fn cycle_begins(&mut self) {
        (self.told, self.equity, self.is_cycle_unknown) = (Told::NotAsked, None, false);
    }

    pub const fn stock_taken(&mut self, at: Duration) {
        self.began = at;
    }

    pub const fn told(&mut self, told: Told) {
        self.told = told;
    }

    pub fn live_since(&mut self, at: Duration) {
        assert_eq!(*self.live_since.get_or_insert(at), at, "an account is new once");
    }

    /// An order goes out soon after it was decided, whatever stood still meanwhile.
    pub fn is_of_its_moment(&self, id: Uuid, now_ms: u64, age_max: Duration) {
        let age = Duration::from_millis(now_ms - self.decided_ms[&id]);
        assert!(age <= age_max, "{id} goes out {age:?} after it was decided");
    }

    pub fn decided_with(&mut self, close: Uuid, order: Uuid) {
        let at = self.decided_ms[&order];
        self.decided_ms.insert(close, at);
    }

    pub const fn equity_told(&mut self, equity: Option<f64>) {
        self.equity = equity;
    }

    pub fn equity_noted(&mut self, day: u64, equity: f64) {
        self.firsts.entry(day).or_insert(equity);
    }

    pub fn resumed(&mut self) {
        self.resumed = self.rows.iter().map(|row| row.id).collect();
    }

    /// From here on nothing is limited.
    pub fn limits_end(&mut self) {
        (self.limits, self.waits_for_new_bar) = (Limits::default(), false);
    }

    pub fn marked_closed(&mut self, ticket: i64) {
        self.held.retain(|(.., other)| *other != ticket);
    }

    pub fn heard(&mut self, id: Uuid, outcome: &Outcome) {
        match outcome {
            Outcome::Unknown { .. } => self.is_cycle_unknown = true,
            _ => self.knows(id),
        }
    }

    /// The living daemon knows what became of this order.
    pub fn knows(&mut self, id: Uuid) {
        self.known.insert(id);
    }

    /// This order is in the journal, and was not before: what was given up then was an earlier attempt.
    pub fn begins(&mut self, id: Uuid) {
        self.known.remove(&id);
    }

    /// Whether this order's outcome has to be written before anything else is sent.
    pub fn owes(&mut self, id: Uuid, is_owed: bool) {
        if is_owed {
            self.owed.insert(id);
        } else {
            self.owed.remove(&id);
        }
    }

    /// A daemon ends, and with it what it knew and had not written.
    pub fn life_ends(&mut self) {
        self.known.clear();
        self.owed.clear();
    }

    fn state(&self, id: Uuid) -> Option<OrderState> {
        self.rows.iter().find(|row| row.id == id).map(|row| row.state)
    }

    /// An order leaves the core.
    pub fn handed_over(&mut self, order: &Order, model: &str, now: Duration, open: &[Held]) {
        let id = order.client_order_id;
        assert_eq!(self.state(id), Some(OrderState::Sending), "{id} is handed over before `sending` is on disk");
        assert!(!self.arrived.contains(&id), "{id} is handed over again");
        assert!(self.owed.is_empty(), "{id} is handed over and {:?} is not written", self.owed);
        assert!(!self.is_cycle_unknown, "an order of the cycle has an unknown outcome, and another follows");
        let blocks =
            |row: &&OrderRow| row.state == OrderState::Unknown && root(&row.symbol) == root(order.symbol.as_str());
        assert!(!self.rows.iter().any(|row| blocks(&row)), "{} is blocked", order.symbol);
        if order.closes.is_some() {
            return;
        }
        let newest = self.newest.get(&(model.to_owned(), root(order.symbol.as_str()).to_owned()));
        assert!(newest.is_none_or(|newest| *newest < order.bar_close_time), "the bar of {id} was ordered before");
        let known = self.live_since.map_or(0, |at| i64::try_from(at.as_secs()).unwrap());
        assert!(!self.waits_for_new_bar || order.bar_close_time > known, "{id} is of a bar from before the journal");
        self.pace(order);
        self.exposure(order, open);
        if self.limits.loss_pct_per_day_max > 0.0 {
            let (first, equity) = (self.firsts.get(&(now.as_secs() / 86_400)), self.equity);
            // At midnight the day's first may have been noted a moment before.
            let first = first.or_else(|| self.firsts.values().next_back()).copied();
            let loss = first.zip(equity).map(|(first, now)| 100.0 * (first - now) / first);
            let max = self.limits.loss_pct_per_day_max;
            assert!(loss.is_some_and(|loss| loss < max), "an order at a loss of {loss:?} %");
        }
    }

    fn pace(&mut self, order: &Order) {
        self.paced.push((self.began, root(order.symbol.as_str()).to_owned()));
        for (max, period) in [(self.limits.orders_per_hour_max, HOUR), (self.limits.orders_per_day_max, DAY)] {
            let within = self.paced.iter().filter(|(at, _)| self.began.saturating_sub(*at) < period).count();
            assert!(max == 0 || within <= max as usize, "{within} orders within {period:?}");
        }
        let cooldown = self.limits.cooldown;
        let earlier =
            self.paced[..self.paced.len() - 1].iter().rev().find(|(_, symbol)| symbol == root(order.symbol.as_str()));
        let since = earlier.map(|(at, _)| self.began.saturating_sub(*at));
        assert!(since.is_none_or(|since| since >= cooldown), "an order {since:?} after the last");
        let failed = |row: &&OrderRow| {
            let ended = [OrderState::Filled, OrderState::Rejected, OrderState::NotSent, OrderState::Unknown];
            row.closes.is_none() && ended.contains(&row.state) && !self.resumed.contains(&row.id)
        };
        let in_a_row = self.rows.iter().rev().filter(failed).take_while(|row| row.state != OrderState::Filled).count();
        let max = self.limits.failures_in_a_row_max as usize;
        assert!(max == 0 || in_a_row < max, "an order after {in_a_row} failures");
    }

    /// Positions of a person do not count here: they may come and go after the core has asked.
    fn exposure(&self, order: &Order, open: &[Held]) {
        let sides: Vec<&str> = match self.told {
            Told::NotAsked => return,
            Told::Positions => {
                let name = root(&order.gateway_name);
                // Under a name that tells nothing, a fill that the journal has forgotten is nobody's.
                let is_known = |owner: Uuid| !self.is_foreign || self.rows.iter().any(|row| row.id == owner);
                let ours = |it: &&Held| it.owner.is_some_and(is_known) && root(&it.position.gateway_name) == name;
                open.iter().filter(ours).map(|it| it.position.side.as_str()).collect()
            }
            Told::Nothing => {
                let name = root(order.symbol.as_str());
                let ours = self.held.iter().filter(|(symbol, ..)| root(symbol) == name);
                ours.map(|(_, side, _)| side.as_str()).collect()
            }
        };
        let same = sides.iter().filter(|side| **side == order.side.as_str()).count();
        let max = self.limits.positions_max as usize;
        assert!(max == 0 || same < max, "an order although {same} positions are open");
        let is_clear = self.limits.opposite == Opposite::Open || same == sides.len();
        assert!(is_clear, "an order although an opposite position is open ({:?})", self.told);
    }

    /// An order is in the gateway's hands.
    pub fn arrived(&mut self, order: &Order) {
        let id = order.client_order_id;
        assert!(self.arrived.insert(id), "{id} arrives twice");
        assert_eq!(self.state(id), Some(OrderState::Sending), "{id} arrives");
        if order.closes.is_none() {
            let model = self.rows.iter().find(|row| row.id == id).map(|row| row.model.clone()).unwrap_or_default();
            let newest = self.newest.insert((model, root(order.symbol.as_str()).to_owned()), order.bar_close_time);
            assert!(newest.is_none_or(|newest| newest < order.bar_close_time), "{id}: two orders of one bar arrive");
        }
    }

    pub fn executed(&self, id: Uuid) {
        let state = self.state(id);
        let is_open = matches!(state, Some(OrderState::Sending | OrderState::Unknown));
        assert!(is_open, "{id} is executed and the journal has it as {state:?}");
    }

    fn settled(&mut self, row: &OrderRow, (truth, volume): (Truth, f64), is_ticket_open: bool) {
        let (id, state) = (row.id, row.state);
        match (state, truth) {
            (OrderState::NotSent | OrderState::Expired, _) => {
                assert!(!self.arrived.contains(&id), "{id} has arrived and becomes {state}");
            }
            (OrderState::Filled, Truth::Executed(ticket)) if row.closes.is_none() => {
                assert_eq!(row.ticket, Some(ticket), "{id} is filled under another ticket");
                // By the gateway's word; proofs and people have a reason.
                let booked = row.filled_volume.unwrap_or(row.volume);
                assert!(row.reason.is_some() || (booked - volume).abs() < 1e-9, "{id}: {booked} booked, {volume} done");
            }
            // Whoever closed it: it is closed.
            (OrderState::Filled, _) if row.closes.is_some() => assert!(!is_ticket_open, "{id} has closed nothing"),
            (OrderState::Unknown, _) => {
                assert!(!self.known.contains(&id), "{id} becomes unknown and its outcome is known")
            }
            (OrderState::Filled, truth) => panic!("{id} becomes filled; the truth is {truth:?}"),
            (OrderState::Rejected, Truth::Executed(_)) => panic!("{id} becomes rejected and was executed"),
            _ => {}
        }
        if state == OrderState::Filled {
            self.held.retain(|(symbol, side, ticket)| {
                root(symbol) != root(&row.symbol) || row.closes.map_or(*side == row.side, |closed| *ticket != closed)
            });
            if row.closes.is_none() {
                self.held.push((row.symbol.clone(), row.side.clone(), row.ticket.unwrap_or(0)));
            }
        }
    }
}

impl World {
    /// The gateway's list, with its own spelling of names.
    pub fn listed(&self, positions: Vec<Position>) -> Vec<Position> {
        let spelt = |it: Position| Position { gateway_name: self.plan.spelling.of(&it.gateway_name), ..it };
        positions.into_iter().map(spelt).collect()
    }

    /// The decision of these orders began then.
    pub fn begun(&mut self, orders: &[Order], at_ms: u64) {
        self.invariants.decided_ms.extend(orders.iter().map(|order| (order.client_order_id, at_ms)));
    }

    /// A write went through: looks at all that the journal says now.
    pub fn refresh(&mut self, store: &Store) {
        let rows = store.orders(false).unwrap();
        for row in &rows {
            let before = self.invariants.state(row.id);
            if before == Some(row.state) {
                continue;
            }
            assert!(may_follow(before, row.state), "{}: {before:?} becomes {}", row.id, row.state);
            self.say(&format!("{} {} is {}", row.id, row.symbol, row.state));
            self.count(&format!("became {}", row.state));
            let is_ticket_open = row.closes.is_some_and(|ticket| self.broker.is_open(ticket));
            let truth = (self.gateway.truth(row.id), self.gateway.volume(row.id));
            self.invariants.settled(row, truth, is_ticket_open);
        }
        for gone in self.invariants.rows.iter().filter(|old| rows.iter().all(|row| row.id != old.id)) {
            assert!(gone.state.is_settled(), "{} is forgotten while it is {}", gone.id, gone.state);
        }
        self.invariants.rows = rows;
    }

    /// At the end of a daemon's life, with a new one started: every order that arrived has its outcome in the journal.
    pub fn check_end(&self) {
        let ended = |state| matches!(state, OrderState::Filled | OrderState::Rejected | OrderState::Unknown);
        for parcel in &self.gateway.parcels {
            let id = parcel.order.client_order_id;
            let state = self.invariants.state(id);
            let was_there = self.invariants.arrived.contains(&id);
            // What was pruned was settled: `refresh` has seen to it.
            assert!(!was_there || state.is_none_or(ended), "{id} arrived and is {state:?}");
        }
        for row in &self.invariants.rows {
            let is_open = matches!(row.state, OrderState::Intent | OrderState::Sending);
            assert!(!is_open, "{} is still {}", row.id, row.state);
        }
    }
}

/// What stays of a name when somebody gives it another suffix or other letters: six letters, in capitals.
pub fn root(name: &str) -> &'static str {
    match name.get(..3) {
        Some("EUR" | "eur") => "EURUSD",
        Some("GBP" | "gbp") => "GBPUSD",
        _ => "USDJPY",
    }
}

/// The life of an order as the journal shows it between two writes: `intent` and `sending` are one.
fn may_follow(before: Option<OrderState>, after: OrderState) -> bool {
    use OrderState::{Filled, NotSent, Rejected, Sending, Unknown};
    match before {
        None => after == Sending,
        Some(Sending) => matches!(after, Filled | Rejected | NotSent | Unknown),
        Some(Unknown) => matches!(after, Filled | Rejected),
        Some(_) => false,
    }
}

/// The other direction.
pub const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}
