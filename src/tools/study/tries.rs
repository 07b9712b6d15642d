//! Every study of a symbol's bars, kept in a file of its own, so that a tenth try is judged as such.

use anyhow::Context;
use rusqlite::{Connection, OpenFlags, params};
use std::{path::Path, time::Duration};

/// Marks the file as ours: `SNTS`.
const APPLICATION_ID: i64 = 0x534e_5453;
/// How long a study waits for another one that writes.
const BUSY_WAIT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE studies (
    id               TEXT PRIMARY KEY,  -- of what was tried: symbol, interval, model, its first odds, label, exits
    symbol           TEXT NOT NULL,
    interval         TEXT NOT NULL,
    first_close_time INTEGER NOT NULL,  -- of the bars that it was tried on, unix seconds
    last_close_time  INTEGER NOT NULL,
    model            TEXT NOT NULL,
    horizon_bars     INTEGER NOT NULL,
    trials           INTEGER NOT NULL   -- thresholds x sides
) WITHOUT ROWID;
CREATE INDEX studies_of ON studies (symbol, interval);
";

/// What a study tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// The same for the same try, even if bars were added since.
    pub id: String,
    /// Its symbol.
    pub symbol: String,
    /// Its bars.
    pub interval: &'static str,
    /// First bar's close, unix seconds.
    pub first_close_time: i64,
    /// Last bar's close, unix seconds.
    pub last_close_time: i64,
    /// `model.name`
    pub model: String,
    /// How long a position may last.
    pub horizon_bars: usize,
    /// Thresholds times sides.
    pub trials: u64,
}

/// All that was ever tried on bars of that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many studies, this one included.
    pub studies: u64,
    /// All their trials.
    pub trials: u64,
}

/// Records the try and returns all of them on the same bars: of this symbol and interval, and of a time that overlaps this
/// one's. The same try again counts once, on all bars that it was ever made on: a shorter range later does not remove it.
///
/// # Errors
/// A file that is not ours or cannot be written: without it the number of tries is not known.
pub fn count(path: &Path, this: &Try) -> anyhow::Result<Tried> {
    let named = || format!("{}, which counts the studies of these bars", path.display());
    let mut connection = open(path).with_context(named)?;
    tried(&mut connection, this).with_context(named)
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        crate::settings::make_state_directory(folder)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (tables, found) = (number("SELECT count(*) FROM sqlite_schema")?, number("PRAGMA application_id")?);
    if tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", 1)?;
    } else {
        anyhow::ensure!(found == APPLICATION_ID, "it belongs to another program: name another file with --studies");
        let version = number("PRAGMA user_version")?;
        anyhow::ensure!(version == 1, "it was written by a later version of sentinel");
    }
    transaction.commit()?;
    Ok(connection)
}

fn tried(connection: &mut Connection, this: &Try) -> rusqlite::Result<Tried> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO studies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET
         first_close_time = min(first_close_time, excluded.first_close_time),
         last_close_time = max(last_close_time, excluded.last_close_time), trials = max(trials, excluded.trials)",
        params![
            this.id,
            this.symbol,
            this.interval,
            this.first_close_time,
            this.last_close_time,
            this.model,
            i64::try_from(this.horizon_bars).unwrap_or(i64::MAX),
            i64::try_from(this.trials).unwrap_or(i64::MAX),
        ],
    )?;
    let all = transaction.query_row(
        "SELECT count(*), sum(trials) FROM studies WHERE symbol = ?1 AND interval = ?2
         AND first_close_time <= ?4 AND last_close_time >= ?3",
        params![this.symbol, this.interval, this.first_close_time, this.last_close_time],
        |row| {
            let whole = |place| row.get::<_, i64>(place).map(|number| u64::try_from(number).unwrap_or(0));
            Ok(Tried { studies: whole(0)?, trials: whole(1)? })
        },
    )?;
    transaction.commit()?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn a_try(id: &str, times: (i64, i64)) -> Try {
        let (symbol, model) = ("EURUSD".to_owned(), "one".to_owned());
        let (first_close_time, last_close_time) = times;
        let id = id.to_owned();
        Try { id, symbol, interval: "1h", first_close_time, last_close_time, model, horizon_bars: 4, trials: 62 }
    }

    #[test]
    fn every_other_try_on_these_bars_counts() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("state/studies.db");
        let studies = |this: &Try| count(&path, this).unwrap().studies;
        assert_eq!(studies(&a_try("a", (0, 100))), 1);
        assert_eq!(studies(&a_try("a", (0, 100))), 1, "the same again is the same");
        assert_eq!(studies(&a_try("a", (0, 101))), 1, "with one more bar, too");
        assert_eq!(studies(&a_try("b", (50, 150))), 2);
        assert_eq!(studies(&a_try("c", (102, 200))), 2, "the first one ended before");
        assert_eq!(studies(&a_try("a", (0, 40))), 1);
        assert_eq!(studies(&a_try("f", (101, 101))), 3, "a shorter rerun does not undo the longer one");
        let other = Try { symbol: "USDJPY".into(), ..a_try("d", (0, 100)) };
        assert_eq!(studies(&other), 1);
        assert_eq!(studies(&Try { interval: "5m", ..a_try("e", (0, 100)) }), 1);
        assert_eq!(count(&path, &a_try("b", (50, 150))).unwrap().trials, 4 * 62);
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("studies.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE studies (a)").unwrap();
        let error = format!("{:#}", count(&path, &a_try("a", (0, 1))).unwrap_err());
        assert!(error.contains("another program"), "{error}");
        fs::write(&path, "no database, but a text that is long enough to be looked at as one").unwrap();
        assert!(count(&path, &a_try("a", (0, 1))).is_err());
        assert!(fs::read(&path).unwrap().starts_with(b"no database"));
    }
}
