//! Proves the outcome of an order from the open positions, if it is unknown and can be proven. The rules are those of the `v43`
//! dialect: an order that was not executed within its signature's maximum age will never be executed, so the positions after
//! that time are final.

use crate::domain::{
    exposure::KnownNames,
    instrument::{InstrumentKey, Symbol},
    order::{LOTS_APART, Side},
    position::{AccountMode, Position},
};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

/// The time after which the positions of an order that became unknown can be trusted: the signature's maximum age of 5 s, and
/// 2 s for a difference between clocks. The order was signed before it became unknown, so this is never too early. One of
/// another member counts as unknown from when that one can have signed it last.
pub const SETTLES_AFTER: Duration = Duration::from_secs(7);

/// An order of unknown outcome, and the positions before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unproven {
    /// Its id.
    pub id: Uuid,
    /// The symbol that it blocks.
    pub symbol: Symbol,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// Close of the bar that it was decided on, unix seconds.
    pub bar_close_time: i64,
    /// Direction.
    pub side: Side,
    /// Size in lots.
    pub volume: f64,
    /// The ticket that it should close; `None` if it should open a position.
    pub closes: Option<i64>,
    /// Tickets before it was sent that could belong to the instrument; `None` if unknown, and then nothing can be proven.
    pub tickets_before: Option<Vec<i64>>,
    /// The dialect in which it was sent; `None` in journals from before this was recorded.
    pub dialect: Option<String>,
    /// How the broker books orders, by the settings when it was sent.
    pub account_mode: Option<AccountMode>,
    /// When it became unknown, wall clock since the unix epoch.
    pub unknown_since: Duration,
}

/// The proven outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It was executed.
    Filled {
        /// The ticket that it created or closed.
        ticket: i64,
    },
    /// It was not executed, and never will be.
    Rejected,
}

impl Unproven {
    /// Whether positions queried at `now`, in this dialect, can prove anything. An order that was sent in another dialect may
    /// still be executed, because it has no signature that expires.
    pub fn is_provable(&self, now: Duration, dialect: &str) -> bool {
        let has_sign = self.tickets_before.is_some() || self.closes.is_some();
        has_sign && self.dialect.as_deref() == Some(dialect) && now >= self.unknown_since + SETTLES_AFTER
    }

    /// The outcome that two answers prove, both queried after [`SETTLES_AFTER`] on one new socket; `None` if a user must
    /// check.
    ///
    /// An order that opens a position is proven by a single new ticket with its name, side and volume, or by no new ticket at
    /// all. A new position that no configured name explains may be the order's, so it proves nothing.
    pub fn prove(&self, answers: [&[Position]; 2], names: &KnownNames, mode: AccountMode) -> Option<Proof> {
        if let Some(ticket) = self.closes {
            // By the ticket alone, whatever its name is now. If it is still there, that proves nothing, because a request to
            // close has no maximum age.
            let is_gone = |answer: &[Position]| answer.iter().all(|position| position.ticket != ticket);
            return answers.into_iter().all(is_gone).then_some(Proof::Filled { ticket });
        }
        let keys = InstrumentKey::both(&self.gateway_name, self.symbol.as_str());
        let tickets = |answer| names.relevant(&keys, answer).map(|it| it.ticket).collect::<BTreeSet<i64>>();
        let before: BTreeSet<i64> = self.tickets_before.as_ref()?.iter().copied().collect();
        let open = tickets(answers[1]);
        if tickets(answers[0]) != open {
            return None;
        }
        let is_it = |position: &&Position| {
            names.names(&keys, position)
                && position.side == self.side
                && (position.volume - self.volume).abs() < LOTS_APART
        };
        let mut new = names.relevant(&keys, answers[1]).filter(|position| !before.contains(&position.ticket));
        let is_hedging = mode == AccountMode::Hedging && self.account_mode == Some(AccountMode::Hedging);
        match (new.next(), new.next()) {
            (Some(position), None) if is_it(&position) => Some(Proof::Filled { ticket: position.ticket }),
            (None, _) if open == before && is_hedging => Some(Proof::Rejected),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
