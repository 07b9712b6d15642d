//! What was decided and ordered, read back for a person: `sentinel explain` and `sentinel orders show`.

use super::{
    OrderRow, PaperRow, Store, broken,
    orders::{COLUMNS, order_row, parsed},
    paper,
};
use crate::domain::{features::FEATURE_COUNT, journal::JournalError, order_state::OrderState};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use uuid::Uuid;

/// Symbols that [`Coverage`] names.
const SYMBOLS_NAMED_MAX: u32 = 20;

/// Which cycles are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The newest so many.
    Last(u32),
    /// Those that began from the first of these on and before the second, unix milliseconds.
    Between(i64, i64),
}

/// What a cycle knew, decided and did about one symbol, as the journal has it; `None` is what it did not come to.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// The cycle's begin, unix milliseconds.
    pub cycle_id: i64,
    /// The symbol.
    pub symbol: String,
    /// The market's "now", unix seconds.
    pub market_now: Option<i64>,
    /// Close of the newest bar, unix seconds.
    pub bar_close_time: Option<i64>,
    /// The newest price.
    pub close: Option<f64>,
    /// Digest of the window, in hexadecimal digits.
    pub bars_sha256: Option<String>,
    /// Of the newest bar.
    pub features: Option<[f64; FEATURE_COUNT]>,
    /// SELL, HOLD, BUY.
    pub probabilities: Option<[f64; 3]>,
    /// BUY and SELL needed more.
    pub threshold: f64,
    /// `SELL`, `HOLD` or `BUY`, after the threshold.
    pub action: Option<String>,
    /// A value of `sentinel_signals_suppressed_total{reason}`.
    pub suppressed: Option<String>,
    /// Stage and kind of the failure.
    pub failure: Option<(String, String)>,
    /// What the failed stage said.
    pub failure_detail: Option<String>,
    /// The order that was made.
    pub order: Option<OrderLife>,
    /// The orders that closed opposite positions before it.
    pub closes: Vec<OrderLife>,
    /// For `already_ordered`: the bar's orders from before.
    pub ordered_before: Vec<OrderRow>,
    /// The order on paper.
    pub paper: Option<PaperRow>,
    /// Why a BUY or SELL made none.
    pub paper_suppressed: Option<String>,
}

/// An order and all that became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderLife {
    /// As it stands.
    pub order: OrderRow,
    /// How it came there, oldest first.
    pub steps: Vec<Step>,
}

/// A step of an order's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What it became.
    pub state: OrderState,
    /// `daemon`, `proof` or `person:<user>`.
    pub who: String,
    /// Why, as far as was said.
    pub note: Option<String>,
}

/// Which cycles and symbols the journal knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Begin of the first cycle, unix milliseconds.
    pub first: i64,
    /// Begin of the last cycle, unix milliseconds.
    pub last: i64,
    /// Some of its symbols.
    pub symbols: Vec<String>,
}

impl Store {
    /// The decisions of these cycles, oldest first, each cycle's in the order recorded; of all symbols or of one.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn decisions(&self, pick: Pick, symbol: Option<&str>) -> Result<Vec<DecisionRow>, JournalError> {
        let read = || {
            // One snapshot of the file: a daemon beside may be writing.
            let snapshot = self.connection.unchecked_transaction()?;
            let sql = "SELECT cycle_id, symbol, market_now, bar_close_time, close, lower(hex(bars_sha256)), features, p_sell,
                       p_hold, p_buy, threshold, action, suppressed, failed_stage, failure, failure_detail, order_id, close_ids,
                       paper_order_id, paper_suppressed
                       FROM decisions WHERE cycle_id >= ?1 AND cycle_id < ?2 AND (?3 IS NULL OR symbol = ?3)
                       ORDER BY cycle_id, id";
            let (from, until) = match pick {
                Pick::Between(from, until) => (from, until),
                Pick::Last(cycles) => (first_of_last(&snapshot, cycles, symbol)?, i64::MAX),
            };
            let mut select = snapshot.prepare(sql)?;
            let rows =
                select.query_map(params![from, until, symbol], |row| Ok((decision_row(row)?, row_orders(row)?)))?;
            let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut by_bar = HashMap::new();
            for (row, ids) in &mut rows {
                row.order = ids.0.as_deref().map(|id| life(&snapshot, id)).transpose()?.flatten();
                row.paper = ids.2.as_deref().map(|id| paper::find(&snapshot, id)).transpose()?.flatten();
                for id in &ids.1 {
                    row.closes.extend(life(&snapshot, id)?);
                }
                if let (Some("already_ordered"), Some(bar)) = (row.suppressed.as_deref(), row.bar_close_time) {
                    let key = (row.symbol.clone(), bar);
                    if !by_bar.contains_key(&key) {
                        by_bar.insert(key.clone(), bars_orders(&snapshot, &key)?);
                    }
                    row.ordered_before = by_bar.get(&key).cloned().unwrap_or_default();
                }
            }
            Ok(rows.into_iter().map(|(row, _)| row).collect())
        };
        read().map_err(broken)
    }

    /// What there is to explain; `None` if no cycle was recorded.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn coverage(&self) -> Result<Option<Coverage>, JournalError> {
        let read = || {
            let ends = self.connection.query_row("SELECT min(cycle_id), max(cycle_id) FROM decisions", [], |row| {
                Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
            })?;
            let Some((first, last)) = ends else { return Ok(None) };
            let mut select =
                self.connection.prepare("SELECT DISTINCT symbol FROM decisions ORDER BY symbol LIMIT ?1")?;
            let symbols = select.query_map([SYMBOLS_NAMED_MAX], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(Some(Coverage { first, last, symbols }))
        };
        read().map_err(broken)
    }

    /// An order's whole life.
    ///
    /// # Errors
    /// No such order; [`JournalError::Failed`].
    pub fn order_life(&self, id: Uuid) -> Result<OrderLife, JournalError> {
        life(&self.connection, &id.to_string()).map_err(broken)?.ok_or(JournalError::NoSuchOrder(id))
    }
}

