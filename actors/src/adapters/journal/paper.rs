//! The account on paper in the journal: what a cycle changes of it, what a restart takes up, and its trades for a person. No
//! statement here reads or writes a table of live orders, and no other reads these.

use super::{
    Store, broken, millis,
    orders::parsed,
    savepoint::apart,
    standing::{by_keys, keys, side, symbol, time},
};
use crate::domain::{
    fill::{Costs, ExitReason},
    guard::Suppression,
    journal::{History, JournalError},
    order::Side,
    paper::{PaperBook, PaperEnd, PaperEntry, PaperEquity, PaperExit, PaperOrder, RATE_WAIT, Unkept},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;
use uuid::Uuid;

/// As [`trade`] reads them and [`write`] writes them.
const COLUMNS: &str = "id, symbol, gateway_name, bar_close_time, side, volume, stop_loss, take_profit, confidence, close, digits,
    ticket, closes, seen_to, bars_seen, mark_price, ended_by, entry_at, entry_price, exit_at, exit_price, exit_reason,
    is_ambiguous, nights, net_points, profit, spread_points, slippage_points, commission_points, swap_points, created_at_ms,
    updated_at_ms, entry_source, exit_source, account, model, ended_at_ms";

/// Of a trade that is known already, only what follows its order changes. When it ended is written once: what it brought may be known
/// later.
const UPSERT: &str = "
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26,
        ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37)
ON CONFLICT (id) DO UPDATE SET seen_to = ?14, bars_seen = ?15, mark_price = ?16, ended_by = ?17, entry_at = ?18,
    entry_price = ?19, exit_at = ?20, exit_price = ?21, exit_reason = ?22, is_ambiguous = ?23, nights = ?24, net_points = ?25,
    profit = ?26, updated_at_ms = ?32, entry_source = ?33, exit_source = ?34,
    ended_at_ms = coalesce(ended_at_ms, ?37)";

/// Most cycles only follow what is open: that touches no index.
const PROGRESS: &str =
    "UPDATE paper_orders SET seen_to = ?2, bars_seen = ?3, mark_price = ?4, nights = ?5, updated_at_ms = ?6
                        WHERE id = ?1";

/// What orders go with their time: ended ones, but for the newest of each symbol, which keeps older bars from being ordered.
pub(super) const PRUNE: [&str; 2] = [
    "DELETE FROM paper_orders WHERE updated_at_ms < ?1 AND (exit_at IS NOT NULL OR closes IS NOT NULL)
     AND EXISTS (SELECT 1 FROM paper_orders AS newer WHERE newer.account = paper_orders.account
                 AND newer.model = paper_orders.model AND newer.symbol = paper_orders.symbol
                 AND newer.bar_close_time > paper_orders.bar_close_time)",
    "DELETE FROM paper_equity WHERE at_ms < ?1 AND EXISTS (SELECT 1 FROM paper_equity AS newer
     WHERE newer.account = paper_equity.account AND newer.at_ms > paper_equity.at_ms)",
];

/// What the account on paper did about a decision; `None` if it was not asked.
pub type PaperAnswer = Option<Result<Uuid, Suppression>>;

/// What a cycle changes of the account on paper.
#[derive(Debug, Clone, Copy)]
pub struct PaperCycle<'a> {
    /// The account.
    pub account: &'a str,
    /// What it did about each decision, in their order.
    pub answers: &'a [PaperAnswer],
    /// Orders that are new or have changed.
    pub orders: &'a [&'a PaperOrder],
    /// What it is worth, if that has changed.
    pub equity: Option<PaperEquity>,
    /// Wall clock since the unix epoch.
    pub at: Duration,
}

/// An order on paper, for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperRow {
    /// The account whose order it would be.
    pub account: String,
    /// `model.name`.
    pub model: String,
    /// All of it.
    pub order: PaperOrder,
    /// Unix milliseconds.
    pub updated_at_ms: i64,
    /// Whether it was open then, and decisions were made on later bars without it: the account was off, or could not be written. What
    /// became of it is not known.
    pub is_left: bool,
}

