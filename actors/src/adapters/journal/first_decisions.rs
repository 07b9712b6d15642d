//! The first odds of each bar, for a study: what the daemon could act on, and not what later cycles of the bar said.

use super::{Store, broken};
use crate::domain::journal::JournalError;
use rusqlite::{OptionalExtension, params};

/// Odds as they first came for a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstOdds {
    /// The decision's row, see [`Store::features_of`].
    pub id: i64,
    /// Close of the bar, unix seconds.
    pub bar_close_time: i64,
    /// Its close, in price.
    pub close: f64,
    /// SELL, HOLD, BUY.
    pub odds: [f64; 3],
    /// What it was decided with, see `versions`; `None` from before journals kept that.
    pub version_id: Option<i64>,
}

/// What a decision's odds rest on, as it was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedFeatures {
    /// Begin of its cycle, unix milliseconds.
    pub cycle_id: i64,
    /// Bars in its window.
    pub bars: Option<i64>,
    /// Digest of the window.
    pub bars_sha256: Option<Vec<u8>>,
    /// The newest bar's features, as they were written: f64, little-endian.
    pub features: Option<Vec<u8>>,
    /// Digest of the sequence; `None` in journals of before it was kept, too.
    pub sequence_sha256: Option<Vec<u8>>,
}

/// What a journal has of a model's odds of a symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedOdds {
    /// One a bar, oldest first.
    pub first: Vec<FirstOdds>,
    /// Those of them that were recorded before journals named the model.
    pub without_model: u64,
    /// Decisions with odds in all, of this symbol and whatever model.
    pub decisions: u64,
    /// Models with odds of this symbol, by name.
    pub models: Vec<String>,
}

/// `confidences` has the cycle of the first odds of each bar and model. Older rows name no model.
const NAMED: &str = "
SELECT c.bar_close_time, d.close, d.p_sell, d.p_hold, d.p_buy, d.version_id, d.id FROM confidences AS c
JOIN decisions AS d ON d.symbol = c.symbol AND d.cycle_id = c.cycle_id AND d.bar_close_time = c.bar_close_time
WHERE c.model = ?1 AND c.symbol = ?2 AND d.p_sell IS NOT NULL AND d.close IS NOT NULL";

/// With `min()` SQLite takes the other columns of the row that has it.
const UNNAMED: &str = "
SELECT bar_close_time, close, p_sell, p_hold, p_buy, version_id, min(id) FROM decisions AS d
WHERE symbol = ?1 AND p_sell IS NOT NULL AND close IS NOT NULL AND bar_close_time IS NOT NULL
AND cycle_id < ?2 GROUP BY bar_close_time";

impl Store {
    /// The first odds of each bar of this symbol that this model gave. Odds from before journals named models count as its own.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn first_odds(&self, model: &str, symbol: &str) -> Result<RecordedOdds, JournalError> {
        let read = || {
            // One snapshot of the file: a daemon beside may be writing.
            let snapshot = self.connection.unchecked_transaction()?;
            let row = |row: &rusqlite::Row<'_>| {
                let odds = [row.get(2)?, row.get(3)?, row.get(4)?];
                let (bar_close_time, close) = (row.get(0)?, row.get(1)?);
                Ok(FirstOdds { id: row.get(6)?, bar_close_time, close, odds, version_id: row.get(5)? })
            };
            let named_since = "SELECT min(cycle_id) FROM confidences WHERE symbol = ?1";
            let since: Option<i64> = snapshot.query_row(named_since, [symbol], |row| row.get(0))?;
            let mut select = snapshot.prepare(UNNAMED)?;
            let before = select.query_map(params![symbol, since.unwrap_or(i64::MAX)], row)?;
            // Of a bar that is in both, what came first: the sort below keeps the order.
            let mut first = before.collect::<rusqlite::Result<Vec<_>>>()?;
            let without_model = first.len() as u64;
            let mut select = snapshot.prepare(NAMED)?;
            first.extend(select.query_map(params![model, symbol], row)?.collect::<rusqlite::Result<Vec<_>>>()?);
            first.sort_by_key(|odds| odds.bar_close_time);
            let count = "SELECT count(*) FROM decisions WHERE symbol = ?1 AND p_sell IS NOT NULL";
            let decisions = snapshot.query_row(count, [symbol], |row| row.get::<_, i64>(0))?;
            let mut select = snapshot.prepare("SELECT DISTINCT model FROM confidences WHERE symbol = ?1 ORDER BY 1")?;
            let models = select.query_map([symbol], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok(RecordedOdds { first, without_model, decisions: u64::try_from(decisions).unwrap_or(0), models })
        };
        let mut recorded = read().map_err(broken)?;
        recorded.first.dedup_by_key(|odds| odds.bar_close_time);
        Ok(recorded)
    }

    /// What the decision of this row was made from; nothing if the row is no longer there.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn features_of(&self, id: i64) -> Result<RecordedFeatures, JournalError> {
        let read = || {
            let mut select = self.connection.prepare_cached(
                "SELECT cycle_id, bars, bars_sha256, features, sequence_sha256 FROM decisions WHERE id = ?1",
            )?;
            let found = |row: &rusqlite::Row<'_>| {
                let (cycle_id, bars, bars_sha256) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (features, sequence_sha256) = (row.get(3)?, row.get(4)?);
                Ok(RecordedFeatures { cycle_id, bars, bars_sha256, features, sequence_sha256 })
            };
            Ok(select.query_row([id], found).optional()?.unwrap_or_default())
        };
        read().map_err(broken)
    }
}
