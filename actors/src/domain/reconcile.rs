//! What became of an order of unknown fate, where open positions prove it. Rules of the `v43` dialect: an order that was
//! not executed within its signature's age never will be, so what is open after that is the truth.

use crate::domain::{
    exposure::KnownNames,
    instrument::{InstrumentKey, Symbol},
    order::{LOTS_APART, Side},
    position::{AccountMode, Position},
};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

/// How long after an order became unknown its positions may be believed: the signature's age limit of 5 s, and 2 s for
/// clocks that differ. It was signed before it became unknown, so this is never too early.
pub const SETTLES_AFTER: Duration = Duration::from_secs(7);

/// An order of unknown fate, and what was open before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unproven {
    /// Its id.
    pub id: Uuid,
    /// What it blocks.
    pub symbol: Symbol,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// Direction.
    pub side: Side,
    /// Size in lots.
    pub volume: f64,
    /// The ticket that it was to close; `None` if it was to open a position.
    pub closes: Option<i64>,
    /// Tickets before it was sent that could be the instrument's; `None` if nobody knew them, and nothing can be proven.
    pub tickets_before: Option<Vec<i64>>,
    /// The dialect that it was sent in; `None` in journals of before that was kept.
    pub dialect: Option<String>,
    /// How the settings said that the broker books orders, when it was sent.
    pub account_mode: Option<AccountMode>,
    /// When it became unknown, wall clock since the unix epoch.
    pub unknown_since: Duration,
}

/// What is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It was executed.
    Filled {
        /// The ticket that it made, or closed.
        ticket: i64,
    },
    /// It was not, and never will be.
    Rejected,
}

impl Unproven {
    /// Whether positions asked for at `now`, in this dialect, can prove anything: an order that was sent in another may
    /// still be executed, for it has no signature that dies.
    pub fn is_provable(&self, now: Duration, dialect: &str) -> bool {
        let has_sign = self.tickets_before.is_some() || self.closes.is_some();
        has_sign && self.dialect.as_deref() == Some(dialect) && now >= self.unknown_since + SETTLES_AFTER
    }

    /// What two answers, asked for after [`SETTLES_AFTER`] on one new socket, prove; `None` if a person has to look.
    ///
    /// An order that opens a position is proven by the one new ticket of its name, side and volume, or by no new ticket at
    /// all. A new position that no configured name explains may be it, and proves nothing.
    pub fn prove(&self, answers: [&[Position]; 2], names: &KnownNames, mode: AccountMode) -> Option<Proof> {
        if let Some(ticket) = self.closes {
            // By the ticket alone, whatever it is called now. One that is still there proves nothing: a request to close
            // has no age limit.
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
