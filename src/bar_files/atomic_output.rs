//! A file or folder that gets its name when it is whole: whatever ends the run before that leaves nothing half written.

use super::lock::{self, Lock};
use anyhow::Context;
use std::{
    fs::{self, File},
    io,
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
