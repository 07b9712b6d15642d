//! What came of decisions, written when the bar closes that ends their horizon.

use super::{Store, broken};
use crate::domain::{instrument::Symbol, journal::JournalError, outcome::BarOutcome};
use rusqlite::{Connection, Row, params};

/// The first decision on a bar, if there was one of this model, that has no outcome of this horizon yet.
const CLOSE: &str = "
SELECT decisions.close FROM confidences
JOIN decisions ON decisions.symbol = confidences.symbol AND decisions.cycle_id = confidences.cycle_id
WHERE confidences.model = ?1 AND confidences.symbol = ?2 AND confidences.bar_close_time = ?3
AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.model = ?1 AND outcomes.symbol = ?2
                AND outcomes.bar_close_time = ?3 AND horizon = ?4)";

const INSERT: &str = "INSERT INTO outcomes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";

/// A horizon that has ended: if there was a decision on its first bar, its outcome is known.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// The symbol.
    pub symbol: &'a Symbol,
    /// Decimal places of its prices.
    pub digits: u32,
    /// When the bar closed that may have been decided on, unix seconds.
    pub bar_close_time: i64,
    /// So many bars later.
    pub horizon: usize,
    /// The close then.
    pub exit_price: f64,
}

/// An outcome, as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeRow {
    /// When the bar decided on closed, unix seconds.
    pub bar_close_time: i64,
    /// So many bars later.
    pub horizon: i64,
    /// The close then.
    pub exit_price: f64,
    /// `BUY`, `SELL` or `HOLD`.
    pub label: String,
    /// In units of the last decimal place.
    pub ret_points: f64,
}

/// Writes the outcomes of the decisions that there were.
pub(super) fn write(transaction: &Connection, model: &str, due: &[Due<'_>]) -> rusqlite::Result<()> {
    for Due { symbol, digits, bar_close_time, horizon, exit_price } in due {
        let horizon = i64::try_from(*horizon).unwrap_or(i64::MAX);
        let key = params![model, symbol.as_str(), bar_close_time, horizon];
        let mut select = transaction.prepare_cached(CLOSE)?;
        let mut closes = select.query(key)?;
        let Some(close) = closes.next()?.map(|row| row.get::<_, Option<f64>>(0)).transpose()?.flatten() else {
            continue;
        };
        let BarOutcome { exit_price, label, ret_points } = BarOutcome::between(close, *exit_price, *digits);
        let row = params![model, symbol.as_str(), bar_close_time, horizon, exit_price, label.as_str(), ret_points];
        transaction.prepare_cached(INSERT)?.execute(row)?;
    }
    Ok(())
}

impl Store {
    /// What came of a model's decisions about a symbol, the oldest bar first.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn outcomes(&self, model: &str, symbol: &str) -> Result<Vec<OutcomeRow>, JournalError> {
        let read = || {
            let mut select = self.connection.prepare(
                "SELECT bar_close_time, horizon, exit_price, label, ret_points FROM outcomes
                 WHERE model = ?1 AND symbol = ?2 ORDER BY bar_close_time, horizon",
            )?;
            let outcome = |row: &Row<'_>| {
                Ok(OutcomeRow {
                    bar_close_time: row.get(0)?,
                    horizon: row.get(1)?,
                    exit_price: row.get(2)?,
                    label: row.get(3)?,
                    ret_points: row.get(4)?,
                })
            };
            select.query_map([model, symbol], outcome)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }
}
