//! Writing a cycle's windows: only what the file does not have yet.

use super::{Archive, error::ArchiveError};
use crate::domain::{bar::Bar, instrument::Symbol, interval::Interval};
use rusqlite::{Connection, OptionalExtension, params};
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

const INSERT: &str = "INSERT INTO bars VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// Looked up in the index, series by series.
const NEWEST: &str = "SELECT max((SELECT max(open_time) FROM bars WHERE bars.series = s.id)) FROM series AS s";

/// What the file has of a series, from its newest window's first bar on.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The bars of the newest window, oldest first.
    window: Arc<[Bar]>,
    /// By open time: the newest revision, where that is not 0 of a bar of the window.
    revisions: HashMap<i64, i64>,
}

/// Rows of names that were looked for.
#[derive(Debug, Default)]
pub(super) struct Ids {
    series: Vec<(Symbol, Interval, i64)>,
    source: Option<(String, i64)>,
}

impl Ids {
    fn series(&mut self, connection: &Connection, symbol: &Symbol, interval: Interval) -> rusqlite::Result<i64> {
        let known = self.series.iter().find(|(name, of, _)| name == symbol && *of == interval);
        if let Some((_, _, id)) = known {
            return Ok(*id);
        }
        let id = series_id(connection, symbol.as_str(), interval)?;
        self.series.push((symbol.clone(), interval, id));
        Ok(id)
    }

    fn source(&mut self, connection: &Connection, name: &str) -> rusqlite::Result<i64> {
        match &self.source {
            Some((known, id)) if known == name => Ok(*id),
            _ => {
                let id = source_id(connection, name)?;
                self.source = Some((name.to_owned(), id));
                Ok(id)
            }
        }
    }
}

/// What a cycle added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Bars that are new.
    pub bars: u64,
    /// Bars that came with other prices than before, or came no more, by symbol; those with none are left out.
    pub revisions: Vec<(Symbol, u64)>,
}

/// A row to be written: its time, its revision, and its prices unless the provider has it no more.
type Change = (i64, i64, Option<Bar>);

impl Archive {
    /// Writes what these windows have and the file has not, all of it or nothing. `source` is where the bars are from.
    ///
    /// # Errors
    /// What SQLite says. The archive has to be opened again then.
    pub fn write_cycle(
        &mut self,
        cycle_id: u64,
        (interval, source): (Interval, &str),
        windows: &[(Symbol, Arc<[Bar]>)],
    ) -> rusqlite::Result<Written> {
        let cycle_id = i64::try_from(cycle_id).unwrap_or(i64::MAX);
        let transaction = self.connection.unchecked_transaction()?;
        let mut written = Written::default();
        let mut now_known = Vec::with_capacity(windows.len());
        for (symbol, window) in windows.iter().filter(|(_, window)| !window.is_empty()) {
            let series = self.ids.series(&transaction, symbol, interval)?;
            let known = match self.known.get(&series) {
                // A window that reaches further back than the last one may have bars that the file has, too.
                Some(known) if known.window.first().map(|bar| bar.open_time) <= Some(window[0].open_time) => {
                    known.clone()
                }
                _ => read_known(&transaction, series, window[0].open_time)?,
            };
            let changes = changes(&known, window);
            if !changes.is_empty() {
                let source = self.ids.source(&transaction, source)?;
                insert(&transaction, (series, source, cycle_id), &changes)?;
            }
            let revised = changes.iter().filter(|(_, revision, _)| *revision > 0).count() as u64;
            written.bars += changes.len() as u64 - revised;
            written.revisions.extend((revised > 0).then(|| (symbol.clone(), revised)));
            now_known.push((series, known.with(window, &changes)));
        }
        transaction.commit()?;
        self.known.extend(now_known);
        Ok(written)
    }

    /// Forgets bars that opened longer than `keep` before `now`, or before the newest bar if that is older: the bars of a
    /// replay are. None of the newest window goes. Answers how many rows went.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune(&mut self, now: Duration, keep: Duration) -> rusqlite::Result<usize> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let transaction = self.connection.unchecked_transaction()?;
        let newest: Option<i64> = transaction.query_row(NEWEST, [], |row| row.get(0))?;
        let before = newest.unwrap_or(0).min(seconds(now)).saturating_sub(seconds(keep));
        let series = transaction
            .prepare("SELECT id FROM series")?
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut rows = 0;
        for series in series {
            let window = self.known.get(&series).and_then(|known| known.window.first());
            let before = window.map_or(before, |bar| before.min(bar.open_time));
            rows += transaction.execute("DELETE FROM bars WHERE series = ?1 AND open_time < ?2", [series, before])?;
        }
        transaction.commit()?;
        Ok(rows)
    }

    /// What `error` of a write to `path` says.
    pub fn failure(path: &Path, error: &rusqlite::Error) -> ArchiveError {
        ArchiveError::of(path, error)
    }
}

