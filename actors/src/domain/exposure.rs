//! Which open positions count towards an order's limits: positions under the instrument's name, positions with a ticket of
//! ours under any name, and positions that cannot be explained and may be ours.
//!
//! A gateway may list `EURUSD.raw` or `eurusd` for an order of `EURUSD`. Only its ticket proves that a position is ours. So a
//! position with another name is a doubt: it may count towards a limit, and it does not prove that our position is closed.

use crate::domain::{
    instrument::{Instrument, InstrumentKey, Symbol},
    order::{LOTS_APART, Order, Side},
    position::Position,
    symbol_matching::{are_alike, is_another_pair},
};
use std::{collections::HashSet, fmt};
use uuid::Uuid;

/// A filled order of ours, from the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// The order's id.
    pub id: Uuid,
    /// The broker's ticket; 0 if the dialect has none.
    pub ticket: i64,
    /// Our name of the instrument at that time.
    pub symbol: Symbol,
    /// The broker's name of the instrument in the order.
    pub gateway_name: String,
    /// Direction.
    pub side: Side,
    /// Filled size in lots; 0 if unknown.
    pub volume: f64,
    /// Tickets that were open before it and could belong to its instrument; `None` if unknown.
    pub tickets_before: Option<Vec<i64>>,
    /// Whether its position counts as open: not closed, and not followed by an opposite fill.
    pub is_open: bool,
    /// Whether the gateway listed its ticket before a later order. If so, and it is not listed any more, the position is
    /// closed.
    pub was_listed: bool,
}

impl Fill {
    fn keys(&self) -> [InstrumentKey; 2] {
        InstrumentKey::both(&self.gateway_name, self.symbol.as_str())
    }

    /// Whether it belongs to the order's instrument, by either name.
    fn is_of(&self, order: &Order) -> bool {
        self.keys().iter().any(|key| order.keys().contains(key))
    }

    /// The fill as an open position, for gateways that do not list positions.
    pub fn position(&self) -> Position {
        let gateway_name = self.gateway_name.clone();
        Position { ticket: self.ticket, gateway_name, side: self.side, volume: self.volume }
    }

    /// Whether this position with another name and ticket may be the result of the fill: it did not exist before, and it is
    /// not larger. It may be smaller, because a part may have been closed.
    fn may_be(&self, position: &Position) -> bool {
        let was_there = self.tickets_before.as_ref().is_some_and(|before| before.contains(&position.ticket));
        let fits = self.volume <= 0.0 || position.volume <= self.volume + LOTS_APART;
        position.side == self.side && fits && !was_there
    }
}

/// The names of all configured instruments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownNames {
    /// The broker's name and our name of each.
    instruments: Vec<[InstrumentKey; 2]>,
    ours: HashSet<InstrumentKey>,
    /// The broker's names of instruments that others trade on the account.
    others: HashSet<InstrumentKey>,
}

impl KnownNames {
    /// Takes the names of these instruments, and of those that others trade on the account.
    pub fn new(instruments: &[Instrument], others: &[String]) -> Self {
        let keys = |it: &Instrument| InstrumentKey::both(&it.gateway_name, it.symbol.as_str());
        Self {
            instruments: instruments.iter().map(keys).collect(),
            ours: instruments.iter().flat_map(keys).collect(),
            others: others.iter().map(|name| InstrumentKey::of(name)).collect(),
        }
    }

    /// Whether the settings contain the name of this position.
    pub fn explain(&self, position: &Position) -> bool {
        let key = position.key();
        self.ours.contains(&key) || self.others.contains(&key)
    }

    /// Positions that certainly belong to the instrument of their name, as tickets and names: no fill of ours with that
    /// ticket belongs to another instrument.
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

    /// Whether a position has a name of the instrument with these keys: the broker's name in the order, or the broker's name
    /// that the settings now have for the same name of ours.
    pub fn names(&self, [gateway_name, symbol]: &[InstrumentKey; 2], position: &Position) -> bool {
        let key = position.key();
        key == *gateway_name || self.instruments.iter().any(|[name, ours]| *name == key && ours == symbol)
    }

    /// Positions that could belong to the instrument with these keys: those with its names, and those that no configured name
    /// explains.
    pub fn relevant<'a>(
        &'a self,
        keys: &'a [InstrumentKey; 2],
        all: &'a [Position],
    ) -> impl Iterator<Item = &'a Position> {
        all.iter().filter(move |position| self.names(keys, position) || !self.explain(position))
    }
}

/// Why it is unclear to what a position belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// The position as the gateway lists it.
    pub position: Position,
    /// The instrument to which it may belong, by the broker's name in the settings.
    pub gateway_name: String,
    /// The order that the position comes from, certainly (by its ticket) or possibly.
    pub order: Option<Uuid>,
    /// Whether it has that fill's ticket, so only its name is wrong.
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

/// The positions that count towards the limits of an order's instrument.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposure {
    /// They certainly belong to the instrument.
    pub positions: Vec<Position>,
    /// They may belong to the instrument. They count towards a limit, but are never closed.
    pub doubts: Vec<Doubt>,
    /// Tickets that are open and could belong to the instrument; `None` if the gateway does not list positions.
    pub tickets: Option<Vec<i64>>,
}

impl Exposure {
    /// For gateways that do not list positions: our fills of the instrument.
    pub fn by_journal(order: &Order, fills: &[Fill]) -> Self {
        let own = fills.iter().filter(|fill| fill.is_open && fill.is_of(order));
        Self { positions: own.map(Fill::position).collect(), ..Self::default() }
    }

    /// From the gateway's list. `fills` are the fills of all instruments of the account that count as open or have a listed
    /// ticket. If they were not read, every listed position is known to belong to the instrument of its name.
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
                // A ticket of another instrument of ours, listed under this instrument's name.
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

    /// Number of positions of this side, including doubtful ones.
    pub fn count(&self, side: Side) -> usize {
        let certain = self.positions.iter().filter(|position| position.side == side).count();
        certain + self.doubts.iter().filter(|doubt| doubt.position.side == side).count()
    }
}

/// Fills of the order's instrument that should be open, but are not listed and never were: the gateway may list them under
/// other tickets.
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
