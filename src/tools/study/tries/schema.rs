//! The file that counts studies: its tables, and how it is opened.

use anyhow::ensure;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{path::Path, time::Duration};

/// Marks the file as ours: `SNTS`.
pub(super) const APPLICATION_ID: i64 = 0x534e_5453;
/// How long a study waits for another one that writes.
const BUSY_WAIT: Duration = Duration::from_secs(5);

pub(super) const SCHEMA: &str = "
CREATE TABLE studies (
    id               TEXT PRIMARY KEY,  -- of what was tried: symbol, interval, model, its first odds, training, range, exits
    symbol           TEXT NOT NULL,
    interval         TEXT NOT NULL,
    first_close_time INTEGER NOT NULL,  -- of the bars that it was tried on, unix seconds
    last_close_time  INTEGER NOT NULL,
    model            TEXT NOT NULL,
    horizon_bars     INTEGER NOT NULL,
    trials           INTEGER NOT NULL   -- thresholds
) WITHOUT ROWID;
CREATE INDEX studies_of ON studies (symbol, interval);
";

/// From version 1 to 2: what the bars of a study are known again by.
pub(super) const MARKS: &str = "
CREATE TABLE marks (
    mark  INTEGER NOT NULL,  -- of the end of a day and of the price then
    study TEXT NOT NULL,
    PRIMARY KEY (mark, study)
) WITHOUT ROWID;
CREATE INDEX marks_of ON marks (study);
";

/// From version 2 to 3: what a model is known again by, although the journal has forgotten its first odds.
const ODDS: &str = "
CREATE TABLE odds (
    study      TEXT NOT NULL,
    close_time INTEGER NOT NULL,  -- of the last bar of a day that has odds, unix seconds
    mark       INTEGER NOT NULL,  -- of these odds, and of all else that makes a try
    PRIMARY KEY (study, close_time)
) WITHOUT ROWID;
CREATE INDEX odds_mark ON odds (mark);
";
/// What each version brought.
const STEPS: [&str; 3] = [SCHEMA, MARKS, ODDS];
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Opens it, or makes it.
///
/// # Errors
/// A file that is not ours, or that cannot be used.
pub(super) fn open(path: &Path) -> anyhow::Result<Connection> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        crate::settings::make_state_directory(folder)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (tables, found) = (number("SELECT count(*) FROM sqlite_schema")?, number("PRAGMA application_id")?);
    let version = if tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        0
    } else {
        ensure!(found == APPLICATION_ID, "it belongs to another program: name another file with --studies");
        let version = number("PRAGMA user_version")?;
        ensure!((1..=VERSION).contains(&version), "it was written by a later version of sentinel");
        version
    };
    for step in STEPS.iter().skip(usize::try_from(version)?) {
        transaction.execute_batch(step)?;
    }
    if version < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(connection)
}
