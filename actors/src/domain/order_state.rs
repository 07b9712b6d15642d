//! The states of an order in the journal, and the allowed changes between them.
//!
//! `intent -> sending -> filled | rejected | not_sent | unknown`. The first two are written in one transaction, before the
//! order is sent; earlier versions wrote them one after the other. A restart turns `intent` into `expired` and `sending` into
//! `unknown`. `unknown` ends by proof or by a user's decision, never after some time.

use crate::domain::order::Outcome;
use serde::Serialize;
use std::{fmt, str::FromStr};

/// The state of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Decided; nothing was sent yet.
    Intent,
    /// From now on it may be on its way.
    Sending,
    /// The gateway confirmed it.
    Filled,
    /// The gateway refused it.
    Rejected,
    /// It was never sent.
    NotSent,
    /// It may have been executed or not; it blocks its symbol.
    Unknown,
    /// The daemon ended before it was sent.
    Expired,
}

impl OrderState {
    /// All states, in the order in which they can occur.
    pub const ALL: [Self; 7] =
        [Self::Intent, Self::Sending, Self::Filled, Self::Rejected, Self::NotSent, Self::Unknown, Self::Expired];

    /// The word in the journal, in logs and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sending => "sending",
            Self::Filled => "filled",
            Self::Rejected => "rejected",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
        }
    }

    /// The state of an order after this outcome.
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Filled { .. } => Self::Filled,
            Outcome::Rejected { .. } => Self::Rejected,
            Outcome::NotSent { .. } => Self::NotSent,
            Outcome::Unknown { .. } => Self::Unknown,
        }
    }

    /// Whether an order in this state may change to `next`. A final state never changes.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Intent => matches!(next, Self::Sending | Self::Expired),
            Self::Sending => matches!(next, Self::Filled | Self::Rejected | Self::NotSent | Self::Unknown),
            Self::Unknown => matches!(next, Self::Filled | Self::Rejected),
            Self::Filled | Self::Rejected | Self::NotSent | Self::Expired => false,
        }
    }

    /// The state that a starting daemon gives to an order that was left in this state.
    pub const fn after_restart(self) -> Self {
        match self {
            Self::Intent => Self::Expired,
            Self::Sending => Self::Unknown,
            settled => settled,
        }
    }

    /// The state of an order that is given up before any part of it was sent.
    pub const fn after_giving_up(self) -> Self {
        match self {
            Self::Intent => Self::Expired,
            Self::Sending => Self::NotSent,
            settled => settled,
        }
    }

    /// Whether the state is final.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Filled | Self::Rejected | Self::NotSent | Self::Expired)
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OrderState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or("is not a state of an order")
    }
}

#[cfg(test)]
mod tests {
    use super::OrderState::*;
    use super::*;

    #[test]
    fn an_order_moves_only_as_the_table_says() {
        let allowed = [
            (Intent, Sending),
            (Intent, Expired),
            (Sending, Filled),
            (Sending, Rejected),
            (Sending, NotSent),
            (Sending, Unknown),
            (Unknown, Filled),
            (Unknown, Rejected),
        ];
        for from in OrderState::ALL {
            for to in OrderState::ALL {
                assert_eq!(from.may_become(to), allowed.contains(&(from, to)), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn a_settled_order_is_one_that_may_become_nothing() {
        for state in OrderState::ALL {
            let stuck = !OrderState::ALL.into_iter().any(|next| state.may_become(next));
            assert_eq!(state.is_settled(), stuck, "{state}");
        }
    }

    #[test]
    fn a_restart_and_giving_up_are_allowed_moves_or_none() {
        for state in OrderState::ALL {
            for next in [state.after_restart(), state.after_giving_up()] {
                assert!(next == state || state.may_become(next), "{state} -> {next}");
            }
        }
        assert_eq!(Unknown.after_restart(), Unknown, "an unknown order never goes away by time");
    }

    #[test]
    fn every_state_reads_back_as_it_was_written() {
        for state in OrderState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("lost".parse::<OrderState>().is_err());
    }
}
