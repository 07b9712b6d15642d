//! The kill switch: while its file exists, no order is sent. The cycle checks it. `sentinel halt` creates the file and
//! `sentinel resume` removes it; `touch` and `rm` do the same.

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

/// Creates the file, and syncs it to disk before it returns. Returns whether it did not exist before; if it did, its time
/// is now, so that a resume which is decided on an older look at it can be told.
///
/// # Errors
/// Errors of the file system; then it is not certain that the file exists or survives a power failure.
pub fn halt(path: &Path) -> io::Result<bool> {
    // A halt that cannot get the lock is made all the same.
    let _lock = lock(path);
    make(path)
}

fn make(path: &Path) -> io::Result<bool> {
    match File::create_new(path) {
        Ok(mut file) => {
            file.write_all(b"Sentinel sends no order while this file exists; `sentinel resume` removes it.\n")?;
            file.sync_all()?;
            // The directory entry, too: a halt must survive a power failure.
            File::open(directory(path))?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Orders are halted whether the time can be set or not.
            if let Err(error) = set_time(path) {
                tracing::debug!(%error, "the time of the halt file stays what it was");
            }
            // Gone since: by a resume that was decided on before this halt.
            if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return make(path);
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Removes the file. Returns whether it existed.
///
/// # Errors
/// Errors of the file system; then orders stay halted.
pub fn resume(path: &Path) -> io::Result<bool> {
    let _lock = lock(path);
    remove(path)
}

/// Removes the file if `is_expected` says so while no other command of Sentinel can change it; `None` if it does not. So a
/// [`halt`], by whichever process, is either seen by `is_expected` or made after the removal. Somebody who uses `touch` takes
/// no lock: of an existing file that is touched between the look and the removal, nothing is left. Nothing here can prevent
/// that, because `touch` does not look again.
///
/// # Errors
/// The same; also if another process holds the lock.
pub fn resume_if(path: &Path, is_expected: impl FnOnce() -> bool) -> io::Result<Option<bool>> {
    let _lock = lock(path).ok_or_else(|| {
        io::Error::new(ErrorKind::ResourceBusy, format!("{} cannot be locked", directory(path).display()))
    })?;
    if is_expected() { remove(path).map(Some) } else { Ok(None) }
}

/// An advisory lock on the folder, so that no further file is needed; the system gives it up if the process dies. `None` if
/// somebody holds it for long, or the folder cannot be opened.
fn lock(path: &Path) -> Option<File> {
    let folder = File::open(directory(path)).ok()?;
    let until = Instant::now() + LOCK_WAIT;
    loop {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCK_PAUSE),
            Err(_) => return None,
        }
    }
}

fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Only of an ordinary file: to open a pipe would wait.
fn set_time(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    File::options().write(true).open(path)?.set_modified(SystemTime::now())
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory for one test, removed at its end.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("sentinel-halt-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_file_halts_from_its_making_to_its_removal() {
        let place = Place::new();
        let path = place.0.join("halt");
        let switch = HaltFile::new(Some(path.clone()));
        assert_eq!(switch.state(), HaltState::Running);
        assert!(halt(&path).unwrap() && switch.is_halted());
        assert!(!halt(&path).unwrap() && switch.is_halted(), "halting twice is halted");
        assert!(resume(&path).unwrap() && !switch.is_halted());
        assert!(!resume(&path).unwrap() && !switch.is_halted());
        fs::write(&path, "").unwrap();
        assert_eq!(switch.state(), HaltState::Halted, "touch does as well");
    }

    #[test]
    fn a_second_halt_gives_the_file_a_new_time() {
        let place = Place::new();
        let path = place.0.join("halt");
        halt(&path).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(!halt(&path).unwrap());
        assert!(fs::metadata(&path).unwrap().modified().unwrap() > long_ago);
        fs::create_dir(place.0.join("folder")).unwrap();
        assert!(!halt(&place.0.join("folder")).unwrap(), "a directory halts as well, and stays as it is");
    }

    #[test]
    fn a_halt_between_a_resumes_look_and_its_removal_stands() {
        let place = Place::new();
        let path = place.0.join("halt");
        for is_halted in [true, false] {
            let _ = resume(&path);
            if is_halted {
                halt(&path).unwrap();
            }
            let mut halting = None;
            let resumed = resume_if(&path, || {
                let path = path.clone();
                halting = Some(thread::spawn(move || halt(&path)));
                // Without a lock it would be made by now, and be removed with the older one.
                thread::sleep(Duration::from_millis(60));
                true
            });
            assert_eq!(resumed.unwrap(), Some(is_halted));
            assert!(halting.unwrap().join().unwrap().unwrap(), "it made a file of its own");
            assert!(path.exists(), "the newer halt stands");
        }
        assert_eq!(resume_if(&path, || false).unwrap(), None);
        assert!(path.exists(), "another file than expected stays");
    }

    #[test]
    fn a_lock_that_is_held_delays_a_halt_and_refuses_a_resume() {
        let place = Place::new();
        let path = place.0.join("halt");
        let held = lock(&path).unwrap();
        assert!(halt(&path).unwrap() && path.exists(), "a halt is made all the same");
        assert!(resume_if(&path, || true).is_err() && path.exists());
        drop(held);
        assert_eq!(resume_if(&path, || true).unwrap(), Some(true));
    }

    #[test]
    fn a_doubt_is_a_halt() {
        let place = Place::new();
        let gone = HaltFile::new(Some(place.0.join("unmounted").join("halt")));
        assert!(gone.is_halted() && matches!(gone.state(), HaltState::Unknown(_)));
        fs::write(place.0.join("file"), "").unwrap();
        let no_directory = HaltFile::new(Some(place.0.join("file").join("halt")));
        assert!(no_directory.is_halted(), "{}", no_directory.state());
        fs::create_dir(place.0.join("halt")).unwrap();
        assert!(HaltFile::new(Some(place.0.join("halt"))).is_halted(), "a directory of that name");
        assert!(resume(&place.0.join("halt")).is_err());
    }

    #[test]
    fn without_a_file_nothing_is_halted() {
        assert!(!HaltFile::new(None).is_halted());
    }
}
