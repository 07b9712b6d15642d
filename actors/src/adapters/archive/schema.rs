//! The tables, version by version. A version that was ever released is never edited: a later one follows it.

use super::error::ArchiveError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks the file as ours: `SNTB`.
const APPLICATION_ID: i64 = 0x534e_5442;

/// What each version adds; `PRAGMA user_version` counts how many a file has. Numbers for names: a bar is written once for each
/// row of a year, a name once.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE series (
    id       INTEGER PRIMARY KEY,
    symbol   TEXT NOT NULL,
    interval TEXT NOT NULL,
    UNIQUE (symbol, interval)
);
CREATE TABLE sources (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE       -- the host that the bars were fetched from
);
CREATE TABLE bars (
    series         INTEGER NOT NULL REFERENCES series (id),
    open_time      INTEGER NOT NULL, -- unix seconds
    revision       INTEGER NOT NULL, -- 0, then one more each time that it came with other prices, or came no more
    first_cycle_id INTEGER NOT NULL, -- the first cycle that had it so; the cycle's begin, unix milliseconds
    source         INTEGER NOT NULL REFERENCES sources (id),
    open           REAL,             -- null: the provider has it no more
    high           REAL,
    low            REAL,
    close          REAL,
    volume         REAL,
    PRIMARY KEY (series, open_time, revision)
) WITHOUT ROWID;
"];

/// Latest version.
#[allow(clippy::cast_possible_wrap)] // a handful
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Refuses a file that is not ours or is from the future, before anything in it is touched. Answers the version it has.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i64, ArchiveError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let all = (|| {
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        Ok((tables, number("PRAGMA application_id")?, number("PRAGMA user_version")?))
    })();
    let (tables, application_id, found) = all.map_err(|error| ArchiveError::of(path, &error))?;
    if tables > 0 && application_id != APPLICATION_ID {
        return Err(ArchiveError::Foreign(path.to_owned()));
    }
    if found > VERSION { Err(ArchiveError::Newer { found, known: VERSION }) } else { Ok(found) }
}

/// Applies what the file lacks, all of it or nothing.
pub(super) fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
