//! What the commands that use the journal beside a daemon share: where it is, who may write to it, and who does.

use crate::settings::{Settings, SettingsError, Sources};
use anyhow::{anyhow, bail};
use sentinel_actors::adapters::journal::{OpenError, Store};
use std::path::{Path, PathBuf};

/// The journal named by the flag, else by the settings.
pub(super) fn path(flag: Option<&PathBuf>, config: Option<&PathBuf>) -> Result<PathBuf, SettingsError> {
    match flag {
        Some(path) => Ok(path.clone()),
        None => Settings::journal_path(&Sources::beside_daemon(config.map(PathBuf::as_path))),
    }
}

/// Opens it to settle something in it, which not everybody who may read it can.
pub(super) fn open_to_write(path: &Path) -> anyhow::Result<Store> {
    Store::open_existing(path).map_err(|error| match error {
        OpenError::Failed { path, detail } if detail.contains("may only read it") || detail.contains("readonly") => {
            read_only(&path)
        }
        error => error.into(),
    })
}

/// What who may only read it is told.
pub(super) fn read_only(path: &Path) -> anyhow::Error {
    anyhow!("{}: this user may read it, but not write: say it as the user that the daemon runs as", path.display())
}

/// Who asks, as the journal keeps it: `person:<user>`.
pub(super) fn person() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty() && !user.chars().any(char::is_control));
    format!("person:{}", user.as_deref().unwrap_or("unknown"))
}

/// What a person noted, fit to be kept.
pub(super) fn note(text: &str) -> anyhow::Result<&str> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        bail!("--note must say, on one line, what was seen");
    }
    Ok(text)
}
