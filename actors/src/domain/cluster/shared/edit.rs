//! Changes the account's state without a claim: a halt, its end, the day's first equity.

use super::{
    account::AccountState,
    key::{self, Span},
    records::Value,
    settlement::state_in,
    transaction::{Change, Compare, Done, Transaction},
};

/// What to change.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Claim no orders.
    Halt {
        /// Who asks for it.
        who: String,
        /// Why.
        reason: String,
        /// When, unix seconds.
        at: i64,
    },
    /// Claim orders again, and count failures in a row anew, halted or not.
    Resume {
        /// The halt's [`generation`](super::account::Halt::generation); 0 if there was none.
        generation: u64,
    },
    /// Note this equity if it is the first of its day.
    Equity {
        /// When it was read, milliseconds since the unix epoch.
        wall_ms: i64,
        /// In the account's currency.
        equity: f64,
    },
}

#[derive(Debug, Clone)]
enum Step {
    Reading,
    Writing(Transaction, Box<AccountState>),
    Over(Option<Box<AccountState>>),
}

/// The machine. One request at a time: [`Edit::ask`], then [`Edit::told`] or [`Edit::failed`].
#[derive(Debug, Clone)]
pub struct Edit {
    wish: Wish,
    step: Step,
}

impl Edit {
    /// A change that is not made yet.
    pub const fn new(wish: Wish) -> Self {
        Self { wish, step: Step::Reading }
    }

    /// The state as it is now, if the change is over; inside `None` if it is refused, because another halt came.
    pub fn ended(&self) -> Option<Option<&AccountState>> {
        match &self.step {
            Step::Over(state) => Some(state.as_deref()),
            Step::Reading | Step::Writing(..) => None,
        }
    }

    /// Whether it has to read before it can write: at first, after a failure, and as long as the state cannot be read.
    pub const fn is_reading(&self) -> bool {
        matches!(self.step, Step::Reading)
    }

    /// The next transaction.
    pub fn ask(&self) -> Transaction {
        match &self.step {
            Step::Writing(transaction, _) => transaction.clone(),
            Step::Reading | Step::Over(_) => Transaction { reads: reads(), ..Transaction::default() },
        }
    }

    /// There was no usable answer. The change may have been made.
    pub fn failed(&mut self) {
        if matches!(self.step, Step::Writing(..)) {
            self.step = Step::Reading;
        }
    }

    /// etcd's answer.
    pub fn told(&mut self, done: &Done) {
        self.step = match std::mem::replace(&mut self.step, Step::Reading) {
            Step::Over(state) => Step::Over(state),
            Step::Writing(_, state) if done.is_made => Step::Over(Some(state)),
            Step::Reading | Step::Writing(..) => self.next(done),
        };
    }

    fn next(&self, done: &Done) -> Step {
        let Some((version, state)) = state_in(done.one(0)) else { return Step::Reading };
        let next = match &self.wish {
            Wish::Halt { who, reason, at } => {
                let is_ours = |it: &super::account::Halt| (&it.who, &it.reason, it.at) == (who, reason, *at);
                match state.halt.as_ref().is_some_and(is_ours) {
                    true => state.clone(),
                    false => state.halted(who.clone(), reason.clone(), *at),
                }
            }
            // Also if its answer was lost.
            Wish::Resume { .. } if state.halt.is_none() => state.counted_anew(),
            Wish::Resume { generation } => match state.resumed(*generation) {
                Some(next) => next,
                None => return Step::Over(None),
            },
            Wish::Equity { wall_ms, equity } => state.with_equity(*wall_ms, *equity),
        };
        if next == state {
            return Step::Over(Some(Box::new(state)));
        }
        let transaction = Transaction {
            compare: vec![Compare::Changed(key::STATE.into(), version)],
            changes: vec![Change::put(key::STATE, Value::State(Box::new(next.clone())))],
            reads: reads(),
        };
        Step::Writing(transaction, Box::new(next))
    }
}

fn reads() -> Vec<Span> {
    vec![Span::one(key::STATE)]
}
