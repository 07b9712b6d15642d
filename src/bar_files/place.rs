//! A file or folder that gets its name when it is whole: whatever ends the run before that leaves nothing half written.

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
}

impl NewPlace {
    /// Takes the name, and removes what an interrupted run has left.
    ///
    /// # Errors
    /// When something has that name: nothing is ever written over.
    pub fn claim(out: &Path) -> anyhow::Result<Self> {
        Self::refuse_existing(out)?;
        let out = std::path::absolute(out)?;
        let name = out.file_name().context("a name is missing")?.to_string_lossy().into_owned();
        let place = Self { partial: out.with_file_name(format!("{name}.partial")), out, is_finished: false };
        place.remove();
        if let Some(folder) = place.out.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(place)
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
        Self::refuse_existing(&self.out)?;
        let named = || format!("cannot write {}", self.out.display());
        File::open(&self.partial).and_then(|file| file.sync_all()).with_context(named)?;
        fs::rename(&self.partial, &self.out).with_context(named)?;
        self.is_finished = true;
        // The new name, too, has to outlast a power cut.
        self.out.parent().map_or(Ok(()), sync).with_context(named)
    }

    fn remove(&self) {
        // What is not there, or cannot be removed, shows when it is written.
        let _ = if self.partial.is_dir() { fs::remove_dir_all(&self.partial) } else { fs::remove_file(&self.partial) };
    }
}

impl Drop for NewPlace {
    fn drop(&mut self) {
        if !self.is_finished {
            self.remove();
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
