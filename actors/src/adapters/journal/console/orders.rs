//! Orders, live and on paper, a page of them or one with its life.

use super::{
    ConsoleReader, Money, ReadError,
    decisions::{self, Decided},
    money, price,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::collections::HashMap;

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

const LIVE: &str = "rowid, id, account, symbol, model, closes, side, volume, filled_volume, stop_loss, take_profit,
    confidence, bar_close_time, state, reason, ticket, price, closed_at_ms, created_at_ms, updated_at_ms, account_mode,
    (SELECT min(at_ms) FROM order_events WHERE order_id = orders.id AND state = 'filled'),
    EXISTS (SELECT 1 FROM order_events WHERE order_id = orders.id AND who LIKE 'person:%' AND note LIKE 'closed: %')";

const PAPER: &str = "rowid, id, account, symbol, model, closes, side, volume, stop_loss, take_profit, confidence,
    bar_close_time, close, ticket, entry_at, entry_price, entry_source, exit_at, exit_price, exit_source, exit_reason,
    net_points, profit, spread_points, created_at_ms, updated_at_ms";

impl ConsoleReader {
    /// A page of orders whose place is before this one.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn orders_page(
        &self,
        ledger: Ledger,
        (symbol, state): (Option<&str>, Option<&str>),
        before: Option<i64>,
        limit: usize,
    ) -> Result<OrderPage, ReadError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let place = before.unwrap_or(i64::MAX);
        let rows = match ledger {
            Ledger::Live => format!(
                "SELECT {LIVE} FROM orders WHERE rowid < ?1 AND (?2 IS NULL OR symbol = ?2)
                AND (?3 IS NULL OR state = ?3) ORDER BY rowid DESC LIMIT ?4"
            ),
            // On paper whatever there is was filled.
            Ledger::Paper => format!(
                "SELECT {PAPER} FROM paper_orders WHERE rowid < ?1 AND (?2 IS NULL OR symbol = ?2)
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
        let sql = format!(
            "SELECT {LIVE} FROM orders WHERE state IN ('intent', 'sending', 'unknown') AND state = 'unknown'
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
            let of_live = format!("SELECT {LIVE} FROM orders WHERE id = ?1");
            let of_paper = format!("SELECT {PAPER} FROM paper_orders WHERE id = ?1");
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

fn events(connection: &Connection, id: &str) -> rusqlite::Result<Vec<OrderEvent>> {
    let mut select = connection
        .prepare_cached("SELECT at_ms, state, who, note FROM order_events WHERE order_id = ?1 ORDER BY id LIMIT 500")?;
    let event =
        |row: &Row<'_>| Ok(OrderEvent { at_ms: row.get(0)?, state: row.get(1)?, who: row.get(2)?, note: row.get(3)? });
    select.query_map([id], event)?.collect()
}

/// A paper order has no steps: its intent, its entry and its end are all there is.
fn paper_events(order: &OrderShown) -> Vec<OrderEvent> {
    let event =
        |at_ms, state: &str, note: Option<String>| OrderEvent { at_ms, state: state.into(), who: "paper".into(), note };
    let entry = order.entry.as_ref().and_then(|entry| Some(event(entry.at_ms?, "entry", entry.source.clone())));
    let exit = order.exit.as_ref().map(|exit| event(exit.at_ms, "exit", exit.reason.clone()));
    [Some(event(order.created_ms, "intent", None)), entry, exit].into_iter().flatten().collect()
}

fn live(row: &Row<'_>) -> rusqlite::Result<OrderShown> {
    let (closes, state): (Option<i64>, String) = (row.get(5)?, row.get(13)?);
    let is_filled = state == "filled";
    let (fill_price, filled_at, closed_at): (Option<f64>, Option<i64>, Option<i64>) =
        (row.get(16)?, row.get(21)?, row.get(17)?);
    let is_netting = row.get::<_, Option<String>>(20)?.as_deref() == Some("netting");
    let is_close_known = is_netting || row.get::<_, bool>(22)?;
    let opened = is_filled && closes.is_none();
    let position = match closed_at {
        _ if !opened => None,
        None => Some("open"),
        Some(_) if is_close_known => Some("closed"),
        Some(_) => Some("unknown"),
    };
    Ok(OrderShown {
        rowid: row.get(0)?,
        ledger: "live",
        id: row.get(1)?,
        account: row.get(2)?,
        symbol: row.get(3)?,
        model: row.get(4)?,
        kind: if closes.is_some() { "close" } else { "open" },
        closes,
        side: row.get(6)?,
        volume: price(row.get(7)?),
        filled_volume: row.get(8)?,
        stop_loss: price(row.get(9)?),
        take_profit: price(row.get(10)?),
        confidence: row.get(11)?,
        bar_close_s: row.get(12)?,
        close: None,
        state,
        reason: row.get(14)?,
        ticket: row.get(15)?,
        entry: is_filled.then(|| Entry { at_ms: filled_at, price: fill_price, source: Some("gateway".into()) }),
        exit: closed_at.filter(|_| opened).map(|at_ms| Exit { at_ms, price: None, source: None, reason: None }),
        position,
        profit: None,
        created_ms: row.get(18)?,
        updated_ms: row.get(19)?,
    })
}

fn paper(row: &Row<'_>) -> rusqlite::Result<OrderShown> {
    let closes: Option<i64> = row.get(5)?;
    let exit_at: Option<i64> = row.get(17)?;
    let (exit_price, exit_source, exit_reason) = (row.get(18)?, row.get(19)?, row.get(20)?);
    let exit = exit_at.map(|at| Exit {
        at_ms: at.saturating_mul(1_000),
        price: exit_price,
        source: exit_source,
        reason: exit_reason,
    });
    let entry = row.get::<_, Option<i64>>(14)?.map(|at| (at.saturating_mul(1_000), row.get(15), row.get(16)));
    let entry = match entry {
        Some((at_ms, price, source)) => Some(Entry { at_ms: Some(at_ms), price: price?, source: source? }),
        None => None,
    };
    let has_ended = exit.is_some();
    let profit = money::of_paper(row.get(22)?, row.get(21)?, row.get::<_, Option<f64>>(23)?.is_none());
    Ok(OrderShown {
        rowid: row.get(0)?,
        ledger: "paper",
        id: row.get(1)?,
        account: row.get(2)?,
        symbol: row.get(3)?,
        model: row.get(4)?,
        kind: if closes.is_some() { "close" } else { "open" },
        closes,
        side: row.get(6)?,
        volume: price(row.get(7)?),
        filled_volume: None,
        stop_loss: price(row.get(8)?),
        take_profit: price(row.get(9)?),
        confidence: row.get(10)?,
        bar_close_s: row.get(11)?,
        close: row.get(12)?,
        state: "filled".into(),
        reason: None,
        ticket: row.get(13)?,
        entry,
        position: closes.is_none().then_some(if has_ended { "closed" } else { "open" }),
        profit: (has_ended && closes.is_none()).then_some(profit),
        exit,
        created_ms: row.get(24)?,
        updated_ms: row.get(25)?,
    })
}

/// What is in other rows: the close decided on, and for a live position how it ended.
fn complete(connection: &Connection, ledger: Ledger, orders: &mut [OrderShown]) -> rusqlite::Result<()> {
    if ledger == Ledger::Paper {
        return Ok(());
    }
    let keys: Vec<_> = orders.iter().map(|order| (order.symbol.clone(), order.bar_close_s, order.id.clone())).collect();
    let decisions = decisions::of_orders(connection, "order_id", &keys)?;
    let closes: HashMap<_, _> = decisions.into_iter().filter_map(|it| Some((it.order_id?, it.close))).collect();
    let ended: Vec<String> = orders
        .iter()
        .filter(|it| it.exit.is_some())
        .filter_map(|it| it.ticket)
        .map(|ticket| ticket.to_string())
        .collect();
    let mut ends = HashMap::new();
    if !ended.is_empty() {
        let mut select = connection.prepare_cached(
            "SELECT account, closes, price FROM orders WHERE closes IN (SELECT value FROM json_each(?1)) AND state = 'filled'",
        )?;
        let mut rows = select.query([format!("[{}]", ended.join(","))])?;
        while let Some(row) = rows.next()? {
            ends.insert((row.get::<_, String>(0)?, row.get::<_, i64>(1)?), row.get::<_, Option<f64>>(2)?);
        }
    }
    for order in orders {
        order.close = closes.get(&order.id).copied().flatten();
        let Some(ticket) = order.ticket.filter(|_| order.position.is_some()) else { continue };
        if let Some((profit, ended_ms)) = money::of_ticket(connection, &order.account, ticket)? {
            if let Some(at_ms) = ended_ms {
                let gone = || Exit { at_ms, price: None, source: None, reason: Some("gone".into()) };
                order.exit.get_or_insert_with(gone);
                order.position = Some("closed");
            }
            order.profit = Some(profit);
        }
        if let (Some(exit), Some(end)) = (&mut order.exit, ends.get(&(order.account.clone(), ticket))) {
            exit.price = *end;
            exit.source = end.map(|_| "gateway".into());
            exit.reason = Some("opposite".into());
            order.position = Some("closed");
        }
    }
    Ok(())
}
