//! Whether other daemons may have ordered for a journal's account without its knowledge, because it was shared or guarded in etcd:
//! a file beside the journal, for a daemon that later starts with `cluster.mode = "off"` and asks nobody.

use super::files;
use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The clocks of the others may be ahead by this much, and the last order be on its way, seconds.
const APART_S: i64 = 6;

/// Notes in `<journal>.others` that from now on other daemons may order for the account, too.
///
/// # Errors
/// The file cannot be written.
pub fn note_others(journal: &Path) -> io::Result<()> {
    write(&path(journal), "")
}

/// Bars that closed until then (unix seconds) may have been ordered by another daemon: until `now_s`, if the last daemon of this
/// journal was not alone. It stays so for all that are alone after it. `None` if none of them ever had company.
///
/// # Errors
/// The file can be neither read nor written.
pub fn bars_of_others(journal: &Path, now_s: i64) -> io::Result<Option<i64>> {
    let path = path(journal);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(text) => match text.trim().parse() {
            Ok(until) => Ok(Some(until)),
            // Empty; or half of it was written when the machine stopped.
            Err(_) => {
                let until = now_s.saturating_add(APART_S);
                write(&path, &format!("{until}\n"))?;
                Ok(Some(until))
            }
        },
    }
}

fn path(journal: &Path) -> PathBuf {
    files::beside(&files::real(journal), ".others")
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = files::private().create(true).truncate(true).write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_others_are_left_alone_after_each_time_together() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        assert_eq!(bars_of_others(&journal, 1_000).unwrap(), None, "it was always alone");
        note_others(&journal).unwrap();
        assert_eq!(bars_of_others(&journal, 2_000).unwrap(), Some(2_006));
        assert_eq!(bars_of_others(&journal, 3_000).unwrap(), Some(2_006), "a restart does not bring them back");
        note_others(&journal).unwrap();
        assert_eq!(bars_of_others(&journal, 4_000).unwrap(), Some(4_006));
        assert!(note_others(&folder.path().join("none/journal.db")).is_err());
    }
}
