//! The state in the journal, read by the daemon that holds the lock, while no order is in progress.

use super::{
    Identity, Store, broken, millis,
    order_moves::{DAEMON, Details, advance},
    orders::{as_text, parsed},
    unwritten::Kept,
};
use crate::domain::{
    exposure::Fill,
    instrument::{InstrumentKey, Symbol},
    journal::{History, JournalError, Standing, StandingQuestion},
    order::Side,
    order_state::OrderState,
    position::AccountMode,
    reconcile::Unproven,
};
use rusqlite::{Connection, Row, params};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(86_400);

// Asked in every cycle. SQLite takes the index `orders_open` only where its condition is repeated word by word, and would
// otherwise read all orders there ever were.
const LEFT_OPEN: &str = "SELECT id FROM orders WHERE state IN ('intent', 'sending', 'unknown') AND state <> 'unknown'";
const UNKNOWN: &str =
    "SELECT gateway_name, symbol FROM orders WHERE state IN ('intent', 'sending', 'unknown') AND state = 'unknown'";

/// The newest few that came to an end. The plus keeps SQLite from the account's index, by which it would read and sort all.
const NEWEST: &str = "SELECT state FROM orders WHERE +account = ?1 AND closes IS NULL
                      AND state IN ('filled', 'rejected', 'not_sent', 'unknown')
                      AND (state != 'not_sent' OR coalesce(reason, '') NOT IN
                           ('not_holder', 'before_takeover', 'ordered_elsewhere', 'claim_late'))
                      AND rowid > (SELECT coalesce(max(after_order), 0) FROM resumed) ORDER BY rowid DESC LIMIT ?2";

impl Store {
    /// Reads back what was kept beside the journal while it could not be written, settles what no order under way stands
    /// for any more (`intent` expires, `sending` becomes unknown), then says what stands.
    ///
    /// # Errors
    /// [`JournalError::Failed`], also if what was kept cannot be read; with `must_write` also when only reading works.
    pub fn read_standing(
        &mut self,
        identity: &Identity,
        question: StandingQuestion,
        now: Duration,
    ) -> Result<Standing, JournalError> {
        let kept = Kept::read(&self.unwritten)?;
        let (standing, taken) = self.write(|transaction| {
            // First of all: what is known must not become unknown.
            let taken = kept.write(transaction)?;
            if question.must_write {
                transaction.execute("DELETE FROM probe", []).map_err(broken)?;
                transaction.execute("INSERT INTO probe VALUES (?1)", [millis(now)]).map_err(broken)?;
            }
            for id in left_open(transaction).map_err(broken)? {
                let reason = "the daemon ended before it was settled";
                let details = Details { reason: Some(reason), ..Details::default() };
                advance(transaction, id, OrderState::after_restart, &details, (DAEMON, Some(reason)), now)?;
            }
            Ok((standing(transaction, identity, question, now).map_err(broken)?, taken))
        })?;
        taken.done(&self.unwritten)?;
        Ok(standing)
    }

