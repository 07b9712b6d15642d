//! The curves of equity, live and on paper, with peak and drawdown. A curve is read at a few hundred points: a year has half a
//! million rows.

mod drawdown;

use super::reported;
use super::{ConsoleReader, Ledgers, ReadError};
use crate::adapters::journal::{account_snapshots::newest_whole, equity::peak};
pub(super) use drawdown::Drawdowns;
use drawdown::{Drawdown, Stands, peak_before, scan, steps, steps_until};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// Points of a curve besides the first, the last, the highest, and the deepest with its peak.
const POINTS: i64 = 480;

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Range {
    Day,
    Week,
    Month,
    All,
}

impl Range {
    /// All of them, with their names.
    pub const ALL: [(&str, Self); 4] =
        [("day", Self::Day), ("week", Self::Week), ("month", Self::Month), ("all", Self::All)];

    const fn days(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 31,
            Self::All => i64::MAX / 200_000_000,
        }
    }
}

/// A curve of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct Curve {
    pub unit: Option<String>,
    pub columns: [&'static str; 4],
    pub rows: Vec<(i64, Option<f64>, Option<f64>, f64)>,
    pub peak_before: Option<f64>,
    pub seen_ms: Option<i64>,
    pub peak: Option<f64>,
    pub peak_ms: Option<i64>,
    pub drawdown: Option<f64>,
    pub drawdown_share: Option<f64>,
    pub drawdown_max: Option<f64>,
    pub drawdown_max_share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<i64>,
}

/// Both.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct EquityCurves {
    pub newest_cycle: Option<i64>,
    /// Why nothing newer of the live one is known; `None` if it is as new as it can be, or there is none.
    pub trouble: Option<String>,
    pub live: Option<Curve>,
    pub paper: Option<Curve>,
}

/// A ledger's table: its columns of equity and balance, and those that take their place where money is not known.
struct Source {
    table: &'static str,
    money: [&'static str; 2],
    /// What of the equity was not earned, besides the steps of the balance that no close explains.
    paid_in: &'static str,
    /// How many results are not in it, of the account `?1`; `NULL`: all are.
    unpriced: &'static str,
    /// Which rows count. A deposit is noticed at the next whole look: until then other rows would make it a peak.
    counts: &'static str,
}

const LIVE: Source = Source {
    table: "account_snapshots",
    money: ["equity", "balance"],
    paid_in: "0.0",
    unpriced: "SELECT NULL FROM (SELECT ?1)",
    counts: "is_whole",
};
/// A start that the settings have changed is a deposit or a withdrawal.
const PAPER: Source = Source {
    table: "paper_equity",
    money: ["equity", "balance"],
    paid_in: "start",
    unpriced: "SELECT unpriced FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1",
    counts: "1",
};
const PAPER_POINTS: Source = Source {
    table: "paper_equity",
    money: ["points + open_points", "points"],
    paid_in: "0.0",
    unpriced: "SELECT count(*) FROM paper_orders WHERE account = ?1 AND closes IS NULL AND exit_at IS NOT NULL AND net_points IS NULL",
    counts: "1",
};

impl ConsoleReader {
    /// The curves over a range that ends now.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn equity(&mut self, of: &Ledgers, range: Range) -> Result<EquityCurves, ReadError> {
        let account = of.account.as_str();
        let mut drawdowns = std::mem::take(&mut self.drawdowns);
        if drawdowns.account != account {
            drawdowns = Drawdowns { account: account.to_owned(), ..Drawdowns::default() };
        }
        let from_ms = of.now_ms.saturating_sub(range.days().saturating_mul(86_400_000));
        let read = self.read(|connection| {
            let currency: Option<String> = connection
                .prepare_cached("SELECT currency FROM account_snapshots WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1")?
                .query_row([account], |row| row.get(0))
                .optional()?
                .flatten();
            // Points of different symbols cannot be added. Of each symbol the newest order is kept for ever, so this knows them all.
            let has_several: bool = connection
                .prepare_cached("SELECT count(DISTINCT symbol) > 1 FROM paper_orders WHERE account = ?1")?
                .query_row([account], |row| row.get(0))?;
            let is_in_money: Option<bool> = connection
                .prepare_cached("SELECT equity IS NOT NULL FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1")?
                .query_row([account], |row| row.get(0))
                .optional()?;
            let mut live = curve(connection, &LIVE, account, from_ms, currency.clone(), &mut drawdowns.live)?;
            let mut trouble = of.trouble.clone();
            if let (Some(live), Some(told)) = (&mut live, newest_whole(connection, account)?) {
                let seen_ms = told.account_told_ms().unwrap_or(told.at_ms);
                live.seen_at(seen_ms);
                trouble = reported::trouble(of, seen_ms, told.every_s);
            }
            let paper = match is_in_money.filter(|_| of.no_paper.is_none()) {
                None => None,
                Some(false) if has_several => None,
                Some(true) => curve(connection, &PAPER, account, from_ms, currency, &mut drawdowns.paper)?,
                Some(false) => {
                    let unit = Some("points".to_owned());
                    curve(connection, &PAPER_POINTS, account, from_ms, unit, &mut drawdowns.paper)?
                }
            };
            Ok(EquityCurves { newest_cycle: super::newest_cycle(connection)?, trouble, live, paper })
        });
        self.drawdowns = drawdowns;
        read
    }
}

