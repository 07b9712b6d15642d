//! Rows of orders as the journal's other readers read them, made into what the console shows.

use super::{Entry, Exit, Ledger, OrderEvent, OrderShown};
use crate::adapters::journal::{
    OrderRow, PaperRow,
    console::{decisions, money, price, reported},
    explain,
    orders::{COLUMNS, order_row},
    paper as on_paper,
};
use rusqlite::{Connection, Row};
use std::collections::{HashMap, HashSet};

/// Steps of an order that are shown.
const STEPS_MAX: usize = 500;

/// What [`live`] reads.
pub(super) fn live_columns() -> String {
    format!(
        "{COLUMNS}, rowid, confidence,
         (SELECT min(at_ms) FROM order_events WHERE order_id = orders.id AND state = 'filled') AS filled_at_ms"
    )
}

/// What [`paper`] reads.
pub(super) fn paper_columns() -> String {
    format!("{}, rowid", on_paper::row_columns())
}

pub(super) fn events(connection: &Connection, id: &str) -> rusqlite::Result<Vec<OrderEvent>> {
    let event = |step: explain::Step| OrderEvent {
        at_ms: step.at_ms,
        state: step.state.as_str().into(),
        who: step.who,
        note: step.note,
    };
    Ok(explain::steps(connection, id)?.into_iter().take(STEPS_MAX).map(event).collect())
}

/// A paper order has no steps: its intent, its entry and its end are all there is. The entry is at its bar's open, which is before
/// the intent if that bar was open by then.
pub(super) fn paper_events(order: &OrderShown) -> Vec<OrderEvent> {
    let event =
        |at_ms, state: &str, note: Option<String>| OrderEvent { at_ms, state: state.into(), who: "paper".into(), note };
    let entry = order.entry.as_ref().and_then(|entry| Some(event(entry.at_ms?, "entry", entry.source.clone())));
    let exit = order.exit.as_ref().map(|exit| event(exit.at_ms, "exit", exit.reason.clone()));
    let mut events: Vec<_> =
        [Some(event(order.created_ms, "intent", None)), entry, exit].into_iter().flatten().collect();
    events.sort_by_key(|event| event.at_ms);
    events
}

pub(super) fn live(row: &Row<'_>) -> rusqlite::Result<OrderShown> {
    let order: OrderRow = order_row(row)?;
    let (rowid, confidence, filled_at) = (row.get("rowid")?, row.get("confidence")?, row.get("filled_at_ms")?);
    let is_filled = order.state.as_str() == "filled";
    let opened = is_filled && order.closes.is_none();
    let position = match order.closed_at_ms {
        _ if !opened => None,
        None => Some("open"),
        Some(_) if order.is_close_known => Some("closed"),
        Some(_) => Some("unknown"),
    };
    let gone = |at_ms| Exit { at_ms, price: None, source: None, reason: None };
    Ok(OrderShown {
        rowid,
        ledger: "live",
        id: order.id.to_string(),
        account: order.account,
        symbol: order.symbol,
        model: order.model,
        kind: kind(order.closes),
        closes: order.closes,
        side: order.side,
        volume: price(order.volume),
        filled_volume: order.filled_volume,
        stop_loss: price(order.stop_loss),
        take_profit: price(order.take_profit),
        confidence,
        bar_close_s: order.bar_close_time,
        close: None,
        state: order.state.as_str().into(),
        reason: order.reason,
        ticket: order.ticket,
        entry: is_filled.then(|| Entry { at_ms: filled_at, price: order.price, source: Some("gateway".into()) }),
        exit: order.closed_at_ms.filter(|_| opened).map(gone),
        position,
        profit: None,
        created_ms: order.created_at_ms,
        updated_ms: order.updated_at_ms,
    })
}

pub(super) fn paper(row: &Row<'_>) -> rusqlite::Result<OrderShown> {
    let PaperRow { account, model, order, updated_at_ms, is_left } = on_paper::paper_row(row)?;
    let (entry_source, exit_source) = (row.get("entry_source")?, row.get("exit_source")?);
    let entry = order.entry.map(|entry| Entry {
        at_ms: Some(entry.at.saturating_mul(1_000)),
        price: Some(entry.price),
        source: entry_source,
    });
    let exit = order.exit.map(|exit| Exit {
        at_ms: exit.at.saturating_mul(1_000),
        price: exit.price,
        source: exit_source,
        reason: Some(exit.reason.as_str().into()),
    });
    let profit = order.exit.map(|exit| money::of_paper(exit.profit, exit.net_points, order.costs.is_none()));
    let opened = order.closes.is_none();
    let position = match exit {
        Some(_) => "closed",
        None if is_left => "unknown",
        None => "open",
    };
    let since = chrono::DateTime::from_timestamp_millis(updated_at_ms).unwrap_or_default();
    let left = || format!("not followed since {} UTC: paper was off, or could not be written", since.format("%F %T"));
    Ok(OrderShown {
        rowid: row.get("rowid")?,
        ledger: "paper",
        id: order.id.to_string(),
        account,
        symbol: order.symbol.to_string(),
        model,
        kind: kind(order.closes),
        closes: order.closes,
        side: order.side.as_str().into(),
        volume: price(order.volume),
        filled_volume: None,
        stop_loss: price(order.stop_loss),
        take_profit: price(order.take_profit),
        confidence: Some(order.confidence),
        bar_close_s: order.bar_close_time,
        close: Some(order.close),
        state: "filled".into(),
        reason: is_left.then(left),
        ticket: Some(order.ticket),
        entry,
        position: opened.then_some(position),
        profit: profit.filter(|_| opened),
        exit,
        created_ms: i64::try_from(order.created_at.as_millis()).unwrap_or(i64::MAX),
        updated_ms: updated_at_ms,
    })
}

