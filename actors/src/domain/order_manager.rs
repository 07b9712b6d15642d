//! The core of trading: which order may go out, and what is on disk before and after it does.
//!
//! No clock, disk or socket of its own: the [`OrderJournal`] and the [`GatewayPort`] are given, by the SignalSender or by a
//! test that lets them fail between any two steps.

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

/// How old what the journal said may be when a cycle's orders begin: a person may settle an order at any time, and every
/// order is dated by it. A model that thinks longer has the journal asked again.
const STANDING_AGE_MAX: Duration = Duration::from_secs(1);

/// A proof that failed is tried again after this long: a person may have changed what is open.
const PROOF_PAUSE: Duration = Duration::from_secs(60);

/// The journal, as the manager needs it. Every answer of `Ok` means: on disk.
pub trait OrderJournal {
    /// Settles what an earlier run left open, then says what stands. With `must_write` it answers `Ok` only if a
    /// write went through.
    fn read_standing(&self, question: StandingQuestion) -> impl Future<Output = Result<Standing, JournalError>>;

    /// What was ordered before.
    fn history(&self) -> impl Future<Output = Result<History, JournalError>>;

    /// The account's fills that count as open positions, and those of these tickets.
    fn fills(&self, tickets: &[i64]) -> impl Future<Output = Result<Vec<Fill>, JournalError>>;

    /// Notes the account's equity if it is the first of its day (UTC), and answers the day's first.
    fn first_equity(&self, equity: f64) -> impl Future<Output = Result<f64, JournalError>>;

    /// Writes steps of one order in one go: all of them or none.
    fn write(&self, steps: Vec<OrderStep>) -> impl Future<Output = Result<(), JournalError>>;
}

/// The way to the gateway.
pub trait GatewayPort {
    /// Why nothing may be sent just now, whatever it is.
    fn objection(&self) -> Option<Suppression>;

    /// Whether something harmless may be asked just now: a halt stops orders, not questions.
    fn may_ask(&self) -> bool;

    /// Sends the order, once, and waits for its reply. Nothing is handed over after `expiry`.
    ///
    /// # Errors
    /// The reason for which nothing of it left; the order must not arrive later either.
    fn exchange(&mut self, order: &Order, expiry: Expiry) -> impl Future<Output = Result<Fate, Suppression>>;

    /// All open positions. After [`Positions::NoGateway`], `exchange` answers [`Outcome::NotSent`] and sends nothing.
    ///
    /// # Errors
    /// The reason for which nothing may be sent: the gateway took the question and did not answer it, or not so that it
    /// can be read. What is open is then in doubt, and so is every limit on it.
    fn positions(&mut self) -> impl Future<Output = Result<Positions, Suppression>>;

    /// The account's equity; `None` if the gateway does not say.
    fn equity(&mut self) -> impl Future<Output = Option<f64>>;

    /// All open positions, asked for twice on a connection of their own; `None` if that proves nothing.
    fn positions_twice(&mut self) -> impl Future<Output = Option<[Vec<Position>; 2]>>;

    /// Now, by both clocks: for the one wait that a step of the wall clock must not shorten, and for the age of a decision.
    fn now(&self) -> Moment;

    /// The id of the order that closes this ticket because of this order.
    fn close_order_id(&self, order: &Order, ticket: i64) -> Uuid;
}

/// What became of an order, and how long the gateway took if it answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// What the reply proves.
    pub outcome: Outcome,
    /// From connecting to the reply; present for any readable reply to this order.
    pub send_latency: Option<Duration>,
    /// From the completed send to the reply; present as `send_latency` is.
    pub gateway_roundtrip: Option<Duration>,
}

impl Fate {
    /// A fate without a readable reply.
    pub const fn without_reply(outcome: Outcome) -> Self {
        Self { outcome, send_latency: None, gateway_roundtrip: None }
    }
}

/// The rules of a manager.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rules {
    /// Limits on orders.
    pub limits: Limits,
    /// How the broker books them.
    pub account_mode: AccountMode,
    /// The dialect in use, if open positions prove there what became of an order: the positions before it are then wanted,
    /// even if no limit needs them.
    pub proving_dialect: Option<&'static str>,
    /// How old a decision may be when its order goes out: an order is of its moment.
    pub decision_age_max: Duration,
    /// Whether a bar that had closed before the journal knew of the account counts as ordered.
    pub waits_for_new_bar: bool,
}

