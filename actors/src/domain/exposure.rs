//! Which open positions hold an order's limits: those under the instrument's name, those whose ticket is ours whatever
//! they are called, and those that nobody can explain and that may be ours.
//!
//! A gateway may list `EURUSD.raw` or `eurusd` for what was ordered as `EURUSD`. A position is ours by its ticket or by
//! nothing, so a name that does not fit is a doubt: it holds a limit and proves no absence.

use crate::domain::{
    instrument::{Instrument, InstrumentKey, Symbol},
    order::{LOTS_APART, Order, Side},
    position::Position,
    spelling::{are_alike, is_another_pair},
};
use std::{collections::HashSet, fmt};
use uuid::Uuid;

/// A filled order of ours, as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// The order's id.
    pub id: Uuid,
    /// The broker's ticket; 0 where the dialect has none.
    pub ticket: i64,
    /// Our name of the instrument, as it was then.
    pub symbol: Symbol,
    /// The broker's name of the instrument, as it was ordered.
    pub gateway_name: String,
    /// Direction.
    pub side: Side,
    /// Size in lots, as it was filled; 0 where nobody said.
    pub volume: f64,
    /// Tickets that were open before it and could be its instrument's; `None` if nobody knew.
    pub tickets_before: Option<Vec<i64>>,
    /// Whether its position counts as open: neither closed, nor followed by an opposite fill.
    pub is_open: bool,
    /// Whether the gateway has listed its ticket before a later order: then it is gone if it is not listed any more.
    pub was_listed: bool,
}

impl Fill {
    fn keys(&self) -> [InstrumentKey; 2] {
        InstrumentKey::both(&self.gateway_name, self.symbol.as_str())
    }

    /// Whether it is of the order's instrument, by either name.
    fn is_of(&self, order: &Order) -> bool {
        self.keys().iter().any(|key| order.keys().contains(key))
    }

    /// As an open position, where the gateway tells none.
    pub fn position(&self) -> Position {
        let gateway_name = self.gateway_name.clone();
        Position { ticket: self.ticket, gateway_name, side: self.side, volume: self.volume }
    }

    /// Whether this position of another name and ticket may be what the fill made: it was not there before, and it is not
    /// larger. A part of it may have been closed.
    fn may_be(&self, position: &Position) -> bool {
        let was_there = self.tickets_before.as_ref().is_some_and(|before| before.contains(&position.ticket));
        let fits = self.volume <= 0.0 || position.volume <= self.volume + LOTS_APART;
        position.side == self.side && fits && !was_there
    }
}

/// The names of all configured instruments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownNames {
    /// The broker's name and ours of each.
    instruments: Vec<[InstrumentKey; 2]>,
    ours: HashSet<InstrumentKey>,
    /// Brokers' names of what others trade on the account.
    others: HashSet<InstrumentKey>,
}

impl KnownNames {
    /// Of these instruments, and of those that others trade on the account.
    pub fn new(instruments: &[Instrument], others: &[String]) -> Self {
        let keys = |it: &Instrument| InstrumentKey::both(&it.gateway_name, it.symbol.as_str());
        Self {
            instruments: instruments.iter().map(keys).collect(),
            ours: instruments.iter().flat_map(keys).collect(),
            others: others.iter().map(|name| InstrumentKey::of(name)).collect(),
        }
    }

    /// Whether the settings name this position's instrument.
    pub fn explain(&self, position: &Position) -> bool {
        let key = position.key();
        self.ours.contains(&key) || self.others.contains(&key)
    }

    /// Whether the fill's instrument is still configured, under one of its names.
    fn know(&self, fill: &Fill) -> bool {
        fill.keys().iter().any(|key| self.ours.contains(key))
    }

    /// Whether a position has a name of the instrument of these keys: the broker's name as it was ordered, or as the settings
    /// have it now for the same name of ours.
    pub fn names(&self, [gateway_name, symbol]: &[InstrumentKey; 2], position: &Position) -> bool {
        let key = position.key();
        key == *gateway_name || self.instruments.iter().any(|[name, ours]| *name == key && ours == symbol)
    }

