//! Orders as the journal has them, read for a person and for the actor.

use super::{Store, broken};
use crate::domain::{
    instrument::Symbol,
    journal::{JournalError, UnresolvedOrder},
    order_state::OrderState,
    position::AccountMode,
};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// What [`order_row`] reads.
pub(super) const COLUMNS: &str =
    "id, account, symbol, model, bar_close_time, side, volume, state, ticket, price, reason,
    created_at_ms, updated_at_ms, closes, closed_at_ms, stop_loss, take_profit, filled_volume,
    dialect,
    coalesce(account_mode IS 'netting'
    OR (account, lower(gateway_name), ticket) IN (SELECT account, lower(gateway_name), closes FROM orders
                                                  WHERE state = 'filled' AND closes IS NOT NULL)
    OR EXISTS (SELECT 1 FROM order_events WHERE order_id = orders.id AND who LIKE 'person:%' AND note LIKE 'closed: %'), 0)";

/// The part of an order's identity that is the daemon's, not the order's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The trading account.
    pub account: String,
    /// `model.name`.
    pub model: String,
    /// The gateway's dialect, which is kept with every order.
    pub dialect: &'static str,
    /// How the broker books orders, by the settings; kept as well.
    pub account_mode: AccountMode,
}

/// Orders whose outcome is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOrders {
    /// Those of unknown outcome, oldest first.
    pub unresolved: Vec<UnresolvedOrder>,
    /// How many have no answer yet.
    pub pending: u64,
}

/// An order as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    /// `client_order_id`.
    pub id: Uuid,
    /// The trading account.
    pub account: String,
    /// Sentinel's name of the instrument.
    pub symbol: String,
    /// `model.name`.
    pub model: String,
    /// Close of the bar it was decided on, unix seconds.
    pub bar_close_time: i64,
    /// The ticket that it closes; `None` if it opens a position.
    pub closes: Option<i64>,
    /// `BUY` or `SELL`.
    pub side: String,
    /// Lots that were ordered.
    pub volume: f64,
    /// Lots that the gateway said were filled; `None`: as ordered, as far as is known.
    pub filled_volume: Option<f64>,
    /// The dialect that it was sent in; `None` in journals of before that was kept.
    pub dialect: Option<String>,
    /// An absolute price, 0 for none.
    pub stop_loss: f64,
    /// An absolute price, 0 for none.
    pub take_profit: f64,
    /// Where it stands.
    pub state: OrderState,
    /// The broker's ticket.
    pub ticket: Option<i64>,
    /// Price of the fill.
    pub price: Option<f64>,
    /// Why it was not filled, as far as is known, or what a person noted.
    pub reason: Option<String>,
    /// Since when its position counts no more, unix milliseconds; `None` while it does, or if it never made one.
    pub closed_at_ms: Option<i64>,
    /// Whether the journal knows that a position which counts no more is closed: an order of ours closed it, a person said
    /// so, or the account holds one position per instrument. Without that it only makes room for one of the other side.
    pub is_close_known: bool,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
}

impl Store {
    /// What is open: as the last write left it, once, and else as it is now.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn open_orders(&mut self) -> Result<OpenOrders, JournalError> {
        self.open.take().map_or_else(|| open_orders(&self.connection).map_err(broken), Ok)
    }

    /// Every order, oldest first; or only those of unknown outcome.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn orders(&self, unresolved_only: bool) -> Result<Vec<OrderRow>, JournalError> {
        let read = || {
            let sql = format!("SELECT {COLUMNS} FROM orders WHERE state = 'unknown' OR NOT ?1 ORDER BY rowid");
            let mut statement = self.connection.prepare(&sql)?;
            statement.query_map([unresolved_only], order_row)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(broken)
    }

    /// The ids that begin so, hyphens and capitals aside, oldest first; at most `max` of them.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn ids_that_begin(&self, beginning: &str, max: u32) -> Result<Vec<Uuid>, JournalError> {
        let read = || {
            let sql =
                "SELECT id FROM orders WHERE substr(replace(id, '-', ''), 1, length(?1)) = ?1 ORDER BY rowid LIMIT ?2";
            let mut statement = self.connection.prepare(sql)?;
            let beginning = beginning.replace('-', "").to_ascii_lowercase();
            statement.query_map(params![beginning, max], |row| parsed(row, 0))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }
}

/// Does this and looks what is open after it, which costs no other lock of the file. A write does not fail for what is only
/// reported.
pub(super) fn and_open_orders<T>(
    work: impl FnOnce(&Connection) -> Result<T, JournalError>,
) -> impl FnOnce(&Connection) -> Result<(T, Option<OpenOrders>), JournalError> {
    |transaction| work(transaction).map(|done| (done, open_orders(transaction).ok()))
}

fn open_orders(connection: &Connection) -> rusqlite::Result<OpenOrders> {
    let sql = "SELECT id, symbol, state FROM orders WHERE state IN ('intent', 'sending', 'unknown')
               ORDER BY created_at_ms";
    let mut open = OpenOrders::default();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(2)?.as_str()? == OrderState::Unknown.as_str() {
            let symbol = Symbol::new(row.get_ref(1)?.as_str()?);
            open.unresolved.push(UnresolvedOrder { id: parsed(row, 0)?, symbol });
        } else {
            open.pending += 1;
        }
    }
    Ok(open)
}

/// An order, from its [`COLUMNS`].
pub(super) fn order_row(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    Ok(OrderRow {
        id: parsed(row, 0)?,
        account: row.get(1)?,
        symbol: row.get(2)?,
        model: row.get(3)?,
        bar_close_time: row.get(4)?,
        side: row.get(5)?,
        volume: row.get(6)?,
        state: parsed(row, 7)?,
        ticket: row.get(8)?,
        price: row.get(9)?,
        reason: row.get(10)?,
        created_at_ms: row.get(11)?,
        updated_at_ms: row.get(12)?,
        closes: row.get(13)?,
        closed_at_ms: row.get(14)?,
        stop_loss: row.get(15)?,
        take_profit: row.get(16)?,
        filled_volume: row.get(17)?,
        dialect: row.get(18)?,
        is_close_known: row.get(19)?,
    })
}

/// As `5,7`.
pub(super) fn as_text(tickets: &[i64]) -> String {
    tickets.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// A column that holds a value's text form.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_| rusqlite::Error::InvalidColumnType(column, "state".into(), rusqlite::types::Type::Text))
}
