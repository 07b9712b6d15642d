//! How far an account is below its highest equity, and was at most: kept from one answer to the next, because a year has half a
//! million rows.

use super::{LIVE, Source};
use crate::adapters::journal::Peak;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;

/// Rows that one answer adds to what is known of the drawdown.
const SCANNED_MAX: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// What is known of a ledger's drawdown up to a row.
#[derive(Debug, Default)]
pub(in super::super) struct Drawdowns {
    pub(super) live: Drawdown,
    pub(super) paper: Drawdown,
    pub(super) account: String,
}

#[derive(Debug, Default)]
pub(super) struct Drawdown {
    /// The row after which the scan goes on.
    seen: i64,
    /// The newest time of the rows so far, and count and sum of the unexplained steps up to it: one that is taken back later
    /// makes all that was counted wrong.
    seen_ms: i64,
    steps: (usize, f64),
    is_complete: bool,
    unit: String,
    /// Highest so far, without what nobody explains, and when.
    peak: Option<(f64, i64)>,
    /// What of the newest nobody explains.
    unexplained: f64,
    pub(super) deepest: Option<Deepest>,
    /// The highest of each hour, without what nobody explains.
    hours: BTreeMap<i64, f64>,
}

/// The deepest drawdown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deepest {
    depth: f64,
    /// Of the peak.
    share: f64,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// When its peak was.
    pub peak_ms: i64,
}

/// Where an account stands. Each is `None` while it is not known.
pub(super) struct Stands {
    /// The highest equity with what was deposited since, and when.
    pub(super) peak: Option<(f64, i64)>,
    /// How far the newest equity is below it, and as a share of it.
    pub(super) now: Option<(f64, f64)>,
    /// The same of the deepest ever.
    pub(super) deepest: Option<(f64, f64)>,
}

impl Drawdown {
    /// Begins anew if the rows are in another unit than before.
    pub(super) fn count_in(&mut self, unit: String) {
        if self.unit != unit {
            *self = Self { unit, ..Self::default() };
        }
    }

    /// When the highest was, unix milliseconds.
    pub(super) fn peak_ms(&self) -> Option<i64> {
        self.peak.map(|(_, at_ms)| at_ms)
    }

    /// Where it stands with this newest equity. `kept`: the highest, if the journal keeps it.
    pub(super) fn stands(&self, kept: Option<Peak>, newest: Option<f64>) -> Stands {
        let scanned = self.peak.filter(|_| self.is_complete).map(|(peak, at_ms)| (peak + self.unexplained, at_ms));
        let peak = kept.map(|kept| (kept.equity, kept.at_ms)).or(scanned);
        let now = peak.zip(newest).map(|((peak, _), equity)| {
            let depth = (peak - equity).max(0.0);
            (depth, share(depth, peak))
        });
        let scanned = self.deepest.filter(|_| self.is_complete).map(|deepest| (deepest.depth, deepest.share));
        Stands { peak, now, deepest: scanned.map(|deepest| now.filter(|now| now.0 > deepest.0).unwrap_or(deepest)) }
    }

    fn take(&mut self, at_ms: i64, equity: f64, unexplained: f64) {
        let own = equity - unexplained;
        self.unexplained = unexplained;
        let peak = match self.peak {
            Some(peak) if peak.0 >= own => peak,
            _ => (own, at_ms),
        };
        self.peak = Some(peak);
        let highest = self.hours.entry(at_ms.div_euclid(HOUR_MS)).or_insert(own);
        *highest = highest.max(own);
        let depth = peak.0 - own;
        if self.deepest.is_none_or(|deepest| depth > deepest.depth) {
            // Of what the account would have now at its peak: after a deposit a loss is a smaller part of it.
            let share = share(depth, peak.0 + unexplained);
            self.deepest = Some(Deepest { depth, share, at_ms, peak_ms: peak.1 });
        }
    }
}

/// The highest before this time (unix milliseconds), without what nobody explains; `None` while it is not known. `kept`: the
/// highest of all, if the journal keeps it.
pub(super) fn peak_before(
    connection: &Connection,
    source: &Source,
    account: &str,
    (steps, drawdown, kept): (&[(i64, f64)], &Drawdown, Option<Peak>),
    before_ms: i64,
) -> rusqlite::Result<Option<f64>> {
    let unexplained = steps.last().map_or(0.0, |(_, sum)| *sum);
    let kept = kept.filter(|kept| kept.at_ms < before_ms).map(|kept| kept.equity - unexplained);
    if !drawdown.is_complete {
        return Ok(kept);
    }
    let hour = before_ms.div_euclid(HOUR_MS);
    let whole_hours = drawdown.hours.range(..hour).map(|(_, highest)| *highest);
    let Source { table, money: [equity, _], paid_in, counts, .. } = source;
    let mut select = connection.prepare_cached(&format!(
        "SELECT at_ms, {equity}, {paid_in} FROM {table} WHERE account = ?1 AND at_ms >= ?2 AND at_ms < ?3
         AND {equity} IS NOT NULL AND {counts}"
    ))?;
    let own = |row: &Row<'_>| Ok(row.get::<_, f64>(1)? - row.get::<_, f64>(2)? - steps_until(steps, row.get(0)?).1);
    let rest = select.query_map(params![account, hour * HOUR_MS, before_ms], own)?;
    let rest = rest.collect::<rusqlite::Result<Vec<f64>>>()?;
    Ok(whole_hours.chain(rest).chain(kept).reduce(f64::max))
}

