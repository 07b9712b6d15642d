//! What the journal knows of an account's money: for the metrics, `sentinel pnl` and `sentinel orders`.

use super::{
    Store, Transaction,
    account_snapshots::{newest, newest_whole, silence_ms},
    broken,
    equity::{begin, peak},
    millis,
    orders::parsed,
    profit_at_gateway::symbol_of,
    snapshot_row::SnapshotRow,
};
use crate::domain::{
    instrument::{InstrumentKey, Symbol},
    journal::JournalError,
    position::HeldPosition,
    profit::{Day, Figures, Source, cents},
};
use rusqlite::{Connection, Row, params};
use std::time::Duration;
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;

/// Of several sources of one close the best: the last in the alphabet, whose row SQLite takes with `max`.
const REALISED: &str = "SELECT ticket, at_ms, symbol, order_id, kind, profit, max(source) FROM realised
                        WHERE account = ?1 AND at_ms >= ?2 AND at_ms < ?3 GROUP BY ticket, at_ms ORDER BY at_ms, ticket";
const UNEXPLAINED: &str = "SELECT at_ms, amount FROM unexplained WHERE account = ?1 AND at_ms >= ?2 AND at_ms < ?3
                           ORDER BY at_ms";

/// What a position, or a part of it, brought.
#[derive(Debug, Clone, PartialEq)]
pub struct RealisedRow {
    /// The broker's ticket.
    pub ticket: i64,
    /// When it was noticed, unix milliseconds.
    pub at_ms: i64,
    /// Sentinel's name of the instrument if it is known, else the broker's.
    pub symbol: String,
    /// The order that opened it; `None`: not ours.
    pub order_id: Option<Uuid>,
    /// `close`, `part` or `opening`.
    pub kind: String,
    /// In the account's currency.
    pub profit: f64,
    /// Where the figure is from; the best that there is.
    pub source: Source,
}

/// The account as it was told last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportedAccount {
    /// When balance and equity were told, unix milliseconds.
    pub at_ms: i64,
    /// When the positions were; `None`: never.
    pub positions_ms: Option<i64>,
    /// In the account's currency, as all of these; `None`: never told.
    pub balance: Option<f64>,
    /// Money if all positions were closed then.
    pub equity: Option<f64>,
    /// The currency's name.
    pub currency: Option<String>,
    /// What was open; `None`: never told.
    pub positions: Option<Vec<HeldPosition>>,
}

impl From<SnapshotRow> for ReportedAccount {
    fn from(row: SnapshotRow) -> Self {
        let (at_ms, positions_ms) = (row.account_told_ms().unwrap_or(row.at_ms), row.positions_told_ms());
        let positions = row.held();
        let SnapshotRow { balance, equity, currency, .. } = row;
        Self { at_ms, positions_ms, balance, equity, currency, positions }
    }
}