    /// Positions that could be the instrument's of these keys: those of its names, and those that no configured name explains.
    pub fn relevant<'a>(
        &'a self,
        keys: &'a [InstrumentKey; 2],
        all: &'a [Position],
    ) -> impl Iterator<Item = &'a Position> {
        all.iter().filter(move |position| self.names(keys, position) || !self.explain(position))
    }
}

/// Why a position is a doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// As the gateway lists it.
    pub position: Position,
    /// The instrument that it may belong to, by the broker's name in the settings.
    pub gateway_name: String,
    /// The order whose fill it is by its ticket, or may be.
    pub order: Option<Uuid>,
    /// Whether it has that fill's ticket, so that only its name is wrong.
    pub is_ours: bool,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { ticket, gateway_name, side, volume } = &self.position;
        let (side, ours) = (side.as_str(), &self.gateway_name);
        match (self.order, self.is_ours) {
            (Some(id), true) => {
                write!(f, "ticket {ticket} is {ours}'s by order {id}, and the gateway lists it as {gateway_name}")
            }
            (Some(id), false) => {
                write!(f, "ticket {ticket}, {side} {volume} lots of {gateway_name}, may be {ours}'s of order {id}")
            }
            (None, _) => {
                write!(f, "ticket {ticket}, {side} {volume} lots of {gateway_name}, may be {ours}'s by its name")
            }
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
        let own = fills.iter().filter(|fill| fill.is_open && fill.is_of(order));
        Self { positions: own.map(Fill::position).collect(), ..Self::default() }
    }

    /// What the gateway lists. `fills` are the account's, of all instruments: those that count as open, and those of the
    /// listed tickets. Where they are not read, every listed position is known to be what its name says.
    pub fn listed(order: &Order, all: &[Position], names: &KnownNames, fills: &[Fill]) -> Self {
        let instrument = order.instrument();
        let missing = missing(order, all, fills);
        let mut exposure = Self::default();
        for position in all {
            let doubt = |order_id, is_ours| Doubt {
                position: position.clone(),
                gateway_name: order.gateway_name.clone(),
                order: order_id,
                is_ours,
            };
            let owner = fills.iter().find(|fill| fill.ticket > 0 && fill.ticket == position.ticket);
            let has_name = position.key() == instrument;
            match owner {
                Some(fill) if fill.is_of(order) && has_name => exposure.positions.push(position.clone()),
                Some(fill) if fill.is_of(order) => exposure.doubts.push(doubt(Some(fill.id), true)),
                // Another instrument's of ours, and listed as this one.
                Some(fill) if has_name => exposure.doubts.push(doubt(Some(fill.id), false)),
                Some(fill) if names.know(fill) => {}
                None if has_name => exposure.positions.push(position.clone()),
                None if names.explain(position) => {}
                _ => {
                    let name = &position.gateway_name;
                    let may_be = missing.iter().find(|fill| !is_another_pair(name, order) && fill.may_be(position));
                    if may_be.is_some() || is_alike(name, order) {
                        exposure.doubts.push(doubt(may_be.map(|fill| fill.id), false));
                    }
                }
            }
        }
        exposure.tickets = Some(names.relevant(&order.keys(), all).map(|position| position.ticket).collect());
        exposure
    }

    /// Positions of this side, doubtful ones included.
    pub fn count(&self, side: Side) -> usize {
        let certain = self.positions.iter().filter(|position| position.side == side).count();
        certain + self.doubts.iter().filter(|doubt| doubt.position.side == side).count()
    }
}

/// Fills of the order's instrument that should be open and are not listed, nor were before: their tickets may be others.
fn missing<'a>(order: &Order, all: &[Position], fills: &'a [Fill]) -> Vec<&'a Fill> {
    let own = fills.iter().filter(|fill| fill.is_open && !fill.was_listed && fill.is_of(order));
    own.filter(|fill| all.iter().all(|position| position.ticket != fill.ticket)).collect()
}