fn share(depth: f64, peak: f64) -> f64 {
    if peak > 0.0 { depth / peak } else { f64::NAN }
}

/// When each step of the balance was noticed that no close explains, oldest first, and the sum up to it.
pub(super) fn steps(connection: &Connection, source: &Source, account: &str) -> rusqlite::Result<Vec<(i64, f64)>> {
    if source.table != LIVE.table {
        return Ok(Vec::new());
    }
    let mut select =
        connection.prepare_cached("SELECT at_ms, amount FROM unexplained WHERE account = ?1 ORDER BY at_ms")?;
    let mut sum = 0.0;
    let step = |row: &Row<'_>| {
        sum += row.get::<_, f64>(1)?;
        Ok((row.get(0)?, sum))
    };
    select.query_map([account], step)?.collect()
}

/// How many there are up to this time, and their sum.
pub(super) fn steps_until(steps: &[(i64, f64)], at_ms: i64) -> (usize, f64) {
    let count = steps.partition_point(|(at, _)| *at <= at_ms);
    (count, count.checked_sub(1).and_then(|last| steps.get(last)).map_or(0.0, |(_, sum)| *sum))
}

/// Adds the rows that are new since the last answer.
pub(super) fn scan(
    connection: &Connection,
    source: &Source,
    account: &str,
    (steps, drawdown): (&[(i64, f64)], &mut Drawdown),
) -> rusqlite::Result<()> {
    let Source { table, money: [equity, _], paid_in, counts, .. } = source;
    if steps_until(steps, drawdown.seen_ms) != drawdown.steps {
        *drawdown = Drawdown { unit: std::mem::take(&mut drawdown.unit), ..Drawdown::default() };
    }
    let mut select = connection.prepare_cached(&format!(
        "SELECT rowid, at_ms, iif({counts}, {equity}, NULL), {paid_in} FROM {table} WHERE account = ?1 AND rowid > ?2
         ORDER BY rowid LIMIT ?3"
    ))?;
    let mut rows = select.query(params![account, drawdown.seen, SCANNED_MAX])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let (rowid, at_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
        if let Some(equity) = row.get::<_, Option<f64>>(2)? {
            drawdown.take(at_ms, equity, row.get::<_, f64>(3)? + steps_until(steps, at_ms).1);
        }
        drawdown.seen = rowid;
        drawdown.seen_ms = drawdown.seen_ms.max(at_ms);
        // With each row: a scan that is interrupted goes on from here, and does not begin anew for ever.
        drawdown.steps = steps_until(steps, drawdown.seen_ms);
    }
    drawdown.is_complete = count < SCANNED_MAX;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_that_is_interrupted_goes_on() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE account_snapshots (at_ms INTEGER, account TEXT, equity REAL, balance REAL, is_whole INTEGER);
                 INSERT INTO account_snapshots VALUES (1, 'a', 100, 1, 1), (2, 'a', 160, 1, 1), (3, 'a', 'unreadable', 1, 1), (4, 'a', 150, 1, 1);",
            )
            .unwrap();
        let steps = [(2, 50.0)];
        let mut drawdown = Drawdown::default();
        let mut scanned = || scan(&connection, &LIVE, "a", (&steps, &mut drawdown)).map(|()| drawdown.seen);
        assert!(scanned().is_err());
        // Of what was read before, nothing is read again.
        connection.execute("UPDATE account_snapshots SET equity = 1000 WHERE at_ms = 1", []).unwrap();
        connection.execute("UPDATE account_snapshots SET equity = 140 WHERE at_ms = 3", []).unwrap();
        assert_eq!(scanned(), Ok(4));
        assert_eq!((drawdown.peak, drawdown.is_complete), (Some((110.0, 2)), true));
        assert_eq!(drawdown.deepest.map(|deepest| (deepest.depth, deepest.at_ms, deepest.peak_ms)), Some((20.0, 3, 2)));
    }
}
