//! The one place on a machine where Sentinel keeps what must not depend on the folder it was started in: the journal, if
//! no setting names another, and the locks of live accounts.

use crate::process::shell;
use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The journal's name there.
const JOURNAL: &str = "journal.db";
/// All that a closed or open journal may consist of.
const PARTS: [&str; 4] = ["", "-wal", "-shm", ".unwritten"];

/// The place by the environment: systemd's `STATE_DIRECTORY` (the first, if there are several), else the XDG base
/// directory for state, else `None`. Nothing is made.
pub fn state_directory(environment: &HashMap<String, String>) -> Option<PathBuf> {
    let named = |name: &str| environment.get(name).and_then(|path| absolute(path));
    service_directory(environment)
        .or_else(|| Some(named("XDG_STATE_HOME")?.join("sentinel")))
        .or_else(|| Some(named("HOME")?.join(".local/state/sentinel")))
}

/// The state directory that a service manager or an image names.
pub(super) fn service_directory(environment: &HashMap<String, String>) -> Option<PathBuf> {
    environment.get("STATE_DIRECTORY").and_then(|paths| paths.split(':').find_map(absolute))
}

/// The XDG specification says of a relative path: invalid, ignore it. The others would move with the working folder.
fn absolute(path: &str) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// The journal in that place; in the working folder if there is no place.
pub(super) fn journal(place: Option<&Path>) -> PathBuf {
    place.map_or_else(|| PathBuf::from(JOURNAL), |place| place.join(JOURNAL))
}

/// Makes the place, for this user alone. One that is there is left as it is.
///
/// # Errors
/// As the system says.
pub fn make(place: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(place)
}

/// A journal that an earlier version made in the working folder, where this one looks no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldJournal {
    old: PathBuf,
    new: PathBuf,
}

impl OldJournal {
    /// Looks for one in `folder`, if `journal` is another file.
    pub fn find(folder: &Path, journal: &Path) -> Option<Self> {
        let old = folder.join(JOURNAL);
        let is_the_same = matches!((old.canonicalize(), journal.canonicalize()), (Ok(old), Ok(new)) if old == new);
        (!is_the_same && is_ours(&old)).then(|| Self { old, new: journal.to_owned() })
    }

    /// Both paths and the way out, for a person.
    pub fn words(&self) -> String {
        let Self { old, new } = self;
        let (old_shown, new_shown) = (old.display(), new.display());
        if new.exists() {
            return format!(
                "there is a journal of an earlier version in the working folder, {old_shown}, and one in its new place, \
                 {new_shown}. Each knows orders that the other does not: name the right one with --journal, or move \
                 {old_shown} out of this folder if it is done with"
            );
        }
        format!(
            "there is a journal of an earlier version in the working folder, {old_shown}; the journal's place is now \
             {new_shown}. End the daemon that writes to the old one, then move it: `{}`; or name it with --journal",
            self.command()
        )
    }

    /// What moves every part of it that is there.
    fn command(&self) -> String {
        let part = |suffix: &&str| PathBuf::from(format!("{}{suffix}", self.old.display()));
        let parts: Vec<_> = PARTS.iter().map(part).filter(|path| path.exists()).map(|path| quoted(&path)).collect();
        let folder = quoted(self.new.parent().unwrap_or(Path::new(".")));
        let (new, log) = (quoted(&self.new), quoted(Path::new(&format!("{}-wal", self.new.display()))));
        // Over another journal, or beside another's log, it would be neither of the two.
        format!("mkdir -p -m 0700 {folder} && [ ! -e {new} ] && [ ! -e {log} ] && mv {} {folder}/", parts.join(" "))
    }
}

/// Whether a file is a journal of Sentinel, by its first bytes. SQLite writes our mark there with the first checkpoint;
/// until then it is in the write-ahead log. One that this user may not read may be one.
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

    fn place(variables: &[(&str, &str)]) -> Option<String> {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        state_directory(&environment).map(|path| path.display().to_string())
    }

    #[test]
    fn the_place_is_systemds_else_xdgs_else_none() {
        let home = ("HOME", "/home/eve");
        let xdg = ("XDG_STATE_HOME", "/state");
        for (variables, found) in [
            (vec![], None),
            (vec![home], Some("/home/eve/.local/state/sentinel")),
            (vec![home, xdg], Some("/state/sentinel")),
            (vec![home, xdg, ("STATE_DIRECTORY", "/var/lib/sentinel:/var/lib/other")], Some("/var/lib/sentinel")),
            (vec![home, ("XDG_STATE_HOME", "state"), ("STATE_DIRECTORY", "")], Some("/home/eve/.local/state/sentinel")),
            (vec![("HOME", "eve"), ("STATE_DIRECTORY", "here")], None),
        ] {
            assert_eq!(place(&variables).as_deref(), found, "{variables:?}");
        }
    }

    #[test]
    fn the_place_is_made_for_its_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().unwrap();
        let place = folder.path().join("a/sentinel");
        make(&place).unwrap();
        make(&place).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_old_journal_is_found_with_the_command_that_moves_it_and_a_strangers_file_is_not() {
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
        assert!(found.words().contains(&found.command()) && found.words().contains(&new.display().to_string()));
        assert_eq!(OldJournal::find(folder.path(), &old), None, "it is the journal itself");
        let moved = std::process::Command::new("sh").args(["-c", &found.command()]).status().unwrap();
        assert!(moved.success() && new.exists() && !old.exists());
        drop(Store::open(&old).unwrap());
        assert!(OldJournal::find(folder.path(), &new).unwrap().words().contains("name the right one"));
    }
}
