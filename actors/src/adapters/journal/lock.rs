//! The lock that a running daemon holds: two daemons on one journal could order the same bar twice. An advisory lock on
//! a file of its own, because SQLite's locks come and go with every write; the system gives it up if the daemon dies.

use super::OpenError;
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
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
        let mut name = journal.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let failed = |error: std::io::Error| OpenError::failed(&path, error);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked(journal.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