impl Known {
    fn revision(&self, open_time: i64) -> i64 {
        self.revisions.get(&open_time).copied().unwrap_or(0)
    }

    /// What is known once these changes are written.
    fn with(self, window: &Arc<[Bar]>, changes: &[Change]) -> Self {
        let mut revisions = self.revisions;
        revisions.extend(
            changes.iter().filter(|(_, revision, _)| *revision > 0).map(|(time, revision, _)| (*time, *revision)),
        );
        let first = window.first().map_or(i64::MAX, |bar| bar.open_time);
        revisions.retain(|time, _| *time >= first);
        // Bars after this window's last, which the file has and the window has no more, are still in the file.
        let last = window.last().map_or(i64::MAX, |bar| bar.open_time);
        let beyond = self.window.iter().filter(|bar| bar.open_time > last).count();
        let window = match beyond {
            0 => window.clone(),
            beyond => window.iter().chain(&self.window[self.window.len() - beyond..]).copied().collect(),
        };
        Self { window, revisions }
    }
}

/// What has to be written so that the file has this window.
fn changes(known: &Known, window: &[Bar]) -> Vec<Change> {
    let mut changes = Vec::new();
    let held = |open_time: i64| known.window.binary_search_by_key(&open_time, |bar| bar.open_time).ok();
    for bar in window {
        match held(bar.open_time) {
            Some(index) if is_same(&known.window[index], bar) => {}
            Some(_) => changes.push((bar.open_time, known.revision(bar.open_time) + 1, Some(*bar))),
            // It may have been there once and been taken back.
            None => {
                let before = known.revisions.get(&bar.open_time);
                changes.push((bar.open_time, before.map_or(0, |revision| revision + 1), Some(*bar)));
            }
        }
    }
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return changes };
    let from = known.window.partition_point(|bar| bar.open_time < first.open_time);
    let to = known.window.partition_point(|bar| bar.open_time <= last.open_time);
    let is_gone = |bar: &&Bar| window.binary_search_by_key(&bar.open_time, |bar| bar.open_time).is_err();
    let gone = known.window[from..to.max(from)].iter().filter(is_gone);
    changes.extend(gone.map(|bar| (bar.open_time, known.revision(bar.open_time) + 1, None)));
    changes
}

/// Compares all bits, as the digest of the window does.
fn is_same(a: &Bar, b: &Bar) -> bool {
    let bits = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close, bar.volume].map(f64::to_bits);
    a.open_time == b.open_time && bits(a) == bits(b)
}

fn insert(
    transaction: &Connection,
    (series, source, cycle_id): (i64, i64, i64),
    changes: &[Change],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(INSERT)?;
    for (open_time, revision, bar) in changes {
        let price = |field: fn(&Bar) -> f64| bar.as_ref().map(field);
        insert.execute(params![
            series,
            open_time,
            revision,
            cycle_id,
            source,
            price(|bar| bar.open),
            price(|bar| bar.high),
            price(|bar| bar.low),
            price(|bar| bar.close),
            price(|bar| bar.volume),
        ])?;
    }
    Ok(())
}

/// What the file has from this time on.
fn read_known(transaction: &Connection, series: i64, from: i64) -> rusqlite::Result<Known> {
    let (mut bars, mut revisions) = (Vec::new(), HashMap::new());
    super::read::newest(transaction, (series, from, i64::MAX), |open_time, revision, bar| {
        if revision > 0 {
            revisions.insert(open_time, revision);
        }
        bars.extend(bar);
        true
    })?;
    Ok(Known { window: bars.into(), revisions })
}

fn series_id(transaction: &Connection, symbol: &str, interval: Interval) -> rusqlite::Result<i64> {
    let key = params![symbol, interval.as_str()];
    let mut select = transaction.prepare_cached("SELECT id FROM series WHERE symbol = ?1 AND interval = ?2")?;
    if let Some(id) = select.query_row(key, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    transaction.execute("INSERT INTO series (symbol, interval) VALUES (?1, ?2)", key)?;
    Ok(transaction.last_insert_rowid())
}

fn source_id(transaction: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut select = transaction.prepare_cached("SELECT id FROM sources WHERE name = ?1")?;
    if let Some(id) = select.query_row([name], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    transaction.execute("INSERT INTO sources (name) VALUES (?1)", [name])?;
    Ok(transaction.last_insert_rowid())
}
