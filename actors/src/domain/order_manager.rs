//! The core of trading: which order may be sent, and what is on disk before and after that.
//!
//! It has no clock, disk or socket: the SignalSender, or a test that makes them fail between any two steps, passes an
//! [`OrderJournal`] and a [`GatewayPort`].

#[cfg(test)]
mod fixtures;
mod orders;
mod ports;
mod reconcile;
#[cfg(test)]
mod tests;

use crate::domain::{
    clock::Moment,
    exposure::{Doubt, Fill, KnownNames},
    guard::{Limits, Suppression},
    instrument::InstrumentKey,
    journal::{History, JournalError, OrderStep, Standing, StandingQuestion},
    position::{AccountMode, Positions},
    reconcile::Unproven,
};
pub use ports::{GatewayPort, OrderJournal, OrderResult};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use uuid::Uuid;

/// Largest age of the journal's answer when a cycle's orders begin. A user may settle an order at any time, and the answer's
/// time is used as the time of every order. If the model takes longer, the journal is asked again.
const STANDING_AGE_MAX: Duration = Duration::from_secs(1);

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

    /// The account's orders of unknown outcome, as last read; nothing is read if there can be none.
    pub async fn unproven<L: OrderJournal>(&mut self, order_journal: &L) -> Vec<Unproven> {
        if self.may_be_unresolved && self.read_standing(order_journal).await.is_ok() {
            return self.standing.as_ref().map(|standing| standing.unproven.clone()).unwrap_or_default();
        }
        Vec::new()
    }

    /// Somebody else wrote this order to the journal as one of unknown outcome: the next cycle looks for it. `since`: when it can
    /// have been sent last, monotonic. What was known of an earlier attempt does not count.
    pub fn expect_unresolved(&mut self, id: Uuid, since: Duration) {
        self.may_be_unresolved = true;
        self.unknown_since.insert(id, since);
        self.tried_at.remove(&id);
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
