//! Which open positions hold an order's limits: those under the instrument's name, those whose ticket is ours whatever
//! they are called, and those that nobody can explain and that may be ours.
//!
//! A gateway may list `EURUSD.raw` or `eurusd` for what was ordered as `EURUSD`. A position is ours by its ticket or by
//! nothing, so a name that does not fit is a doubt: it holds a limit and proves no absence.

use crate::domain::{
    instrument::{Instrument, InstrumentKey, Symbol},
    order::{LOTS_APART, Order, Side},
    position::Position,
    symbol_matching::{are_alike, is_another_pair},
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

    /// Positions that are what their configured name says, by ticket and name: no fill of ours is of another instrument.
    pub fn settled<'a>(
        &'a self,
        all: &'a [Position],
        fills: &'a [Fill],
    ) -> impl Iterator<Item = (i64, InstrumentKey)> + 'a {
        let is_other = move |fill: &Fill, it: &Position| fill.ticket == it.ticket && !self.names(&fill.keys(), it);
        let is_settled = move |it: &&Position| self.explain(it) && !fills.iter().any(|fill| is_other(fill, it));
        all.iter().filter(is_settled).map(|position| (position.ticket, position.key()))
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
mod tests;
