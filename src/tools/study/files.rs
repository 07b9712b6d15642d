//! What a study writes: study.json and study.html, each whole or not at all.

use super::{page::page, result::Report};
use crate::bar_files::{Lock, Replacement};
use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Unix seconds as `2026-11-22T14:00:00Z`.
pub fn time(unix_s: i64) -> String {
    DateTime::from_timestamp(unix_s, 0)
        .map_or_else(|| unix_s.to_string(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// The day before, `2026-11-22`, if this is a midnight UTC.
pub fn day_before(unix_s: i64) -> Option<String> {
    let is_midnight = unix_s.rem_euclid(86_400) == 0;
    let before = DateTime::from_timestamp(unix_s.checked_sub(1)?, 0)?;
    is_midnight.then(|| before.format("%F").to_string())
}

/// Writes both into the folder, which is made if it is not there. Those of an earlier study there are replaced.
///
/// # Errors
/// Those of the disk.
pub fn write(folder: &Path, report: &Report) -> anyhow::Result<()> {
    let json = format!("{}\n", serde_json::to_string_pretty(report)?);
    let html = page(report);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Both are on the disk before either gets its name: after a full disk there is never a new page beside old numbers.
    let mut files = Replacement::in_folder(folder.to_owned());
    // The page first: a program that waits for study.json finds both.
    files.add("study.html", &html)?;
    files.add("study.json", &json)?;
    files.finish()
}

/// Makes the folder, and keeps every other study out of it until this is dropped. A folder that nothing was written into
/// goes with it.
///
/// # Errors
/// Another study writes into it; those of the disk.
pub fn lock(folder: &Path) -> anyhow::Result<OwnFolder> {
    let is_new = !folder.exists();
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = Lock::take(&folder.join("study.lock"), folder)?;
    Ok(OwnFolder { folder: folder.to_owned(), is_new, lock: Some(lock) })
}

/// A folder that only this run writes into.
#[derive(Debug)]
pub struct OwnFolder {
    folder: PathBuf,
    is_new: bool,
    lock: Option<Lock>,
}

impl OwnFolder {
    /// Whether it was made for this run.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        self.lock = None;
        if self.is_new {
            // Fails if the folder is not empty, as intended.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}
