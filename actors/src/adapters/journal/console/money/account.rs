//! What the gateway reported of the account, with what paper began, and steps of the balance.

use super::Ledgers;
use crate::adapters::journal::{account_snapshots::newest, console::reported, snapshot_row::SnapshotRow};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

/// What the gateway reported last.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AccountTold {
    pub account: String,
    pub currency: Option<String>,
    pub balance: Option<f64>,
    pub equity: Option<f64>,
    pub margin: Option<f64>,
    pub seen_ms: i64,
    pub trouble: Option<String>,
}

/// A step of the balance that no close explains.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Unexplained {
    pub at_ms: i64,
    pub amount: f64,
    pub unit: Option<String>,
}

pub(super) fn told(connection: &Connection, of: &Ledgers) -> rusqlite::Result<Option<AccountTold>> {
    let told = |row: SnapshotRow| {
        let seen_ms = row.account_told_ms().unwrap_or(row.at_ms);
        AccountTold {
            account: of.account.clone(),
            seen_ms,
            trouble: reported::trouble(of, seen_ms, row.every_s),
            currency: row.currency,
            balance: row.balance,
            equity: row.equity,
            margin: row.margin,
        }
    };
    Ok(newest(connection, &of.account)?.map(told))
}

pub(super) fn paper_start(connection: &Connection, account: &str) -> rusqlite::Result<Option<f64>> {
    let sql = "SELECT start FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    connection.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()
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
