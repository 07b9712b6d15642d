//! Reading bars: as they are now, and as they were in a cycle.

use super::Archive;
use crate::domain::{bar::Bar, interval::Interval};
use rusqlite::{Connection, InterruptHandle, OptionalExtension, Row, params};

const COLUMNS: &str = "open_time, revision, open, high, low, close, volume";

/// Which bars there are of a symbol and interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRange {
    /// Sentinel's name of the symbol.
    pub symbol: String,
    /// Length of a bar, as settings spell it.
    pub interval: String,
    /// Open time of the oldest bar, unix seconds.
    pub first: i64,
    /// Open time of the newest bar, unix seconds.
    pub last: i64,
    /// Rows, revisions included.
    pub rows: u64,
}

impl Archive {
    /// Ends a read that takes too long, from another thread; what it reads then is an error of SQLite's.
    pub fn interrupter(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }

    /// What there is, by symbol and interval.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn series(&self) -> rusqlite::Result<Vec<SeriesRange>> {
        let mut select = self.connection.prepare(
            "SELECT symbol, interval, min(open_time), max(open_time), count(*) FROM bars JOIN series ON series.id = bars.series
             GROUP BY series.id ORDER BY symbol, interval",
        )?;
        let range = |row: &Row<'_>| {
            Ok(SeriesRange {
                symbol: row.get(0)?,
                interval: row.get(1)?,
                first: row.get(2)?,
                last: row.get(3)?,
                rows: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
            })
        };
        select.query_map([], range)?.collect()
    }

    /// The bars of a symbol that opened from `from` on and before `until` (unix seconds), the oldest first, each as it is
    /// now. `take` gets one after the other, so that a year of minutes need not be held; it answers whether it wants more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn bars(
        &self,
        (symbol, interval): (&str, Interval),
        (from, until): (i64, i64),
        mut take: impl FnMut(Bar) -> bool,
    ) -> rusqlite::Result<()> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(()) };
        newest(&self.connection, (series, from, until), |_, _, bar| bar.is_none_or(&mut take))
    }

    /// The window of a cycle: of each bar that opened until `newest_open_time` (unix seconds) the newest revision that there
    /// was in cycle `cycle_id`, the last `count` of them, the oldest first. Fewer if the archive has no more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn window(
        &self,
        (symbol, interval): (&str, Interval),
        newest_open_time: i64,
        cycle_id: i64,
        count: usize,
    ) -> rusqlite::Result<Vec<Bar>> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(Vec::new()) };
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM bars WHERE series = ?1 AND open_time <= ?2 AND first_cycle_id <= ?3
             ORDER BY open_time DESC, revision DESC"
        ))?;
        let mut rows = select.query(params![series, newest_open_time, cycle_id])?;
        let (mut bars, mut before) = (Vec::with_capacity(count), None);
        while bars.len() < count
            && let Some(row) = rows.next()?
        {
            let open_time: i64 = row.get(0)?;
            if before.replace(open_time) != Some(open_time) {
                bars.extend(bar(row)?);
            }
        }
        bars.reverse();
        Ok(bars)
    }

    /// The newest revision of each of the last `count` bars that opened before `before` (unix seconds), the newest first,
    /// without those that the provider has no more.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest(&self, symbol: &str, interval: Interval, before: i64, count: usize) -> rusqlite::Result<Vec<Bar>> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(Vec::new()) };
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM bars WHERE series = ?1 AND open_time < ?2 ORDER BY open_time DESC, revision DESC"
        ))?;
        let mut rows = select.query(params![series, before])?;
        let (mut bars, mut last) = (Vec::new(), None);
        while bars.len() < count
            && let Some(row) = rows.next()?
        {
            let open_time: i64 = row.get(0)?;
            if last.replace(open_time) != Some(open_time) {
                bars.extend(bar(row)?);
            }
        }
        Ok(bars)
    }

    /// The first cycle after `cycle_id` in which a bar that opened from `from` to `to` (unix seconds) was written; `None` if
    /// there was none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_cycle(
        &self,
        (symbol, interval): (&str, Interval),
        (from, to): (i64, i64),
        cycle_id: i64,
    ) -> rusqlite::Result<Option<i64>> {
        let Some(series) = self.series_of(symbol, interval)? else { return Ok(None) };
        let mut select = self.connection.prepare_cached(
            "SELECT min(first_cycle_id) FROM bars WHERE series = ?1 AND open_time BETWEEN ?2 AND ?3 AND first_cycle_id > ?4",
        )?;
        select.query_row(params![series, from, to, cycle_id], |row| row.get(0))
    }

    fn series_of(&self, symbol: &str, interval: Interval) -> rusqlite::Result<Option<i64>> {
        let mut select = self.connection.prepare_cached("SELECT id FROM series WHERE symbol = ?1 AND interval = ?2")?;
        select.query_row([symbol, interval.as_str()], |row| row.get(0)).optional()
    }
}

/// Of each bar of a series that opened from `from` on and before `until`, the newest revision, the oldest bar first: its open
/// time, its revision, and its prices unless the provider has it no more. `take` answers whether it wants more.
pub(super) fn newest(
    connection: &Connection,
    (series, from, until): (i64, i64, i64),
    mut take: impl FnMut(i64, i64, Option<Bar>) -> bool,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM bars WHERE series = ?1 AND open_time >= ?2 AND open_time < ?3 ORDER BY open_time, revision"
    ))?;
    let mut rows = select.query([series, from, until])?;
    let mut last: Option<(i64, i64, Option<Bar>)> = None;
    while let Some(row) = rows.next()? {
        let next = (row.get(0)?, row.get(1)?, bar(row)?);
        match last.replace(next) {
            Some((open_time, revision, bar)) if open_time != next.0 && !take(open_time, revision, bar) => return Ok(()),
            _ => {}
        }
    }
    if let Some((open_time, revision, bar)) = last {
        take(open_time, revision, bar);
    }
    Ok(())
}

/// `None` for one that the provider has no more.
fn bar(row: &Row<'_>) -> rusqlite::Result<Option<Bar>> {
    let Some(open) = row.get(2)? else { return Ok(None) };
    let (open_time, high, low, close, volume) = (row.get(0)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
    Ok(Some(Bar { open_time, open, high, low, close, volume }))
}
