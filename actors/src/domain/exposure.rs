//! Which open positions hold an order's limits: those under the instrument's name, those whose ticket is ours whatever
//! they are called, and those that nobody can explain and that may be ours.
//!
//! A gateway may list `EURUSD.raw` or `eurusd` for what was ordered as `EURUSD`. A position is ours by its ticket or by
//! nothing, so a name that does not fit is a doubt: it holds a limit and proves no absence.

use crate::domain::{
    instrument::{Instrument, InstrumentKey},
    order::{LOTS_APART, Order, Side},
    position::Position,
};
use std::{collections::HashSet, fmt};

/// Shortest name, in letters and digits, whose occurrence in another one says anything.
const TELLING_CHARS_MIN: usize = 3;

/// A filled order of ours, as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// The broker's ticket; 0 where the dialect has none.
    pub ticket: i64,
    /// The broker's name of the instrument, as it was ordered.
    pub gateway_name: String,
    /// Direction.
    pub side: Side,
    /// Size in lots, as it was filled.
    pub volume: f64,
    /// Tickets that were open before it and could be its instrument's; `None` if nobody knew.
    pub tickets_before: Option<Vec<i64>>,
    /// Whether its position counts as open: neither closed, nor followed by an opposite fill.
    pub is_open: bool,
}

impl Fill {
    fn key(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
    }

    /// As an open position, where the gateway tells none.
    pub fn position(&self) -> Position {
        Position { ticket: self.ticket, gateway_name: self.gateway_name.clone(), side: self.side, volume: self.volume }
    }

    /// Whether this position of another name and ticket may be what the fill made: it was not there before, and it is not
    /// larger. A part of it may have been closed.
    fn may_be(&self, position: &Position) -> bool {
        let was_there = self.tickets_before.as_ref().is_some_and(|before| before.contains(&position.ticket));
        position.side == self.side && position.volume <= self.volume + LOTS_APART && !was_there
    }
}

/// The broker's names of all configured instruments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownNames(HashSet<InstrumentKey>);

impl KnownNames {
    /// Of these instruments.
    pub fn of(instruments: &[Instrument]) -> Self {
        Self(instruments.iter().map(Instrument::key).collect())
    }

    /// Whether a configured instrument has this name.
    pub fn explain(&self, position: &Position) -> bool {
        self.0.contains(&position.key())
    }

    /// Tickets of the positions that none of them explains.
    pub fn strangers(&self, all: &[Position]) -> Vec<i64> {
        all.iter().filter(|position| !self.explain(position)).map(|position| position.ticket).collect()
    }

    /// Positions that could be an instrument's: those of its name, and those that no configured name explains.
    pub fn relevant<'a>(
        &'a self,
        instrument: &'a InstrumentKey,
        all: &'a [Position],
    ) -> impl Iterator<Item = &'a Position> {
        all.iter().filter(move |position| position.key() == *instrument || !self.explain(position))
    }
}

/// Why a position is a doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// As the gateway lists it.
    pub position: Position,
    /// The instrument that it may belong to, by the broker's name in the settings.
    pub gateway_name: String,
    /// Whether its ticket was filled for us, so that only its name is wrong.
    pub is_ours: bool,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { ticket, gateway_name, side, volume } = &self.position;
        let (side, ours) = (side.as_str(), &self.gateway_name);
        if self.is_ours {
            write!(f, "ticket {ticket} is {ours}'s in the journal, and the gateway lists it as {gateway_name}")
        } else {
            write!(f, "ticket {ticket}, {side} {volume} lots of {gateway_name}, may be {ours}'s")
        }
    }
}

/// What holds the limits of an order's instrument.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposure {
    /// Certainly the instrument's.
    pub positions: Vec<Position>,
    /// Possibly the instrument's; they hold a limit, and nobody may close them.
    pub doubts: Vec<Doubt>,
    /// Tickets that are open and could be the instrument's; `None` where the gateway tells none.
    pub tickets: Option<Vec<i64>>,
}

