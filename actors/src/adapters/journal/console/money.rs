//! What was earned, live and on paper, and by which source each sum is known. What is not known is said, never guessed.

mod account;
mod book;
mod open;
mod slippage;

pub use account::{AccountTold, Unexplained};
pub(super) use book::{of_paper, of_ticket};
pub use slippage::Slippage;

use super::{ConsoleReader, ReadError};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::HashMap;

const DAY_MS: i64 = 86_400_000;

/// MONEY of the contract.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct Money {
    pub amount: Option<f64>,
    pub unit: Option<String>,
    pub source: Option<String>,
    pub is_before_costs: bool,
    pub why: Option<String>,
}

impl Money {
    /// A sum that is not known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..Self::default() }
    }
}

/// Whose figures are asked for, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledgers {
    /// The trading account.
    pub account: String,
    /// Why live orders earn nothing that is known; `None` in live mode.
    pub no_live: Option<&'static str>,
    /// Why there is no account on paper; `None` if there is one.
    pub no_paper: Option<&'static str>,
    /// Why nothing newer is told.
    pub trouble: Option<String>,
    /// When the daemon started, unix milliseconds: what the gateway told before that nobody has asked again.
    pub started_ms: i64,
    /// Decimal places of each symbol's prices.
    pub digits: HashMap<String, u32>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// The day so far, of one ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Today {
    pub realised: Money,
    pub open: Money,
    pub seen_ms: Option<i64>,
    pub trades: u32,
}

/// Results within a time, or of a symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Period {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    pub from_ms: i64,
    #[serde(flatten)]
    pub sums: Sums,
}

/// Results of a symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SymbolMoney {
    pub symbol: String,
    #[serde(flatten)]
    pub sums: Sums,
}

/// Live and paper beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Sums {
    pub live: Money,
    pub live_trades: u32,
    pub paper: Money,
    pub paper_trades: u32,
    pub difference: Money,
    pub pairs: u32,
}

/// All of the view Money, apart from the curves.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct MoneyRows {
    pub newest_cycle: Option<i64>,
    pub account: Option<AccountTold>,
    pub paper_start: Option<f64>,
    pub periods: Vec<Period>,
    pub days: Vec<Period>,
    pub symbols: Vec<SymbolMoney>,
    pub unexplained: Vec<Unexplained>,
    pub slippage: Option<Slippage>,
}

/// When the first day began of which no order was forgotten, unix milliseconds.
fn first_day(connection: &Connection) -> rusqlite::Result<i64> {
    let mut select = connection.prepare_cached("SELECT max(before_ms) FROM forgotten")?;
    let forgotten: Option<i64> = select.query_row([], |row| row.get(0))?;
    Ok(forgotten.map_or(i64::MIN, |before_ms| (before_ms.div_euclid(DAY_MS) + 1).saturating_mul(DAY_MS)))
}

impl ConsoleReader {
    /// The day so far, live and on paper; since 00:00 UTC.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn today(&self, of: &Ledgers) -> Result<(Today, Today), ReadError> {
        let from_ms = of.now_ms - of.now_ms.rem_euclid(DAY_MS);
        self.read(|connection| {
            let book = book::book(connection, of, from_ms)?;
            let sums = book.sums(from_ms..i64::MAX, |_, _| true);
            let (open, seen_ms) = open::live(connection, &book, of)?;
            let live = Today { realised: sums.live, open, seen_ms, trades: sums.live_trades };
            let open = open::on_paper(connection, &book, of)?;
            let paper = Today { realised: sums.paper, open, seen_ms: None, trades: sums.paper_trades };
            Ok((live, paper))
        })
    }

    /// What was earned by period, day and symbol.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn money(&self, of: &Ledgers, starts: &[(&'static str, i64)]) -> Result<MoneyRows, ReadError> {
        self.read(|connection| {
            let month = starts.iter().map(|(_, from_ms)| *from_ms).min().unwrap_or(of.now_ms);
            let from_ms = month.min(of.now_ms - 366 * DAY_MS);
            let book = book::book(connection, of, from_ms)?.with_pairs(connection, of, from_ms)?;
            let period = |(name, from_ms): &(&'static str, i64)| Period {
                period: Some(name),
                day: None,
                from_ms: *from_ms,
                sums: book.sums(*from_ms..i64::MAX, |_, at_ms| at_ms >= *from_ms),
            };
            Ok(MoneyRows {
                newest_cycle: super::newest_cycle(connection)?,
                account: account::told(connection, of)?,
                paper_start: account::paper_start(connection, &of.account)?.filter(|_| of.no_paper.is_none()),
                periods: starts.iter().map(period).collect(),
                days: book.days(first_day(connection)?),
                symbols: book.symbols(month),
                unexplained: account::unexplained(connection, &of.account, book.currency.as_deref())?,
                slippage: slippage::slippage(connection, of, month)?,
            })
        })
    }
}