/// Whether a name looks like another spelling of the order's instrument: `EURUSD.raw`, `EUR/USD`.
fn is_alike(name: &str, order: &Order) -> bool {
    [order.gateway_name.as_str(), order.symbol.as_str()].into_iter().any(|own| are_alike(name, own))
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
        let instrument = |name: &str| Instrument {
            symbol: Symbol::new(name.trim_end_matches('m')),
            ticker: String::new(),
            gateway_name: name.into(),
            threshold: 0.6,
            volume: 0.1,
            digits: 5,
            stop_loss: None,
            take_profit: None,
        };
        KnownNames::new(&["EURUSDm", "GBPUSDm"].map(instrument), &["Gas".into()])
    }

    fn position(ticket: i64, name: &str) -> Position {
        Position { ticket, gateway_name: name.into(), side: Side::Buy, volume: 0.1 }
    }

    fn fill(ticket: i64, tickets_before: Option<Vec<i64>>) -> Fill {
        Fill {
            id: Uuid::nil(),
            ticket,
            symbol: Symbol::new("EURUSD"),
            gateway_name: "EURUSDm".into(),
            side: Side::Buy,
            volume: 0.1,
            tickets_before,
            is_open: true,
            was_listed: false,
        }
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
        let other = Fill { gateway_name: "GBPUSDm".into(), symbol: Symbol::new("GBPUSD"), ..fill(7, None) };
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
    fn a_ticket_of_ours_is_no_other_configured_instruments() {
        let exposure = Exposure::listed(&order(), &[position(7, "GBPUSDm")], &names(), &[fill(7, None)]);
        assert!(exposure.doubts[0].is_ours, "ours, and listed under the other name");
        let other = Fill { gateway_name: "GBPUSDm".into(), symbol: Symbol::new("GBPUSD"), ..fill(7, None) };
        let exposure = Exposure::listed(&order(), &[position(7, "EURUSDm")], &names(), &[other]);
        assert!(exposure.positions.is_empty() && exposure.count(Side::Buy) == 1, "it holds, and nobody closes it");
    }

    #[test]
    fn a_fill_stays_the_instruments_when_either_of_its_names_is_changed() {
        let before = Fill { gateway_name: "EURUSD.old".into(), ..fill(7, None) };
        assert_eq!(buys(&[position(7, "EURUSD.old")], std::slice::from_ref(&before)), 1);
        assert_eq!(Exposure::by_journal(&order(), &[before]).positions.len(), 1);
        let ours = Fill { symbol: Symbol::new("Euro"), ..fill(7, None) };
        assert_eq!(Exposure::by_journal(&order(), &[ours]).positions.len(), 1);
        let both = Fill { symbol: Symbol::new("Euro"), gateway_name: "EURUSD.old".into(), ..fill(7, None) };
        assert_eq!(buys(&[position(7, "EURUSD.old")], &[both]), 1, "not configured any more, and alike");
    }

    #[test]
    fn a_doubt_has_an_end() {
        let stranger = [position(9, "Euro Dollar")];
        let was_listed = Fill { was_listed: true, ..fill(7, None) };
        assert_eq!(buys(&stranger, &[was_listed]), 0, "it was listed, so it is gone");
        assert_eq!(buys(&[position(9, "Gas")], &[fill(7, None)]), 0, "the settings say whose that is");
        let own_volume = Fill { volume: 0.0, ..fill(7, None) };
        assert_eq!(buys(&stranger, &[own_volume]), 1, "nobody said how much was filled");
    }

    #[test]
    fn what_could_be_the_instruments_is_kept_for_a_proof() {
        let all = [position(1, "EURUSDm"), position(2, "GBPUSDm"), position(3, "Gold"), position(4, "eurusdm")];
        assert_eq!(Exposure::listed(&order(), &all, &names(), &[]).tickets, Some(vec![1, 3, 4]));
    }
}