/// Places orders, one at a time, and remembers what the journal still has to be told.
#[derive(Debug)]
pub struct OrderManager {
    rules: Rules,
    names: KnownNames,
    /// What stands, as of this cycle's begin and the orders since; `None` while the journal is broken.
    standing: Option<Standing>,
    /// When the standing was read for this cycle's orders, before it was known whether there would be any.
    prepared_at: Option<Moment>,
    /// What was ordered before, kept up to date; `None` before the first cycle.
    history: Option<History>,
    /// Whether the journal failed and no write has gone through since.
    is_broken: bool,
    /// Steps that happened and could not be written. Until they are, nothing is sent.
    unwritten: Vec<OrderStep>,
    /// Whether an order of this cycle has an unknown fate.
    is_cycle_unresolved: bool,
    /// Whether an order may be of unknown fate; at the start, nobody knows.
    may_be_unresolved: bool,
    /// When this manager first knew that an order's fate is unknown, monotonic.
    unknown_since: HashMap<Uuid, Duration>,
    /// When proofs were last tried in vain.
    tried_at: HashMap<Uuid, Duration>,
    /// Open positions, asked for at most once a cycle.
    positions: Option<Positions>,
    /// Our fills that count as open, read at most once between two orders.
    fills: Option<Vec<Fill>>,
    /// Tickets that the gateway lists under the name of their instrument, as far as the journal knows them.
    named: HashSet<(i64, InstrumentKey)>,
    /// What the last list of positions left in doubt; `None` until the cycle has looked at one.
    doubts: Option<Vec<Doubt>>,
    /// Why the gateway cannot be asked in this cycle.
    unanswered: Option<Suppression>,
    /// The loss guard's verdict, made at most once a cycle.
    loss: Option<Option<Suppression>>,
    /// The day whose first equity is noted, days since the unix epoch.
    equity_day: Option<u64>,
}

impl OrderManager {
    /// An empty manager for these instruments.
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

    /// Does what [`Self::begin`] would, while nobody knows yet whether the cycle has orders.
    pub async fn prepare<L: OrderJournal>(&mut self, order_journal: &L, now: Moment) {
        self.prepared_at = self.read_standing(order_journal).await.ok().map(|()| now);
    }

    /// Begins a cycle's orders: writes what is still owed, and reads the standing, unless that was just done.
    ///
    /// # Errors
    /// When the journal is broken. Every order of this cycle is then [`Suppression::Journal`].
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
            // A person may have said whose a ticket is.
            self.named.clear();
        }
        self.may_be_unresolved = may_be_unresolved;
        self.standing = Some(standing);
        Ok(())
    }

    /// Writes what is owed, then reads what stands.
    async fn write_and_read<L: OrderJournal>(&mut self, order_journal: &L) -> Result<Standing, JournalError> {
        while let Some(step) = self.unwritten.first() {
            match order_journal.write(vec![step.clone()]).await {
                Err(error) if error.is_broken() => return Err(error),
                // Any other refusal is the disk's word against memory, and the disk is what a restart would believe.
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

    /// What has to be done in every cycle, signal or not: the next signal may be days away. Writes what is owed, notes
    /// the day's first equity, and tries to prove what became of orders of unknown fate. Answers what was proven.
    pub async fn reconcile<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order_journal: &L,
        gateway: &mut G,
        now: Duration,
    ) -> Vec<(Unproven, Proof)> {
        // Whatever the last cycle prepared and did not need.
        self.prepared_at = None;
        let day = now.as_secs() / 86_400;
        let is_equity_due = self.rules.limits.loss_pct_per_day_max > 0.0 && self.equity_day != Some(day);
        if self.unwritten.is_empty() && !self.is_broken && !self.may_be_unresolved && !is_equity_due {
            return Vec::new();
        }
        if self.read_standing(order_journal).await.is_err() {
            // The Journal logs what fails, and the manager goes on owing it.
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
        // By both clocks: the wall clock may have been set meanwhile.
        let monotonic = gateway.now().monotonic;
        let mut has_waited = |id: &Uuid| {
            let since = *self.unknown_since.entry(*id).or_insert(monotonic);
            monotonic.saturating_sub(since) >= SETTLES_AFTER
        };
        let due = |order: &&Unproven| has_waited(&order.id) && order.is_provable(now, dialect) && is_rested(&order.id);
        let unproven: Vec<_> = standing.unproven.iter().filter(due).cloned().collect();
        if unproven.is_empty() || !gateway.may_ask() {
            return Vec::new();
        }
        let Some(answers) = gateway.positions_twice().await else { return Vec::new() };
        let mut proven = Vec::new();
        for order in unproven {
            match order.prove([&answers[0], &answers[1]], &self.names, self.rules.account_mode) {
                Some(proof) if order_journal.write(vec![OrderStep::Proven(order.id, proof)]).await.is_ok() => {
                    proven.push((order, proof))
                }
                _ => drop(self.tried_at.insert(order.id, now)),
            }
        }
        proven
    }

    /// What the cycle's list of open positions left in doubt; `None` if nobody asked for it.
    pub fn doubts(&self) -> Option<&[Doubt]> {
        self.doubts.as_deref()
    }

    /// As of when the rules that count earlier orders are asked in this cycle; `None` while the journal is broken.
    pub fn judged_at(&self) -> Option<Duration> {
        self.standing.as_ref().map(|standing| standing.taken_at)
    }

    /// Writes what is owed, at the end of a daemon. Answers whether nothing is owed any more.
    pub async fn flush_unwritten<L: OrderJournal>(&mut self, order_journal: &L) -> bool {
        if !self.unwritten.is_empty() {
            let _ = self.read_standing(order_journal).await;
        }
        self.unwritten.is_empty()
    }

    async fn settle<L: OrderJournal>(&mut self, order_journal: &L, step: OrderStep) {
        if order_journal.write(vec![step.clone()]).await.is_err() {
            self.owe(step);
        }
    }

    /// Nothing is sent before this is written: without it a restart would not know.
    fn owe(&mut self, step: OrderStep) {
        self.unwritten.push(step);
        self.standing = None;
        self.is_broken = true;
    }
}
