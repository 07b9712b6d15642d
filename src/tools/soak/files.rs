//! Where the report goes. A file is replaced whole or not at all: a machine that goes down leaves the one before.

use anyhow::Context;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

const JSON: &str = "soak.json";
const HTML: &str = "soak.html";

/// A folder that can be written, and that holds no report somebody may still want.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Tries it out, before the first look: a day's run must not end with a report that cannot be written.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or has a report and `is_forced` is not set.
    pub(super) fn claim(folder: &Path, is_forced: bool) -> anyhow::Result<Self> {
        let shown = folder.display();
        let way_out = || format!("cannot write into {shown}: name another folder by --out");
        fs::create_dir_all(folder).with_context(way_out)?;
        let files = Self { folder: folder.to_owned() };
        for name in [JSON, HTML] {
            let path = folder.join(name);
            anyhow::ensure!(
                is_forced || !path.exists(),
                "{} is there already: --force overwrites it, --out names another folder",
                path.display()
            );
            anyhow::ensure!(!path.is_dir(), "{} is a folder: --out names another place", path.display());
        }
        let trial = files.temporary(JSON);
        write(&trial, "").with_context(way_out)?;
        fs::remove_file(&trial).with_context(way_out)?;
        Ok(files)
    }

    /// Replaces both files.
    ///
    /// # Errors
    /// When one cannot be written; the older one stays then.
    pub(super) fn put(&self, json: &str, html: &str) -> anyhow::Result<()> {
        for (name, text) in [(JSON, json), (HTML, html)] {
            self.replace(name, text).with_context(|| format!("cannot write {}", self.folder.join(name).display()))?;
        }
        Ok(())
    }

    /// Both paths, as a person would type them.
    pub(super) fn shown(&self) -> String {
        format!("{}\n{}", self.folder.join(JSON).display(), self.folder.join(HTML).display())
    }

    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let temporary = self.temporary(name);
        write(&temporary, text).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        fs::rename(&temporary, self.folder.join(name))?;
        // The new name, too, has to outlast a power cut.
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
    fn a_report_is_replaced_whole_and_leaves_nothing_else() {
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
    fn an_earlier_report_is_kept_unless_somebody_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(HTML), "old").unwrap();
        let error = Files::claim(folder.path(), false).unwrap_err().to_string();
        assert!(error.contains("soak.html is there already: --force"), "{error}");
        assert!(Files::claim(folder.path(), true).is_ok());
    }

    #[test]
    fn what_is_no_folder_is_refused_before_anything_runs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = format!("{:#}", Files::claim(&file.path().join("out"), false).unwrap_err());
        assert!(error.contains("name another folder by --out"), "{error}");
    }
}