    /// What was ordered before. The first time that an account asks is when it went live by this journal.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn history(&mut self, identity: &Identity, now: Duration) -> Result<History, JournalError> {
        self.write(|transaction| history(transaction, identity, now).map_err(broken))
    }

    /// The account's fills that count as open positions, and those of these tickets, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn fills(&self, identity: &Identity, tickets: &[i64]) -> Result<Vec<Fill>, JournalError> {
        let read = || {
            // With the plus the account has no index, which has neither state nor ticket: each order would be looked up twice
            // and then sorted.
            let mut held = self.connection.prepare_cached(
                "SELECT ticket, gateway_name, side, coalesce(filled_volume, volume), tickets_before, closed_at_ms IS NULL, id,
                 symbol FROM orders WHERE +account = ?1 AND state = 'filled' AND closes IS NULL
                 AND (closed_at_ms IS NULL OR ticket IN (SELECT value FROM json_each(?2))) ORDER BY rowid",
            )?;
            let fill = |row: &Row<'_>| {
                Ok(Fill {
                    id: parsed(row, 6)?,
                    ticket: row.get::<_, Option<i64>>(0)?.unwrap_or(0),
                    symbol: symbol(row, 7)?,
                    gateway_name: row.get(1)?,
                    side: side(row, 2)?,
                    volume: row.get(3)?,
                    tickets_before: row.get::<_, Option<String>>(4)?.map(|text| self::tickets(&text).collect()),
                    is_open: row.get(5)?,
                    was_listed: false,
                })
            };
            let mut fills = held
                .query_map(params![identity.account, format!("[{}]", as_text(tickets))], fill)?
                .collect::<rusqlite::Result<Vec<Fill>>>()?;
            let mut known = self.connection.prepare_cached(
                "SELECT tickets_before FROM orders WHERE account = ?1 AND tickets_before IS NOT NULL",
            )?;
            let held: HashSet<_> = fills.iter().map(|fill| fill.ticket).collect();
            let mut listed = HashSet::new();
            let mut rows = known.query([&identity.account])?;
            while let Some(row) = rows.next()? {
                listed.extend(self::tickets(row.get_ref(0)?.as_str()?).filter(|ticket| held.contains(ticket)));
            }
            fills.iter_mut().for_each(|fill| fill.was_listed = listed.contains(&fill.ticket));
            Ok(fills)
        };
        read().map_err(broken)
    }

    /// Notes the account's equity if it is the first of the day (UTC), and answers the day's first.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn first_equity(&mut self, identity: &Identity, equity: f64, now: Duration) -> Result<f64, JournalError> {
        let day = i64::try_from(now.as_secs() / DAY.as_secs()).unwrap_or(i64::MAX);
        self.write(|transaction| {
            let note = "INSERT INTO equity VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            transaction.execute(note, params![identity.account, day, equity]).map_err(broken)?;
            let first = "SELECT first FROM equity WHERE account = ?1 AND day = ?2";
            transaction.query_row(first, params![identity.account, day], |row| row.get(0)).map_err(broken)
        })
    }
}

