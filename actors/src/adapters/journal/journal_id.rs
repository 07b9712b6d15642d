//! The name of a journal, by which daemons that share an account know whether a former holder's orders are in their own
//! journal: a random id in a file beside it. A copy has the same id, so the orders in it count, too.

use super::{BUSY_WAIT, files, orders::parsed};
use rusqlite::{Connection, OpenFlags, params};
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

/// The ids of an account's orders in a journal, oldest first; none if there is no journal yet. Of any version, because it is asked
/// before the journal is brought up to this one.
///
/// # Errors
/// The journal is there and cannot be read.
pub fn ids_of_orders(journal: &Path, account: &str) -> rusqlite::Result<Vec<Uuid>> {
    let journal = files::real(journal);
    if !journal.exists() {
        return Ok(Vec::new());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&journal, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    if !connection.table_exists(None, "orders")? {
        return Ok(Vec::new());
    }
    let mut select = connection.prepare("SELECT id FROM orders WHERE account = ?1 ORDER BY rowid")?;
    select.query_map(params![account], |row| parsed(row, 0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_not_there_yet_has_no_orders() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.db");
        assert!(ids_of_orders(&journal, "demo").unwrap().is_empty());
        fs::write(&journal, "").unwrap();
        assert!(ids_of_orders(&journal, "demo").unwrap().is_empty());
        fs::write(&journal, "no journal at all, and longer than the head of a page".repeat(9)).unwrap();
        assert!(ids_of_orders(&journal, "demo").is_err());
    }

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