type Point = (i64, Option<f64>, Option<f64>, f64);

impl Curve {
    /// The newest figures were told again, and last at this time, unix milliseconds: so far the curve goes.
    fn seen_at(&mut self, seen_ms: i64) {
        self.seen_ms = Some(seen_ms);
        let again = self.rows.last().filter(|newest| newest.0 < seen_ms).copied();
        self.rows.extend(again.map(|(_, equity, balance, unexplained)| (seen_ms, equity, balance, unexplained)));
    }
}

/// `None` if no equity was ever told.
fn curve(
    connection: &Connection,
    source: &Source,
    account: &str,
    from_ms: i64,
    unit: Option<String>,
    drawdown: &mut Drawdown,
) -> rusqlite::Result<Option<Curve>> {
    let key = format!("{:?}{:?}", source.money, unit);
    drawdown.count_in(key);
    let steps = steps(connection, source, account)?;
    scan(connection, source, account, (&steps, drawdown))?;
    let Source { table, money: [equity, balance], paid_in, counts, unpriced } = source;
    let point = |row: &Row<'_>| {
        let at_ms = row.get(0)?;
        Ok((at_ms, row.get(1)?, row.get(2)?, row.get::<_, f64>(3)? + steps_until(&steps, at_ms).1))
    };
    let at = |order: &str, condition: &str| {
        format!(
            "SELECT at_ms, {equity}, {balance}, {paid_in} FROM {table} WHERE account = ?1 AND {equity} IS NOT NULL AND {counts} AND at_ms {condition} ?2
             ORDER BY at_ms {order}, rowid {order} LIMIT 1"
        )
    };
    let mut next = connection.prepare_cached(&at("ASC", ">="))?;
    let mut last = connection.prepare_cached(&at("DESC", "<="))?;
    let Some(newest) = last.query_row(params![account, i64::MAX], point).optional()? else { return Ok(None) };
    let newest: Point = newest;
    let mut rows: Vec<Point> = Vec::new();
    let mut from = from_ms;
    // A row just before the range, so that a curve does not begin in the middle of nowhere.
    if let Some(before) = last.query_row(params![account, from_ms], point).optional()? {
        rows.push(before);
    }
    let first: Option<Point> = next.query_row(params![account, from_ms], point).optional()?;
    if let Some(first) = first {
        let step = ((newest.0 - first.0) / POINTS).max(1);
        from = from.max(first.0);
        while rows.len() < usize::try_from(POINTS).unwrap_or(usize::MAX)
            && let Some(found) = next.query_row(params![account, from], point).optional()?
        {
            let found: Point = found;
            from = (found.0 + 1).max(from.saturating_add(step));
            rows.push(found);
        }
    }
    // Between two points there may be the highest, or the deepest and its peak: without these the curve would be less deep.
    let peak_ms = drawdown.peak_ms();
    for at_ms in drawdown.deepest.iter().flat_map(|deepest| [deepest.peak_ms, deepest.at_ms]).chain(peak_ms) {
        if at_ms >= from_ms {
            rows.extend(next.query_row(params![account, at_ms], point).optional()?);
        }
    }
    rows.push(newest);
    rows.sort_by_key(|row| row.0);
    rows.dedup_by_key(|row| row.0);
    // The highest that was ever told is kept also where its row is not any more.
    let kept = if source.table == LIVE.table { peak(connection, account)? } else { None };
    let first_ms = rows.first().map_or(from_ms, |row| row.0);
    let peak_before = peak_before(connection, source, account, (&steps, drawdown, kept), first_ms)?;
    let Stands { peak, now, deepest } = drawdown.stands(kept, newest.1);
    Ok(Some(Curve {
        unit,
        columns: ["at_ms", "equity", "balance", "unexplained"],
        rows,
        peak_before,
        seen_ms: None,
        peak: peak.map(|(peak, _)| peak),
        peak_ms: peak.map(|(_, at_ms)| at_ms),
        drawdown: now.map(|(depth, _)| depth),
        drawdown_share: now.map(|(_, share)| share),
        drawdown_max: deepest.map(|(depth, _)| depth),
        drawdown_max_share: deepest.map(|(_, share)| share),
        unpriced: connection.prepare_cached(unpriced)?.query_row([account], |row| row.get(0))?,
    }))
}
