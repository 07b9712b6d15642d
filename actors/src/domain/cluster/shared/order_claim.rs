//! The claim of an order, as a machine: read, claim in one transaction, read it back. Only then may it be sent, and only soon.
//!
//! The transaction holds the order's whole safety: the owner's epoch, that the bar is not claimed by anybody else and no newer one
//! is, that the symbol has no order without an outcome, and the version of the account's state against which the limits were
//! compared.

use super::{
    account::{AccountState, Attempt},
    key::{self, Key, Span},
    records::{Claim, Value},
    settlement::{Settlement, state_in},
    shards::Shard,
    transaction::{Change, Compare, Done, Transaction},
};
use crate::domain::guard::{Limits, Suppression};
use std::time::Duration;

/// A claim is sent within this time after the request for it was sent, or never.
pub const AGE_MAX: Duration = Duration::from_secs(2);
/// Claims of bars that closed so long before are deleted, seconds.
pub const KEPT_FOR_S: i64 = 7 * 86_400;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is more to ask.
    Open,
    /// It is ours. [`OrderClaim::is_fresh_at`] says whether it may still be sent.
    Made,
    /// Nothing may be sent.
    Refused(Suppression),
}

/// What the next attempt is based on.
#[derive(Debug, Clone)]
struct Base {
    version: i64,
    state: AccountState,
    /// Whether this owner has claimed something of this bar: a close.
    has_claims: bool,
    last_order_ms: Option<i64>,
}

#[derive(Debug, Clone)]
enum Step {
    Reading,
    Claiming(Box<Base>),
    Over(Verdict),
}

/// The machine. One request at a time: [`OrderClaim::ask`], then [`OrderClaim::told`] or [`OrderClaim::failed`]. Times are
/// boottime unless they are called wall.
#[derive(Debug, Clone)]
pub struct OrderClaim {
    claim: Claim,
    limits: Limits,
    equity: Option<f64>,
    step: Step,
    begun_at: Option<Duration>,
    /// When the first attempt was sent, and on which version of the state the last one was based.
    attempted_at: Option<Duration>,
    attempted_on: Option<i64>,
}

impl OrderClaim {
    /// A claim that is not made yet. `claim` has the owner's epoch and a nonce that was never used; its times and its outcome do
    /// not count. `equity`: the account's, if the limits need it and it is known.
    pub fn new(claim: Claim, limits: Limits, equity: Option<f64>) -> Self {
        let claim = Claim { outcome: None, ..claim };
        Self { claim, limits, equity, step: Step::Reading, begun_at: None, attempted_at: None, attempted_on: None }
    }

    /// The claim, as it was last tried.
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// How far it is.
    pub const fn verdict(&self) -> Verdict {
        match self.step {
            Step::Over(verdict) => verdict,
            Step::Reading | Step::Claiming(_) => Verdict::Open,
        }
    }

    /// Whether its next request is an attempt: until then nothing was asked for but reads.
    pub const fn is_ready(&self) -> bool {
        matches!(self.step, Step::Claiming(_))
    }

    /// Whether an attempt was sent, so that the claim may be made, now or later.
    pub const fn is_attempted(&self) -> bool {
        self.attempted_on.is_some()
    }

    /// Whether it is made and young enough to be sent. The shard's epoch and the lease's trust are asked besides this; see
    /// [`Ownership::objection`](super::Ownership::objection).
    pub fn is_fresh_at(&self, now: Duration) -> bool {
        self.verdict() == Verdict::Made && self.attempted_at.is_some_and(|at| now < at + AGE_MAX)
    }

    /// Ends it: nothing is sent. Returns what has to be settled, because an attempt was or may still be made.
    pub fn given_up(&self, reason: &str) -> Option<Settlement> {
        self.attempted_on.map(|version| Settlement::not_sent(&self.claim, reason, version))
    }

    /// The next transaction, sent at `now`; `wall_ms` is in milliseconds since the unix epoch.
    pub fn ask(&mut self, now: Duration, wall_ms: i64) -> Transaction {
        self.begun_at.get_or_insert(now);
        let reads = self.reads();
        let Step::Claiming(base) = &self.step else { return Transaction { reads, ..Transaction::default() } };
        let is_order = self.claim.order.closes.is_none();
        self.attempted_at.get_or_insert(now);
        self.attempted_on = Some(base.version);
        self.claim.at_ms = wall_ms;
        self.claim.last_order_ms = if is_order { Some(wall_ms) } else { base.last_order_ms };
        let state = base.state.claimed(&self.attempt(base.last_order_ms, wall_ms));
        Transaction { compare: self.conditions(base), changes: self.changes(state), reads }
    }

    /// There was no usable answer at `now`. The attempt may have been made, or be made later: it is read back.
    pub fn failed(&mut self, now: Duration) {
        self.step =
            if self.is_late(now) { Step::Over(Verdict::Refused(Suppression::ClaimLate)) } else { Step::Reading };
    }

