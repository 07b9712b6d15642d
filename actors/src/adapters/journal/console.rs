//! What the console reads from the journal, on a thread and a connection of its own: short, limited in time, and never a
//! write. Its rows are the objects of config/console/README.md.

mod decisions;
mod equity;
mod model;
mod money;
mod odds;
mod orders;
mod positions;
mod reported;
#[cfg(test)]
mod tests;

pub use decisions::{Decided, DecidedPage, Failure};
pub use equity::{Curve, EquityCurves, Range};
pub use model::{Bin, Calibration, Histogram, ModelRows, Outcomes};
pub use money::{AccountTold, Ledgers, Money, MoneyRows, Period, Slippage, SymbolMoney, Today, Unexplained};
pub use odds::{OddsPage, OddsRow, PaperMark};
pub use orders::{Entry, Exit, Ledger, OrderEvent, OrderPage, OrderShown, OrderStory};
pub use positions::{PositionCount, PositionShown, Positions};

use super::{FileId, OpenError, files, schema, standing};
use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags, OptionalExtension};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest time that one answer may take, transaction included: a reader that stays keeps the write-ahead log from being
/// emptied. Whoever waits for the answer keeps to it, with [`ConsoleReader::interrupter`].
pub const READ_MAX: Duration = Duration::from_millis(200);
/// How long a read waits for a lock, which a reader of a write-ahead log hardly ever needs.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// Pages kept in memory: negative is KiB.
const CACHE_KIB: i64 = -64;
/// Most rows of an answer.
pub const ROWS_MAX: usize = 500;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It took too long, or somebody held the file.
    #[error("the journal or the bar archive did not answer in {} ms", READ_MAX.as_millis())]
    Busy,
    /// The file is gone, or cannot be read.
    #[error("{0}")]
    Failed(String),
}

impl ReadError {
    /// Of what SQLite says.
    #[allow(clippy::needless_pass_by_value)]
    pub fn of(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// The open file.
#[derive(Debug)]
pub struct ConsoleReader {
    path: PathBuf,
    file: FileId,
    connection: Connection,
    drawdowns: equity::Drawdowns,
}

impl ConsoleReader {
    /// Opens the journal of this process's own daemon. Beside another process's daemon use
    /// [`Store::open_read_only`](super::Store::open_read_only), whose way of opening would take from this daemon's own
    /// connection the right to write.
    ///
    /// # Errors
    /// The file is missing, is no journal, or has another version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let failed = |error: &dyn std::fmt::Display| ReadError::Failed(error.to_string());
        let file = FileId::of(path).ok_or_else(|| failed(&OpenError::Missing(path.to_owned())))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(files::real(path), flags).map_err(|error| failed(&error))?;
        let prepare = || {
            connection.busy_timeout(BUSY_WAIT)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", CACHE_KIB)?;
            connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        };
        let found = prepare().map_err(|error| failed(&error))?;
        schema::check(&connection, path).map_err(|error| failed(&error))?;
        if found < schema::VERSION {
            return Err(failed(&OpenError::Older { found, known: schema::VERSION }));
        }
        Ok(Self { path: path.to_owned(), file, connection, drawdowns: equity::Drawdowns::default() })
    }

    /// Ends a read that takes too long, from another thread: its answer is [`ReadError::Busy`].
    pub fn interrupter(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }

    /// Runs statements on one snapshot of the file.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        if FileId::of(&self.path) != Some(self.file) {
            let path = self.path.display();
            return Err(ReadError::Failed(format!("the journal {path} was deleted or replaced while the daemon ran")));
        }
        let read = || {
            let snapshot = self.connection.unchecked_transaction()?;
            work(&snapshot)
        };
        read().map_err(ReadError::of)
    }

    /// The newest cycle with decisions: its begin, unix milliseconds.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn newest_cycle(&self) -> Result<Option<i64>, ReadError> {
        self.read(newest_cycle)
    }

    /// The press that gave the halt file this time, unix milliseconds; `None` if none of the console did.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn halt_at(&self, file_ms: i64) -> Result<Option<Pressed>, ReadError> {
        self.read(|connection| {
            let sql = "SELECT at_ms, who, note FROM console_actions WHERE action = 'halt' AND at_ms = ?1
                       ORDER BY id DESC LIMIT 1";
            let pressed =
                |row: &rusqlite::Row<'_>| Ok(Pressed { at_ms: row.get(0)?, who: row.get(1)?, note: row.get(2)? });
            connection.prepare_cached(sql)?.query_row([file_ms], pressed).optional()
        })
    }

    /// Orders of this account in a row that were not filled, counted up to `max`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn failures_in_a_row(&self, account: &str, max: u32) -> Result<u32, ReadError> {
        self.read(|connection| standing::failures_in_a_row(connection, account, max))
    }

    /// What the journal has of the stop after failed orders; `failures_max` is its limit, 0: there is none.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn latch(&self, account: &str, failures_max: u32) -> Result<Latch, ReadError> {
        self.read(|connection| {
            let newest_resume =
                connection.query_row("SELECT coalesce(max(rowid), 0) FROM resumed", [], |row| row.get(0))?;
            let is_latched =
                failures_max > 0 && standing::failures_in_a_row(connection, account, failures_max)? >= failures_max;
            // The plus: see the query that counts the failures.
            let sql = "SELECT rowid FROM orders WHERE +account = ?1 AND closes IS NULL
                       AND state IN ('filled', 'rejected', 'not_sent', 'unknown') ORDER BY rowid DESC LIMIT 1";
            let newest_failure = match is_latched {
                true => connection.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()?,
                false => None,
            };
            Ok(Latch { newest_resume, newest_failure })
        })
    }
}

/// Tells one stop after failed orders from the next, and from none. Two that are equal are the same stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latch {
    /// Row of the newest resume, 0: there was none.
    newest_resume: i64,
    /// Row of the newest failed order while the limit is reached.
    newest_failure: Option<i64>,
}

/// A press of one of the console's buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressed {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `console:USER@ADDRESS`
    pub who: String,
    /// The reason that was typed.
    pub note: Option<String>,
}

fn newest_cycle(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT max(cycle_id) FROM decisions")?.query_row([], |row| row.get(0))
}

/// A price; `None` for the 0 by which the journal has none.
fn price(value: f64) -> Option<f64> {
    (value != 0.0).then_some(value)
}
