//! The journal's file: SQLite in WAL mode with `synchronous=FULL`, so that what was answered with `Ok` survives a kill
//! and a power cut. Written by the Journal actor; read, and settled, by `sentinel orders` beside a running daemon.

mod decisions;
mod explain;
mod lock;
mod orders;
mod schema;
mod stock;
#[cfg(test)]
mod tests;

pub use explain::{Coverage, DecisionRow, OrderLife, Pick, Step};
pub use lock::{DaemonLock, FileId};
pub use orders::{Identity, OrderRow, Verdict};

use crate::{adapters::fail_points::reach, domain::journal::JournalError};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};
use uuid::Uuid;

/// How long a write waits for another process that is writing, such as `sentinel orders resolve`.
const BUSY_WAIT: Duration = Duration::from_millis(1_000);

/// Pages kept in memory: negative is KiB. A cycle touches a dozen; SQLite's default of 2 MiB would fill up in time.
const CACHE_KIB: i64 = -256;

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
}

impl Store {
    /// Opens the journal, makes it if there is none, and brings it to this version's schema.
    ///
    /// # Errors
    /// See [`OpenError`]; never [`OpenError::Locked`] or [`OpenError::Missing`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
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

    /// Opens a journal beside a daemon, to read: nothing of it is changed, and who may only read it may do this.
    ///
    /// # Errors
    /// See [`OpenError`]; never [`OpenError::Locked`].
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        // The WAL lies beside the file itself, not beside a link to it.
        let file = std::fs::canonicalize(path).map_err(|error| OpenError::failed(path, error))?;
        // Beside a daemon there is a WAL. Without one, all is in the file itself.
        match wal_bytes(&file) {
            None => Self::read(path, immutable(&file)),
            Some(bytes) => match Self::read(path, file.as_os_str().to_owned()) {
                // Left empty by who read before; what belongs beside it cannot be made by who may only read.
                Err(OpenError::Failed { .. }) if bytes == 0 => Self::read(path, immutable(&file)),
                read => read,
            },
        }
    }

    /// Opens `name`, which is `path` or a URI of it.
    fn read(path: &Path, name: OsString) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| OpenError::failed(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(name, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
        schema::check(&connection, path)?;
        if schema::is_current(&connection).map_err(failed)? {
            return Ok(Self { connection });
        }
        // One that an earlier version left is brought up to date first, which only who may write it can do.
        drop(connection);
        Self::open_existing(path)
    }

    fn open_with(path: &Path, flags: OpenFlags) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign(path.to_owned()),
            _ => OpenError::failed(path, error),
        };
        let mut connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
        schema::check(&connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
        connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
        schema::migrate(&mut connection).map_err(failed)?;
        Ok(Self { connection })
    }

    /// A person settles that a position of ours is open no more; `who` and `note` are kept.
    ///
    /// # Errors
    /// No such order, or one that made no position that still counts.
    pub fn mark_closed(&mut self, id: Uuid, who: &str, note: &str, now: Duration) -> Result<(), JournalError> {
        self.write(|transaction| orders::mark_closed(transaction, id, (who, note), now))
    }

    /// A person says to go on: failures in a row are counted afresh.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn resume(&mut self, who: &str, now: Duration) -> Result<(), JournalError> {
        self.write(|transaction| {
            let row = (millis(now), who);
            transaction
                .execute("INSERT INTO resumed SELECT ?1, ?2, coalesce(max(rowid), 0) FROM orders", row)
                .map(drop)
                .map_err(broken)
        })
    }

    /// Runs `work` as one write: all of it is on disk afterwards, or nothing.
    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        let done = work(&transaction)?;
        reach("commit.before");
        transaction.commit().map_err(broken)?;
        reach("commit.after");
        Ok(done)
    }
}

/// The length of the WAL beside a journal, `None` without one.
fn wal_bytes(file: &Path) -> Option<u64> {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).ok().map(|wal| wal.len())
}

/// A journal that nobody writes, as a URI: SQLite would make a WAL beside it otherwise. A daemon that starts just now
/// writes into a WAL of its own first.
fn immutable(file: &Path) -> OsString {
    let escaped = file.as_os_str().as_encoded_bytes().iter().map(|byte| match byte {
        b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(*byte).to_string(),
        byte => format!("%{byte:02x}"),
    });
    format!("file:{}?immutable=1", escaped.collect::<String>()).into()
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
