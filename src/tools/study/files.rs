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

/// Writes both into the folder, which is made if it is not there. Those of an earlier study there are replaced.
///
/// # Errors
/// Those of the disk.
pub fn write(folder: &Path, report: &Report) -> anyhow::Result<()> {
    let json = format!("{}\n", serde_json::to_string_pretty(report)?);
    let html = page(report);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // The page first: whoever waits for study.json finds both.
    for (name, text) in [("study.html", html.as_str()), ("study.json", json.as_str())] {
        let path = folder.join(name);
        replace(folder, &path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
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
            // Fails if something is in it, as it is to do.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn replace(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    let written = (|| {
        let mut file = File::create(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        // The new name, too, has to outlast a power cut.
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // What cannot be removed is named .partial.
        let _ = fs::remove_file(&partial);
    }
    written
}
