//! The kill switch and the stop after failed orders as the console sees them: each change gets a number, so that a page which
//! is older than the last change can be told from one that is not.

use sentinel_actors::adapters::{
    halt_file::{HaltFile, HaltState},
    journal::{Latch, Pressed},
};
use serde::Serialize;
use std::{
    cell::RefCell,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// HALT of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Halt {
    pub is_available: bool,
    pub is_halted: bool,
    pub generation: u64,
    pub since_ms: Option<i64>,
    pub who: Option<String>,
    pub reason: Option<String>,
    pub failures_in_a_row: Option<u32>,
    pub failures_max: u32,
}

/// What the file system has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Device, inode, and the time of its content: seconds and nanoseconds.
    File(u64, u64, i64, i64),
    /// It cannot be told.
    Unknown,
}

/// What is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether no order is sent.
    pub is_halted: bool,
    /// The number of the last change.
    pub generation: u64,
    /// When the file was made or a halt was pressed again, unix milliseconds.
    pub since_ms: Option<i64>,
}

/// Looks at the file, and is told what the journal has. Belongs to one thread.
pub(super) struct HaltWatch {
    path: Option<PathBuf>,
    failures_max: u32,
    last: RefCell<Last>,
}

/// What the last look saw, and its number.
struct Last {
    generation: u64,
    found: Found,
    /// `None` until the journal was read.
    latch: Option<Latch>,
}

impl HaltWatch {
    /// Of this file. Numbers begin with the seconds of `now`, since the unix epoch, so that none of an earlier server comes
    /// again, of this daemon or of another one.
    pub fn new(path: Option<PathBuf>, failures_max: u32, now: Duration) -> Self {
        let found = find(path.as_deref());
        let last = Last { generation: now.as_secs(), found, latch: None };
        Self { path, failures_max, last: RefCell::new(last) }
    }

    /// The file, if it is set.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// When the file was made or a halt was pressed again, unix milliseconds.
    pub fn since_ms(&self) -> Option<i64> {
        since_ms(&find(self.path.as_deref()))
    }

    /// The state at this moment; a change gets the next number. `latch` is what the journal has just said, `None` if it could
    /// not be read: then what it said before holds.
    pub fn look(&self, latch: Option<Latch>) -> Seen {
        let found = find(self.path.as_deref());
        let mut last = self.last.borrow_mut();
        let latch = latch.or(last.latch);
        if last.found != found || last.latch != latch {
            *last = Last { generation: last.generation + 1, found, latch };
        }
        let since_ms = since_ms(&last.found);
        // Asked of the same function as the cycle asks: if nobody can tell, it is halted.
        let is_halted = HaltFile::new(self.path.clone()).state() != HaltState::Running;
        Seen { is_halted, generation: last.generation, since_ms }
    }

    /// What was there at the last look.
    pub fn found(&self) -> Found {
        self.last.borrow().found.clone()
    }

    /// The object of the contract. `pressed` is the press that made the file, `failures` the count of orders not filled.
    pub fn shown(&self, seen: Seen, pressed: Option<Pressed>, failures: Option<u32>) -> Halt {
        let pressed = pressed.filter(|_| seen.is_halted);
        Halt {
            is_available: self.path.is_some(),
            is_halted: seen.is_halted,
            generation: seen.generation,
            since_ms: seen.since_ms,
            reason: pressed.as_ref().and_then(|pressed| pressed.note.clone()),
            who: pressed.map(|pressed| pressed.who),
            failures_in_a_row: failures,
            failures_max: self.failures_max,
        }
    }
}

fn since_ms(found: &Found) -> Option<i64> {
    match found {
        Found::File(_, _, seconds, nanoseconds) => Some(seconds * 1_000 + nanoseconds / 1_000_000),
        Found::Nothing | Found::Unknown => None,
    }
}

/// What is there at this moment.
pub(super) fn find(path: Option<&Path>) -> Found {
    let Some(path) = path else { return Found::Nothing };
    match fs::symlink_metadata(path) {
        Ok(found) => Found::File(found.dev(), found.ino(), found.mtime(), found.mtime_nsec()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Found::Nothing,
        Err(_) => Found::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::adapters::halt_file;

    #[test]
    fn each_change_has_its_number_and_no_change_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("halt");
        let watch = HaltWatch::new(Some(path.clone()), 3, Duration::from_secs(1_000));
        let first = watch.look(None);
        assert_eq!((first.is_halted, first.generation, watch.look(None).generation), (false, 1_000, 1_000));
        halt_file::halt(&path).unwrap();
        let halted = watch.look(None);
        assert_eq!((halted.is_halted, halted.generation, watch.look(None).generation), (true, 1_001, 1_001));
        assert!(halted.since_ms.is_some());
        halt_file::halt(&path).unwrap();
        assert_eq!(watch.look(None).generation, 1_002, "a second halt is a change");
        halt_file::resume(&path).unwrap();
        assert_eq!(watch.look(None).generation, 1_003);
        halt_file::halt(&path).unwrap();
        watch.look(None);
        // Both between two looks: it is another halt.
        std::thread::sleep(Duration::from_millis(20));
        halt_file::resume(&path).unwrap();
        halt_file::halt(&path).unwrap();
        assert_eq!(watch.look(None).generation, 1_005);
    }

    #[test]
    fn a_doubt_is_shown_as_a_halt() {
        let folder = tempfile::tempdir().unwrap();
        let watch = HaltWatch::new(Some(folder.path().join("gone/halt")), 0, Duration::ZERO);
        assert!(watch.look(None).is_halted);
        assert!(!HaltWatch::new(None, 0, Duration::ZERO).look(None).is_halted);
    }
}
