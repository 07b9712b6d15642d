//! The kill switch: while its file exists, no order is sent. The cycle checks it. `sentinel halt` creates the file and
//! `sentinel resume` removes it; `touch` and `rm` do the same.

#[cfg(test)]
mod tests;

use crate::domain::guard::KillSwitch;
use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// How long a change waits for another one. Whoever holds the lock needs it for some microseconds.
const LOCK_WAIT: Duration = Duration::from_millis(500);
/// How long a halt that is already made waits again, so that it can say whether it stands.
const LATE_LOCK_WAIT: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Whether orders may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HaltState {
    /// They may.
    Running,
    /// The file exists.
    Halted,
    /// The check failed for this reason, so orders may not be sent.
    Unknown(String),
}

impl fmt::Display for HaltState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running: orders may be sent"),
            Self::Halted => f.write_str("halted: no order is sent"),
            Self::Unknown(reason) => write!(f, "halted, because its state is unknown: {reason}"),
        }
    }
}

/// The file; without one, orders are never halted.
#[derive(Debug, Clone)]
pub struct HaltFile(Option<PathBuf>);

impl HaltFile {
    /// Does not access the file yet.
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// Checks the file system. This takes microseconds on a local one; `guards.halt_file` must be on a local one.
    pub fn state(&self) -> HaltState {
        let Some(path) = &self.0 else { return HaltState::Running };
        match fs::symlink_metadata(path) {
            // Whatever it is: a directory or a dangling link with this name was created for a reason.
            Ok(_) => HaltState::Halted,
            // "Not found" may also mean that the directory is gone, and perhaps a halt file with it.
            Err(error) if error.kind() == ErrorKind::NotFound => match fs::metadata(directory(path)) {
                Ok(_) => HaltState::Running,
                Err(error) => HaltState::Unknown(format!("{}: {error}", directory(path).display())),
            },
            Err(error) => HaltState::Unknown(format!("{}: {error}", path.display())),
        }
    }
}

impl KillSwitch for HaltFile {
    fn is_halted(&self) -> bool {
        self.state() != HaltState::Running
    }
}

/// A halt that is in force: orders are stopped. Before [`MadeHalt::sync`] has returned, a power failure may undo it.
#[derive(Debug)]
pub struct MadeHalt {
    folder: PathBuf,
    /// `None`: what was there is no ordinary file, or nobody here may write to it.
    file: Option<File>,
    at: Option<SystemTime>,
    is_new: bool,
}

impl MadeHalt {
    fn of(path: &Path, file: Option<File>, is_new: bool) -> Self {
        let at = file.as_ref().and_then(|file| file.metadata().ok()?.modified().ok());
        Self { folder: directory(path).to_owned(), file, at, is_new }
    }

    /// Whether the file did not exist before.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// The time that this halt gave the file, since the unix epoch; `None` if it gave it none.
    pub fn at(&self) -> Option<Duration> {
        self.at?.duration_since(SystemTime::UNIX_EPOCH).ok()
    }

    /// Waits until the halt is on disk. A busy disk takes seconds for that.
    ///
    /// # Errors
    /// Errors of the file system; then the halt is in force, but a power failure may undo it.
    pub fn sync(&self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_all()?;
        }
        // The directory entry, too: a halt must survive a power failure.
        File::open(&self.folder)?.sync_all()
    }
}

/// Creates the file, and syncs it to disk before it returns. Returns whether it did not exist before. See [`make`].
///
/// # Errors
/// Those of [`make`] and of [`MadeHalt::sync`].
pub fn halt(path: &Path) -> io::Result<bool> {
    let made = make(path)?;
    made.sync()?;
    Ok(made.is_new())
}

