//! `sentinel cluster targets`: the list of targets as a file, for Prometheus's file discovery (file_sd).

use anyhow::Context;
use sentinel_actors::domain::cluster::shared::Target;
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process,
};

/// The text of the file.
///
/// # Errors
/// None is known: a target always has a JSON form.
pub(super) fn text(targets: &[Target]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(targets)? + "\n")
}

/// Writes it; Prometheus sees the old file or the new one, and nothing in between, also if two commands write it.
///
/// # Errors
/// Those of the disk. The old file is still there.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let named = || format!("cannot write {}", path.display());
    let name = path.file_name().context("--file must be the name of a file")?.to_string_lossy();
    // Prometheus reads files whose names end in .json or .yml.
    let new = path.with_file_name(format!(".{name}.{}.new", process::id()));
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    if written.is_err() {
        // What is left over does not matter to anybody.
        let _ = fs::remove_file(&new);
    }
    written.with_context(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_targets_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sentinel.json");
        let targets = [Target::new("inf-1", "inf", "10.0.0.1:8000", "")];
        write(&path, "old").unwrap();
        write(&path, &text(&targets).unwrap()).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let labels = serde_json::json!({"instance": "inf-1", "component": "trading", "node": "inf"});
        assert_eq!(read, serde_json::json!([{"targets": ["10.0.0.1:8000"], "labels": labels}]));
        assert_eq!(text(&[]).unwrap(), "[]\n");
        let said = format!("{:#}", write(&folder.path().join("gone/x.json"), "").unwrap_err());
        assert!(said.starts_with("cannot write ") && said.contains("gone/x.json"), "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }
}
