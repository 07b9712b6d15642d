//! A part of a transaction that may fail, or panic, while the rest of it is written.

use crate::domain::journal::JournalError;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does it all or, if it fails or panics, nothing of it: then why is the answer, and the rest of the transaction goes on. Parts do not
/// contain one another.
///
/// # Errors
/// The transaction cannot go on: some faults, such as a full disk, end it.
pub(super) fn apart(
    transaction: &Connection,
    work: impl FnOnce() -> Result<(), JournalError>,
) -> rusqlite::Result<Option<JournalError>> {
    let run = |sql: &str| transaction.prepare_cached(sql)?.execute([]).map(drop);
    run("SAVEPOINT apart")?;
    let done = catch_unwind(AssertUnwindSafe(work));
    let fault = done.unwrap_or_else(|_| Err(JournalError::Failed("it panicked; see the line before".into()))).err();
    if fault.is_some() {
        run("ROLLBACK TO apart")?;
    }
    run("RELEASE apart")?;
    Ok(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_or_panics_takes_nothing_else_with_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE kept (number INTEGER)").unwrap();
        let transaction = connection.transaction().unwrap();
        let put = |number: i64| transaction.execute("INSERT INTO kept VALUES (?1)", [number]).map(drop);
        put(1).unwrap();
        let fails = || {
            put(2).unwrap();
            Err(JournalError::Failed("no".into()))
        };
        assert_eq!(apart(&transaction, fails).unwrap(), Some(JournalError::Failed("no".into())));
        let panics = || {
            put(3).unwrap();
            let sizes: [u32; 0] = [];
            Err(JournalError::Failed(sizes[put(4).map_or(0, |()| 7)].to_string()))
        };
        let why = apart(&transaction, panics).unwrap().unwrap();
        assert!(why.to_string().contains("panicked"), "{why}");
        let works = || {
            put(5).unwrap();
            Ok(())
        };
        assert_eq!(apart(&transaction, works).unwrap(), None);
        transaction.commit().unwrap();
        let sum: i64 = connection.query_row("SELECT sum(number) FROM kept", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 6);
    }
}