/// Writes it; nothing of it if one part fails or panics. That is the answer then, and the rest of the transaction goes on.
///
/// # Errors
/// The transaction cannot go on: some faults, such as a full disk, end it.
pub(super) fn write(
    transaction: &Connection,
    model: &str,
    cycle: &PaperCycle<'_>,
) -> rusqlite::Result<Option<JournalError>> {
    if cycle.orders.is_empty() && cycle.equity.is_none() {
        return Ok(None);
    }
    apart(transaction, || write_all(transaction, model, cycle).map_err(broken))
}

fn write_all(transaction: &Connection, model: &str, cycle: &PaperCycle<'_>) -> rusqlite::Result<()> {
    let PaperCycle { account, orders, equity, at, .. } = *cycle;
    let (followed, others): (Vec<&PaperOrder>, Vec<_>) =
        orders.iter().copied().partition(|order| order.unkept == Unkept::Progress);
    if !followed.is_empty() {
        let mut update = transaction.prepare_cached(PROGRESS)?;
        for order in followed {
            let bars_seen = i64::try_from(order.bars_seen).unwrap_or(i64::MAX);
            let id = order.id.to_string();
            update.execute(params![id, order.seen_to, bars_seen, order.mark, order.nights, millis(at)])?;
        }
    }
    if !others.is_empty() {
        let mut upsert = transaction.prepare_cached(&format!("INSERT INTO paper_orders ({COLUMNS}) {UPSERT}"))?;
        for order in others {
            let (entry, exit, costs) = (order.entry, order.exit, order.costs);
            upsert.execute(params![
                order.id.to_string(),
                order.symbol.as_str(),
                order.gateway_name,
                order.bar_close_time,
                order.side.as_str(),
                order.volume,
                order.stop_loss,
                order.take_profit,
                order.confidence,
                order.close,
                order.digits,
                order.ticket,
                order.closes,
                order.seen_to,
                i64::try_from(order.bars_seen).unwrap_or(i64::MAX),
                order.mark,
                order.ended_by.map(|id| id.to_string()),
                entry.map(|entry| entry.at),
                entry.map(|entry| entry.price),
                exit.map(|exit| exit.at),
                exit.and_then(|exit| exit.price),
                exit.map(|exit| exit.reason.as_str()),
                exit.is_some_and(|exit| exit.is_ambiguous),
                entry.map(|_| order.nights),
                exit.and_then(|exit| exit.net_points),
                exit.and_then(|exit| exit.profit),
                costs.map(|costs| costs.spread),
                costs.map(|costs| costs.slippage),
                costs.map(|costs| costs.commission_side),
                costs.map(|costs| costs.swap(order.side)),
                millis(order.created_at),
                millis(at),
                entry.map(|_| "next_open"),
                exit.and_then(|exit| source(exit.reason)),
                account,
                model,
                order.ended_at.map(millis),
            ])?;
        }
    }
    let Some(PaperEquity { start, balance, equity, points, open_points, unpriced }) = equity else { return Ok(()) };
    let row = params![millis(at), account, start, balance, equity, points, open_points, unpriced];
    let sql = "INSERT INTO paper_equity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

const fn source(reason: PaperEnd) -> Option<&'static str> {
    match reason {
        PaperEnd::Filled(ExitReason::Opposite) => Some("next_open"),
        PaperEnd::Filled(_) => Some("bar"),
        PaperEnd::Lost => None,
    }
}

