//! What `sentinel replay` reads: decisions one after the other, what they were made with, and the orders before them.

use super::{Store, broken};
use crate::domain::journal::{JournalError, Version};
use rusqlite::{OptionalExtension, Row, params};
use std::{collections::HashMap, time::Duration};

/// A decision to be made again; `None` is what the cycle did not come to.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRow {
    /// Its row: they are counted in the order in which they were recorded.
    pub id: i64,
    /// The cycle's begin, unix milliseconds.
    pub cycle_id: i64,
    /// The symbol.
    pub symbol: String,
    /// What it was made with: a row of [`Store::versions`]. `None` in journals of before that was kept.
    pub version_id: Option<i64>,
    /// What the bar's age and the market's hours were judged at, unix seconds.
    pub market_now: Option<i64>,
    /// Close of the newest bar, unix seconds.
    pub bar_close_time: Option<i64>,
    /// The newest price.
    pub close: Option<f64>,
    /// Bars in the window.
    pub bars: Option<i64>,
    /// Digest of the window.
    pub bars_sha256: Option<Vec<u8>>,
    /// The newest bar's, as they were written: f64, little-endian.
    pub features: Option<Vec<u8>>,
    /// Digest of the sequence.
    pub sequence_sha256: Option<Vec<u8>>,
    /// SELL, HOLD, BUY.
    pub odds: Option<[f64; 3]>,
    /// BUY and SELL needed more.
    pub threshold: f64,
    /// `SELL`, `HOLD` or `BUY`.
    pub action: Option<String>,
    /// Why a BUY or SELL was not sent.
    pub suppressed: Option<String>,
    /// Stage and kind of the failure.
    pub failure: Option<(String, String)>,
    /// When the rules that count earlier orders were asked, unix milliseconds.
    pub judged_at_ms: Option<i64>,
    /// The order that was made.
    pub order_id: Option<String>,
}

/// An order that opened a position, or was to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierOrder {
    /// The account.
    pub account: String,
    /// The model's name.
    pub model: String,
    /// Sentinel's name of the instrument.
    pub symbol: String,
    /// The broker's.
    pub gateway_name: String,
    /// Close of the bar that it was decided on, unix seconds.
    pub bar_close_time: i64,
    /// When it was written, unix milliseconds.
    pub created_at_ms: i64,
    /// When the rules before it were asked, unix milliseconds; `None` if its decision does not say.
    pub judged_at_ms: Option<i64>,
    /// The row of the decision after which it was there: its own or, if its cycle was never recorded, the last one before it. 0 if it
    /// was there before all of them.
    pub after_decision: i64,
}

