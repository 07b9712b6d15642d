//! What the commands that use the daemon's journal share: its path, write access, and a person's note.

use crate::settings::{Settings, SettingsError, Sources};
use anyhow::{anyhow, bail};
use sentinel_actors::adapters::journal::{OpenError, Store};
use std::path::{Path, PathBuf};

/// The path by the flag, else by the settings.
pub(super) fn path(flag: Option<&PathBuf>, config: Option<&PathBuf>) -> Result<PathBuf, SettingsError> {
    match flag {
        Some(path) => Ok(path.clone()),
        None => Settings::journal_path(&Sources::beside_daemon(config.map(PathBuf::as_path))),
    }
}

/// Opens it for writing. A user who can read it may still not be allowed to write.
pub(super) fn open_to_write(path: &Path) -> anyhow::Result<Store> {
    Store::open_existing(path).map_err(|error| match error {
        OpenError::Failed { path, detail } if detail.contains("may only read it") || detail.contains("readonly") => {
            read_only(&path)
        }
        error => error.into(),
    })
}

/// The error for a user who can only read it.
pub(super) fn read_only(path: &Path) -> anyhow::Error {
    anyhow!("{}: this user can read it but not write: run this command as the daemon's user", path.display())
}

/// The note of a person, checked.
pub(super) fn note(text: &str) -> anyhow::Result<&str> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        bail!("--note must be one line of text: what was seen");
    }
    Ok(text)
}