/// Begin of the oldest of the newest cycles; later than all if there is none.
fn first_of_last(connection: &Connection, cycles: u32, symbol: Option<&str>) -> rusqlite::Result<i64> {
    let sql = "SELECT min(cycle_id) FROM (SELECT DISTINCT cycle_id FROM decisions WHERE ?2 IS NULL OR symbol = ?2
               ORDER BY cycle_id DESC LIMIT ?1)";
    let first = connection.query_row(sql, params![cycles, symbol], |row| row.get::<_, Option<i64>>(0))?;
    Ok(first.unwrap_or(i64::MAX))
}

fn decision_row(row: &Row<'_>) -> rusqlite::Result<DecisionRow> {
    let probability = |column| row.get::<_, Option<f64>>(column);
    let probabilities = match (probability(7)?, probability(8)?, probability(9)?) {
        (Some(sell), Some(hold), Some(buy)) => Some([sell, hold, buy]),
        _ => None,
    };
    Ok(DecisionRow {
        cycle_id: row.get(0)?,
        symbol: row.get(1)?,
        market_now: row.get(2)?,
        bar_close_time: row.get(3)?,
        close: row.get(4)?,
        bars_sha256: row.get::<_, Option<String>>(5)?.filter(|digest| !digest.is_empty()),
        features: row.get::<_, Option<Vec<u8>>>(6)?.and_then(|bytes| features(&bytes)),
        probabilities,
        threshold: row.get(10)?,
        action: row.get(11)?,
        suppressed: row.get(12)?,
        failure: row.get::<_, Option<String>>(13)?.zip(row.get(14)?),
        failure_detail: row.get(15)?,
        order: None,
        closes: Vec::new(),
        ordered_before: Vec::new(),
        paper: None,
        paper_suppressed: row.get(19)?,
    })
}

/// The ids of a decision's order, of its closes and of its order on paper.
fn row_orders(row: &Row<'_>) -> rusqlite::Result<(Option<String>, Vec<String>, Option<String>)> {
    let closes: Option<String> = row.get(17)?;
    Ok((row.get(16)?, closes.iter().flat_map(|ids| ids.split(',')).map(str::to_owned).collect(), row.get(18)?))
}

fn features(bytes: &[u8]) -> Option<[f64; FEATURE_COUNT]> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let features: Vec<f64> = numbers.iter().map(|number| f64::from_le_bytes(*number)).collect();
    rest.is_empty().then(|| features.try_into().ok()).flatten()
}

/// `None` for an order that was forgotten, as old ones are.
fn life(connection: &Connection, id: &str) -> rusqlite::Result<Option<OrderLife>> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE id = ?1"))?;
    let Some(order) = select.query_row([id], order_row).optional()? else { return Ok(None) };
    Ok(Some(OrderLife { order, steps: steps(connection, id)? }))
}

/// How an order came where it is, oldest first.
pub(super) fn steps(connection: &Connection, id: &str) -> rusqlite::Result<Vec<Step>> {
    let mut select = connection
        .prepare_cached("SELECT at_ms, state, who, note FROM order_events WHERE order_id = ?1 ORDER BY id")?;
    let step =
        |row: &Row<'_>| Ok(Step { at_ms: row.get(0)?, state: parsed(row, 1)?, who: row.get(2)?, note: row.get(3)? });
    select.query_map([id], step)?.collect()
}

/// The orders that opened a position on this bar of this symbol, whatever their account and model.
fn bars_orders(connection: &Connection, (symbol, bar): &(String, i64)) -> rusqlite::Result<Vec<OrderRow>> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE symbol = ?1 AND bar_close_time = ?2 AND closes IS NULL");
    connection.prepare_cached(&sql)?.query_map(params![symbol, bar], order_row)?.collect()
}

#[cfg(test)]
mod tests;
