//! The lock that a running daemon holds: two daemons on one journal could order the same bar twice. An advisory lock on
//! a file of its own, because SQLite's locks come and go with every write; the system gives it up if the daemon dies.

use super::{OpenError, files};
use std::{
    fs::{File, TryLockError},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Held for as long as it lives.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
}

impl DaemonLock {
    /// Locks `<journal>.lock`. The file stays behind, unlocked: removing it would let two daemons lock two files.
    ///
    /// # Errors
    /// [`OpenError::Locked`] if a daemon holds it, [`OpenError::Failed`] if the file cannot be made.
    pub fn acquire(journal: &Path) -> Result<Self, OpenError> {
        // By its real name: two daemons must not get past each other through a link.
        let path = files::beside(&files::real(journal), ".lock");
        let failed = |error: std::io::Error| OpenError::failed(&path, error);
        // Private: who can open it can lock it, and so keep the daemon from starting.
        let file = files::private().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        files::tighten_one(&path);
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(journal.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Which file a path means: its device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId(u64, u64);

impl FileId {
    /// `None` if there is no such file.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self(metadata.dev(), metadata.ino()))
    }
}