impl Store {
    /// What a restart takes up of an account on paper, and what was ordered on it before.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn paper_book(&self, account: &str, model: &str, now: Duration) -> Result<(PaperBook, History), JournalError> {
        let read = || {
            let sql = format!(
                "SELECT {COLUMNS} FROM paper_orders WHERE account = ?1 AND exit_at IS NULL AND closes IS NULL
                 ORDER BY ticket"
            );
            let mut select = self.connection.prepare(&sql)?;
            let open = select.query_map([account], trade)?.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut orders = self.waiting_for_rate(account, now)?;
            orders.extend(open);
            let sql = "SELECT coalesce(max(ticket), 0) FROM paper_orders WHERE account = ?1";
            let last_ticket = self.connection.query_row(sql, [account], |row| row.get(0))?;
            let sql = "SELECT start, balance, equity, points, open_points, unpriced FROM paper_equity
                       WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
            let equity = self.connection.query_row(sql, [account], equity).optional()?;
            let day = now.as_secs() / 86_400;
            let sql = "SELECT equity - start FROM paper_equity WHERE account = ?1 AND at_ms < ?2 AND equity IS NOT NULL
                       ORDER BY at_ms DESC, rowid DESC LIMIT 1";
            let begins = params![account, millis(Duration::from_secs(day * 86_400))];
            let earned: Option<f64> = self.connection.query_row(sql, begins, |row| row.get(0)).optional()?;
            // An account that is new today began with its start, and what the settings changed of that since was not earned.
            let first = equity.map(|equity: PaperEquity| equity.start + earned.unwrap_or(0.0));
            let first_equity = first.map(|first| (day, first));
            Ok((PaperBook { orders, last_ticket, equity, first_equity }, self.paper_history(account, model, now)?))
        };
        read().map_err(broken)
    }

    /// Trades that ended not long ago and are known in points only: the rate may have had no price yet.
    fn waiting_for_rate(&self, account: &str, now: Duration) -> rusqlite::Result<Vec<PaperOrder>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM paper_orders WHERE account = ?1 AND net_points IS NOT NULL AND profit IS NULL
             AND ended_at_ms >= ?2 ORDER BY ticket"
        );
        let mut select = self.connection.prepare(&sql)?;
        let since = millis(now.saturating_sub(RATE_WAIT));
        let rows = select.query_map(params![account, since], trade)?;
        rows.map(|order| order.map(|order| PaperOrder { waits_for_rate: true, ..order })).collect()
    }

    fn paper_history(&self, account: &str, model: &str, now: Duration) -> rusqlite::Result<History> {
        let sql = "SELECT gateway_name, symbol, max(bar_close_time) FROM paper_orders WHERE account = ?1 AND model = ?2
                   GROUP BY gateway_name, symbol ORDER BY 3";
        let mut newest = self.connection.prepare(sql)?;
        let rows = newest.query_map([account, model], |row| Ok((keys(row, 0)?, row.get::<_, i64>(2)?)))?;
        let newest_ordered = by_keys(rows.collect::<rusqlite::Result<_>>()?);
        let sql =
            "SELECT created_at_ms, gateway_name, symbol FROM paper_orders WHERE account = ?1 AND created_at_ms > ?2
                   ORDER BY created_at_ms";
        let mut recent = self.connection.prepare(sql)?;
        let since = millis(now.saturating_sub(Duration::from_secs(86_400)));
        let rows = recent.query_map(params![account, since], |row| Ok((keys(row, 1)?, time(row, 0)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let orders = rows.iter().map(|(_, at)| *at).collect();
        Ok(History { newest_ordered, orders, newest_at: by_keys(rows), ..History::default() })
    }

    /// All orders on paper, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn paper_orders(&self) -> Result<Vec<PaperRow>, JournalError> {
        let read = || {
            let sql = format!("SELECT {} FROM paper_orders ORDER BY rowid", row_columns());
            let mut select = self.connection.prepare(&sql)?;
            select.query_map([], paper_row)?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }

    /// What the accounts on paper are worth, the newest of each; with their names, in the order of these.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn paper_equities(&self) -> Result<Vec<(String, PaperEquity)>, JournalError> {
        let read = || {
            let sql = "SELECT start, balance, equity, points, open_points, unpriced, account FROM paper_equity AS it
                       WHERE NOT EXISTS (SELECT 1 FROM paper_equity AS newer WHERE newer.account = it.account
                                         AND (newer.at_ms, newer.rowid) > (it.at_ms, it.rowid)) ORDER BY account";
            let mut select = self.connection.prepare(sql)?;
            select.query_map([], |row| Ok((row.get(6)?, equity(row)?)))?.collect::<rusqlite::Result<_>>()
        };
        read().map_err(broken)
    }
}

/// An order on paper with this id, or on this bar.
pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<PaperRow>> {
    let sql = format!("SELECT {} FROM paper_orders WHERE id = ?1", row_columns());
    connection.prepare_cached(&sql)?.query_row([id], paper_row).optional()
}

/// What [`paper_row`] reads. What is open is followed to the bar of each decision.
pub(super) fn row_columns() -> String {
    let bar_of_newest = |condition: &str| {
        format!(
            "(SELECT bar_close_time FROM decisions WHERE symbol = paper_orders.symbol AND bar_close_time IS NOT NULL {condition}
              ORDER BY cycle_id DESC LIMIT 1)"
        )
    };
    let (newest, seen) = (bar_of_newest(""), bar_of_newest("AND cycle_id <= paper_orders.updated_at_ms"));
    // Without a decision from before, all that there are came after it.
    format!(
        "{COLUMNS}, exit_at IS NULL AND closes IS NULL AND coalesce({newest} > coalesce({seen}, seen_to), 0) AS is_left"
    )
}

