//! What an account's equity was: with what a span of time began, and its highest.

use super::{Store, account_snapshots::seen_ms, broken};
use crate::domain::journal::JournalError;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What was known at that time; of an account that is new since then, what was known first. Only whole looks: a deposit that
/// another row shows is not in `unexplained` yet.
const EQUITY_AT: [&str; 2] = [
    "SELECT at_ms, equity, every_s FROM account_snapshots WHERE account = ?1 AND at_ms <= ?2 AND equity IS NOT NULL AND is_whole
     ORDER BY at_ms DESC, rowid DESC LIMIT 1",
    "SELECT at_ms, equity, every_s FROM account_snapshots WHERE account = ?1 AND at_ms > ?2 AND equity IS NOT NULL AND is_whole
     ORDER BY at_ms, rowid LIMIT 1",
];
const PEAK: &str = "SELECT peak + (SELECT total(amount) FROM unexplained WHERE account = ?1), at_ms FROM equity_peaks
                    WHERE account = ?1";

/// What a span of time began with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Begin {
    /// When that was told, unix milliseconds.
    pub at_ms: i64,
    /// `None`: the account was last seen long before, so nobody knows what happened before the span and what in it.
    pub equity: Option<f64>,
}

/// The highest equity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// With all that is unexplained since then added, so that a deposit is no new peak and a withdrawal no loss.
    pub equity: f64,
    /// Unix milliseconds.
    pub at_ms: i64,
}

impl Peak {
    /// How far this equity is below it, a ratio of the peak.
    pub fn drawdown(&self, equity: f64) -> Option<f64> {
        (self.equity > 0.0).then(|| ((self.equity - equity) / self.equity).max(0.0))
    }
}

impl Store {
    /// The equity with which a span of time began, unix milliseconds: the last before it or, of an account that is new since
    /// then, the first in it. `None`: never told.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn begin(&self, account: &str, at_ms: i64) -> Result<Option<Begin>, JournalError> {
        begin(&self.connection, account, at_ms).map_err(broken)
    }

    /// The highest equity so far.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn peak(&self, account: &str) -> Result<Option<Peak>, JournalError> {
        peak(&self.connection, account).map_err(broken)
    }
}

/// With what a span of time began, unix milliseconds.
pub(super) fn begin(connection: &Connection, account: &str, begin_ms: i64) -> rusqlite::Result<Option<Begin>> {
    for sql in EQUITY_AT {
        let mut select = connection.prepare_cached(sql)?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found = select.query_row(params![account, begin_ms], row).optional()?;
        if let Some((at_ms, equity, every_s)) = found {
            let equity = Some(equity).filter(|_| at_ms >= begin_ms - seen_ms(every_s));
            return Ok(Some(Begin { at_ms, equity }));
        }
    }
    Ok(None)
}

/// The highest equity.
pub(super) fn peak(connection: &Connection, account: &str) -> rusqlite::Result<Option<Peak>> {
    let mut select = connection.prepare_cached(PEAK)?;
    select.query_row([account], |row| Ok(Peak { equity: row.get(0)?, at_ms: row.get(1)? })).optional()
}