/// Creates the file; waits for other processes, but not for the disk. If the file exists, its time is now, so that a resume
/// which is decided on an older look at it can be told.
///
/// It stops orders even while another process holds the lock. It returns `Ok` only if nobody with the lock can remove the
/// file any more: a resume that was decided on before this halt has ended by then.
///
/// # Errors
/// Errors of the file system; then it is not certain that the file exists. Also if somebody holds the lock all the time; then
/// the file exists, but it is not certain that it stays.
pub fn make(path: &Path) -> io::Result<MadeHalt> {
    make_within(path, LOCK_WAIT, LATE_LOCK_WAIT, pause)
}

/// `pause` is called after each time at which somebody else holds the lock.
fn make_within(path: &Path, wait: Duration, late_wait: Duration, mut pause: impl FnMut()) -> io::Result<MadeHalt> {
    if let Ok(_lock) = lock(path, wait, &mut pause) {
        return create(path);
    }
    // At once: orders stop. But whoever holds the lock may be about to remove just this file.
    let first = create(path)?;
    let _lock = lock(path, late_wait, &mut pause).map_err(|busy| {
        io::Error::new(busy.kind(), format!("the file is there, but a resume may still remove it: {busy}"))
    })?;
    let again = create(path)?;
    Ok(MadeHalt { is_new: again.is_new || first.is_new, ..again })
}

fn create(path: &Path) -> io::Result<MadeHalt> {
    match File::create_new(path) {
        Ok(mut file) => {
            file.write_all(b"Sentinel sends no order while this file exists; `sentinel resume` removes it.\n")?;
            Ok(MadeHalt::of(path, Some(file), true))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Orders are halted whether the time can be set or not.
            let file = set_time(path).unwrap_or_else(|error| {
                tracing::debug!(%error, "the time of the halt file stays what it was");
                None
            });
            // Gone since: by a resume that was decided on before this halt.
            if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return create(path);
            }
            Ok(MadeHalt::of(path, file, false))
        }
        Err(error) => Err(error),
    }
}

/// Removes the file. Returns whether it existed.
///
/// # Errors
/// Errors of the file system, or another process holds the lock; then orders stay halted.
pub fn resume(path: &Path) -> io::Result<bool> {
    let _lock = lock(path, LOCK_WAIT, pause)?;
    remove(path)
}

/// Removes the file if `is_expected` says so while no other command of Sentinel can change it; `None` if it does not. So a
/// [`halt`], by whichever process, is either seen by `is_expected` or made after the removal. Somebody who uses `touch` takes
/// no lock: of an existing file that is touched between the look and the removal, nothing is left. Nothing here can prevent
/// that, because `touch` does not look again.
///
/// # Errors
/// The same; also if there are no locks here.
pub fn resume_if(path: &Path, is_expected: impl FnOnce() -> bool) -> io::Result<Option<bool>> {
    let _lock = lock(path, LOCK_WAIT, pause)?.ok_or_else(|| {
        io::Error::new(ErrorKind::Unsupported, format!("{} cannot be locked", directory(path).display()))
    })?;
    if is_expected() { remove(path).map(Some) } else { Ok(None) }
}

/// An advisory lock on the folder, so that no further file is needed; the system gives it up if the process dies. `None` if
/// the folder cannot be opened or its file system has no locks.
///
/// # Errors
/// Somebody else holds it all the time.
fn lock(path: &Path, wait: Duration, mut pause: impl FnMut()) -> io::Result<Option<File>> {
    let Ok(folder) = File::open(directory(path)) else { return Ok(None) };
    let until = Instant::now() + wait;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if Instant::now() < until => pause(),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process holds the lock of {}", directory(path).display());
                return Err(io::Error::new(ErrorKind::ResourceBusy, message));
            }
        }
    }
}

fn pause() {
    thread::sleep(LOCK_PAUSE);
}

fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives an ordinary file the time of now, and returns it; of anything else nothing: to open a pipe would wait.
fn set_time(path: &Path) -> io::Result<Option<File>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = File::options().write(true).open(path)?;
    file.set_modified(SystemTime::now())?;
    Ok(Some(file))
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