/// A trade on paper, from its [`row_columns`].
pub(super) fn paper_row(row: &Row<'_>) -> rusqlite::Result<PaperRow> {
    let order = trade(row)?;
    let (account, model, updated_at_ms) = (row.get(34)?, row.get(35)?, row.get(31)?);
    Ok(PaperRow { account, model, order, updated_at_ms, is_left: row.get("is_left")? })
}

fn equity(row: &Row<'_>) -> rusqlite::Result<PaperEquity> {
    Ok(PaperEquity {
        start: row.get(0)?,
        balance: row.get(1)?,
        equity: row.get(2)?,
        points: row.get(3)?,
        open_points: row.get(4)?,
        unpriced: row.get(5)?,
    })
}

fn trade(row: &Row<'_>) -> rusqlite::Result<PaperOrder> {
    let side: Side = side(row, 4)?;
    let costs = match (row.get(26)?, row.get(27)?, row.get(28)?, row.get(29)?) {
        (Some(spread), Some(slippage), Some(commission_side), Some(swap)) => {
            Some(Costs { spread, slippage, commission_side, swap_long: swap, swap_short: swap })
        }
        _ => None,
    };
    let entry = row.get::<_, Option<i64>>(17)?.zip(row.get(18)?).map(|(at, price)| PaperEntry { at, price });
    let exit = match row.get::<_, Option<i64>>(19)? {
        None => None,
        Some(at) => Some(PaperExit {
            at,
            price: row.get(20)?,
            reason: reason(row, 21)?,
            is_ambiguous: row.get(22)?,
            net_points: row.get(24)?,
            profit: row.get(25)?,
        }),
    };
    Ok(PaperOrder {
        id: parsed(row, 0)?,
        symbol: symbol(row, 1)?,
        gateway_name: row.get(2)?,
        bar_close_time: row.get(3)?,
        side,
        volume: row.get(5)?,
        stop_loss: row.get(6)?,
        take_profit: row.get(7)?,
        confidence: row.get(8)?,
        close: row.get(9)?,
        digits: row.get(10)?,
        ticket: row.get(11)?,
        closes: row.get(12)?,
        costs,
        entry,
        seen_to: row.get(13)?,
        bars_seen: usize::try_from(row.get::<_, i64>(14)?).unwrap_or(0),
        mark: row.get(15)?,
        nights: row.get::<_, Option<u32>>(23)?.unwrap_or(0),
        ended_by: row.get::<_, Option<String>>(16)?.and_then(|id| id.parse().ok()),
        exit,
        ended_at: row.get::<_, Option<i64>>(36)?.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        created_at: time(row, 30)?,
        waits_for_rate: false,
        unkept: Unkept::Nothing,
    })
}

fn reason(row: &Row<'_>, column: usize) -> rusqlite::Result<PaperEnd> {
    let text = row.get_ref(column)?.as_str()?;
    let reason = PaperEnd::ALL.into_iter().find(|reason| reason.as_str() == text);
    reason.ok_or_else(|| rusqlite::Error::InvalidColumnType(column, "exit_reason".into(), rusqlite::types::Type::Text))
}
