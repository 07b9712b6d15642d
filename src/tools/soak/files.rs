//! The files of the report. Each is replaced atomically: after a power cut, the previous one is still complete.

use anyhow::Context;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

const JSON: &str = "soak.json";
const HTML: &str = "soak.html";

/// A writable folder without an earlier report, unless it may be overwritten.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Writes a trial file before the first scrape, so that a long run does not end with a report that cannot be written.
    ///
    /// # Errors
    /// When the folder cannot be created or written, or has a report and `is_forced` is not set.
    pub(super) fn claim(folder: &Path, is_forced: bool) -> anyhow::Result<Self> {
        let shown = folder.display();
        let advice = || format!("cannot write into {shown}: name another folder with --out");
        fs::create_dir_all(folder).with_context(advice)?;
        let files = Self { folder: folder.to_owned() };
        for name in [JSON, HTML] {
            let path = folder.join(name);
            anyhow::ensure!(
                is_forced || !path.exists(),
                "{} already exists: --force overwrites it, --out names another folder",
                path.display()
            );
            anyhow::ensure!(!path.is_dir(), "{} is a folder: name another place with --out", path.display());
        }
        let trial = files.temporary(JSON);
        write(&trial, "").with_context(advice)?;
        fs::remove_file(&trial).with_context(advice)?;
        Ok(files)
    }

    /// Replaces both files.
    ///
    /// # Errors
    /// When one cannot be written; the older one remains then.
    pub(super) fn put(&self, json: &str, html: &str) -> anyhow::Result<()> {
        for (name, text) in [(JSON, json), (HTML, html)] {
            self.replace(name, text).with_context(|| format!("cannot write {}", self.folder.join(name).display()))?;
        }
        Ok(())
    }

    /// Both paths, one per line.
    pub(super) fn shown(&self) -> String {
        format!("{}\n{}", self.folder.join(JSON).display(), self.folder.join(HTML).display())
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let temporary = self.temporary(name);
        write(&temporary, text).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        fs::rename(&temporary, self.folder.join(name))?;
        // The new name must survive a power cut, too.
        File::open(&self.folder)?.sync_all()
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.folder.join(format!(".{name}.{}.tmp", std::process::id()))
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_report_is_replaced_and_leaves_no_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        let files = Files::claim(&out, false).unwrap();
        assert!(names(&out).is_empty());
        files.put("1", "one").unwrap();
        files.put("2", "two").unwrap();
        assert_eq!(names(&out), ["soak.html", "soak.json"]);
        assert_eq!(fs::read_to_string(out.join(JSON)).unwrap(), "2");
    }

    #[test]
    fn an_earlier_report_is_kept_without_force() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(HTML), "old").unwrap();
        let error = Files::claim(folder.path(), false).unwrap_err().to_string();
        assert!(error.contains("soak.html already exists: --force"), "{error}");
        assert!(Files::claim(folder.path(), true).is_ok());
    }

    #[test]
    fn a_path_that_is_not_a_folder_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = format!("{:#}", Files::claim(&file.path().join("out"), false).unwrap_err());
        assert!(error.contains("name another folder with --out"), "{error}");
    }
}
