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

    /// Gives all of them their names. If one cannot have its name, those of the earlier run are all back.
    ///
    /// # Errors
    /// Those of the disk; a folder that has the name of a file.
    pub fn finish(self) -> anyhow::Result<()> {
        for (_, path) in &self.files {
            anyhow::ensure!(!path.is_dir(), "cannot write {}: a folder has this name", path.display());
        }
        lock::end_all(&self.partials(), || {
            let mut given = Vec::with_capacity(self.files.len());
            let renamed = self.files.iter().try_for_each(|(partial, path)| {
                let named = || format!("cannot write {}", path.display());
                let earlier = earlier(path);
                let is_kept = keep(path, &earlier).with_context(named)?;
                given.push((path, earlier, is_kept));
                fs::rename(partial, path).with_context(named)
            });
            for (path, earlier, is_kept) in given.iter().rev() {
                // What cannot be put back or removed is named .earlier.
                let _ = match (&renamed, is_kept) {
                    (Ok(()), true) => fs::remove_file(earlier),
                    (Err(_), true) => fs::rename(earlier, path),
                    (Ok(()), false) => Ok(()),
                    (Err(_), false) => fs::remove_file(path),
                };
            }
            renamed
        })?;
        // The new names have to survive a power cut, too.
        sync(&self.folder).with_context(|| format!("cannot write {}", self.folder.display()))
    }

    fn partials(&self) -> Vec<&Path> {
        self.files.iter().map(|(partial, _)| partial.as_path()).collect()
    }
}

/// The name of a file of an earlier run until all of the new ones have theirs.
fn earlier(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".earlier");
    name.into()
}

/// Gives the file of an earlier run a second name, so that a process that is killed in between leaves the first one as well. Answers
/// whether there is such a file.
fn keep(path: &Path, earlier: &Path) -> io::Result<bool> {
    // What a killed run has left.
    let _ = fs::remove_file(earlier);
    match fs::hard_link(path, earlier) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // A file system without second names.
        Err(_) => fs::rename(path, earlier).map(|()| true),
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

    #[test]
    fn a_file_whose_fellow_fails_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let replace = |begin: &dyn Fn()| {
            let mut files = Replacement::in_folder(path.to_owned());
            for name in ["a", "b", "c"] {
                files.add(name, "new").unwrap();
            }
            begin();
            files.finish().map_err(|error| format!("{error:#}"))
        };
        let text = |name: &str| fs::read_to_string(path.join(name)).unwrap();
        fs::write(path.join("b"), "old").unwrap();
        // A folder has the name of the last one: nothing is replaced.
        fs::create_dir(path.join("c")).unwrap();
        let refused = replace(&|| {}).unwrap_err();
        assert_eq!(refused, format!("cannot write {}: a folder has this name", path.join("c").display()));
        assert_eq!((names(path), text("b")), (vec!["b".to_owned(), "c".to_owned()], "old".to_owned()));
        // The last one cannot get its name when the others have theirs: there was no `a`, and there is none.
        fs::remove_dir(path.join("c")).unwrap();
        let refused = replace(&|| fs::remove_file(path.join("c.partial")).unwrap()).unwrap_err();
        assert!(refused.starts_with(&format!("cannot write {}: ", path.join("c").display())), "{refused}");
        assert_eq!((names(path), text("b")), (vec!["b".to_owned()], "old".to_owned()));
        replace(&|| {}).unwrap();
        assert_eq!((names(path).len(), text("a"), text("b")), (3, "new".to_owned(), "new".to_owned()));
    }
}
