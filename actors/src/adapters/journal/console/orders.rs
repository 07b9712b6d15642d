//! Orders, live and on paper, a page of them or one with its life.

mod rows;

use super::{
    ConsoleReader, Money, ReadError,
    decisions::{self, Decided},
};
use rows::{complete, events, live, live_columns, paper, paper_columns, paper_events};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

/// Whose orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    /// The gateway's.
    Live,
    /// On paper.
    Paper,
}

/// A fill.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct Entry {
    pub at_ms: Option<i64>,
    pub price: Option<f64>,
    pub source: Option<String>,
}

/// The end of a position.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Exit {
    pub at_ms: i64,
    pub price: Option<f64>,
    pub source: Option<String>,
    pub reason: Option<String>,
}

/// ORDER of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct OrderShown {
    pub ledger: &'static str,
    pub id: String,
    pub account: String,
    pub symbol: String,
    pub model: String,
    pub kind: &'static str,
    pub closes: Option<i64>,
    pub side: String,
    pub volume: Option<f64>,
    pub filled_volume: Option<f64>,
    pub stop_loss: Option<f64>,
    pub take_profit: Option<f64>,
    pub confidence: Option<f64>,
    pub bar_close_s: i64,
    pub close: Option<f64>,
    pub state: String,
    pub reason: Option<String>,
    pub ticket: Option<i64>,
    pub entry: Option<Entry>,
    pub exit: Option<Exit>,
    pub position: Option<&'static str>,
    pub profit: Option<Money>,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// Its place in the journal.
    #[serde(skip)]
    pub rowid: i64,
}

/// A page of orders, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderPage {
    /// The newest cycle of all.
    pub newest_cycle: Option<i64>,
    /// The rows.
    pub rows: Vec<OrderShown>,
    /// Where the next page begins.
    pub next_before: Option<i64>,
}

/// A step of an order's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct OrderEvent {
    pub at_ms: i64,
    pub state: String,
    pub who: String,
    pub note: Option<String>,
}

/// An order with its life and the decision that made it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct OrderStory {
    pub newest_cycle: Option<i64>,
    pub order: OrderShown,
    pub events: Vec<OrderEvent>,
    pub decision: Option<Decided>,
}

impl ConsoleReader {
    /// A page of orders whose place is before this one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn orders_page(
        &self,
        ledger: Ledger,
        (symbol, state): (Option<&str>, Option<&str>),
        (before, limit): (Option<i64>, usize),
    ) -> Result<OrderPage, ReadError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let place = before.unwrap_or(i64::MAX);
        let columns = match ledger {
            Ledger::Live => live_columns(),
            Ledger::Paper => paper_columns(),
        };
        let rows = match ledger {
            Ledger::Live => format!(
                "SELECT {columns} FROM orders WHERE rowid < ?1 AND (?2 IS NULL OR symbol = ?2)
                AND (?3 IS NULL OR state = ?3) ORDER BY rowid DESC LIMIT ?4"
            ),
            // On paper whatever there is was filled.
            Ledger::Paper => format!(
                "SELECT {columns} FROM paper_orders WHERE rowid < ?1 AND (?2 IS NULL OR symbol = ?2)
                AND (?3 IS NULL OR ?3 = 'filled') ORDER BY rowid DESC LIMIT ?4"
            ),
        };
        self.read(|connection| {
            let newest_cycle = super::newest_cycle(connection)?;
            let mut select = connection.prepare_cached(&rows)?;
            let take = match ledger {
                Ledger::Live => live,
                Ledger::Paper => paper,
            };
            let rows = select.query_map(params![place, symbol, state, most], take)?;
            let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            complete(connection, ledger, &mut rows)?;
            let next_before = rows.last().map(|row| row.rowid).filter(|_| has_more);
            Ok(OrderPage { newest_cycle, rows, next_before })
        })
    }

    /// Orders of unknown outcome, the oldest first.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn unresolved(&self, most: u32) -> Result<Vec<OrderShown>, ReadError> {
        let columns = live_columns();
        let sql = format!(
            "SELECT {columns} FROM orders WHERE state IN ('intent', 'sending', 'unknown') AND state = 'unknown'
            ORDER BY updated_at_ms LIMIT ?1"
        );
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([most], live)?.collect())
    }

    /// An order, live or on paper; `None` if there is none.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn order_story(&self, id: &str) -> Result<Option<OrderStory>, ReadError> {
        self.read(|connection| {
            let newest_cycle = super::newest_cycle(connection)?;
            let of_live = format!("SELECT {} FROM orders WHERE id = ?1", live_columns());
            let of_paper = format!("SELECT {} FROM paper_orders WHERE id = ?1", paper_columns());
            let mut ledger = Ledger::Live;
            let mut order = connection.prepare_cached(&of_live)?.query_row([id], live).optional()?;
            if order.is_none() {
                ledger = Ledger::Paper;
                order = connection.prepare_cached(&of_paper)?.query_row([id], paper).optional()?;
            }
            let Some(order) = order else { return Ok(None) };
            let mut orders = [order];
            complete(connection, ledger, &mut orders)?;
            let [order] = orders;
            let events = match ledger {
                Ledger::Live => events(connection, id)?,
                Ledger::Paper => paper_events(&order),
            };
            let key = [(order.symbol.clone(), order.bar_close_s, order.id.clone())];
            let column = if ledger == Ledger::Live { "order_id" } else { "paper_order_id" };
            let decision = decisions::of_orders(connection, column, &key)?.pop();
            Ok(Some(OrderStory { newest_cycle, order, events, decision }))
        })
    }
}