impl Store {
    /// From now on, until it is closed, the store shows the journal as it was at its next read: a daemon beside may be writing, and
    /// a decision that was made after an order must not be compared without it.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn hold_snapshot(&self) -> Result<(), JournalError> {
        self.connection.execute_batch("BEGIN").map_err(broken)
    }

    /// The decisions of the cycles that began from the first of these on and before the second (unix milliseconds), in the
    /// order in which they were recorded. `take` answers whether it wants more.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn replay_rows(
        &self,
        (from, until): (i64, i64),
        mut take: impl FnMut(ReplayRow) -> bool,
    ) -> Result<(), JournalError> {
        let mut read = || {
            let mut select = self.connection.prepare(
                "SELECT id, cycle_id, symbol, version_id, market_now, bar_close_time, close, bars, bars_sha256, features,
                 sequence_sha256, p_sell, p_hold, p_buy, threshold, action, suppressed, failed_stage, failure, judged_at_ms,
                 order_id FROM decisions WHERE +cycle_id >= ?1 AND +cycle_id < ?2 ORDER BY id",
            )?;
            let mut rows = select.query([from, until])?;
            while let Some(row) = rows.next()? {
                if !take(replay_row(row)?) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(broken)
    }

    /// How many decisions of these cycles there are.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn replay_count(&self, (from, until): (i64, i64)) -> Result<u64, JournalError> {
        let sql = "SELECT count(*) FROM decisions WHERE cycle_id >= ?1 AND cycle_id < ?2";
        let count = self.connection.query_row(sql, [from, until], |row| row.get::<_, i64>(0)).map_err(broken)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// What decisions were made with, by row.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn versions(&self) -> Result<HashMap<i64, Version>, JournalError> {
        let read = || {
            let sql = "SELECT id, config_hash, model_fingerprint, app_version, settings FROM versions";
            let mut select = self.connection.prepare(sql)?;
            let version = |row: &Row<'_>| {
                let version = Version {
                    config_hash: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                    model_fingerprint: row.get(2)?,
                    app_version: row.get(3)?,
                    settings: row.get(4)?,
                };
                Ok((row.get(0)?, version))
            };
            select.query_map([], version)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }

    /// All orders that opened positions or were to, each after the decision that made it.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn earlier_orders(&self) -> Result<Vec<EarlierOrder>, JournalError> {
        let read = || {
            let mut made = HashMap::new();
            let mut select = self
                .connection
                .prepare("SELECT order_id, id, judged_at_ms FROM decisions WHERE order_id IS NOT NULL")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                made.insert(row.get::<_, String>(0)?, (row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?));
            }
            // One that was given up between its intent and the send: its decision has the same reason, and does not name it.
            let mut given_up = self.connection.prepare(
                "SELECT id, judged_at_ms FROM decisions WHERE symbol = ?1 AND cycle_id <= ?2 AND bar_close_time = ?3
                 AND suppressed = ?4 ORDER BY cycle_id DESC LIMIT 1",
            )?;
            // One whose cycle was never recorded, because the daemon was killed: it came after all that were recorded before.
            let mut before = self.connection.prepare(
                "SELECT id, NULL FROM decisions WHERE cycle_id <= ?1 ORDER BY cycle_id DESC, id DESC LIMIT 1",
            )?;
            let mut select = self.connection.prepare(
                "SELECT id, account, model, symbol, gateway_name, bar_close_time, created_at_ms, reason FROM orders
                 WHERE closes IS NULL ORDER BY created_at_ms, rowid",
            )?;
            let mut rows = select.query([])?;
            let mut orders = Vec::new();
            while let Some(row) = rows.next()? {
                let (symbol, created_at_ms): (String, i64) = (row.get(3)?, row.get(6)?);
                let bar_close_time: i64 = row.get(5)?;
                let found = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
                let mut decision = made.get(&row.get::<_, String>(0)?).copied();
                if decision.is_none() {
                    let asked = params![symbol, created_at_ms, bar_close_time, row.get::<_, Option<String>>(7)?];
                    decision = given_up.query_row(asked, found).optional()?;
                }
                if decision.is_none() {
                    decision = before.query_row([created_at_ms], found).optional()?;
                }
                orders.push(EarlierOrder {
                    account: row.get(1)?,
                    model: row.get(2)?,
                    symbol,
                    gateway_name: row.get(4)?,
                    bar_close_time,
                    created_at_ms,
                    judged_at_ms: decision.and_then(|(_, judged_at_ms)| judged_at_ms),
                    after_decision: decision.map_or(0, |(id, _)| id),
                });
            }
            orders.sort_by_key(|order: &EarlierOrder| (order.after_decision, order.created_at_ms));
            Ok(orders)
        };
        read().map_err(broken)
    }

    /// Since when an account trades by this journal, since the unix epoch.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn live_since(&self, account: &str) -> Result<Option<Duration>, JournalError> {
        let sql = "SELECT live_since_ms FROM accounts WHERE account = ?1";
        let since = self.connection.query_row(sql, [account], |row| row.get::<_, i64>(0)).optional().map_err(broken)?;
        Ok(since.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
    }

    /// Settled orders of before this time may be missing, unix milliseconds; `None` if all that there ever were are there.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn orders_forgotten_before(&self) -> Result<Option<i64>, JournalError> {
        self.connection.query_row("SELECT max(before_ms) FROM forgotten", [], |row| row.get(0)).map_err(broken)
    }
}

fn replay_row(row: &Row<'_>) -> rusqlite::Result<ReplayRow> {
    let odds = match (row.get(11)?, row.get(12)?, row.get(13)?) {
        (Some(sell), Some(hold), Some(buy)) => Some([sell, hold, buy]),
        _ => None,
    };
    Ok(ReplayRow {
        id: row.get(0)?,
        cycle_id: row.get(1)?,
        symbol: row.get(2)?,
        version_id: row.get(3)?,
        market_now: row.get(4)?,
        bar_close_time: row.get(5)?,
        close: row.get(6)?,
        bars: row.get(7)?,
        bars_sha256: row.get(8)?,
        features: row.get(9)?,
        sequence_sha256: row.get(10)?,
        odds,
        threshold: row.get(14)?,
        action: row.get(15)?,
        suppressed: row.get(16)?,
        failure: row.get::<_, Option<String>>(17)?.zip(row.get(18)?),
        judged_at_ms: row.get(19)?,
        order_id: row.get(20)?,
    })
}
