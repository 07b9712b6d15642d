//! Every study of a symbol's bars, kept in a file of its own, so that a tenth try is judged as such.

use anyhow::Context;
use rusqlite::{Connection, OpenFlags, params};
use sentinel_actors::domain::{bar::Bar, calendar::Calendar};
use sha2::{Digest, Sha256};
use std::{path::Path, time::Duration};

/// As many days with the same close at the same moment are the same history, whatever it is called. Two prices may meet once by
/// chance.
const SAME_DAYS: usize = 5;
/// Marks the file as ours: `SNTS`.
const APPLICATION_ID: i64 = 0x534e_5453;
/// How long a study waits for another one that writes.
const BUSY_WAIT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
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
const MARKS: &str = "
CREATE TABLE marks (
    mark  INTEGER NOT NULL,  -- of the end of a day and of the price then
    study TEXT NOT NULL,
    PRIMARY KEY (mark, study)
) WITHOUT ROWID;
CREATE INDEX marks_of ON marks (study);
";
const VERSION: i64 = 2;

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
    /// Its thresholds.
    pub trials: u64,
    /// Of each day, of its last moment and the price then: the same for all intervals of a history.
    pub marks: Vec<i64>,
}

/// The marks of bars, by their closes (unix seconds) and the calendar's days.
pub fn marks(bars: &[Bar], close_times: &[i64], calendar: &Calendar) -> Vec<i64> {
    let mut day_end = i64::MIN;
    let mark = |(bar, close_time): (&Bar, &i64)| {
        if *close_time > day_end {
            day_end = calendar.trading_day(close_time - 1).end;
        }
        // A file may have been rounded when it was written.
        let price = (bar.close * 1e6).round();
        let digest = Sha256::new().chain_update(close_time.to_le_bytes()).chain_update(price.to_le_bytes()).finalize();
        (*close_time == day_end).then(|| i64::from_le_bytes(std::array::from_fn(|at| digest[at])))
    };
    bars.iter().zip(close_times).filter_map(mark).collect()
}

/// All that was ever tried on bars of that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many studies, this one included.
    pub studies: u64,
    /// All their trials.
    pub trials: u64,
}

/// Records the try and returns all of them on the same bars: of this symbol, of any interval, and of a time that overlaps this
/// one's; or of any name, with the same closes on some days. The same try again counts once, on all bars that it was ever made on:
/// fewer bars later do not remove it.
///
/// # Errors
/// A file that is not ours or cannot be written: without it the number of tries is not known.
pub fn count(path: &Path, this: &Try) -> anyhow::Result<Tried> {
    let named = || named(path);
    let mut connection = open(path).with_context(named)?;
    tried(&mut connection, this).with_context(named)
}

/// Whether a try can be counted there, before hours go into one that cannot. Makes the file if it is not there.
///
/// # Errors
/// As [`count`].
pub fn check(path: &Path) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        let mut connection = open(path)?;
        // A file that may only be read is opened all the same, so something is written. Dropped, it is not kept.
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        Ok(transaction.pragma_update(None, "user_version", VERSION)?)
    };
    write().with_context(|| named(path))
}

