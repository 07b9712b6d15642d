//! What became of an order of unknown fate, where open positions prove it. Rules of the `v43` dialect: an order that was
//! not executed within its signature's age never will be, so what is open after that is the truth.

use crate::domain::{
    instrument::Symbol,
    order::Side,
    position::{AccountMode, Position},
};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

/// How long after an order became unknown its positions may be believed: the signature's age limit of 5 s, and 2 s for
/// clocks that differ. It was signed before it became unknown, so this is never too early.
pub const SETTLES_AFTER: Duration = Duration::from_secs(7);

/// Volumes closer than this, in lots, are the same.
const VOLUME_EPSILON: f64 = 1e-9;

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
    /// Tickets of the instrument before it was sent; `None` if nobody knew them, and nothing can be proven.
    pub tickets_before: Option<Vec<i64>>,
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
    /// Whether positions asked for at `now` can prove anything.
    pub fn is_provable(&self, now: Duration) -> bool {
        (self.tickets_before.is_some() || self.closes.is_some()) && now >= self.unknown_since + SETTLES_AFTER
    }

    /// What two answers, asked for after [`SETTLES_AFTER`] on one new socket, prove; `None` if a person has to look.
    pub fn prove(&self, answers: [&[Position]; 2], mode: AccountMode) -> Option<Proof> {
        let [first, second] = answers.map(|answer| self.mine(answer));
        if let Some(ticket) = self.closes {
            // A ticket that is still there proves nothing: a request to close has no age limit.
            let is_gone = |mine: &BTreeSet<i64>| !mine.contains(&ticket);
            return (is_gone(&first) && is_gone(&second)).then_some(Proof::Filled { ticket });
        }
        let before: BTreeSet<i64> = self.tickets_before.as_ref()?.iter().copied().collect();
        if first != second {
            return None;
        }
        let mut candidates = answers[1].iter().filter(|position| {
            position.gateway_name == self.gateway_name
                && position.side == self.side
                && (position.volume - self.volume).abs() < VOLUME_EPSILON
                && !before.contains(&position.ticket)
        });
        match (candidates.next(), candidates.next()) {
            (Some(position), None) => Some(Proof::Filled { ticket: position.ticket }),
            (None, _) if second == before && mode == AccountMode::Hedging => Some(Proof::Rejected),
            _ => None,
        }
    }

    fn mine(&self, answer: &[Position]) -> BTreeSet<i64> {
        answer.iter().filter(|position| position.gateway_name == self.gateway_name).map(|it| it.ticket).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unproven(closes: Option<i64>) -> Unproven {
        Unproven {
            id: Uuid::nil(),
            symbol: Symbol::new("EURUSD"),
            gateway_name: "EURUSDm".into(),
            side: Side::Buy,
            volume: 0.1,
            closes,
            tickets_before: Some(vec![5]),
            unknown_since: Duration::from_secs(1_000),
        }
    }

    fn position(ticket: i64, side: Side, volume: f64) -> Position {
        Position { ticket, gateway_name: "EURUSDm".into(), side, volume }
    }

    /// What the same list, asked for twice, proves.
    fn proven(list: &[Position], mode: AccountMode) -> Option<Proof> {
        unproven(None).prove([list, list], mode)
    }

    #[test]
    fn exactly_one_new_ticket_of_the_orders_kind_is_a_fill() {
        let old = position(5, Side::Buy, 0.1);
        let new = position(6, Side::Buy, 0.1);
        for mode in [AccountMode::Netting, AccountMode::Hedging] {
            assert_eq!(proven(&[old.clone(), new.clone()], mode), Some(Proof::Filled { ticket: 6 }));
            assert_eq!(proven(&[old.clone(), new.clone(), position(7, Side::Buy, 0.1)], mode), None, "which of them?");
            assert_eq!(proven(&[old.clone(), position(6, Side::Sell, 0.1)], mode), None);
            assert_eq!(proven(&[old.clone(), position(6, Side::Buy, 0.2)], mode), None);
            let elsewhere = Position { gateway_name: "GBPUSD".into(), ..new.clone() };
            assert_ne!(proven(&[old.clone(), elsewhere], mode), Some(Proof::Filled { ticket: 6 }));
        }
    }

    #[test]
    fn no_change_is_a_refusal_only_where_every_order_makes_a_ticket() {
        let old = [position(5, Side::Buy, 0.1)];
        assert_eq!(proven(&old, AccountMode::Hedging), Some(Proof::Rejected));
        assert_eq!(proven(&old, AccountMode::Netting), None);
        assert_eq!(proven(&[], AccountMode::Hedging), None, "a ticket that went may have been closed by ours");
    }

    #[test]
    fn two_answers_that_differ_prove_nothing() {
        let (old, new) = (position(5, Side::Buy, 0.1), position(6, Side::Buy, 0.1));
        let one = [old.clone()];
        let two = [old, new];
        assert_eq!(unproven(None).prove([&one, &two], AccountMode::Hedging), None);
        assert_eq!(unproven(None).prove([&two, &one], AccountMode::Hedging), None);
    }

    #[test]
    fn a_close_is_proven_by_the_tickets_absence_and_by_nothing_else() {
        let close = unproven(Some(5));
        assert_eq!(close.prove([&[], &[]], AccountMode::Netting), Some(Proof::Filled { ticket: 5 }));
        let open = [position(5, Side::Sell, 0.1)];
        assert_eq!(close.prove([&open, &open], AccountMode::Hedging), None);
        assert_eq!(close.prove([&[], &open], AccountMode::Hedging), None);
    }

    #[test]
    fn nothing_is_provable_before_the_signature_has_died_nor_without_the_tickets_before() {
        let order = unproven(None);
        let at = order.unknown_since + SETTLES_AFTER;
        assert!(order.is_provable(at) && !order.is_provable(at - Duration::from_nanos(1)));
        let blind = Unproven { tickets_before: None, ..order };
        assert!(!blind.is_provable(at));
        assert_eq!(blind.prove([&[], &[]], AccountMode::Hedging), None);
    }
}
