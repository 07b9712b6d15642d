//! Open positions: as the gateway listed them, as the journal counts them, and on paper.

use super::{
    ConsoleReader, Ledgers, Money, ReadError, money, price,
    reported::{List, currency, listed, trouble},
};
use crate::adapters::journal::paper::{PaperRow, paper_row, row_columns};
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::collections::HashMap;

/// A row of the contract's positions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct PositionShown {
    pub ledger: &'static str,
    pub ticket: Option<i64>,
    pub symbol: Option<String>,
    pub gateway_name: String,
    pub side: String,
    pub volume: f64,
    pub open_price: Option<f64>,
    pub current_price: Option<f64>,
    pub stop_loss: Option<f64>,
    pub take_profit: Option<f64>,
    pub opened_ms: Option<i64>,
    pub order_id: Option<String>,
    pub state: &'static str,
    pub profit: Money,
}

/// All of them.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Positions {
    pub newest_cycle: Option<i64>,
    /// When the gateway listed its own last, unix milliseconds; `None` if it never did.
    pub seen_ms: Option<i64>,
    /// Why nothing newer is known; `None` if that list is as new as it can be, or there is none.
    pub trouble: Option<String>,
    /// Of both ledgers, 20,000 of our own in each at most.
    pub rows: Vec<PositionShown>,
}

/// Most of our own positions that are read of a ledger: far more than anybody holds, but a gateway that cannot list positions
/// leaves them open in the journal for ever.
const HELD_MAX: usize = 20_000;

impl ConsoleReader {
    /// The open positions. `symbols` has our name for each of the broker's, in lower case.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn positions(&self, of: &Ledgers, symbols: &HashMap<String, String>) -> Result<Positions, ReadError> {
        let account = of.account.as_str();
        self.read(|connection| {
            let listed = listed(connection, account)?;
            let seen_ms = listed.as_ref().map(|list| list.told_ms);
            let trouble =
                listed.as_ref().and_then(|list| trouble(of, list.told_ms, list.every_s)).or(of.trouble.clone());
            let currency = currency(connection, account)?;
            let listed = listed.map_or(Vec::new(), |List { positions, .. }| positions);
            let tickets: Vec<i64> = listed.iter().map(|position| position.ticket).collect();
            let mut held = held(connection, account, &tickets)?;
            // The newest order of a ticket is the one whose position is listed.
            let mut of_ticket: HashMap<i64, usize> = HashMap::new();
            for (at, ticket) in held.iter().enumerate().filter_map(|(at, held)| Some((at, held.as_ref()?.0.ticket?))) {
                of_ticket.entry(ticket).or_insert(at);
            }
            let mut rows = Vec::new();
            for position in listed {
                let ours = of_ticket.get(&position.ticket).and_then(|at| held.get_mut(*at)?.take());
                if ours.as_ref().is_some_and(|(_, closed_ms)| *closed_ms > seen_ms) {
                    // An order of ours has closed it since.
                    continue;
                }
                let ours = ours.map(|(ours, _)| ours);
                let symbol = ours.as_ref().and_then(|ours| ours.symbol.clone());
                let symbol = symbol.or_else(|| symbols.get(&position.symbol.to_lowercase()).cloned());
                let profit = match position.net_profit() {
                    Some(amount) => Money {
                        amount: Some(amount),
                        unit: currency.clone(),
                        source: Some("gateway".into()),
                        ..Money::default()
                    },
                    None => Money::unknown("the gateway does not report it"),
                };
                rows.push(PositionShown {
                    ledger: "live",
                    ticket: Some(position.ticket),
                    symbol,
                    gateway_name: position.symbol,
                    side: position.side,
                    volume: position.volume,
                    open_price: position.open_price.or_else(|| ours.as_ref()?.open_price),
                    current_price: position.current_price,
                    stop_loss: position.stop_loss.and_then(price).or_else(|| ours.as_ref()?.stop_loss),
                    take_profit: position.take_profit.and_then(price).or_else(|| ours.as_ref()?.take_profit),
                    opened_ms: ours.as_ref().and_then(|ours| ours.opened_ms),
                    order_id: ours.and_then(|ours| ours.order_id),
                    state: "open",
                    profit,
                });
            }
            // The list does not show it: it is older than the fill, or the position is gone.
            let unlisted =
                held.into_iter().flatten().filter(|(_, closed_ms)| closed_ms.is_none()).map(|(ours, _)| ours);
            rows.extend(unlisted.map(|ours| match ours.opened_ms > seen_ms {
                true => {
                    PositionShown { state: "open", profit: Money::unknown("the gateway has not listed it yet"), ..ours }
                }
                false => ours,
            }));
            if of.no_paper.is_none() {
                rows.extend(on_paper(connection, account)?);
            }
            Ok(Positions { newest_cycle: super::newest_cycle(connection)?, seen_ms, trouble, rows })
        })
    }
}

