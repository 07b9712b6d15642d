//! How an order moves from one state to the next in the journal, whatever the reason; a move that the domain does not allow is
//! refused.

use super::{broken, millis, orders::parsed};
use crate::domain::{journal::JournalError, order_state::OrderState};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;
use uuid::Uuid;

/// Who moves an order that no person moves.
pub(super) const DAEMON: &str = "daemon";
/// What changes with a step besides the state.
#[derive(Default)]
pub(super) struct Details<'a> {
    pub ticket: Option<i64>,
    pub price: Option<f64>,
    pub filled_volume: Option<f64>,
    pub reason: Option<&'a str>,
}

/// Moves an order on, if it may go there. A step that was written before is no fault: its answer may have been lost.
pub(super) fn advance(
    transaction: &Connection,
    id: Uuid,
    next: impl FnOnce(OrderState) -> OrderState,
    details: &Details<'_>,
    (who, text): (&str, Option<&str>),
    now: Duration,
) -> Result<(), JournalError> {
    let from = state_of(transaction, id)?;
    let to = next(from);
    if from == to {
        return Ok(());
    }
    if !from.may_become(to) {
        return Err(JournalError::Transition { from, to });
    }
    let id = id.to_string();
    let Details { ticket, price, filled_volume, reason } = details;
    let row = params![id, to.as_str(), ticket, price, reason, millis(now), filled_volume];
    let sql = "UPDATE orders SET state = ?2, ticket = ?3, price = ?4, reason = ?5, updated_at_ms = ?6,
               filled_volume = ?7 WHERE id = ?1";
    transaction.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(broken)?;
    if to == OrderState::Filled {
        release(transaction, &id, now).map_err(broken)?;
    }
    note(transaction, &id, to, (who, text), now)
}

/// What the step `sending` says of the claim under which it is sent.
pub(super) fn under_epoch(epoch: i64) -> String {
    format!("claim epoch {epoch}")
}

/// Takes the position of a filled order as closed.
pub(super) fn mark_closed(
    transaction: &Connection,
    id: Uuid,
    (who, text): (&str, &str),
    now: Duration,
) -> Result<(), JournalError> {
    let state = state_of(transaction, id)?;
    let id = id.to_string();
    let sql = "UPDATE orders SET closed_at_ms = ?2 WHERE id = ?1 AND state = 'filled' AND closes IS NULL
               AND closed_at_ms IS NULL";
    if transaction.execute(sql, params![id, millis(now)]).map_err(broken)? == 0 {
        return Err(JournalError::NoPosition);
    }
    note(transaction, &id, state, (who, Some(&format!("closed: {text}"))), now)
}

/// What a fill means for the positions that earlier fills made: a close ends its ticket's, and an opening ends those of
/// the other direction.
fn release(transaction: &Connection, id: &str, now: Duration) -> rusqlite::Result<()> {
    let sql = "UPDATE orders SET closed_at_ms = ?2
               FROM (SELECT account, gateway_name, symbol, side, closes FROM orders WHERE id = ?1) AS it
               WHERE orders.account = it.account 
               AND (lower(orders.gateway_name) = lower(it.gateway_name) OR orders.symbol = it.symbol)
               AND orders.state = 'filled'
               AND orders.closes IS NULL AND orders.closed_at_ms IS NULL
               AND CASE WHEN it.closes IS NULL THEN orders.side <> it.side ELSE orders.ticket = it.closes END";
    transaction.prepare_cached(sql)?.execute(params![id, millis(now)]).map(drop)
}

pub(super) fn note(
    transaction: &Connection,
    id: &str,
    state: OrderState,
    (who, text): (&str, Option<&str>),
    now: Duration,
) -> Result<(), JournalError> {
    let sql = "INSERT INTO order_events (order_id, at_ms, state, who, note) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![id, millis(now), state.as_str(), who, text];
    transaction.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).map_err(broken).map(drop)
}

pub(super) fn state_of(transaction: &Connection, id: Uuid) -> Result<OrderState, JournalError> {
    let mut select = transaction.prepare_cached("SELECT state FROM orders WHERE id = ?1").map_err(broken)?;
    let state = select.query_row([id.to_string()], |row| parsed(row, 0)).optional().map_err(broken)?;
    state.ok_or(JournalError::NoSuchOrder(id))
}
