//! Who writes to a name: one run at a time. The lock is a file beside what is written, and is gone with the run; what a
//! killed run has left of it is taken over. `config/model/bars.py` takes the same.

use anyhow::{Context, bail};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Paths that are to go if the process is stopped now.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes whatever this process has not finished, and holds up every thread that would begin or finish something. For a
/// process that exits now.
pub fn abandon() {
    let mut paths = unfinished();
    // What was begun last stands in what was begun first.
    while let Some(path) = paths.pop() {
        remove(&path);
    }
    std::mem::forget(paths);
}

/// Says that this path goes if the process is stopped.
pub(super) fn begin(path: &Path) {
    unfinished().push(path.to_owned());
}

/// Does what finishes the path; a stop comes before it or after it.
pub(super) fn end<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    end_all(&[path], work)
}

/// The same of several paths: a stop comes before all of them are finished or after it.
pub(super) fn end_all<T>(paths: &[&Path], work: impl FnOnce() -> T) -> T {
    let mut unfinished = unfinished();
    let done = work();
    unfinished.retain(|it| !paths.contains(&it.as_path()));
    done
}

/// A file or a folder with all that is in it.
pub(super) fn remove(path: &Path) {
    // What is not there, or cannot be removed, shows when it is written.
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock file at `path`, for whoever writes `out`.
    ///
    /// # Errors
    /// Another run has it; those of the disk.
    pub fn take(path: &Path, out: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot write {}", path.display());
        loop {
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let file = opened.with_context(named)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    bail!("{} is being written by another run: let it end, or name another --out", out.display())
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(named),
            }
            // The run before may have removed the file after it was opened here: then nobody else would see this lock.
            let mine = file.metadata().with_context(named)?;
            if fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
                begin(path);
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        end(&self.path, || remove(&self.path));
    }
}