/// How many there are of one symbol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PositionCount {
    /// Listed by the gateway, or filled since it listed them.
    pub live: u32,
    /// Ours, but the gateway does not list them: they may have ended at the broker.
    pub unknown: u32,
    /// Open on paper.
    pub paper: u32,
}

impl Positions {
    /// The rows of each configured symbol, counted.
    pub fn counts(&self) -> HashMap<String, PositionCount> {
        let mut counts: HashMap<String, PositionCount> = HashMap::new();
        for (row, symbol) in self.rows.iter().filter_map(|row| Some((row, row.symbol.clone()?))) {
            let count = counts.entry(symbol).or_default();
            match (row.ledger, row.state) {
                ("live", "open") => count.live += 1,
                ("live", _) => count.unknown += 1,
                _ => count.paper += 1,
            }
        }
        counts
    }
}

/// A fill as a position, and since when it counts no more. Taken away when it was found in the list.
type Held = Option<(PositionShown, Option<i64>)>;

/// Our fills that count as open, and those of these tickets, the newest first: as positions of which nobody knows whether they
/// are open, and since when each counts no more.
fn held(connection: &Connection, account: &str, tickets: &[i64]) -> rusqlite::Result<Vec<Held>> {
    // Each half by its own index; an old journal has very many orders.
    let mut select = connection.prepare_cached(HELD)?;
    let position = |row: &Row<'_>| {
        let shown = PositionShown {
            ledger: "live",
            ticket: row.get(0)?,
            symbol: row.get(1)?,
            gateway_name: row.get(2)?,
            side: row.get(3)?,
            volume: row.get(4)?,
            open_price: row.get(5)?,
            current_price: None,
            stop_loss: price(row.get(6)?),
            take_profit: price(row.get(7)?),
            opened_ms: row.get(8)?,
            order_id: row.get(9)?,
            state: "unknown",
            profit: Money::unknown("the gateway does not list it"),
        };
        Ok(Some((shown, row.get(10)?)))
    };
    let tickets = tickets.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    select.query_map(params![account, format!("[{tickets}]"), most()], position)?.collect()
}

/// Our fills that count as open, and those of the tickets in the list `?2`.
pub(super) const HELD: &str =
    "SELECT ticket, symbol, gateway_name, side, coalesce(filled_volume, volume), price, stop_loss, take_profit,
     updated_at_ms, id, closed_at_ms FROM orders WHERE rowid IN (
       SELECT rowid FROM orders INDEXED BY orders_held WHERE account = ?1 AND state = 'filled' AND closes IS NULL
         AND closed_at_ms IS NULL
       UNION SELECT rowid FROM orders WHERE account = ?1 AND state = 'filled' AND closes IS NULL
         AND ticket IN (SELECT value FROM json_each(?2)))
     ORDER BY rowid DESC LIMIT ?3";

fn most() -> i64 {
    i64::try_from(HELD_MAX).unwrap_or(i64::MAX)
}

fn on_paper(connection: &Connection, account: &str) -> rusqlite::Result<Vec<PositionShown>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {} FROM paper_orders WHERE account = ?1 AND exit_at IS NULL AND closes IS NULL
         ORDER BY rowid DESC LIMIT ?2",
        row_columns()
    ))?;
    let position = |row: &Row<'_>| {
        let PaperRow { order, is_left, .. } = paper_row(row)?;
        // Money needs rates that the journal does not have.
        let (points, why) = match order.entry {
            _ if is_left => (None, "it is not followed: the account on paper cannot be written"),
            Some(_) => (Some(order.open_points()), "in money when it ends"),
            None => (None, "it is entered at the next bar's open"),
        };
        let profit = Money { why: Some(why.into()), ..money::of_paper(None, points, order.costs.is_none()) };
        Ok(PositionShown {
            ledger: "paper",
            ticket: Some(order.ticket),
            symbol: Some(order.symbol.to_string()),
            side: order.side.as_str().into(),
            volume: order.volume,
            open_price: order.entry.map(|entry| entry.price),
            current_price: Some(order.mark),
            stop_loss: price(order.stop_loss),
            take_profit: price(order.take_profit),
            opened_ms: order.entry.map(|entry| entry.at.saturating_mul(1_000)),
            order_id: Some(order.id.to_string()),
            state: if is_left { "unknown" } else { "open" },
            profit,
            gateway_name: order.gateway_name,
        })
    };
    select.query_map(params![account, most()], position)?.collect()
}
