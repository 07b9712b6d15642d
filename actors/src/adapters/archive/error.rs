//! Why the archive cannot be used.

use std::path::{Path, PathBuf};

/// Why the archive cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Another daemon writes to it.
    #[error("another daemon writes to the bar archive {}: give this one its own (archive.path)", .0.display())]
    Locked(PathBuf),
    /// There is none.
    #[error("there is no bar archive at {}: name it with --archive", .0.display())]
    Missing(PathBuf),
    /// It was written by a later version.
    #[error("the bar archive has schema version {found}, this sentinel knows {known}: use the newer sentinel")]
    Newer {
        /// Version of the file.
        found: i64,
        /// Latest version known here.
        known: i64,
    },
    /// It is another program's database, or no database.
    #[error("{} is not a bar archive of sentinel", .0.display())]
    Foreign(PathBuf),
    /// The file or its folder refuses, or the file is damaged.
    #[error("the bar archive {}: {detail}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: String,
    },
}

impl ArchiveError {
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign(path.to_owned()),
            _ => Self::failed(path, error),
        }
    }

    pub(super) fn failed(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::Failed { path: path.to_owned(), detail: error.to_string() }
    }
}