impl Exposure {
    /// Where the gateway tells nothing: our fills of the instrument.
    pub fn by_journal(order: &Order, fills: &[Fill]) -> Self {
        let own = fills.iter().filter(|fill| fill.is_open && fill.key() == order.instrument());
        Self { positions: own.map(Fill::position).collect(), ..Self::default() }
    }

    /// What the gateway lists. `fills` are the account's, of all instruments: those that count as open, and those of the
    /// tickets that [`KnownNames`] do not explain. Where they explain all, no fill matters.
    pub fn listed(order: &Order, all: &[Position], names: &KnownNames, fills: &[Fill]) -> Self {
        let instrument = order.instrument();
        let owner = |position: &Position| fills.iter().find(|fill| fill.ticket > 0 && fill.ticket == position.ticket);
        let lacks = |fill: &&Fill| all.iter().all(|position| position.ticket != fill.ticket);
        let own = fills.iter().filter(|fill| fill.is_open && fill.key() == instrument);
        let missing: Vec<&Fill> = own.filter(lacks).collect();
        let mut exposure = Self::default();
        for position in all {
            let doubt =
                |is_ours| Doubt { position: position.clone(), gateway_name: order.gateway_name.clone(), is_ours };
            if position.key() == instrument {
                exposure.positions.push(position.clone());
            } else if names.explain(position) {
                // Another instrument's.
            } else if let Some(fill) = owner(position) {
                if fill.key() == instrument {
                    exposure.doubts.push(doubt(true));
                }
            } else if is_alike(&position.gateway_name, order)
                || (!is_another_pair(&position.gateway_name, order) && missing.iter().any(|fill| fill.may_be(position)))
            {
                exposure.doubts.push(doubt(false));
            }
        }
        exposure.tickets = Some(names.relevant(&instrument, all).map(|position| position.ticket).collect());
        exposure
    }

    /// Positions of this side, doubtful ones included.
    pub fn count(&self, side: Side) -> usize {
        let certain = self.positions.iter().filter(|position| position.side == side).count();
        certain + self.doubts.iter().filter(|doubt| doubt.position.side == side).count()
    }
}

/// Whether a name looks like another spelling of the order's instrument: `EURUSD.raw`, `EUR/USD`.
pub fn is_alike(name: &str, order: &Order) -> bool {
    [order.gateway_name.as_str(), order.symbol.as_str()].into_iter().any(|own| are_alike(name, own))
}

/// What brokers quote in pairs: currencies and metals.
const QUOTED: [&str; 32] = [
    "AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CNH", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS",
    "INR", "JPY", "KRW", "MXN", "NOK", "NZD", "PLN", "SEK", "SGD", "THB", "TRY", "USD", "XAG", "XAU", "XPT", "ZAR",
];

/// Whether a name and the order's are both of a pair, and of different ones: gold that a person trades by hand is no
/// spelling of EURUSD, however new it is.
fn is_another_pair(name: &str, order: &Order) -> bool {
    let own = pair(&order.gateway_name).or_else(|| pair(order.symbol.as_str()));
    matches!((pair(name), own), (Some(one), Some(other)) if one != other)
}

/// The first pair in a name, in capitals: `EURUSD` of `EUR/USD.raw`.
fn pair(name: &str) -> Option<String> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let is_pair = |at: &usize| [*at, at + 3].iter().all(|at| QUOTED.contains(&&letters[*at..at + 3]));
    (0..=letters.len().checked_sub(6)?).find(is_pair).map(|at| letters[at..at + 6].to_owned())
}