impl Store {
    /// The money of an account as metrics show it.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn money(
        &self,
        account: &str,
        names: &[(InstrumentKey, Symbol)],
        now: Duration,
    ) -> Result<Figures, JournalError> {
        let read = || {
            let connection = &self.connection;
            let reading = Transaction::reading(connection)?;
            let now_ms = millis(now);
            let now_s = now_ms / 1_000;
            let told = newest(connection, account)?;
            let equity = told.as_ref().and_then(|told| told.equity);
            // A deposit that is not in a whole look yet is not in `unexplained`, either.
            let whole = newest_whole(connection, account)?;
            let counted = whole.as_ref().and_then(|row| row.equity);
            let mut today = [None; Day::ALL.len()];
            for (grown, day) in today.iter_mut().zip(Day::ALL) {
                let begin_ms = day.begin(now_s) * 1_000;
                let unexplained = total(&unexplained(connection, account, begin_ms..i64::MAX)?);
                let before = begin(connection, account, begin_ms)?.and_then(|begin| begin.equity);
                *grown = before.zip(counted).map(|(before, equity)| cents(equity - before - unexplained));
            }
            let mut by_symbol: Vec<(String, f64)> = Vec::new();
            for RealisedRow { symbol, profit, .. } in
                realised(connection, account, Day::Utc.begin(now_s) * 1_000..i64::MAX)?
            {
                match by_symbol.iter_mut().find(|(known, _)| *known == symbol) {
                    Some((_, sum)) => *sum = cents(*sum + profit),
                    None => by_symbol.push((symbol, profit)),
                }
            }
            let peak = peak(connection, account)?;
            let figures = Figures {
                told_ms: whole.map(|row| row.at_ms),
                balance: told.as_ref().and_then(|told| told.balance),
                equity,
                day: now_ms.div_euclid(DAY_MS),
                realised: by_symbol,
                open: told.as_ref().and_then(SnapshotRow::held).map(|held| open(&held, names)),
                today,
                unexplained: sizes(&unexplained(connection, account, now_ms - DAY_MS..i64::MAX)?),
                drawdown: peak.zip(counted).and_then(|(peak, equity)| peak.drawdown(equity)),
            };
            reading.commit()?;
            Ok(figures)
        };
        read().map_err(broken)
    }

    /// The accounts of which anything is known, in order.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn accounts(&self) -> Result<Vec<String>, JournalError> {
        let read = || {
            let mut select = self.connection.prepare(
                "SELECT account FROM account_snapshots UNION SELECT account FROM orders UNION SELECT account FROM realised
                 UNION SELECT account FROM paper_orders ORDER BY 1",
            )?;
            select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }

    /// What was told of an account last.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn told_account(&self, account: &str) -> Result<Option<ReportedAccount>, JournalError> {
        newest(&self.connection, account).map(|row| row.map(ReportedAccount::from)).map_err(broken)
    }

    /// The equity of the newest look that told all, and when, unix milliseconds: what growth and drawdown are counted with. An
    /// equity that was told alone may have a deposit in it that no look has found unexplained yet.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn whole_equity(&self, account: &str) -> Result<Option<(i64, f64)>, JournalError> {
        let row = newest_whole(&self.connection, account).map_err(broken)?;
        Ok(row.and_then(|row| Some((row.at_ms, row.equity?))))
    }

    /// When the open positions were told last, unix milliseconds, and what was open then.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn told_positions(&self, account: &str) -> Result<Option<(i64, Vec<HeldPosition>)>, JournalError> {
        let row = newest(&self.connection, account).map_err(broken)?;
        Ok(row.and_then(|row| Some((row.positions_told_ms()?, row.held()?))))
    }

    /// When an account was told last, unix milliseconds, if that was before this time and so long ago that nobody knows what was
    /// closed since; `None`: it is known, or the account was never told.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn silent_since(&self, account: &str, begin_ms: i64, now: Duration) -> Result<Option<i64>, JournalError> {
        let told = newest(&self.connection, account).map_err(broken)?;
        let is_silent = |told: &SnapshotRow| {
            told.told_ms() < begin_ms && millis(now).saturating_sub(told.told_ms()) > silence_ms(told.every_s)
        };
        Ok(told.filter(is_silent).map(|told| told.told_ms()))
    }

    /// What was realised in a span of time, unix milliseconds, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn realised(&self, account: &str, span: std::ops::Range<i64>) -> Result<Vec<RealisedRow>, JournalError> {
        realised(&self.connection, account, span).map_err(broken)
    }

    /// Steps of the balance that no close explains, oldest first: when they were noticed, unix milliseconds, and how much.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn unexplained(&self, account: &str, span: std::ops::Range<i64>) -> Result<Vec<(i64, f64)>, JournalError> {
        unexplained(&self.connection, account, span).map_err(broken)
    }

    /// Sentinel's name of each instrument that was ever ordered, by the broker's name.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn ordered_names(&self, account: &str) -> Result<Vec<(InstrumentKey, Symbol)>, JournalError> {
        let read = || {
            let sql = "SELECT gateway_name, symbol FROM orders WHERE account = ?1 GROUP BY gateway_name, symbol
                       ORDER BY max(rowid) DESC";
            let mut select = self.connection.prepare(sql)?;
            let name = |row: &Row<'_>| {
                Ok((InstrumentKey::of(row.get_ref(0)?.as_str()?), Symbol::new(row.get_ref(1)?.as_str()?)))
            };
            select.query_map([account], name)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }
}

/// What the open positions have brought so far, by symbol; `None` if that of one of them is not told.
pub fn open(held: &[HeldPosition], names: &[(InstrumentKey, Symbol)]) -> Vec<(String, Option<f64>)> {
    let mut by_symbol: Vec<(String, Option<f64>)> = Vec::new();
    for held in held {
        let name = &held.position.gateway_name;
        let symbol = symbol_of(name, names).unwrap_or_else(|| name.clone());
        let profit = held.net_profit();
        match by_symbol.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, sum)) => *sum = sum.zip(profit).map(|(sum, profit)| cents(sum + profit)),
            None => by_symbol.push((symbol, profit.map(cents))),
        }
    }
    by_symbol
}

/// A deposit must not hide a loss of the same size.
fn sizes(amounts: &[(i64, f64)]) -> f64 {
    cents(amounts.iter().map(|(_, amount)| amount.abs()).sum())
}

fn total(amounts: &[(i64, f64)]) -> f64 {
    cents(amounts.iter().map(|(_, amount)| amount).sum())
}

fn realised(connection: &Connection, account: &str, span: std::ops::Range<i64>) -> rusqlite::Result<Vec<RealisedRow>> {
    let mut select = connection.prepare_cached(REALISED)?;
    let rows = select.query_map(params![account, span.start, span.end], |row| {
        Ok(RealisedRow {
            ticket: row.get(0)?,
            at_ms: row.get(1)?,
            symbol: row.get(2)?,
            order_id: row.get::<_, Option<String>>(3)?.and_then(|id| id.parse().ok()),
            kind: row.get(4)?,
            profit: row.get(5)?,
            source: parsed(row, 6)?,
        })
    })?;
    rows.collect()
}

fn unexplained(
    connection: &Connection,
    account: &str,
    span: std::ops::Range<i64>,
) -> rusqlite::Result<Vec<(i64, f64)>> {
    let mut select = connection.prepare_cached(UNEXPLAINED)?;
    let rows = select.query_map(params![account, span.start, span.end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
