//! What the account on paper brought: read only, beside the account at the gateway.

use super::{Store, broken};
use crate::domain::{
    journal::JournalError,
    profit::{Day, PaperFigures},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{ops::Range, time::Duration};

const DAY_S: i64 = 86_400;

/// An order that only ended a trade is none itself. A result counts when Sentinel saw it, as one of the gateway does, even
/// if it became known in money on a later day. So both ledgers count a trade on the same day, also where old bars are played again.
const REALISED: &str = "
SELECT symbol, count(*), count(profit), total(profit), count(net_points), total(net_points), count(spread_points)
FROM paper_orders WHERE account = ?1 AND closes IS NULL AND exit_at IS NOT NULL
AND ended_at_ms >= ?2 AND ended_at_ms < ?3 GROUP BY symbol ORDER BY symbol";

/// Points of different symbols are different things. Of each symbol the newest order is kept for ever, so this knows them all.
const ACCOUNT: &str = "SELECT at_ms, start, balance, equity, points, open_points, unpriced,
                              (SELECT count(DISTINCT symbol) FROM paper_orders WHERE account = ?1) < 2 FROM paper_equity
                       WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";

/// What the trades of a symbol brought that have ended in a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperProfit {
    /// The symbol.
    pub symbol: String,
    /// Trades that have ended.
    pub trades: i64,
    /// In the account's currency; `None` if that of one of them is not known.
    pub profit: Option<f64>,
    /// In points; `None` if that of one of them is not known.
    pub points: Option<f64>,
    /// Whether all of them were charged their costs.
    pub has_costs: bool,
}

/// The account on paper as it stood last.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperTotals {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What it began with.
    pub start: f64,
    /// That, and the known profits of all trades that have ended.
    pub balance: f64,
    /// With the open ones; `None`: not known in money.
    pub equity: Option<f64>,
    /// What all trades brought that have ended, in points; `None` if they are of several symbols.
    pub points: Option<f64>,
    /// What the open ones would bring now, in points; `None` in the same case.
    pub open_points: Option<f64>,
    /// Trades that have ended and whose profit nobody knows: not in the balance.
    pub unpriced: i64,
}

impl Store {
    /// By symbol, of the trades on paper that ended in this span, unix milliseconds.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn paper_profit(&self, account: &str, span: Range<i64>) -> Result<Vec<PaperProfit>, JournalError> {
        realised(&self.connection, account, &span).map_err(broken)
    }

    /// What was realised on paper on the day (UTC) of this moment.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn paper_figures(&self, account: &str, now: Duration) -> Result<PaperFigures, JournalError> {
        let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let begin = Day::Utc.begin(now_s);
        let realised = self.paper_profit(account, begin.saturating_mul(1_000)..i64::MAX)?;
        let realised = realised.into_iter().map(|it| (it.symbol, it.profit)).collect();
        Ok(PaperFigures { day: begin / DAY_S, realised, open: None })
    }

    /// The account on paper; `None` if it never traded.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn paper_account(&self, account: &str) -> Result<Option<PaperTotals>, JournalError> {
        let read = || {
            let mut select = self.connection.prepare_cached(ACCOUNT)?;
            let found = |row: &Row<'_>| {
                let is_of_one_symbol: bool = row.get(7)?;
                let points = |column| row.get(column).map(|points| Some(points).filter(|_| is_of_one_symbol));
                Ok(PaperTotals {
                    at_ms: row.get(0)?,
                    start: row.get(1)?,
                    balance: row.get(2)?,
                    equity: row.get(3)?,
                    points: points(4)?,
                    open_points: points(5)?,
                    unpriced: row.get(6)?,
                })
            };
            select.query_row([account], found).optional()
        };
        read().map_err(broken)
    }
}

fn realised(connection: &Connection, account: &str, span: &Range<i64>) -> rusqlite::Result<Vec<PaperProfit>> {
    let mut select = connection.prepare_cached(REALISED)?;
    let rows = select.query_map(params![account, span.start, span.end], |row| {
        let (trades, priced, told): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(4)?);
        let (profit, points): (f64, f64) = (row.get(3)?, row.get(5)?);
        Ok(PaperProfit {
            symbol: row.get(0)?,
            trades,
            profit: (priced == trades).then_some(profit),
            points: (told == trades).then_some(points),
            has_costs: row.get::<_, i64>(6)? == trades,
        })
    })?;
    rows.collect()
}
