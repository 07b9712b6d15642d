//! The core of trading: which order may be sent, and what is on disk before and after that.
//!
//! It has no clock, disk or socket: the SignalSender, or a test that makes them fail between any two steps, passes an
//! [`OrderJournal`] and a [`GatewayPort`].

#[cfg(test)]
mod fixtures;
mod orders;
#[cfg(test)]
mod tests;

use crate::domain::{
    clock::{Expiry, Moment},
    exposure::{Doubt, Fill, KnownNames},
    guard::{Limits, Suppression},
    instrument::InstrumentKey,
    journal::{History, JournalError, OrderStep, Standing, StandingQuestion},
    order::{Order, Outcome},
    position::{AccountMode, Position, Positions},
    reconcile::{Proof, SETTLES_AFTER, Unproven},
};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use uuid::Uuid;

/// Largest age of the journal's answer when a cycle's orders begin. A user may settle an order at any time, and the answer's
/// time is used as the time of every order. If the model takes longer, the journal is asked again.
const STANDING_AGE_MAX: Duration = Duration::from_secs(1);

/// After a failed proof it is tried again after this time, because a user may have changed the open positions.
const PROOF_PAUSE: Duration = Duration::from_secs(60);

/// The journal, as the manager needs it. `Ok` always means: on disk.
pub trait OrderJournal {
    /// Settles what an earlier run left open, then returns the current state. With `must_write` it returns `Ok` only if a
    /// write succeeded.
    fn read_standing(&self, question: StandingQuestion) -> impl Future<Output = Result<Standing, JournalError>>;

    /// Earlier orders.
    fn history(&self) -> impl Future<Output = Result<History, JournalError>>;

    /// The account's fills that count as open positions, and those with these tickets.
    fn fills(&self, tickets: &[i64]) -> impl Future<Output = Result<Vec<Fill>, JournalError>>;

    /// Records the account's equity if it is the first of its day (UTC), and returns the day's first.
    fn first_equity(&self, equity: f64) -> impl Future<Output = Result<f64, JournalError>>;

    /// Writes steps of one order in one transaction: all of them or none.
    fn write(&self, steps: Vec<OrderStep>) -> impl Future<Output = Result<(), JournalError>>;
}

/// The connection to the gateway.
pub trait GatewayPort {
    /// Why nothing may be sent now, if so.
    fn objection(&self) -> Option<Suppression>;

    /// Bars that closed until then (unix seconds) are not ordered: a daemon with another journal may have ordered them.
    fn bars_after(&self) -> Option<i64> {
        None
    }

    /// Whether no other daemon can have traded the account since a bar closed (unix seconds). Otherwise a new position may be
    /// another daemon's, and proves nothing about an order of this one.
    fn is_alone_since(&self, bar_close_time: i64) -> bool {
        self.bars_after().is_none_or(|until| bar_close_time > until)
    }

    /// Whether a query may be sent now: a halt stops orders, not queries.
    fn may_ask(&self) -> bool;

    /// Sends the order once, and waits for its reply. Nothing is sent after `expiry`.
    ///
    /// # Errors
    /// The reason for which no part of it was sent; then the order must not arrive later, either.
    fn exchange(&mut self, order: &Order, expiry: Expiry) -> impl Future<Output = Result<OrderResult, Suppression>>;

    /// All open positions. After [`Positions::NoGateway`], `exchange` answers [`Outcome::NotSent`] and sends nothing.
    ///
    /// # Errors
    /// The reason for which nothing may be sent: the gateway accepted the query but did not answer it, or its answer cannot
    /// be read. Then the open positions are unknown, and no limit on them can be checked.
    fn positions(&mut self) -> impl Future<Output = Result<Positions, Suppression>>;

    /// The account's equity; `None` if the gateway does not report it.
    fn equity(&mut self) -> impl Future<Output = Option<f64>>;

    /// All open positions, queried twice on a new connection; `None` if the answers prove nothing.
    fn positions_twice(&mut self) -> impl Future<Output = Option<[Vec<Position>; 2]>>;

    /// Now, on both clocks: for the one wait that a step of the wall clock must not shorten, and for the age of a decision.
    fn now(&self) -> Moment;

    /// The id of the request to close this ticket before this order.
    fn close_order_id(&self, order: &Order, ticket: i64) -> Uuid;
}

/// The outcome of an order, and how long the gateway took if it answered.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderResult {
    /// The outcome that the reply proves.
    pub outcome: Outcome,
    /// From connecting to the reply; set for any readable reply to this order.
    pub send_latency: Option<Duration>,
    /// From the completed send to the reply; set if `send_latency` is set.
    pub gateway_roundtrip: Option<Duration>,
}

impl OrderResult {
    /// For an order without a readable reply.
    pub const fn without_reply(outcome: Outcome) -> Self {
        Self { outcome, send_latency: None, gateway_roundtrip: None }
    }
}

