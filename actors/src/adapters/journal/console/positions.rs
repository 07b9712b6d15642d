//! Open positions: as the gateway listed them, as the journal counts them, and on paper.

use super::{
    ConsoleReader, Ledgers, Money, ReadError, money, price,
    reported::{currency, listed},
};
use crate::adapters::journal::paper::{PaperRow, paper_row, row_columns};
use rusqlite::{Connection, Row};
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
    pub rows: Vec<PositionShown>,
}

impl ConsoleReader {
    /// The open positions. `symbols` has our name for each of the broker's, in lower case.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn positions(&self, of: &Ledgers, symbols: &HashMap<String, String>) -> Result<Positions, ReadError> {
        let account = of.account.as_str();
        self.read(|connection| {
            let listed = listed(connection, account)?;
            let seen_ms = listed.as_ref().map(|(told_ms, _)| *told_ms);
            let currency = currency(connection, account)?;
            let listed = listed.map(|(_, positions)| positions).unwrap_or_default();
            let mut held = held(connection, account)?;
            let mut rows = Vec::new();
            for position in listed {
                let ours =
                    held.iter().position(|held| held.0.ticket == Some(position.ticket)).map(|at| held.remove(at));
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
            let unlisted = held.into_iter().filter(|(_, closed_ms)| closed_ms.is_none()).map(|(ours, _)| ours);
            rows.extend(unlisted.map(|ours| match ours.opened_ms > seen_ms {
                true => {
                    PositionShown { state: "open", profit: Money::unknown("the gateway has not listed it yet"), ..ours }
                }
                false => ours,
            }));
            if of.no_paper.is_none() {
                rows.extend(on_paper(connection, account)?);
            }
            rows.truncate(super::ROWS_MAX);
            Ok(Positions { newest_cycle: super::newest_cycle(connection)?, seen_ms, rows })
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

/// Our newest fills, as positions of which nobody knows whether they are open, and since when each counts no more.
fn held(connection: &Connection, account: &str) -> rusqlite::Result<Vec<(PositionShown, Option<i64>)>> {
    let mut select = connection.prepare_cached(
        "SELECT ticket, symbol, gateway_name, side, coalesce(filled_volume, volume), price, stop_loss, take_profit,
         updated_at_ms, id, closed_at_ms FROM orders WHERE account = ?1 AND state = 'filled' AND closes IS NULL
         ORDER BY rowid DESC LIMIT 500",
    )?;
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
        Ok((shown, row.get(10)?))
    };
    select.query_map([account], position)?.collect()
}

fn on_paper(connection: &Connection, account: &str) -> rusqlite::Result<Vec<PositionShown>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {} FROM paper_orders WHERE account = ?1 AND exit_at IS NULL AND closes IS NULL
         ORDER BY rowid DESC LIMIT 500",
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
    select.query_map([account], position)?.collect()
}
