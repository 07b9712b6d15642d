//! What a study writes: study.json and study.html, each whole or not at all.

use super::{page::page, result::Report};
use anyhow::Context;
use chrono::{DateTime, SecondsFormat};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
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
