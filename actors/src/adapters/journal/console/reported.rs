//! What the gateway reported last of the account: positions and currency; and whether that may still be so.

use super::Ledgers;
use crate::adapters::journal::account_snapshots::{newest, silence_ms};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

/// A position as `account_snapshots.positions` has it. What the gateway does not report is missing.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Listed {
    pub ticket: i64,
    pub symbol: String,
    pub side: String,
    pub volume: f64,
    pub open_price: Option<f64>,
    pub current_price: Option<f64>,
    pub profit: Option<f64>,
    pub swap: Option<f64>,
    #[serde(rename = "sl")]
    pub stop_loss: Option<f64>,
    #[serde(rename = "tp")]
    pub take_profit: Option<f64>,
}

impl Listed {
    /// Profit with swap, if the profit is told.
    pub(super) fn net_profit(&self) -> Option<f64> {
        Some(self.profit? + self.swap.unwrap_or(0.0))
    }
}

/// The newest list of positions.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// When it was told, unix milliseconds.
    pub told_ms: i64,
    /// Seconds between two looks at the account, if that is known.
    pub every_s: Option<i64>,
    pub positions: Vec<Listed>,
}

/// The newest list; `None` if the gateway never told one.
pub(super) fn listed(connection: &Connection, account: &str) -> rusqlite::Result<Option<List>> {
    let newest = newest(connection, account)?;
    let Some((told_ms, every_s, text)) =
        newest.and_then(|row| Some((row.positions_told_ms()?, row.every_s, row.positions?)))
    else {
        return Ok(None);
    };
    let wrong = |error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error));
    Ok(Some(List { told_ms, every_s, positions: serde_json::from_str(&text).map_err(wrong)? }))
}

/// Whether what the gateway told at this time (unix milliseconds) is so long ago that nobody knows what happened since.
/// `every_s`: see [`List::every_s`].
pub(super) fn is_silent(of: &Ledgers, told_ms: i64, every_s: Option<i64>) -> bool {
    of.now_ms.saturating_sub(told_ms) > silence_ms(every_s)
}

/// Why nothing newer is known than what the gateway told at this time; `None` if that is as new as it can be.
pub(super) fn trouble(of: &Ledgers, told_ms: i64, every_s: Option<i64>) -> Option<String> {
    let since = || chrono::DateTime::from_timestamp_millis(told_ms).map(|at| at.format("%F %T").to_string());
    let silence = || format!("the gateway has told nothing since {} UTC", since().unwrap_or_default());
    let unasked = || "the gateway has told nothing since Sentinel started".to_owned();
    let is_older = told_ms < of.started_ms;
    of.trouble.clone().or_else(|| is_silent(of, told_ms, every_s).then(silence)).or_else(|| is_older.then(unasked))
}

pub(super) fn currency(connection: &Connection, account: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT currency FROM account_snapshots WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()?.flatten())
}