fn history(transaction: &Connection, identity: &Identity, now: Duration) -> rusqlite::Result<History> {
    let account = &identity.account;
    let mut begins = transaction.prepare_cached("INSERT INTO accounts VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    let is_new = begins.execute(params![account, millis(now)])? > 0;
    let since = "SELECT live_since_ms FROM accounts WHERE account = ?1";
    let live_since = transaction.query_row(since, [account], |row| time(row, 0))?;
    let mut newest = transaction.prepare_cached(
        "SELECT gateway_name, symbol, max(bar_close_time) FROM orders WHERE account = ?1 AND model = ?2
         AND closes IS NULL GROUP BY gateway_name, symbol ORDER BY 3",
    )?;
    // In rising order of time: of two spellings of one instrument the newer bar stays.
    let rows = newest.query_map([account, &identity.model], |row| Ok((keys(row, 0)?, row.get::<_, i64>(2)?)))?;
    let newest_ordered = by_keys(rows.collect::<rusqlite::Result<_>>()?);
    let mut recent = transaction.prepare_cached(
        "SELECT created_at_ms, gateway_name, symbol FROM orders WHERE account = ?1 AND closes IS NULL AND created_at_ms > ?2
         ORDER BY created_at_ms",
    )?;
    let since = millis(now.saturating_sub(DAY));
    let rows = recent.query_map(params![account, since], |row| Ok((keys(row, 1)?, time(row, 0)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(History {
        newest_ordered,
        orders: rows.iter().map(|(_, at)| *at).collect(),
        newest_at: by_keys(rows),
        live_since,
        is_new,
    })
}

fn left_open(transaction: &Connection) -> rusqlite::Result<Vec<Uuid>> {
    let mut select = transaction.prepare_cached(LEFT_OPEN)?;
    select.query_map([], |row| parsed(row, 0))?.collect()
}

fn standing(
    transaction: &Connection,
    identity: &Identity,
    question: StandingQuestion,
    now: Duration,
) -> rusqlite::Result<Standing> {
    let mut unknown = transaction.prepare_cached(UNKNOWN)?;
    let unresolved = unknown.query_map([], |row| keys(row, 0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let unresolved: HashSet<_> = unresolved.into_iter().flatten().collect();
    let unproven = if unresolved.is_empty() { Vec::new() } else { unproven(transaction, identity)? };
    let failures_in_a_row = match question.failures_max {
        0 => 0,
        max => failures_in_a_row(transaction, &identity.account, max)?,
    };
    // In the precision of the file, so that a replay counts as the daemon did.
    let taken_at = Duration::from_millis(u64::try_from(millis(now)).unwrap_or(0));
    Ok(Standing { taken_at, unresolved, unproven, failures_in_a_row })
}

fn unproven(transaction: &Connection, identity: &Identity) -> rusqlite::Result<Vec<Unproven>> {
    let mut select = transaction.prepare_cached(
        "SELECT id, symbol, gateway_name, side, volume, closes, tickets_before, updated_at_ms, dialect, account_mode,
                bar_close_time
         FROM orders WHERE state IN ('intent', 'sending', 'unknown') AND state = 'unknown' AND account = ?1 ORDER BY rowid",
    )?;
    let rows = select.query_map([&identity.account], |row| {
        Ok(Unproven {
            id: parsed(row, 0)?,
            symbol: symbol(row, 1)?,
            gateway_name: row.get(2)?,
            side: side(row, 3)?,
            volume: row.get(4)?,
            closes: row.get(5)?,
            tickets_before: row.get::<_, Option<String>>(6)?.map(|text| tickets(&text).collect()),
            unknown_since: time(row, 7)?,
            dialect: row.get(8)?,
            account_mode: row.get::<_, Option<String>>(9)?.as_deref().and_then(AccountMode::parse),
            bar_close_time: row.get(10)?,
        })
    })?;
    rows.collect()
}

/// Counts back from the newest order to one that was filled or to where a person said to go on.
pub(super) fn failures_in_a_row(transaction: &Connection, account: &str, max: u32) -> rusqlite::Result<u32> {
    let mut select = transaction.prepare_cached(NEWEST)?;
    let mut rows = select.query(params![account, max])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        if row.get_ref(0)?.as_str()? == OrderState::Filled.as_str() {
            break;
        }
        count += 1;
    }
    Ok(count)
}

pub(super) fn symbol(row: &Row<'_>, column: usize) -> rusqlite::Result<Symbol> {
    Ok(Symbol::new(row.get_ref(column)?.as_str()?))
}

/// The keys of the broker's name in this column and of ours in the next.
pub(super) fn keys(row: &Row<'_>, column: usize) -> rusqlite::Result<[InstrumentKey; 2]> {
    Ok(InstrumentKey::both(row.get_ref(column)?.as_str()?, row.get_ref(column + 1)?.as_str()?))
}

/// Each value under both keys; of several the last.
pub(super) fn by_keys<T: Copy>(rows: Vec<([InstrumentKey; 2], T)>) -> HashMap<InstrumentKey, T> {
    rows.into_iter().flat_map(|(keys, value)| keys.map(|key| (key, value))).collect()
}

pub(super) fn side(row: &Row<'_>, column: usize) -> rusqlite::Result<Side> {
    let text = row.get_ref(column)?.as_str()?;
    let side = [Side::Buy, Side::Sell].into_iter().find(|side| side.as_str() == text);
    side.ok_or_else(|| rusqlite::Error::InvalidColumnType(column, "side".into(), rusqlite::types::Type::Text))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Duration> {
    Ok(Duration::from_millis(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0)))
}

fn tickets(text: &str) -> impl Iterator<Item = i64> + '_ {
    text.split(',').filter_map(|ticket| ticket.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_in_every_cycle_takes_no_longer_with_many_orders() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("journal.db")).unwrap();
        let plan = |sql: &str| {
            let mut plan = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let lines = plan.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>();
            lines.unwrap().join("; ")
        };
        for sql in [LEFT_OPEN, UNKNOWN] {
            assert_eq!(plan(sql), "SEARCH orders USING INDEX orders_open (state=?)");
        }
        assert!(plan(NEWEST).starts_with("SEARCH orders USING INTEGER PRIMARY KEY (rowid>?)"), "{}", plan(NEWEST));
        assert!(!plan(NEWEST).contains("TEMP B-TREE"), "{}", plan(NEWEST));
    }
}
