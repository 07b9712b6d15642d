//! Opening the file, to write or only to read.

use super::{Archive, error::ArchiveError, schema, write::Ids};
use rusqlite::{Connection, OpenFlags};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a write waits for a reader that blocks it. Only the archive's own thread waits.
const BUSY_WAIT: Duration = Duration::from_millis(1_000);
/// How long a reader within the daemon waits, which it hardly ever needs.
const SHORT_WAIT: Duration = Duration::from_millis(50);
/// Pages kept in memory: negative is KiB. A cycle touches the newest pages of its series.
const CACHE_KIB: i64 = -64;
/// Only its user may read it, as the journal.
const PRIVATE: u32 = 0o600;

impl Archive {
    /// Opens the archive for its one writer, makes it if there is none, and brings it to this version's schema.
    ///
    /// # Errors
    /// See [`ArchiveError`]; never [`ArchiveError::Missing`].
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |error: rusqlite::Error| ArchiveError::of(path, &error);
        let lock = lock(path)?;
        // Private from its first moment; SQLite gives its other files the mode of this one.
        private().truncate(false).open(path).map_err(|error| ArchiveError::failed(path, error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        if connection.is_readonly("main").map_err(failed)? {
            return Err(ArchiveError::failed(path, "this user may only read it"));
        }
        connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
        let found = schema::check(&connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        // After a power cut the newest bars may be missing, never damaged; and no cycle waits for a sync.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
        schema::migrate(&mut connection, found).map_err(failed)?;
        Ok(Self { connection, ids: Ids::default(), known: HashMap::new(), _lock: Some(lock) })
    }

    /// Opens the archive of this process's own daemon to look at it, while that writes.
    ///
    /// # Errors
    /// See [`ArchiveError`]; never [`ArchiveError::Locked`].
    pub fn open_in_daemon(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |error: rusqlite::Error| ArchiveError::of(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(SHORT_WAIT).map_err(failed)?;
        connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
        if schema::check(&connection, path)? == 0 {
            return Err(ArchiveError::Foreign(path.to_owned()));
        }
        Ok(Self { connection, ids: Ids::default(), known: HashMap::new(), _lock: None })
    }

    /// Opens the archive to read it, whether a daemon runs or not. Nothing in it is changed, and every write fails.
    ///
    /// # Errors
    /// See [`ArchiveError`]; never [`ArchiveError::Locked`].
    pub fn open_read_only(path: &Path) -> Result<Self, ArchiveError> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(ArchiveError::Missing(path.to_owned())),
            Err(error) => return Err(ArchiveError::failed(path, error)),
        }
        let failed = |error: rusqlite::Error| ArchiveError::of(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri(path), flags).map_err(failed)?;
        connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
        if schema::check(&connection, path)? == 0 {
            return Err(ArchiveError::Foreign(path.to_owned()));
        }
        Ok(Self { connection, ids: Ids::default(), known: HashMap::new(), _lock: None })
    }

    /// Whether a daemon writes to the archive of this path now. Asked only about one that a daemon wrote to a moment ago: a daemon
    /// that starts in this very moment would find the lock taken, and try again later.
    pub fn has_writer(path: &Path) -> bool {
        let is_taken = |lock: File| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(beside(path, ".lock")).is_ok_and(is_taken)
    }
}

/// Locks `<archive>.lock`. The file stays behind, unlocked: removing it would let two daemons lock two files.
fn lock(path: &Path) -> Result<File, ArchiveError> {
    let lock = beside(path, ".lock");
    let file = private().truncate(false).open(&lock).map_err(|error| ArchiveError::failed(&lock, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ArchiveError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(ArchiveError::failed(&lock, error)),
    }
}

fn private() -> OpenOptions {
    let mut options = File::options();
    options.mode(PRIVATE).create(true).write(true);
    options
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The path as a URI. Without a write-ahead log beside it the last daemon closed the file properly, and SQLite has to be told
/// that it may go without the files that a reader may not be able to make.
fn uri(path: &Path) -> String {
    let is_empty = |suffix: &str| fs::metadata(beside(path, suffix)).map_or(true, |found| found.len() == 0);
    let how = if is_empty("-wal") && is_empty("-shm") { "?immutable=1" } else { "" };
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + how
}
