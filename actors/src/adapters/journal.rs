//! The journal's file: SQLite in WAL mode with `synchronous=FULL`, so that what was answered with `Ok` survives a kill and a
//! power cut; decisions only a kill, because nothing rests on them. Written by the Journal actor; read, and settled, by
//! `sentinel orders` beside a running daemon.

mod account_lock;
mod account_snapshots;
mod console;
mod daemon_lock;
mod decisions;
mod equity;
mod explain;
mod files;
mod first_decisions;
mod journal_id;
mod money;
mod order_moves;
mod order_steps;
mod orders;
mod others;
mod outcomes;
mod pairs;
mod paper;
mod profit_at_gateway;
mod profit_on_paper;
mod prune;
mod read_only;
mod replay;
mod savepoint;
mod schema;
mod snapshot_row;
mod standing;
mod takeover;
#[cfg(test)]
mod tests;
mod unwritten;

pub use account_lock::{AccountLock, AccountLockError};
pub use account_snapshots::AccountReports;
pub use console::{
    AccountTold, Bin, Calibration, ConsoleReader, Curve, Decided, DecidedPage, Entry, EquityCurves, Exit, Failure,
    Histogram, Latch, Ledger, Ledgers, ModelRows, Money, MoneyRows, OddsPage, OddsRow, OrderEvent, OrderPage,
    OrderShown, OrderStory, Outcomes, PaperMark, Period, PositionCount, PositionShown, Positions, Pressed, READ_MAX,
    ROWS_MAX, Range, ReadError, Slippage, SymbolMoney, Today, Unexplained,
};
pub use daemon_lock::{DaemonLock, FileId};
pub use decisions::{CycleFaults, CycleRecord, bars_sha256, sequence_sha256};
pub use equity::{Begin, Peak};
pub use explain::{Coverage, DecisionRow, OrderLife, Pick, Step};
pub use first_decisions::{FirstOdds, RecordedFeatures, RecordedOdds};
pub use journal_id::{ids_of_orders, journal_id};
pub use money::{RealisedRow, ReportedAccount, open};
pub use order_steps::Verdict;
pub use orders::{Identity, OpenOrders, OrderRow};
pub use others::{bars_of_others, note_others};
pub use outcomes::{Due, OutcomeRow};
pub use pairs::Pair;
pub use paper::{PaperAnswer, PaperCycle, PaperRow};
pub use profit_on_paper::{PaperProfit, PaperTotals};
pub use prune::{Keep, Pruned};
pub use replay::{EarlierOrder, ReplayRow};

use crate::{
    adapters::fail_points::reach,
    domain::journal::{Button, JournalError, OrderStep, Press, Version},
};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tracing::warn;
use uuid::Uuid;

/// How long a write waits for another process that is writing, such as `sentinel orders resolve`.
const BUSY_WAIT: Duration = Duration::from_millis(1_000);

/// Pages kept in memory: negative is KiB. A cycle touches some forty; SQLite's default of 2 MiB would fill up in time.
const CACHE_KIB: i64 = -256;

/// Statements kept compiled: more than a cycle uses, which are compiled once then. Live and on paper it uses over forty.
const STATEMENTS: usize = 80;

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A daemon is running on it.
    #[error("another daemon is running on the journal {}: stop it first, or give this one its own with --journal", .0.display())]
    Locked(PathBuf),
    /// There is none.
    #[error("there is no journal at {}: name the daemon's with --journal", .0.display())]
    Missing(PathBuf),
    /// It was written by a later version.
    #[error("the journal has schema version {found}, this sentinel knows {known}: use the newer sentinel")]
    Newer {
        /// Version of the file.
        found: i64,
        /// Latest version known here.
        known: i64,
    },
    /// It was written by an earlier version, and may not be changed.
    #[error(
        "the journal has schema version {found}, this sentinel reads {known}, and it may not bring the file up to that: start \
         its daemon once with this version, or run this as its user"
    )]
    Older {
        /// Version of the file.
        found: i64,
        /// Latest version known here.
        known: i64,
    },
    /// It is somebody else's database, or no database.
    #[error("{} is not a journal of sentinel: name another file with --journal", .0.display())]
    Foreign(PathBuf),
    /// The file or its folder refuses.
    #[error("the journal {}: {detail}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

impl OpenError {
    /// Whether trying again later can help: the disk may get space, the folder may become writable.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    fn failed(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::Failed { path: path.to_owned(), detail: error.to_string() }
    }
}

/// An open journal.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// Outcomes that could not be written are kept here.
    unwritten: PathBuf,
    /// The version of the last decisions, and its row.
    version: Option<(Arc<Version>, i64)>,
    /// What was open when the last write ended, until it is asked for: read with the write, which has the file locked anyway.
    open: Option<OpenOrders>,
}

