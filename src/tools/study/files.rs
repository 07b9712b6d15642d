//! What a study writes: study.json and study.html, each whole or not at all.

use super::{page::page, result::Report};
use crate::bar_files::Lock;
use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use std::{
    fs::{self, File},
    io::Write,
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
    // The page first: a program that waits for study.json finds both.
    let files = [("study.html", html.as_str()), ("study.json", json.as_str())];
    // Both are on the disk before either gets its name: after a full disk there is never a new page beside old numbers.
    for (name, text) in files {
        let path = folder.join(name);
        keep(&partial(&path), text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    for (name, _) in files {
        let path = folder.join(name);
        fs::rename(partial(&path), &path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // The new names have to survive a power cut, too.
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot write {}", folder.display()))
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

/// The temporary name: two files of one folder need two.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Writes a file to the disk, or removes it again.
fn keep(path: &Path, text: &str) -> std::io::Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    if written.is_err() {
        // What cannot be removed is named .partial.
        let _ = fs::remove_file(path);
    }
    written
}
