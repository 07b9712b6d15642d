//! What positions brought, counted from one look at the account to the next, in the same write as the look.

use super::{orders::parsed, snapshot_row::SnapshotRow};
use crate::domain::{
    instrument::{InstrumentKey, Symbol},
    profit::{Candidate, Kind, Known, Realised, change},
};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

/// Closes that no balance has shown.
const EARLIER: &str = "SELECT ticket, symbol, at_ms, profit, kind, volume FROM realised
                       WHERE account = ?1 AND at_ms >= ?2 AND NOT is_settled";
/// They wait for minutes. What is older than this was left by an earlier version and stays what it is.
const EARLIER_MS: i64 = 30 * 86_400_000;
/// Filled orders since then; whether a look knows their ticket is for the caller to see. On a netting account a position may have had the
/// lots of other trades, too, before it was closed.
const FILLED: &str =
    "SELECT ticket, gateway_name, coalesce(filled_volume, volume), account_mode = 'hedging' FROM orders
                      WHERE account = ?1 AND state = 'filled' AND closes IS NULL AND ticket > 0 AND updated_at_ms > ?2";
/// The order that opened a ticket.
const OWNER: &str = "SELECT id, symbol FROM orders WHERE account = ?1 AND ticket = ?2 AND state = 'filled'
                     AND closes IS NULL ORDER BY rowid DESC LIMIT 1";
const REALISED: &str =
    "INSERT OR REPLACE INTO realised (account, ticket, at_ms, source, kind, symbol, order_id, profit,
                                                         is_settled, volume)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
/// Two looks in one millisecond are one step.
const UNEXPLAINED: &str = "INSERT INTO unexplained VALUES (?1, ?2, ?3)
                           ON CONFLICT DO UPDATE SET amount = amount + excluded.amount";
const UNEXPLAINED_AT: &str = "SELECT amount FROM unexplained WHERE account = ?1 AND at_ms = ?2";
const EXPLAINED: &str = "DELETE FROM unexplained WHERE account = ?1 AND at_ms = ?2";
const PEAK: &str =
    "INSERT INTO equity_peaks VALUES (?1, ?2 - (SELECT total(amount) FROM unexplained WHERE account = ?1), ?3)
                    ON CONFLICT DO UPDATE SET peak = excluded.peak, at_ms = excluded.at_ms WHERE excluded.peak > peak";

/// The symbol of a broker's name: the configured one, else the name itself.
pub(super) fn symbol_of(gateway_name: &str, names: &[(InstrumentKey, Symbol)]) -> Option<String> {
    let key = InstrumentKey::of(gateway_name);
    names.iter().find(|(name, _)| *name == key).map(|(_, symbol)| symbol.as_str().to_owned())
}

/// Counts what happened between the look `before` and this row, which is a look.
pub(super) fn count(
    transaction: &Connection,
    (account, names): (&str, &[(InstrumentKey, Symbol)]),
    before: Option<&SnapshotRow>,
    row: &SnapshotRow,
) -> rusqlite::Result<()> {
    if let (Some(before), Some(after)) = (before.and_then(SnapshotRow::look), row.look()) {
        let earlier = earlier(transaction, account, before.at_ms - EARLIER_MS)?;
        let is_seen =
            |ticket: i64| before.positions.iter().chain(&after.positions).any(|held| held.position.ticket == ticket);
        let mut unseen = filled_since(transaction, account, (before.at_ms, after.at_ms))?;
        unseen.retain(|candidate| !is_seen(candidate.ticket));
        let mut select = transaction.prepare_cached(UNEXPLAINED_AT)?;
        let unexplained = select.query_row(params![account, before.at_ms], |row| row.get(0)).optional()?;
        let change = change(&before, &after, Known { earlier, unseen, unexplained });
        if change.explains_step_before {
            transaction.prepare_cached(EXPLAINED)?.execute(params![account, before.at_ms])?;
        }
        for realised in &change.realised {
            write(transaction, (account, names), realised)?;
        }
        if let Some(amount) = change.unexplained {
            transaction.prepare_cached(UNEXPLAINED)?.execute(params![account, after.at_ms, amount])?;
        }
    }
    if let Some(equity) = row.equity {
        transaction.prepare_cached(PEAK)?.execute(params![account, equity, row.at_ms])?;
    }
    Ok(())
}

fn earlier(transaction: &Connection, account: &str, since_ms: i64) -> rusqlite::Result<Vec<Candidate>> {
    let mut select = transaction.prepare_cached(EARLIER)?;
    let rows = select.query_map(params![account, since_ms], |row| {
        let kind = if row.get_ref(4)?.as_str()? == Kind::Part.as_str() { Kind::Part } else { Kind::Close };
        Ok(Candidate::earlier(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, kind).of_lots(row.get(5)?))
    })?;
    rows.collect()
}

fn filled_since(
    transaction: &Connection,
    account: &str,
    (since_ms, now_ms): (i64, i64),
) -> rusqlite::Result<Vec<Candidate>> {
    let mut select = transaction.prepare_cached(FILLED)?;
    let rows = select.query_map(params![account, since_ms], |row| {
        let (volume, is_alone) = (row.get(2)?, row.get::<_, Option<bool>>(3)?.unwrap_or(false));
        let lots = is_alone.then_some(volume);
        Ok(Candidate::unseen(row.get(0)?, row.get(1)?, volume, now_ms).of_lots(lots))
    })?;
    rows.collect()
}

fn write(
    transaction: &Connection,
    (account, names): (&str, &[(InstrumentKey, Symbol)]),
    realised: &Realised,
) -> rusqlite::Result<()> {
    let Realised { ticket, gateway_name, at_ms, profit, source, kind, is_settled, lots } = realised;
    let mut owner = transaction.prepare_cached(OWNER)?;
    let owner: Option<(Uuid, String)> =
        owner.query_row(params![account, ticket], |row| Ok((parsed(row, 0)?, row.get(1)?))).optional()?;
    let (order_id, ours) = owner.map_or((None, None), |(id, symbol)| (Some(id.to_string()), Some(symbol)));
    let symbol = ours.or_else(|| symbol_of(gateway_name, names)).unwrap_or_else(|| gateway_name.clone());
    let (source, kind) = (source.as_str(), kind.as_str());
    let row = params![account, ticket, at_ms, source, kind, symbol, order_id, profit, is_settled, lots];
    transaction.prepare_cached(REALISED)?.execute(row).map(drop)
}
