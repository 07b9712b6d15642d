//! Files and folders that get their names when they are whole: whatever ends the run before that leaves nothing half written.

use super::lock::{self, Lock};
use anyhow::Context;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What is being written, beside where it will be. Removed when it is dropped unfinished.
#[derive(Debug)]
pub struct NewPlace {
    out: PathBuf,
    partial: PathBuf,
    is_finished: bool,
    // The last field: dropped when nothing else is left to do.
    _lock: Lock,
}

impl NewPlace {
    /// Takes the name, and removes what an interrupted run has left.
    ///
    /// # Errors
    /// When something has that name: nothing is ever written over. When another run writes it.
    pub fn claim(out: &Path) -> anyhow::Result<Self> {
        Self::refuse_existing(out)?;
        let (said, out) = (out, std::path::absolute(out)?);
        let name = out.file_name().context("a name is missing")?.to_string_lossy().into_owned();
        make_folder_of(&out)?;
        let lock = Lock::take(&out.with_file_name(format!("{name}.lock")), said)?;
        // The other run may have ended just now.
        Self::refuse_existing(said)?;
        let partial = out.with_file_name(format!("{name}.partial"));
        lock::begin(&partial);
        lock::remove(&partial);
        Ok(Self { partial, out, is_finished: false, _lock: lock })
    }

    /// # Errors
    /// When something has this name.
    pub fn refuse_existing(out: &Path) -> anyhow::Result<()> {
        anyhow::ensure!(!out.exists(), "{} is already there: name another place, or remove it", out.display());
        Ok(())
    }

    /// Where to write meanwhile.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// Those of the disk, and something that got the name in the meantime.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let named = || format!("cannot write {}", self.out.display());
        File::open(&self.partial).and_then(|file| file.sync_all()).with_context(named)?;
        lock::end(&self.partial, || {
            Self::refuse_existing(&self.out)?;
            fs::rename(&self.partial, &self.out).with_context(named)
        })?;
        // The new name, too, has to outlast a power cut.
        let synced = self.out.parent().map_or(Ok(()), sync).with_context(named);
        self.is_finished = true;
        synced
    }
}

impl Drop for NewPlace {
    fn drop(&mut self) {
        if !self.is_finished {
            lock::end(&self.partial, || lock::remove(&self.partial));
        }
    }
}

/// Files of a folder that replace those of an earlier run, all together. What has a temporary name is removed when this is dropped
/// unfinished.
#[derive(Debug)]
pub struct Replacement {
    folder: PathBuf,
    /// Temporary and final name of each, in the order in which they get them.
    files: Vec<(PathBuf, PathBuf)>,
}

impl Replacement {
    /// Of files of this folder, which is there.
    pub const fn in_folder(folder: PathBuf) -> Self {
        Self { folder, files: Vec::new() }
    }

    /// Writes a file to the disk, under its temporary name.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn add(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        let (partial, path) = (self.folder.join(format!("{name}.partial")), self.folder.join(name));
        lock::begin(&partial);
        let opened = File::create(&partial);
        self.files.push((partial, path));
        let written = opened.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {}", self.folder.join(name).display()))
    }

    /// Gives all of them their names.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn finish(self) -> anyhow::Result<()> {
        lock::end_all(&self.partials(), || {
            self.files.iter().try_for_each(|(partial, path)| {
                fs::rename(partial, path).with_context(|| format!("cannot write {}", path.display()))
            })
        })?;
        // The new names have to survive a power cut, too.
        sync(&self.folder).with_context(|| format!("cannot write {}", self.folder.display()))
    }

    fn partials(&self) -> Vec<&Path> {
        self.files.iter().map(|(partial, _)| partial.as_path()).collect()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        let partials = self.partials();
        lock::end_all(&partials, || {
            for partial in &partials {
                // A finished one has another name by now; what cannot be removed is named .partial.
                let _ = fs::remove_file(partial);
            }
        });
    }
}

/// Makes the folder that this path is to be in.
///
/// # Errors
/// Those of the disk.
pub fn make_folder_of(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
    })
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
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
    fn files_are_replaced_all_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mut files = Replacement::in_folder(path.to_owned());
        files.add("a", "1").unwrap();
        files.add("b", "2").unwrap();
        assert_eq!(names(path), ["a.partial", "b.partial"]);
        files.finish().unwrap();
        assert_eq!(names(path), ["a", "b"]);

        // A folder stands where the second one is to be written.
        fs::create_dir(path.join("b.partial")).unwrap();
        let mut files = Replacement::in_folder(path.to_owned());
        files.add("a", "3").unwrap();
        assert!(
            format!("{:#}", files.add("b", "4").unwrap_err())
                .starts_with(&format!("cannot write {}/b: ", path.display()))
        );
        drop(files);
        assert_eq!(names(path), ["a", "b", "b.partial"]);
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "1");
    }
}