impl Store {
    /// Opens the journal, makes it if there is none, and brings it to this version's schema.
    ///
    /// # Errors
    /// See [`OpenError`]; never [`OpenError::Locked`] or [`OpenError::Missing`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let real = files::real(path);
        files::make(&real).map_err(|error| OpenError::failed(path, error))?;
        files::tighten(&real);
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Opens a journal beside a daemon, which may be running or not.
    ///
    /// # Errors
    /// See [`OpenError`]; never [`OpenError::Locked`].
    pub fn open_existing(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens a journal to look at it, beside a daemon or without one, also where it may not be written: then nothing is
    /// made and nothing changed. Every write of the store fails in that case.
    ///
    /// # Errors
    /// See [`OpenError`]; never [`OpenError::Locked`]. What a reader lacks is named.
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(OpenError::Missing(path.to_owned())),
            Err(error) => return Err(OpenError::failed(path, error)),
        }
        match read_only::open(path) {
            // One of an earlier version is brought up to date first, and one that a killed daemon left is mended, which
            // only who may write it can do.
            Err(error @ (OpenError::Older { .. } | OpenError::Failed { .. })) => {
                Self::open_existing(path).or(Err(error))
            }
            opened => opened,
        }
    }

    /// Keeps an order's outcome beside the journal, which cannot be written. The next [`Store::read_standing`] reads it back.
    /// Answers whether the step is one that has to be kept; if so it is on disk now.
    ///
    /// # Errors
    /// The file beside the journal cannot be written either.
    pub fn keep(journal: &Path, step: &OrderStep, now: Duration) -> std::io::Result<bool> {
        unwritten::keep(&files::beside(&files::real(journal), ".unwritten"), step, now)
    }

    fn open_with(path: &Path, flags: OpenFlags) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign(path.to_owned()),
            _ => OpenError::failed(path, error),
        };
        let mut connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        // SQLite takes what it gets. It would then make files beside it that are not the daemon's own.
        if connection.is_readonly("main").map_err(failed)? {
            return Err(OpenError::failed(path, "this user may only read it"));
        }
        connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
        schema::check(&connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
        schema::migrate(&mut connection).map_err(failed)?;
        // A fault of the account on paper never keeps live orders from their journal.
        if let Err(error) = schema::complete(&connection) {
            warn!(
                stage = "journal",
                error = "paper",
                "trades on paper that an earlier version ended may be missing: {error}"
            );
        }
        // A plan does not depend on what is bound: statements would else be compiled anew for each order.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self { connection, unwritten: files::beside(&files::real(path), ".unwritten"), version: None, open: None })
    }

    /// A person states that a position of ours has been closed; `who` and `note` are kept.
    ///
    /// # Errors
    /// No such order, or one that made no position that still counts.
    pub fn mark_closed(&mut self, id: Uuid, who: &str, note: &str, now: Duration) -> Result<(), JournalError> {
        self.write(|transaction| order_moves::mark_closed(transaction, id, (who, note), now))
    }

    /// Notes that a person pressed a button of the console. A resume also allows orders again, as [`Store::resume`].
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn note_press(&mut self, press: &Press) -> Result<(), JournalError> {
        let Press { who, action, note, at } = press;
        let row = (millis(*at), who, action.as_str(), note);
        self.write(|transaction| {
            let insert = "INSERT INTO console_actions (at_ms, who, action, note) VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(insert, row).map_err(broken)?;
            if *action == Button::Resume { resumed(transaction, who, *at) } else { Ok(()) }
        })
    }

    /// A person allows orders again: the count of failures in a row starts at 0.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn resume(&mut self, who: &str, now: Duration) -> Result<(), JournalError> {
        self.write(|transaction| resumed(transaction, who, now))
    }

    /// As [`Store::write`], but it does not wait for the disk: a power cut may undo it, a kill cannot. The next write that
    /// waits brings it to the disk as well.
    fn write_without_waiting<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(broken)?;
        let done = self.write(work);
        self.connection.execute_batch("PRAGMA synchronous = FULL").map_err(broken)?;
        done
    }

    /// Runs `work` as one write: all of it is on disk afterwards, or nothing.
    fn write<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.open = None;
        let transaction = Transaction::begin(&self.connection).map_err(broken)?;
        let done = work(&self.connection)?;
        reach("commit.before");
        transaction.commit().map_err(broken)?;
        reach("commit.after");
        Ok(done)
    }
}

fn resumed(transaction: &Connection, who: &str, now: Duration) -> Result<(), JournalError> {
    let insert = "INSERT INTO resumed SELECT ?1, ?2, coalesce(max(rowid), 0) FROM orders";
    transaction.execute(insert, (millis(now), who)).map(drop).map_err(broken)
}

/// One that is rolled back unless it is committed, as rusqlite's own; but its statements stay compiled.
struct Transaction<'a>(&'a Connection);

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(connection))
    }

    /// For statements that only read: they see one state of the file, and lock it once.
    fn reading(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // Not after a commit, and not if SQLite has rolled back by itself. If it fails the connection is given up anyway.
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// What SQLite refuses is the journal's fault.
#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn broken(error: rusqlite::Error) -> JournalError {
    JournalError::Failed(error.to_string())
}

/// Unix milliseconds of a time since the unix epoch.
fn millis(now: Duration) -> i64 {
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
