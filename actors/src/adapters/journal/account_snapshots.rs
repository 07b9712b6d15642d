//! What the gateway reported of the account: a row when it differs from the one before, and one an hour. The newest row has when each of
//! its figures was reported last.

use super::{
    broken, millis, profit_at_gateway,
    savepoint::apart,
    snapshot_row::{SnapshotRow, json},
};
use crate::domain::{
    instrument::{InstrumentKey, Symbol},
    journal::{AccountSnapshot, JournalError},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

/// What was reported, and of which account.
#[derive(Debug, Clone, Copy)]
pub struct AccountReports<'a> {
    /// The trading account.
    pub account: &'a str,
    /// The broker's names of the configured symbols.
    pub names: &'a [(InstrumentKey, Symbol)],
    /// What was reported in a cycle, and when, wall clock since the unix epoch; oldest first.
    pub reports: &'a [(Duration, AccountSnapshot)],
}

/// A row that says the same is repeated at the first look after so long: it says that the account was seen.
const REPEAT_MS: i64 = 3_600_000;
/// Looks as often as the settings have it by default, where a row does not say how often.
const EVERY_S: i64 = 60;
/// A look may be so late. In milliseconds.
const LATE_MS: i64 = 9 * 60_000;

const NEWEST: &str = "
    SELECT at_ms, balance, equity, margin, positions, currency, is_whole, every_s, account_ms, positions_ms
    FROM account_snapshots WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
const NEWEST_WHOLE: &str = "
    SELECT at_ms, balance, equity, margin, positions, currency, is_whole, every_s, account_ms, positions_ms
    FROM account_snapshots WHERE account = ?1 AND is_whole ORDER BY at_ms DESC, rowid DESC LIMIT 1";
