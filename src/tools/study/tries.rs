//! Every study of a symbol's bars, kept in a file of its own, so that a tenth try is judged as such. `schema` has its tables.

mod schema;
#[cfg(test)]
mod tests;

use anyhow::Context;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use schema::{VERSION, open};
use sentinel_actors::domain::{bar::Bar, calendar::Calendar};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

/// As many days with the same close at the same moment are the same history, whatever it is called. Two prices may meet once by
/// chance. As many days with the same odds are the same model.
const SAME_DAYS: usize = 5;

/// What a study tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// The same for the same try, even if bars were added since. A try that is known again by its odds keeps the one that it had.
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
    /// See [`odds_marks`].
    pub odds_marks: Vec<(i64, i64)>,
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

/// Of each of the calendar's days, the last close that has odds (unix seconds), and the mark of these odds. `rules` are all else that
/// makes a try; the odds are those of SELL, HOLD and BUY, oldest first.
pub fn odds_marks(rules: &str, odds: impl Iterator<Item = (i64, [f64; 3])>, calendar: &Calendar) -> Vec<(i64, i64)> {
    let (mut last, mut day_end) = (Vec::<(i64, [f64; 3])>::new(), i64::MIN);
    for (close_time, odds) in odds {
        if close_time > day_end {
            day_end = calendar.trading_day(close_time - 1).end;
        } else {
            last.pop();
        }
        last.push((close_time, odds));
    }
    let mark = |(close_time, odds): (i64, [f64; 3])| {
        let digest = Sha256::new().chain_update(rules).chain_update(close_time.to_le_bytes());
        let digest = digest.chain_update(odds.map(f64::to_le_bytes).as_flattened()).finalize();
        (close_time, i64::from_le_bytes(std::array::from_fn(|at| digest[at])))
    };
    last.into_iter().map(mark).collect()
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
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(transaction.pragma_update(None, "user_version", VERSION)?)
    };
    write().with_context(|| named(path))
}

fn named(path: &Path) -> String {
    format!("{}, which counts the studies of these bars", path.display())
}

/// The try that had the same odds on all days that both have, [`SAME_DAYS`] of them at least. Its first odds may be gone since.
fn known(connection: &Connection, this: &Try) -> rusqlite::Result<Option<String>> {
    let mut same: BTreeMap<String, usize> = BTreeMap::new();
    let mut of_mark = connection.prepare("SELECT study FROM odds WHERE mark = ?1")?;
    for (_, mark) in &this.odds_marks {
        for study in of_mark.query_map([mark], |row| row.get(0))? {
            *same.entry(study?).or_default() += 1;
        }
    }
    same.retain(|_, count| *count >= SAME_DAYS);
    let mut at = connection.prepare("SELECT mark FROM odds WHERE study = ?1 AND close_time = ?2")?;
    for study in same.keys() {
        let is_other = |(close_time, mark): &(i64, i64)| -> rusqlite::Result<bool> {
            let found: Option<i64> = at.query_row(params![study, close_time], |row| row.get(0)).optional()?;
            Ok(found.is_some_and(|found| found != *mark))
        };
        let others: Vec<bool> = this.odds_marks.iter().map(is_other).collect::<rusqlite::Result<_>>()?;
        if !others.contains(&true) {
            return Ok(Some(study.clone()));
        }
    }
    Ok(None)
}

fn tried(connection: &mut Connection, this: &Try) -> rusqlite::Result<Tried> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let id = known(&transaction, this)?.unwrap_or_else(|| this.id.clone());
    transaction.execute(
        "INSERT INTO studies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET
         first_close_time = min(first_close_time, excluded.first_close_time),
         last_close_time = max(last_close_time, excluded.last_close_time), trials = max(trials, excluded.trials)",
        params![
            id,
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
            insert.execute(params![mark, id])?;
        }
        let mut insert = transaction.prepare("INSERT OR IGNORE INTO odds VALUES (?1, ?2, ?3)")?;
        for (close_time, mark) in &this.odds_marks {
            insert.execute(params![id, close_time, mark])?;
        }
    }
    let same = this.marks.len().clamp(1, SAME_DAYS);
    let all = transaction.query_row(
        "SELECT count(*), sum(trials) FROM studies
         WHERE symbol = ?1 AND first_close_time <= ?3 AND last_close_time >= ?2
         OR id IN (SELECT other.study FROM marks AS own JOIN marks AS other ON other.mark = own.mark
                   WHERE own.study = ?4 GROUP BY other.study HAVING count(*) >= ?5)",
        params![this.symbol, this.first_close_time, this.last_close_time, id, i64::try_from(same).unwrap_or(i64::MAX),],
        |row| {
            let whole = |place| row.get::<_, i64>(place).map(|number| u64::try_from(number).unwrap_or(0));
            Ok(Tried { studies: whole(0)?, trials: whole(1)? })
        },
    )?;
    transaction.commit()?;
    Ok(all)
}