const fn kind(closes: Option<i64>) -> &'static str {
    if closes.is_some() { "close" } else { "open" }
}

/// What is in other rows: the close decided on, and for a live position whether it is open and how it ended.
pub(super) fn complete(connection: &Connection, ledger: Ledger, orders: &mut [OrderShown]) -> rusqlite::Result<()> {
    if ledger == Ledger::Paper {
        return in_currency(connection, orders);
    }
    let mut lists = HashMap::new();
    let keys: Vec<_> = orders.iter().map(|order| (order.symbol.clone(), order.bar_close_s, order.id.clone())).collect();
    let decisions = decisions::of_orders(connection, "order_id", &keys)?;
    let closes: HashMap<_, _> = decisions.into_iter().filter_map(|it| Some((it.order_id?, it.close))).collect();
    let ended: Vec<String> = orders
        .iter()
        .filter(|it| it.exit.is_some())
        .filter_map(|it| it.ticket)
        .map(|ticket| ticket.to_string())
        .collect();
    let mut ends = HashMap::new();
    if !ended.is_empty() {
        let mut select = connection.prepare_cached(
            "SELECT account, closes, price FROM orders WHERE closes IN (SELECT value FROM json_each(?1)) AND state = 'filled'",
        )?;
        let mut rows = select.query([format!("[{}]", ended.join(","))])?;
        while let Some(row) = rows.next()? {
            ends.insert((row.get::<_, String>(0)?, row.get::<_, i64>(1)?), row.get::<_, Option<f64>>(2)?);
        }
    }
    for order in &mut *orders {
        order.close = closes.get(&order.id).copied().flatten();
        let Some(ticket) = order.ticket.filter(|_| order.position.is_some()) else { continue };
        if let Some((profit, ended_ms)) = money::of_ticket(connection, &order.account, ticket)? {
            if let Some(at_ms) = ended_ms {
                let gone = || Exit { at_ms, price: None, source: None, reason: Some("gone".into()) };
                order.exit.get_or_insert_with(gone);
                order.position = Some("closed");
            }
            order.profit = Some(profit);
        }
        if let (Some(exit), Some(end)) = (&mut order.exit, ends.get(&(order.account.clone(), ticket))) {
            exit.price = *end;
            exit.source = end.map(|_| "gateway".into());
            exit.reason = Some("opposite".into());
            order.position = Some("closed");
        }
        if !lists.contains_key(&order.account) {
            lists.insert(order.account.clone(), list(connection, &order.account)?);
        }
        if let Some(Some((seen_ms, tickets))) = lists.get(&order.account) {
            as_listed(order, *seen_ms, tickets.contains(&ticket));
        }
    }
    Ok(())
}

/// Sums on paper are in the currency of the account beside it.
fn in_currency(connection: &Connection, orders: &mut [OrderShown]) -> rusqlite::Result<()> {
    let mut units = HashMap::new();
    for order in orders {
        let Some(profit) = order.profit.as_mut().filter(|it| it.amount.is_some() && it.unit.is_none()) else {
            continue;
        };
        if !units.contains_key(&order.account) {
            units.insert(order.account.clone(), reported::currency(connection, &order.account)?);
        }
        profit.unit = units.get(&order.account).cloned().flatten();
    }
    Ok(())
}

/// The tickets that the gateway listed last, and when.
fn list(connection: &Connection, account: &str) -> rusqlite::Result<Option<(i64, HashSet<i64>)>> {
    let listed = reported::listed(connection, account)?;
    Ok(listed.map(|list| (list.told_ms, list.positions.iter().map(|it| it.ticket).collect())))
}

/// A position that is in a list is open, whatever the journal counts; one that is not in a later list may have ended at the broker.
fn as_listed(order: &mut OrderShown, seen_ms: i64, is_listed: bool) {
    let closed_ms = order.exit.as_ref().map(|exit| exit.at_ms);
    if is_listed && closed_ms.is_none_or(|closed_ms| closed_ms <= seen_ms) {
        (order.position, order.exit) = (Some("open"), None);
    } else if !is_listed && closed_ms.is_none() && seen_ms > order.updated_ms {
        order.position = Some("unknown");
    }
}