/// Whether two names are spellings of one: one holds the other, by letters and digits alone and without case.
pub fn are_alike(one: &str, other: &str) -> bool {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let (one, other) = (plain(one), plain(other));
    let tells = |part: &str| part.chars().count() >= TELLING_CHARS_MIN;
    (tells(&other) && one.contains(&other)) || (tells(&one) && other.contains(&one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::Symbol;
    use uuid::Uuid;

    fn order() -> Order {
        Order {
            client_order_id: Uuid::nil(),
            symbol: Symbol::new("EURUSD"),
            gateway_name: "EURUSDm".into(),
            closes: None,
            side: Side::Buy,
            volume: 0.1,
            stop_loss: 0.0,
            take_profit: 0.0,
            confidence: 0.7,
            bar_close_time: 0,
        }
    }

    fn names() -> KnownNames {
        KnownNames(["EURUSDm", "GBPUSDm"].map(InstrumentKey::of).into())
    }

    fn position(ticket: i64, name: &str) -> Position {
        Position { ticket, gateway_name: name.into(), side: Side::Buy, volume: 0.1 }
    }

    fn fill(ticket: i64, tickets_before: Option<Vec<i64>>) -> Fill {
        Fill { ticket, gateway_name: "EURUSDm".into(), side: Side::Buy, volume: 0.1, tickets_before, is_open: true }
    }

    /// Buys that hold the order's limit.
    fn buys(all: &[Position], fills: &[Fill]) -> usize {
        Exposure::listed(&order(), all, &names(), fills).count(Side::Buy)
    }

    #[test]
    fn a_position_counts_under_any_spelling_of_its_name() {
        for name in ["EURUSDm", "eurusdM", "EURUSD", "EURUSD.raw", "EUR/USD", "mEURUSDm"] {
            assert_eq!(buys(&[position(7, name)], &[]), 1, "{name}");
        }
        for name in ["GBPUSDm", "XAUUSD", "EU", "Gold"] {
            assert_eq!(buys(&[position(7, name)], &[]), 0, "{name}");
        }
    }

    #[test]
    fn a_ticket_of_ours_counts_whatever_it_is_called() {
        let exposure = Exposure::listed(&order(), &[position(7, "Euro Dollar")], &names(), &[fill(7, None)]);
        assert_eq!(exposure.count(Side::Buy), 1);
        assert!(exposure.positions.is_empty() && exposure.doubts[0].is_ours, "nobody may close what is a doubt");
        let ended = Fill { is_open: false, ..fill(7, None) };
        assert_eq!(buys(&[position(7, "Euro Dollar")], &[ended]), 1, "whatever the journal thinks of it");
        let other = Fill { gateway_name: "GBPUSDm".into(), ..fill(7, None) };
        assert_eq!(buys(&[position(7, "Euro Dollar")], &[other]), 0, "another instrument's");
    }

    #[test]
    fn a_fill_that_is_not_listed_may_be_any_new_position_that_nobody_explains() {
        let stranger = [position(9, "Euro Dollar")];
        assert_eq!(buys(&stranger, &[fill(7, Some(vec![5]))]), 1, "its ticket may be the deal's");
        assert_eq!(buys(&stranger, &[fill(7, None)]), 1);
        assert_eq!(buys(&[position(9, "XAU/USD.raw")], &[fill(7, None)]), 0, "gold is no spelling of it");
        assert_eq!(buys(&stranger, &[fill(7, Some(vec![9]))]), 0, "it was there before");
        assert_eq!(buys(&stranger, &[]), 0, "nothing of ours is missing");
        let ended = Fill { is_open: false, ..fill(7, None) };
        assert_eq!(buys(&stranger, &[ended]), 0, "nor is what has ended");
        assert_eq!(buys(&[position(9, "GBPUSDm")], &[fill(7, None)]), 0, "a configured name explains it");
        let large = [Position { volume: 1.0, ..position(9, "Euro Dollar") }];
        assert_eq!(buys(&large, &[fill(7, None)]), 0, "it is larger than what was filled");
        assert_eq!(buys(&[position(7, "EURUSDm"), position(9, "Gold")], &[fill(7, None)]), 1, "ours is listed");
    }

    #[test]
    fn what_could_be_the_instruments_is_kept_for_a_proof() {
        let all = [position(1, "EURUSDm"), position(2, "GBPUSDm"), position(3, "Gold"), position(4, "eurusdm")];
        assert_eq!(Exposure::listed(&order(), &all, &names(), &[]).tickets, Some(vec![1, 3, 4]));
    }
}