/// The rules of a manager.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rules {
    /// Limits on orders.
    pub limits: Limits,
    /// How the broker books orders.
    pub account_mode: AccountMode,
    /// The dialect in use, if its list of open positions can prove the outcome of an order. Then the positions before each
    /// order are needed, even if no limit needs them.
    pub proving_dialect: Option<&'static str>,
    /// Largest age of a decision when its order is sent, because an order is only valid for its moment.
    pub decision_age_max: Duration,
    /// Whether a bar counts as ordered if it closed before the journal's first record of the account.
    pub waits_for_new_bar: bool,
}

/// Places orders, one at a time, and keeps what the journal could not write.
#[derive(Debug)]
pub struct OrderManager {
    rules: Rules,
    names: KnownNames,
    /// The journal's state at the begin of this cycle, updated with the orders since; `None` while the journal is broken.
    standing: Option<Standing>,
    /// When the state was read for this cycle's orders, before it was known whether there are any.
    prepared_at: Option<Moment>,
    /// Earlier orders, kept up to date; `None` before the first cycle.
    history: Option<History>,
    /// Whether the journal failed and no write has succeeded since.
    is_broken: bool,
    /// Steps that happened but could not be written. Until they are written, nothing is sent.
    unwritten: Vec<OrderStep>,
    /// Whether an order of this cycle has an unknown outcome.
    is_cycle_unresolved: bool,
    /// Whether an order may have an unknown outcome; true at the start.
    may_be_unresolved: bool,
    /// When this manager first knew that an order's outcome is unknown, monotonic.
    unknown_since: HashMap<Uuid, Duration>,
    /// When a proof was last tried without success.
    tried_at: HashMap<Uuid, Duration>,
    /// Open positions, queried at most once per cycle.
    positions: Option<Positions>,
    /// Our fills that count as open, read at most once between two orders.
    fills: Option<Vec<Fill>>,
    /// Tickets that the gateway lists under the name of their instrument, as far as the journal knows them.
    named: HashSet<(i64, InstrumentKey)>,
    /// The doubtful positions in the last list; `None` until the cycle has read one.
    doubts: Option<Vec<Doubt>>,
    /// Why the gateway cannot be queried in this cycle.
    unanswered: Option<Suppression>,
    /// The result of the loss rule, computed at most once per cycle.
    loss: Option<Option<Suppression>>,
    /// The day whose first equity is recorded, days since the unix epoch.
    equity_day: Option<u64>,
}

impl OrderManager {
    /// A new manager for these instruments.
    pub fn new(rules: Rules, names: KnownNames) -> Self {
        Self {
            rules,
            names,
            standing: None,
            prepared_at: None,
            history: None,
            is_broken: false,
            unwritten: Vec::new(),
            is_cycle_unresolved: false,
            may_be_unresolved: true,
            unknown_since: HashMap::new(),
            tried_at: HashMap::new(),
            positions: None,
            fills: None,
            named: HashSet::new(),
            doubts: None,
            unanswered: None,
            loss: None,
            equity_day: None,
        }
    }

    /// Does the same as [`Self::begin`], while it is still unknown whether the cycle has orders.
    pub async fn prepare<L: OrderJournal>(&mut self, order_journal: &L, now: Moment) {
        self.prepared_at = self.read_standing(order_journal).await.ok().map(|()| now);
    }

    /// Begins a cycle's orders: writes unwritten steps and reads the state, unless that was just done.
    ///
    /// # Errors
    /// The journal is broken. Every order of this cycle is then [`Suppression::Journal`].
    pub async fn begin<L: OrderJournal>(&mut self, order_journal: &L, now: Moment) -> Result<(), JournalError> {
        let is_fresh = |at: Moment| at.age_at(now) <= STANDING_AGE_MAX && !at.has_stepped_at(now);
        match self.prepared_at.take() {
            Some(at) if is_fresh(at) && self.standing.is_some() => Ok(()),
            _ => self.read_standing(order_journal).await,
        }
    }

    async fn read_standing<L: OrderJournal>(&mut self, order_journal: &L) -> Result<(), JournalError> {
        self.is_cycle_unresolved = false;
        self.standing = None;
        self.positions = None;
        self.fills = None;
        self.doubts = None;
        self.unanswered = None;
        self.loss = None;
        let standing = self.write_and_read(order_journal).await;
        self.is_broken = standing.is_err();
        let standing = standing?;
        let may_be_unresolved = !standing.unresolved.is_empty();
        if self.may_be_unresolved != may_be_unresolved {
            // A user may have said to which order a ticket belongs.
            self.named.clear();
        }
        self.may_be_unresolved = may_be_unresolved;
        self.standing = Some(standing);
        Ok(())
    }

