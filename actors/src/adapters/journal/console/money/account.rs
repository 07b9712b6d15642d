//! What the gateway told of the account, steps of its balance, and what its open positions are worth now.

use super::{
    Ledgers, Money,
    book::{Book, of_paper},
};
use crate::adapters::journal::console::told;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

/// What the gateway told last.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AccountTold {
    pub account: String,
    pub currency: Option<String>,
    pub balance: Option<f64>,
    pub equity: Option<f64>,
    pub margin: Option<f64>,
    pub seen_ms: i64,
}

/// A step of the balance that no close explains.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Unexplained {
    pub at_ms: i64,
    pub amount: f64,
    pub unit: Option<String>,
}

pub(super) fn told(connection: &Connection, account: &str) -> rusqlite::Result<Option<AccountTold>> {
    let mut newest = connection.prepare_cached(
        "SELECT account, currency, balance, equity, margin, at_ms FROM account_snapshots WHERE account = ?1
         ORDER BY at_ms DESC, rowid DESC LIMIT 1",
    )?;
    let row = |row: &Row<'_>| {
        Ok(AccountTold {
            account: row.get(0)?,
            currency: row.get(1)?,
            balance: row.get(2)?,
            equity: row.get(3)?,
            margin: row.get(4)?,
            seen_ms: row.get(5)?,
        })
    };
    newest.query_row([account], row).optional()
}

pub(super) fn paper_start(connection: &Connection, account: &str) -> rusqlite::Result<Option<f64>> {
    let sql = "SELECT start FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    connection.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()
}

/// What the open positions at the gateway are worth, and when their list changed last.
pub(super) fn open_live(connection: &Connection, book: &Book, of: &Ledgers) -> rusqlite::Result<(Money, Option<i64>)> {
    if let Some(why) = &book.no_live {
        return Ok((Money::unknown(why.clone()), None));
    }
    let Some((seen_ms, positions)) = told::listed(connection, &of.account)? else {
        return Ok((Money::unknown("the gateway has not listed its positions"), None));
    };
    let open = match positions.iter().map(told::Listed::net_profit).sum::<Option<f64>>() {
        Some(amount) => Money {
            amount: Some(amount + 0.0),
            unit: book.currency.clone(),
            source: Some("gateway".into()),
            ..Money::default()
        },
        None => Money::unknown("the gateway does not tell the profit of each position"),
    };
    Ok((open, Some(seen_ms)))
}

pub(super) fn open_paper(connection: &Connection, book: &Book, of: &Ledgers) -> rusqlite::Result<Money> {
    let sql = "SELECT equity - balance, open_points, (SELECT count(*) FROM paper_orders WHERE account = ?1
               AND exit_at IS NULL AND closes IS NULL AND spread_points IS NULL) > 0,
               (SELECT count(DISTINCT symbol) FROM paper_orders WHERE account = ?1 AND exit_at IS NULL AND closes IS NULL) > 1
               FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found: Option<(Option<f64>, f64, bool, bool)> =
        connection.prepare_cached(sql)?.query_row([&of.account], row).optional()?;
    let Some((money, points, is_before_costs, has_several)) = found else {
        return Ok(Money::unknown(book.no_paper.clone().unwrap_or_else(|| "not known".into())));
    };
    let mut open = of_paper(money, (!has_several).then_some(points), is_before_costs);
    match (money, has_several) {
        (Some(_), _) => open.unit.clone_from(&book.currency),
        (None, true) => open.why = Some("points of several symbols cannot be added".into()),
        _ => {}
    }
    Ok(open)
}

pub(super) fn unexplained(
    connection: &Connection,
    account: &str,
    currency: Option<&str>,
) -> rusqlite::Result<Vec<Unexplained>> {
    let sql = "SELECT at_ms, amount FROM unexplained WHERE account = ?1 ORDER BY at_ms DESC LIMIT 50";
    let unit = currency.map(str::to_owned);
    let step = |row: &Row<'_>| Ok(Unexplained { at_ms: row.get(0)?, amount: row.get(1)?, unit: unit.clone() });
    connection.prepare_cached(sql)?.query_map([account], step)?.collect()
}
