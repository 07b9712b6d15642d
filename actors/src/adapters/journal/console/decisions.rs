//! Decisions: what each cycle decided about each symbol.

use super::{ConsoleReader, ROWS_MAX, ReadError};
use crate::domain::guard::Suppression;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use serde::Serialize;

/// Repeated word by word where the index `decisions_telling` is meant: SQLite takes it only then.
pub(super) const TELLING: &str = "(order_id IS NOT NULL OR paper_order_id IS NOT NULL OR failure IS NOT NULL
    OR (action <> 'HOLD' AND suppressed IS NOT NULL AND suppressed <> 'already_ordered'))";

/// What [`decided`] reads.
pub(super) const COLUMNS: &str =
    "decisions.cycle_id, decisions.symbol, decisions.bar_close_time, decisions.close, p_sell, p_hold, p_buy,
    threshold, action, suppressed, failed_stage, failure, failure_detail, order_id, paper_order_id, paper_suppressed,
    (SELECT state FROM orders WHERE orders.id = decisions.order_id)";

/// A failure of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The stage.
    pub stage: String,
    /// Its error, from a fixed set.
    pub kind: String,
    /// What it said.
    pub detail: Option<String>,
}

/// DECISION of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct Decided {
    pub cycle_id: i64,
    pub symbol: String,
    pub bar_close_s: Option<i64>,
    pub close: Option<f64>,
    pub p_sell: Option<f64>,
    pub p_hold: Option<f64>,
    pub p_buy: Option<f64>,
    pub threshold: f64,
    pub action: Option<String>,
    pub result: &'static str,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub failure: Option<Failure>,
    pub order_id: Option<String>,
    pub order_state: Option<String>,
    pub paper_order_id: Option<String>,
    pub paper_reason: Option<String>,
}

/// A page of decisions, whole cycles, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct DecidedPage {
    /// The newest cycle of all.
    pub newest_cycle: Option<i64>,
    /// The rows.
    pub rows: Vec<Decided>,
    /// Where the next page begins.
    pub next_before: Option<i64>,
}

impl ConsoleReader {
    /// The decisions of the newest cycle, in the order of the settings.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn newest_decisions(&self) -> Result<Vec<Decided>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM decisions WHERE cycle_id = (SELECT max(cycle_id) FROM decisions) ORDER BY id LIMIT {ROWS_MAX}"
        );
        self.read(|connection| connection.prepare_cached(&sql)?.query_map([], decided)?.collect())
    }

    /// Of each of these symbols the newest BUY or SELL whose bar was not ordered before; a symbol without one is missing.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn newest_signals<'s>(&self, symbols: impl Iterator<Item = &'s str>) -> Result<Vec<Decided>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM decisions WHERE symbol = ?1 AND {TELLING} AND action <> 'HOLD'
             AND suppressed IS NOT 'already_ordered' ORDER BY bar_close_time DESC, cycle_id DESC LIMIT 1"
        );
        self.read(|connection| {
            let mut select = connection.prepare_cached(&sql)?;
            let signals = symbols.map(|symbol| select.query_row([symbol], decided).optional());
            signals.filter_map(rusqlite::Result::transpose).collect()
        })
    }

    /// A page of decisions: whole cycles before this one, at most `limit` rows unless one cycle has more; of such a one the first
    /// [`ROWS_MAX`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn decided(&self, symbol: Option<&str>, before: Option<i64>, limit: usize) -> Result<DecidedPage, ReadError> {
        let of_symbol = if symbol.is_some() { "symbol = ?2 AND" } else { "?2 IS NULL AND" };
        let cycles = format!(
            "SELECT cycle_id, count(*) FROM decisions WHERE {of_symbol} cycle_id < ?1 GROUP BY cycle_id
             ORDER BY cycle_id DESC LIMIT ?3"
        );
        let rows = format!(
            "SELECT {COLUMNS} FROM decisions WHERE {of_symbol} cycle_id < ?1 AND cycle_id >= ?3 ORDER BY cycle_id DESC, id
             LIMIT {ROWS_MAX}"
        );
        self.read(|connection| {
            let newest_cycle = super::newest_cycle(connection)?;
            let before = before.unwrap_or(i64::MAX);
            let mut counted = connection.prepare_cached(&cycles)?;
            let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let mut counted = counted.query(params![before, symbol, most])?;
            let (mut from, mut count, mut has_more) = (None, 0, false);
            while let Some(row) = counted.next()? {
                count += usize::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
                if from.is_some() && count > limit {
                    has_more = true;
                    break;
                }
                from = Some(row.get::<_, i64>(0)?);
            }
            let Some(from) = from else { return Ok(DecidedPage { newest_cycle, rows: Vec::new(), next_before: None }) };
            let mut rows = connection.prepare_cached(&rows)?;
            let rows = rows.query_map(params![before, symbol, from], decided)?.collect::<rusqlite::Result<_>>()?;
            Ok(DecidedPage { newest_cycle, rows, next_before: has_more.then_some(from) })
        })
    }
}

/// The decisions that made these orders, by the order's id; a forgotten one is missing.
pub(super) fn of_orders(
    connection: &Connection,
    column: &str,
    orders: &[(String, i64, String)],
) -> rusqlite::Result<Vec<Decided>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE symbol = ?1 AND bar_close_time = ?2 AND {TELLING} AND {column} = ?3 LIMIT 1"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for (symbol, bar, id) in orders {
        let key = [Value::from(symbol.clone()), Value::from(*bar), Value::from(id.clone())];
        found.extend(select.query_row(params_from_iter(key), decided).optional()?);
    }
    Ok(found)
}

pub(super) fn decided(row: &Row<'_>) -> rusqlite::Result<Decided> {
    let (action, suppressed): (Option<String>, Option<String>) = (row.get(8)?, row.get(9)?);
    let failure = match (row.get(10)?, row.get(11)?) {
        (Some(stage), Some(kind)) => Some(Failure { stage, kind, detail: row.get(12)? }),
        _ => None,
    };
    let order_id: Option<String> = row.get(13)?;
    let result = match (&order_id, suppressed.as_deref(), &failure, action.as_deref()) {
        (Some(_), ..) => "sent",
        (None, _, Some(_), _) => "failed",
        (None, _, _, Some("HOLD")) => "hold",
        (None, Some(_), ..) => "suppressed",
        _ => "none",
    };
    Ok(Decided {
        cycle_id: row.get(0)?,
        symbol: row.get(1)?,
        bar_close_s: row.get(2)?,
        close: row.get(3)?,
        p_sell: row.get(4)?,
        p_hold: row.get(5)?,
        p_buy: row.get(6)?,
        threshold: row.get(7)?,
        result,
        rule: suppressed.as_deref().and_then(Suppression::named).map(Suppression::rule),
        action,
        reason: suppressed,
        failure,
        order_id,
        paper_order_id: row.get(14)?,
        paper_reason: row.get(15)?,
        order_state: row.get(16)?,
    })
}