    /// etcd's answer at `now`.
    pub fn told(&mut self, now: Duration, wall_ms: i64, done: &Done) {
        self.step = match self.judged(wall_ms, done) {
            Ok(None) => Step::Over(Verdict::Made),
            Ok(Some(_)) if self.is_late(now) => Step::Over(Verdict::Refused(Suppression::ClaimLate)),
            Ok(Some(base)) => Step::Claiming(Box::new(base)),
            Err(reason) => Step::Over(Verdict::Refused(reason)),
        };
    }

    fn is_late(&self, now: Duration) -> bool {
        self.begun_at.is_some_and(|at| now >= at + AGE_MAX)
    }

    fn key(&self) -> Key {
        self.claim.order.key()
    }

    fn bar(&self) -> Span {
        key::bar(&self.claim.order.symbol, self.claim.order.bar_close_time)
    }

    fn shard(&self) -> Key {
        key::shard(Shard::of(&self.claim.order.symbol))
    }

    fn attempt(&self, last_order_ms: Option<i64>, wall_ms: i64) -> Attempt {
        let is_close = self.claim.order.closes.is_some();
        Attempt { wall_ms, is_close, last_order_ms, equity: self.equity }
    }

    fn reads(&self) -> Vec<Span> {
        let symbol = &self.claim.order.symbol;
        vec![
            Span::one(&self.shard()),
            Span::one(key::STATE),
            self.bar(),
            key::open_of_symbol(symbol),
            key::orders_of(symbol).newest(),
        ]
    }

    /// What was read means: the claim is ours (`None`), or what the next attempt is based on, or why there is none.
    fn judged(&self, wall_ms: i64, done: &Done) -> Result<Option<Base>, Suppression> {
        let (bar, key) = (done.span(2), self.key());
        let claimed = bar.iter().find(|entry| entry.key == key);
        if let Some(Value::Claim(claim)) = claimed.and_then(|entry| entry.value.as_ref())
            && claim.nonce == self.claim.nonce
        {
            // A new owner that found it says that its outcome is unknown, and may prove that it was never sent.
            return if claim.outcome.is_none() { Ok(None) } else { Err(Suppression::NotHolder) };
        }
        let epoch = self.claim.epoch;
        let is_newer = |key: &Key| *key >= self.bar().to;
        let rules = [
            (done.one(0).is_none_or(|shard| shard.create_revision != epoch), Suppression::NotHolder),
            (claimed.is_some(), Suppression::OrderedElsewhere),
            // Another owner began with this bar, or with a newer one.
            (bar.iter().any(|entry| entry.create_revision <= epoch), Suppression::OrderedElsewhere),
            (done.one(4).is_some_and(|newest| is_newer(&newest.key)), Suppression::OrderedElsewhere),
            (!done.span(3).is_empty(), Suppression::Unresolved),
        ];
        if let Some(reason) = rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason)) {
            return Err(reason);
        }
        let (version, state) = state_in(done.one(1)).ok_or(Suppression::NotHolder)?;
        let last_order_ms = match done.one(4).map(|newest| &newest.value) {
            None => None,
            Some(Some(Value::Claim(claim))) => claim.last_order_ms,
            Some(_) => return Err(Suppression::NotHolder),
        };
        match state.objection(&self.attempt(last_order_ms, wall_ms), &self.limits) {
            Some(reason) => Err(reason),
            None => Ok(Some(Base { version, state, has_claims: !bar.is_empty(), last_order_ms })),
        }
    }

    fn conditions(&self, base: &Base) -> Vec<Compare> {
        let (symbol, bar, epoch) = (&self.claim.order.symbol, self.claim.order.bar_close_time, self.claim.epoch);
        let mut conditions = vec![
            Compare::Created(self.shard(), epoch),
            Compare::Changed(key::STATE.into(), base.version),
            Compare::Absent(key::open_of_symbol(symbol)),
        ];
        if base.has_claims {
            conditions.push(Compare::Absent(Span::one(&self.key())));
            conditions.push(Compare::CreatedAfter(self.bar(), epoch));
            conditions.push(Compare::Absent(Span { from: self.bar().to, ..key::orders_of(symbol) }));
        } else {
            conditions.push(Compare::Absent(key::bars_from(symbol, bar)));
        }
        conditions
    }

    fn changes(&self, state: AccountState) -> Vec<Change> {
        let (symbol, bar) = (&self.claim.order.symbol, self.claim.order.bar_close_time);
        let claim = || Value::Claim(Box::new(self.claim.clone()));
        let open = key::open(Shard::of(symbol), &self.key());
        vec![
            Change::put(self.key(), claim()),
            Change::put(open, claim()),
            Change::put(key::STATE, Value::State(Box::new(state))),
            // All of them have an outcome, because the symbol has no claim without one.
            Change::Delete(key::bars_before(symbol, bar.saturating_sub(KEPT_FOR_S))),
        ]
    }
}
