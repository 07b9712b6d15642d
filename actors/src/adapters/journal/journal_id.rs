//! The name of a journal, by which daemons that share an account know whether a former holder's orders are in their own
//! journal: a random id in a file beside it.

use super::files;
use std::{
    fs,
    io::{self, Write},
    path::Path,
};
use uuid::Uuid;

/// Reads the id of a journal from `<journal>.id`. A journal that does not exist yet, or has none, gets a new one.
///
/// # Errors
/// The file can be neither read nor written.
pub fn journal_id(journal: &Path) -> io::Result<Uuid> {
    let journal = files::real(journal);
    let path = files::beside(&journal, ".id");
    // Without its journal an old id would stand for orders that nobody knows any more.
    if journal.exists()
        && let Ok(text) = fs::read_to_string(&path)
        && let Ok(id) = text.trim().parse()
    {
        return Ok(id);
    }
    let id = Uuid::new_v4();
    let mut file = files::private().create(true).truncate(true).write(true).open(&path)?;
    file.write_all(format!("{id}\n").as_bytes())?;
    file.sync_all()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_lasts_as_long_as_its_journal() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        let before = journal_id(&journal).unwrap();
        assert_ne!(journal_id(&journal).unwrap(), before, "there is no journal yet");
        fs::write(&journal, "").unwrap();
        let id = journal_id(&journal).unwrap();
        assert_eq!(journal_id(&journal).unwrap(), id);
        fs::remove_file(&journal).unwrap();
        assert_ne!(journal_id(&journal).unwrap(), id);
        assert!(journal_id(&folder.path().join("none/journal.db")).is_err());
    }
}
