//! What the gateway reported last of the account: positions and currency.

use crate::adapters::journal::account_snapshots::newest;
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

/// The newest list, and when it was told.
pub(super) fn listed(connection: &Connection, account: &str) -> rusqlite::Result<Option<(i64, Vec<Listed>)>> {
    let newest = newest(connection, account)?;
    let Some((told_ms, text)) = newest.and_then(|row| Some((row.positions_told_ms()?, row.positions?))) else {
        return Ok(None);
    };
    let wrong = |error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error));
    Ok(Some((told_ms, serde_json::from_str(&text).map_err(wrong)?)))
}

pub(super) fn currency(connection: &Connection, account: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT currency FROM account_snapshots WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()?.flatten())
}
