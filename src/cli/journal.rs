//! What the commands that use the journal beside a daemon share: where it is, who asks, and how times are shown.

use crate::settings::{Settings, SettingsError, Sources};
use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use sentinel_actors::adapters::journal::{OpenError, Store};
use std::{
    io::{ErrorKind, Write, stdout},
    path::{Path, PathBuf},
};

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

/// Prints, to a reader who may have seen enough: `sentinel orders | head`.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("stdout"),
    }
}

/// `2026-11-22T14:00:00Z`, of unix seconds.
pub(super) fn time(unix_s: i64) -> String {
    DateTime::from_timestamp(unix_s, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-11-22T14:03:58.000Z`, of unix milliseconds.
pub(super) fn time_ms(unix_ms: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
