//! How far an account is below its highest equity, and was at most: kept from one answer to the next, because a year has half a
//! million rows.

use super::{LIVE, Source};
use crate::adapters::journal::Peak;
use rusqlite::{Connection, Row, params};

/// Rows that one answer adds to what is known of the drawdown.
const SCANNED_MAX: i64 = 60_000;

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
    /// Depth, share of the peak and time.
    pub(super) deepest: Option<(f64, f64, i64)>,
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

    /// Where it stands with this newest equity. `kept`: the highest, if the journal keeps it.
    pub(super) fn stands(&self, kept: Option<Peak>, newest: Option<f64>) -> Stands {
        let scanned = self.peak.filter(|_| self.is_complete).map(|(peak, at_ms)| (peak + self.unexplained, at_ms));
        let peak = kept.map(|kept| (kept.equity, kept.at_ms)).or(scanned);
        let now = peak.zip(newest).map(|((peak, _), equity)| {
            let depth = (peak - equity).max(0.0);
            (depth, share(depth, peak))
        });
        let scanned = self.deepest.filter(|_| self.is_complete).map(|(depth, share, _)| (depth, share));
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
        let depth = peak.0 - own;
        if self.deepest.is_none_or(|(deepest, ..)| depth > deepest) {
            // Of what the account would have now at its peak: after a deposit a loss is a smaller part of it.
            self.deepest = Some((depth, share(depth, peak.0 + unexplained), at_ms));
        }
    }
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
    }
    drawdown.steps = steps_until(steps, drawdown.seen_ms);
    drawdown.is_complete = count < SCANNED_MAX;
    Ok(())
}
