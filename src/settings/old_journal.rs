//! A journal that an earlier version left in the working folder: found, and named with the command that moves it.

use super::state_directory::JOURNAL;
use crate::process::shell;
use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

/// The suffixes of all files that a journal may consist of.
const PARTS: [&str; 4] = ["", "-wal", "-shm", ".unwritten"];

/// A journal of an earlier version, in the working folder, where this version does not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldJournal {
    old: PathBuf,
    new: PathBuf,
}

impl OldJournal {
    /// Looks for one in `folder`; a file that is `journal` itself does not count.
    pub fn find(folder: &Path, journal: &Path) -> Option<Self> {
        let old = folder.join(JOURNAL);
        let is_the_same = matches!((old.canonicalize(), journal.canonicalize()), (Ok(old), Ok(new)) if old == new);
        (!is_the_same && is_ours(&old)).then(|| Self { old, new: journal.to_owned() })
    }

    /// Both paths and what to do, for a person.
    pub fn message(&self) -> String {
        let Self { old, new } = self;
        let (old_shown, new_shown) = (old.display(), new.display());
        if new.exists() {
            return format!(
                "there are two journals: {old_shown}, which an earlier version left in the working folder, and {new_shown}. Each \
                 has orders that the other does not have. Name the right one with --journal, or move {old_shown} out of this \
                 folder if it is no longer needed"
            );
        }
        format!(
            "an earlier version left its journal in the working folder: {old_shown}. The journal is now {new_shown}. Stop the \
             daemon that writes to the old one, then move it with `{}`, or name it with --journal",
            self.command()
        )
    }

    /// The command that moves all existing parts of it.
    fn command(&self) -> String {
        let part = |suffix: &&str| PathBuf::from(format!("{}{suffix}", self.old.display()));
        let parts: Vec<_> = PARTS.iter().map(part).filter(|path| path.exists()).map(|path| quoted(&path)).collect();
        let folder = quoted(self.new.parent().unwrap_or(Path::new(".")));
        let (new, log) = (quoted(&self.new), quoted(Path::new(&format!("{}-wal", self.new.display()))));
        // Over another journal, or beside the log of another, it would be neither of the two.
        format!("mkdir -p -m 0700 {folder} && [ ! -e {new} ] && [ ! -e {log} ] && mv {} {folder}/", parts.join(" "))
    }
}

/// Whether a file is a journal of Sentinel, by its first bytes. SQLite writes our mark there with the first checkpoint;
/// until then the mark is in the write-ahead log. A file that this user cannot read may be one.
fn is_ours(path: &Path) -> bool {
    const OUR_MARK: [u8; 4] = *b"SNTL";
    let mut head = [0; 72];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        return true;
    }
    let is_read = read.is_ok();
    let has_log = || fs::metadata(format!("{}-wal", path.display())).is_ok_and(|log| log.len() > 0);
    is_read
        && head.starts_with(b"SQLite format 3\0")
        && (head[68..72] == OUR_MARK || head[68..72] == [0; 4] && has_log())
}

fn quoted(path: &Path) -> String {
    shell::quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::adapters::journal::Store;
    use tempfile::TempDir;

    #[test]
    fn an_old_journal_is_found_with_the_command_that_moves_it() {
        let (folder, place) = (TempDir::with_prefix("it's ").unwrap(), TempDir::new().unwrap());
        let (old, new) = (folder.path().join("journal.db"), place.path().join("new/journal.db"));
        assert_eq!(OldJournal::find(folder.path(), &new), None);
        fs::write(&old, [0; 200]).unwrap();
        assert_eq!(OldJournal::find(folder.path(), &new), None);
        fs::remove_file(&old).unwrap();
        let open = Store::open(&old).unwrap();
        let found = OldJournal::find(folder.path(), &new).unwrap();
        assert!(found.command().contains("journal.db-wal"), "{}", found.command());
        drop(open);
        let found = OldJournal::find(folder.path(), &new).unwrap();
        assert!(found.message().contains(&found.command()) && found.message().contains(&new.display().to_string()));
        assert_eq!(OldJournal::find(folder.path(), &old), None, "it is the journal itself");
        let moved = std::process::Command::new("sh").args(["-c", &found.command()]).status().unwrap();
        assert!(moved.success() && new.exists() && !old.exists());
        drop(Store::open(&old).unwrap());
        assert!(OldJournal::find(folder.path(), &new).unwrap().message().contains("Name the right one"));
    }
}
