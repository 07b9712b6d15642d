//! Writes what became of a claim, to the claim and to the account's state in one transaction; again and again until it is known
//! to be written. Of a claim that was perhaps never made, it first makes sure that it never will be.

use super::{
    account::AccountState,
    key::{self, Key, Span},
    records::{Claim, Value},
    shards::Shard,
    transaction::{Change, Compare, Done, Entry, Transaction},
};
use crate::domain::order::Outcome;
use uuid::Uuid;

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// The outcome is in the claim.
    Written,
    /// The claim has this other outcome, which somebody wrote before and which will not change.
    Otherwise(Outcome),
    /// There is no such claim, and will never be one.
    NeverMade,
}

#[derive(Debug, Clone)]
enum Step {
    Reading,
    /// The transaction, and what it means if it is made.
    Writing(Transaction, Settled),
    Over(Settled),
}

/// The machine. One request at a time: [`Settlement::ask`], then [`Settlement::told`] or [`Settlement::failed`].
#[derive(Debug, Clone)]
pub struct Settlement {
    key: Key,
    symbol: String,
    nonce: Uuid,
    outcome: Outcome,
    is_failure: bool,
    /// The version of the state on which the last attempt to claim was based, if any may still be on its way.
    attempted_on: Option<i64>,
    /// Whether the claim was read last in a form that this version does not know.
    is_unreadable: bool,
    step: Step,
}

impl Settlement {
    /// Of a claim that was made. `is_failure`: see [`AccountState::settled`].
    pub fn new(claim: &Claim, outcome: Outcome, is_failure: bool) -> Self {
        Self {
            key: claim.order.key(),
            symbol: claim.order.symbol.clone(),
            nonce: claim.nonce,
            outcome,
            is_failure,
            attempted_on: None,
            is_unreadable: false,
            step: Step::Reading,
        }
    }

    /// Of a claim of which nothing was sent, and which was perhaps not even made. `attempted_on`: the version of the state on which
    /// the last attempt was based.
    pub fn not_sent(claim: &Claim, reason: &str, attempted_on: i64) -> Self {
        let outcome = Outcome::NotSent { reason: reason.into() };
        Self { attempted_on: Some(attempted_on), ..Self::new(claim, outcome, false) }
    }

    /// The claim's nonce.
    pub const fn nonce(&self) -> Uuid {
        self.nonce
    }

    /// What is to be written.
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The shard that it is in.
    pub fn shard(&self) -> Shard {
        Shard::of(&self.symbol)
    }

    /// How it ended, if it has.
    pub const fn ended(&self) -> Option<&Settled> {
        match &self.step {
            Step::Over(settled) => Some(settled),
            Step::Reading | Step::Writing(..) => None,
        }
    }

    /// Whether it has to read before it can write: at first, after a failure, and as long as the state or the claim cannot be read.
    pub const fn is_reading(&self) -> bool {
        matches!(self.step, Step::Reading)
    }

    /// Whether the claim is there and cannot be read: a later version may have rewritten it. It stays open, because it may be the one.
    pub const fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// The next transaction.
    pub fn ask(&self) -> Transaction {
        match &self.step {
            Step::Writing(transaction, _) => transaction.clone(),
            Step::Reading | Step::Over(_) => Transaction { reads: self.reads(), ..Transaction::default() },
        }
    }

    /// There was no usable answer. The transaction may have been made.
    pub fn failed(&mut self) {
        if matches!(self.step, Step::Writing(..)) {
            self.step = Step::Reading;
        }
    }

    /// etcd's answer.
    pub fn told(&mut self, done: &Done) {
        self.is_unreadable = done.one(0).is_some_and(|entry| !matches!(entry.value, Some(Value::Claim(_))));
        self.step = match std::mem::replace(&mut self.step, Step::Reading) {
            Step::Over(settled) => Step::Over(settled),
            Step::Writing(_, settled) if done.is_made => Step::Over(settled),
            Step::Reading | Step::Writing(..) => self.next(done),
        };
    }

    fn reads(&self) -> Vec<Span> {
        vec![Span::one(&self.key), Span::one(key::STATE)]
    }

    fn next(&self, done: &Done) -> Step {
        let Some((version, state)) = state_in(done.one(1)).filter(|_| !self.is_unreadable) else {
            return Step::Reading;
        };
        let own = done.one(0).and_then(|entry| match &entry.value {
            Some(Value::Claim(claim)) if claim.nonce == self.nonce => Some((entry.mod_revision, &**claim)),
            _ => None,
        });
        match own {
            Some((_, claim)) if claim.outcome.as_ref() == Some(&self.outcome) => Step::Over(Settled::Written),
            Some((_, Claim { outcome: Some(outcome), .. })) if self.is_beaten_by(outcome) => {
                Step::Over(Settled::Otherwise(outcome.clone()))
            }
            Some((revision, claim)) => {
                Step::Writing(self.outcome_of(claim, revision, version, &state), Settled::Written)
            }
            None if self.attempted_on == Some(version) => {
                // Every attempt that is still on its way wants this very version.
                let transaction = Transaction {
                    compare: vec![Compare::Changed(key::STATE.into(), version)],
                    changes: vec![Change::put(key::STATE, Value::State(Box::new(state)))],
                    reads: self.reads(),
                };
                Step::Writing(transaction, Settled::NeverMade)
            }
            None => Step::Over(Settled::NeverMade),
        }
    }

    /// A final outcome stays. An unknown one gives way to any that is known.
    const fn is_beaten_by(&self, outcome: &Outcome) -> bool {
        !matches!(outcome, Outcome::Unknown { .. }) || matches!(self.outcome, Outcome::Unknown { .. })
    }

    fn outcome_of(&self, claim: &Claim, revision: i64, version: i64, state: &AccountState) -> Transaction {
        let before = claim.outcome.as_ref();
        let state = state.settled(before, &self.outcome, claim.order.closes.is_some(), self.is_failure);
        let claim = Claim { outcome: Some(self.outcome.clone()), ..claim.clone() };
        let open = key::open(self.shard(), &self.key);
        let open = match claim.is_final() {
            true => Change::Delete(Span::one(&open)),
            false => Change::put(open, Value::Claim(Box::new(claim.clone()))),
        };
        Transaction {
            compare: vec![Compare::Changed(self.key.clone(), revision), Compare::Changed(key::STATE.into(), version)],
            changes: vec![
                Change::put(self.key.clone(), Value::Claim(Box::new(claim))),
                open,
                Change::put(key::STATE, Value::State(Box::new(state))),
            ],
            reads: self.reads(),
        }
    }
}

/// The state and its version; a new account has none. `None` if it cannot be read: then nothing may be decided.
pub(super) fn state_in(entry: Option<&Entry>) -> Option<(i64, AccountState)> {
    match entry {
        None => Some((0, AccountState::default())),
        Some(Entry { mod_revision, value: Some(Value::State(state)), .. }) => Some((*mod_revision, (**state).clone())),
        Some(_) => None,
    }
}
