//! What the gateway told of the account: a row when it differs from the one before.

use super::{broken, millis};
use crate::domain::{
    journal::{AccountSnapshot, JournalError},
    position::Position,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::time::Duration;

/// A position in the column `positions`.
#[derive(Serialize)]
struct Listed<'a> {
    ticket: i64,
    symbol: &'a str,
    side: &'static str,
    volume: f64,
}

/// A row, apart from when it was told and of which account.
type Row = (Option<f64>, Option<f64>, Option<f64>, Option<String>);

/// Keeps what was told of this account at this time, unless its newest row says the same. What was not told stays as it was told
/// last.
pub(super) fn note(
    transaction: &Connection,
    (account, at, told): (&str, Duration, &AccountSnapshot),
) -> Result<(), JournalError> {
    let newest = newest(transaction, account).map_err(broken)?.unwrap_or_default();
    let positions = told.positions.as_deref().map(json).transpose()?.or_else(|| newest.3.clone());
    let row: Row = (told.balance.or(newest.0), told.equity.or(newest.1), told.margin.or(newest.2), positions);
    if row == newest {
        return Ok(());
    }
    let (balance, equity, margin, positions) = row;
    let insert = "INSERT INTO account_snapshots VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut insert = transaction.prepare_cached(insert).map_err(broken)?;
    insert.execute(params![millis(at), account, balance, equity, margin, positions]).map(drop).map_err(broken)
}

fn newest(transaction: &Connection, account: &str) -> rusqlite::Result<Option<Row>> {
    let mut newest = transaction.prepare_cached(
        "SELECT balance, equity, margin, positions FROM account_snapshots WHERE account = ?1
         ORDER BY at_ms DESC, rowid DESC LIMIT 1",
    )?;
    newest.query_row([account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()
}

fn json(positions: &[Position]) -> Result<String, JournalError> {
    // By ticket: a list in another order says nothing new.
    let mut listed: Vec<_> = positions
        .iter()
        .map(|Position { ticket, gateway_name, side, volume }| Listed {
            ticket: *ticket,
            symbol: gateway_name,
            side: side.as_str(),
            volume: *volume,
        })
        .collect();
    listed.sort_by_key(|position| position.ticket);
    serde_json::to_string(&listed).map_err(|error| JournalError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapters::journal::Store, domain::side::Side};

    #[test]
    fn only_what_changed_is_kept_and_each_account_by_itself() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("journal.db")).unwrap();
        let position = |ticket| Position { ticket, gateway_name: "EUR\"USD".into(), side: Side::Buy, volume: 0.1 };
        let told = |equity, tickets: Option<&[i64]>| AccountSnapshot {
            equity,
            positions: tickets.map(|tickets| tickets.iter().map(|ticket| position(*ticket)).collect()),
            ..AccountSnapshot::default()
        };
        let rows =
            || store.connection.query_row("SELECT count(*) FROM account_snapshots", [], |row| row.get::<_, i64>(0));
        let note = |account, told: &AccountSnapshot, second| {
            let before = rows().unwrap();
            note(&store.connection, (account, Duration::from_secs(second), told)).unwrap();
            rows().unwrap() > before
        };
        assert!(note("a", &told(Some(10_000.25), Some(&[1, 2])), 1));
        assert!(!note("a", &told(Some(10_000.25), Some(&[2, 1])), 2), "the same in another order");
        assert!(note("b", &told(Some(10_000.25), Some(&[1, 2])), 2));
        assert!(note("a", &told(Some(10_000.25), Some(&[])), 3), "none is not the same as not told");
        assert!(!note("a", &told(Some(10_000.25), None), 4), "what is not told has not changed");
        assert!(note("a", &told(Some(10_000.250_000_000_002), None), 5), "to the last bit");
        let positions: String = store
            .connection
            .query_row("SELECT positions FROM account_snapshots WHERE at_ms = 1000", [], |row| row.get(0))
            .unwrap();
        let read: serde_json::Value = serde_json::from_str(&positions).unwrap();
        assert_eq!(read[1]["ticket"], 2);
        assert_eq!((&read[0]["symbol"], &read[0]["side"]), (&"EUR\"USD".into(), &"BUY".into()));
    }
}