    /// Writes unwritten steps, then reads the state.
    async fn write_and_read<L: OrderJournal>(&mut self, order_journal: &L) -> Result<Standing, JournalError> {
        while let Some(step) = self.unwritten.first() {
            match order_journal.write(vec![step.clone()]).await {
                Err(error) if error.is_broken() => return Err(error),
                // Any other error means that the disk contradicts memory; a restart would believe the disk.
                Ok(()) | Err(_) => drop(self.unwritten.remove(0)),
            }
        }
        let question =
            StandingQuestion { must_write: self.is_broken, failures_max: self.rules.limits.failures_in_a_row_max };
        let standing = order_journal.read_standing(question).await?;
        if self.history.is_none() {
            self.history = Some(order_journal.history().await?);
        }
        Ok(standing)
    }

    /// The tasks of every cycle, with or without a signal, because the next signal may be days away. Writes unwritten steps,
    /// records the day's first equity, and tries to prove unknown outcomes of orders. Returns what was proven.
    pub async fn reconcile<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order_journal: &L,
        gateway: &mut G,
        now: Duration,
    ) -> Vec<(Unproven, Proof)> {
        // The last cycle may have prepared this without using it.
        self.prepared_at = None;
        let day = now.as_secs() / 86_400;
        let is_equity_due = self.rules.limits.loss_pct_per_day_max > 0.0 && self.equity_day != Some(day);
        if self.unwritten.is_empty() && !self.is_broken && !self.may_be_unresolved && !is_equity_due {
            return Vec::new();
        }
        if self.read_standing(order_journal).await.is_err() {
            // The Journal logs the error, and the steps stay unwritten.
            return Vec::new();
        }
        if is_equity_due
            && gateway.may_ask()
            && let Some(equity) = gateway.equity().await
            && order_journal.first_equity(equity).await.is_ok()
        {
            self.equity_day = Some(day);
        }
        self.settle_unproven(order_journal, gateway).await
    }

    async fn settle_unproven<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order_journal: &L,
        gateway: &mut G,
    ) -> Vec<(Unproven, Proof)> {
        let (Some(standing), Some(dialect)) = (&self.standing, self.rules.proving_dialect) else { return Vec::new() };
        let now = standing.taken_at;
        let is_rested = |id: &Uuid| self.tried_at.get(id).is_none_or(|at| now.saturating_sub(*at) >= PROOF_PAUSE);
        // On both clocks, because the wall clock may have been set meanwhile.
        let monotonic = gateway.now().monotonic;
        let mut has_waited = |id: &Uuid| {
            let since = *self.unknown_since.entry(*id).or_insert(monotonic);
            monotonic.saturating_sub(since) >= SETTLES_AFTER
        };
        // A ticket that is gone is closed, whoever closed it.
        let is_ours = |order: &Unproven| order.closes.is_some() || gateway.is_alone_since(order.bar_close_time);
        let due = |order: &&Unproven| {
            has_waited(&order.id) && order.is_provable(now, dialect) && is_rested(&order.id) && is_ours(order)
        };
        let unproven: Vec<_> = standing.unproven.iter().filter(due).cloned().collect();
        if unproven.is_empty() || !gateway.may_ask() {
            return Vec::new();
        }
        let Some(answers) = gateway.positions_twice().await else { return Vec::new() };
        let mut proven = Vec::new();
        for order in unproven {
            // Asked again: the account may have been lost while the gateway was asked, and a position be another daemon's.
            if order.closes.is_none() && !gateway.is_alone_since(order.bar_close_time) {
                continue;
            }
            match order.prove([&answers[0], &answers[1]], &self.names, self.rules.account_mode) {
                Some(proof) if order_journal.write(vec![OrderStep::Proven(order.id, proof)]).await.is_ok() => {
                    proven.push((order, proof))
                }
                _ => drop(self.tried_at.insert(order.id, now)),
            }
        }
        proven
    }

    /// The doubtful positions in the cycle's list; `None` if it was not read.
    pub fn doubts(&self) -> Option<&[Doubt]> {
        self.doubts.as_deref()
    }

    /// As of when the rules that count earlier orders are asked in this cycle; `None` while the journal is broken.
    pub fn judged_at(&self) -> Option<Duration> {
        self.standing.as_ref().map(|standing| standing.taken_at)
    }

    /// Writes unwritten steps at shutdown. Returns whether none are left.
    pub async fn flush_unwritten<L: OrderJournal>(&mut self, order_journal: &L) -> bool {
        if !self.unwritten.is_empty() {
            let _ = self.read_standing(order_journal).await;
        }
        self.unwritten.is_empty()
    }

    /// Whether the journal knows the outcome of every order.
    pub async fn is_settled<L: OrderJournal>(&mut self, order_journal: &L) -> bool {
        let is_read = !self.may_be_unresolved || self.read_standing(order_journal).await.is_ok();
        is_read && !self.may_be_unresolved && self.unwritten.is_empty()
    }

    async fn settle<L: OrderJournal>(&mut self, order_journal: &L, step: OrderStep) {
        if order_journal.write(vec![step.clone()]).await.is_err() {
            self.owe(step);
        }
    }

    /// Nothing is sent before this is written, because otherwise a restart would not know of it.
    fn owe(&mut self, step: OrderStep) {
        self.unwritten.push(step);
        self.standing = None;
        self.is_broken = true;
    }
}