fn named(path: &Path) -> String {
    format!("{}, which counts the studies of these bars", path.display())
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
        transaction.execute_batch(MARKS)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    } else {
        anyhow::ensure!(found == APPLICATION_ID, "it belongs to another program: name another file with --studies");
        let version = number("PRAGMA user_version")?;
        anyhow::ensure!((1..=VERSION).contains(&version), "it was written by a later version of sentinel");
        if version == 1 {
            transaction.execute_batch(MARKS)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
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
    {
        let mut insert = transaction.prepare("INSERT OR IGNORE INTO marks VALUES (?1, ?2)")?;
        for mark in &this.marks {
            insert.execute(params![mark, this.id])?;
        }
    }
    let same = this.marks.len().clamp(1, SAME_DAYS);
    let all = transaction.query_row(
        "SELECT count(*), sum(trials) FROM studies
         WHERE symbol = ?1 AND first_close_time <= ?3 AND last_close_time >= ?2
         OR id IN (SELECT other.study FROM marks AS own JOIN marks AS other ON other.mark = own.mark
                   WHERE own.study = ?4 GROUP BY other.study HAVING count(*) >= ?5)",
        params![
            this.symbol,
            this.first_close_time,
            this.last_close_time,
            this.id,
            i64::try_from(same).unwrap_or(i64::MAX),
        ],
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
        let (interval, horizon_bars, trials, marks) = ("1h", 4, 62, Vec::new());
        Try { id, symbol, interval, first_close_time, last_close_time, model, horizon_bars, trials, marks }
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
        assert_eq!(studies(&Try { interval: "5m", ..a_try("e", (0, 100)) }), 3, "another interval of the same history");
        assert_eq!(count(&path, &a_try("b", (50, 150))).unwrap().trials, 5 * 62);
    }

    /// Bars of so many hours, from a Monday on.
    fn bars(hours: usize, step: usize, shift: f64) -> (Vec<Bar>, Vec<i64>) {
        let begin = 1_794_787_200;
        let price = |hour: usize| 1.1 + (hour as f64).sin() * 1e-3 + shift;
        let bar = |at: usize| {
            let (open, close) = (price(at), price(at + step));
            let (high, low) = (open.max(close), open.min(close));
            Bar { open_time: begin + 3_600 * at as i64, open, high, low, close, volume: 0.0 }
        };
        let bars: Vec<Bar> = (0..hours / step).map(|at| bar(at * step)).collect();
        let closes = bars.iter().map(|bar| bar.open_time + 3_600 * step as i64).collect();
        (bars, closes)
    }

    #[test]
    fn a_history_is_known_again_by_its_closes() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("studies.db");
        let calendar = Calendar::always();
        let a_try = |id: &str, symbol: &str, (bars, times): (Vec<Bar>, Vec<i64>)| Try {
            symbol: symbol.into(),
            first_close_time: times[0],
            last_close_time: *times.last().unwrap(),
            marks: marks(&bars, &times, &calendar),
            ..a_try(id, (0, 0))
        };
        let studies = |this: &Try| count(&path, this).unwrap().studies;
        let first = a_try("a", "EURUSD", bars(240, 1, 0.0));
        assert_eq!((first.marks.len(), studies(&first)), (10, 1));
        assert_eq!(studies(&a_try("b", "EURUSDX", bars(240, 1, 0.0))), 2, "the same under another name");
        assert_eq!(studies(&a_try("c", "MINE", bars(240, 4, 0.0))), 3, "its bars of 4 hours");
        assert_eq!(studies(&a_try("d", "MORE", bars(400, 24, 0.0))), 4, "its days, and more of them");
        assert_eq!(studies(&a_try("e", "OTHER", bars(240, 1, 0.01))), 1, "another price");
        assert_eq!(studies(&first), 4);
    }

    #[test]
    fn a_file_from_before_marks_goes_on() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("studies.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA).unwrap();
        old.execute_batch("INSERT INTO studies VALUES ('old', 'EURUSD', '1h', 0, 50, 'one', 4, 124)").unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        let tried = count(&path, &Try { marks: vec![7], ..a_try("new", (40, 90)) }).unwrap();
        assert_eq!((tried.studies, tried.trials), (2, 186));
    }

    #[test]
    fn a_check_counts_nothing() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("state/studies.db");
        check(&path).unwrap();
        assert_eq!(count(&path, &a_try("a", (0, 100))).unwrap().studies, 1);
        check(&path).unwrap();
        assert_eq!(count(&path, &a_try("a", (0, 100))).unwrap().studies, 1);
        assert!(check(folder.path()).is_err(), "a folder");
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("studies.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE studies (a)").unwrap();
        for error in [count(&path, &a_try("a", (0, 1))).map(drop), check(&path)] {
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains("studies.db, which counts the studies of these bars: it belongs to another program"), "{error}");
        }
        fs::write(&path, "no database, but a text that is long enough to be looked at as one").unwrap();
        assert!(count(&path, &a_try("a", (0, 1))).is_err());
        assert!(fs::read(&path).unwrap().starts_with(b"no database"));
    }
}