const INSERT: &str = "
    INSERT INTO account_snapshots (at_ms, account, balance, equity, margin, positions, currency, is_whole, every_s, account_ms,
    positions_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const TOLD_AGAIN: &str = "
    UPDATE account_snapshots SET account_ms = ?2, positions_ms = ?3 WHERE rowid =
    (SELECT rowid FROM account_snapshots WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1)";

/// The same; if it cannot be written, or panics, nothing of it is, and why is the answer.
///
/// # Errors
/// What else is written with it cannot be, either.
pub(super) fn note_apart(transaction: &Connection, of: AccountReports<'_>) -> rusqlite::Result<Option<JournalError>> {
    apart(transaction, || note(transaction, of))
}

/// Keeps what was reported of this account, and counts what changed since the look before. Of what the newest row says already only the time
/// is kept, unless that row is old. What was not reported stays as it was reported last, and keeps its time.
pub(super) fn note(transaction: &Connection, of: AccountReports<'_>) -> Result<(), JournalError> {
    for (at, reported) in of.reports {
        let newest = newest(transaction, of.account).map_err(broken)?;
        let is_old = newest.as_ref().is_some_and(|newest| millis(*at) - newest.at_ms >= REPEAT_MS);
        let newest = newest.unwrap_or_default();
        let before = newest_whole(transaction, of.account).map_err(broken)?;
        let positions = reported.positions.as_deref().map(json).transpose()?;
        let at_ms = millis(*at);
        let is_account_reported = reported.balance.is_some() || reported.equity.is_some();
        let row = SnapshotRow {
            at_ms,
            account_ms: is_account_reported.then_some(at_ms).or(newest.account_told_ms()),
            positions_ms: positions.as_ref().map(|_| at_ms).or(newest.positions_told_ms()),
            balance: reported.balance.or(newest.balance),
            equity: reported.equity.or(newest.equity),
            margin: reported.margin.or(newest.margin),
            positions: positions.or_else(|| newest.positions.clone()),
            currency: reported.currency.clone().or_else(|| newest.currency.clone()),
            is_whole: reported.is_whole,
            every_s: reported.every.map(|every| i64::try_from(every.as_secs()).unwrap_or(i64::MAX)).or(newest.every_s),
        };
        let is_known = row.says_the_same(&newest) && (!row.is_whole || newest.is_whole);
        if !is_known || is_old {
            insert(transaction, of.account, &row).map_err(broken)?;
        } else {
            let times = params![of.account, row.account_ms, row.positions_ms];
            transaction.prepare_cached(TOLD_AGAIN).and_then(|mut update| update.execute(times)).map_err(broken)?;
        }
        if row.is_whole {
            profit_at_gateway::count(transaction, (of.account, of.names), before.as_ref(), &row).map_err(broken)?;
        }
    }
    Ok(())
}

fn insert(transaction: &Connection, account: &str, row: &SnapshotRow) -> rusqlite::Result<()> {
    let row = params![
        row.at_ms,
        account,
        row.balance,
        row.equity,
        row.margin,
        row.positions,
        row.currency,
        row.is_whole,
        row.every_s,
        row.account_ms,
        row.positions_ms,
    ];
    transaction.prepare_cached(INSERT)?.execute(row).map(drop)
}

/// What was reported last; each figure has its own time.
pub(super) fn newest(connection: &Connection, account: &str) -> rusqlite::Result<Option<SnapshotRow>> {
    connection.prepare_cached(NEWEST)?.query_row([account], row).optional()
}

/// The last look that can be compared with another.
pub(super) fn newest_whole(connection: &Connection, account: &str) -> rusqlite::Result<Option<SnapshotRow>> {
    connection.prepare_cached(NEWEST_WHOLE)?.query_row([account], row).optional()
}

/// So long an account that is seen may be without a row, in milliseconds: it has one at the first look after an hour. `every_s`: how
/// often it is looked at.
pub(super) fn seen_ms(every_s: Option<i64>) -> i64 {
    every_s.unwrap_or(EVERY_S).saturating_mul(1_000).saturating_add(REPEAT_MS + LATE_MS)
}

/// Of an account that was reported last so long ago, in milliseconds, nobody knows what happened since. A look is in the journal with
/// the next cycle.
pub(super) fn silence_ms(every_s: Option<i64>) -> i64 {
    seen_ms(every_s).saturating_add(every_s.unwrap_or(EVERY_S).saturating_mul(1_000))
}

fn row(row: &Row<'_>) -> rusqlite::Result<SnapshotRow> {
    Ok(SnapshotRow {
        at_ms: row.get(0)?,
        balance: row.get(1)?,
        equity: row.get(2)?,
        margin: row.get(3)?,
        positions: row.get(4)?,
        currency: row.get(5)?,
        is_whole: row.get(6)?,
        every_s: row.get(7)?,
        account_ms: row.get(8)?,
        positions_ms: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::journal::{Store, snapshot_row::read},
        domain::{
            position::{HeldPosition, Position},
            profit::Look,
            side::Side,
        },
    };

    #[test]
    fn only_what_changed_is_kept_and_each_account_by_itself() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("journal.db")).unwrap();
        let position = |ticket: &i64| {
            let position = Position { ticket: *ticket, gateway_name: "EUR\"USD".into(), side: Side::Buy, volume: 0.1 };
            HeldPosition { profit: Some(-1.5), stop_loss: Some(0.0), ..position.into() }
        };
        let reported = |equity, tickets: Option<&[i64]>| AccountSnapshot {
            equity,
            positions: tickets.map(|tickets| tickets.iter().map(position).collect()),
            ..AccountSnapshot::default()
        };
        let rows =
            || store.connection.query_row("SELECT count(*) FROM account_snapshots", [], |row| row.get::<_, i64>(0));
        let note = |account, reported: &AccountSnapshot, second| {
            let before = rows().unwrap();
            let reported = [(Duration::from_secs(second), reported.clone())];
            note(&store.connection, AccountReports { account, names: &[], reports: &reported }).unwrap();
            rows().unwrap() > before
        };
        assert!(note("a", &reported(Some(10_000.25), Some(&[1, 2])), 1));
        assert!(!note("a", &reported(Some(10_000.25), Some(&[2, 1])), 2), "the same in another order");
        assert!(note("b", &reported(Some(10_000.25), Some(&[1, 2])), 2));
        assert!(note("a", &reported(Some(10_000.25), Some(&[])), 3), "none is not the same as not reported");
        assert!(!note("a", &reported(Some(10_000.25), None), 4), "what is not reported has not changed");
        assert!(note("a", &reported(Some(10_000.250_000_000_002), None), 5), "to the last bit");
        let whole = |balance| AccountSnapshot {
            balance: Some(balance),
            currency: Some("USD".into()),
            is_whole: true,
            ..reported(Some(10_000.0), Some(&[1]))
        };
        assert!(note("a", &whole(10_001.5), 6) && !note("a", &whole(10_001.5), 7));
        assert!(note("a", &reported(Some(9_000.0), None), 8));
        assert!(
            !note("a", &reported(Some(9_000.0), None), 3_607) && note("a", &reported(Some(9_000.0), None), 3_608),
            "seen"
        );
        let newest = newest(&store.connection, "a").unwrap().unwrap();
        let times = (newest.at_ms, newest.account_told_ms(), newest.positions_told_ms());
        assert_eq!(
            times,
            (3_608_000, Some(3_608_000), Some(7_000)),
            "each figure has its own time, also of what says the same"
        );
        assert_eq!((newest.equity, newest.currency.as_deref(), newest.is_whole), (Some(9_000.0), Some("USD"), false));
        let whole = newest_whole(&store.connection, "a").unwrap().unwrap();
        assert_eq!(whole.look(), Some(Look { at_ms: 6_000, balance: 10_001.5, positions: vec![position(&1)] }));
        let positions: String = store
            .connection
            .query_row("SELECT positions FROM account_snapshots WHERE at_ms = 1000", [], |row| row.get(0))
            .unwrap();
        let reported =
            "{\"ticket\":1,\"symbol\":\"EUR\\\"USD\",\"side\":\"BUY\",\"volume\":0.1,\"profit\":-1.5,\"sl\":0.0}";
        assert!(positions.starts_with(&format!("[{reported},")), "{positions}");
        assert_eq!(read(&positions), Some(vec![position(&1), position(&2)]));
    }
}
