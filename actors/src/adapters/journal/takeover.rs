//! Orders of other members of a cluster (`cluster.mode = "shared"`): what a member that is gone left without an outcome, and what
//! became of such an order.

use super::{
    Identity, Store, broken, millis,
    order_moves::{Details, advance, note, state_of, under_epoch},
    orders::{as_text, parsed},
};
use crate::domain::{
    cluster::shared::{AGE_MAX, Claim},
    journal::JournalError,
    order::Outcome,
    order_state::OrderState,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;
use uuid::Uuid;

/// Who moves an order by what etcd says about it.
const CLUSTER: &str = "cluster";

impl Store {
    /// What the journal knows of the outcomes of these orders, each with its claim's epoch; nothing of one that it does not have, or
    /// that is on its way. Only a fill is known whatever the claim: what became of another attempt at the same bar says nothing
    /// about this one.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn outcomes_of(&self, orders: &[(Uuid, i64)]) -> Result<Vec<(Uuid, Outcome)>, JournalError> {
        let sql =
            "SELECT state, coalesce(reason, ''), coalesce(ticket, 0), price, filled_volume FROM orders WHERE id = ?1";
        let read = || {
            let mut select = self.connection.prepare_cached(sql)?;
            let mut found = Vec::new();
            for (id, epoch) in orders {
                let Some(outcome) = select.query_row([id.to_string()], outcome).optional()?.flatten() else { continue };
                let is_filled = matches!(outcome, Outcome::Filled { .. });
                if is_filled || is_about(&self.connection, *id, *epoch)? {
                    found.push((*id, outcome));
                }
            }
            Ok(found)
        };
        read().map_err(broken)
    }
}

fn outcome(row: &Row<'_>) -> rusqlite::Result<Option<Outcome>> {
    let reason = row.get(1)?;
    Ok(match parsed(row, 0)? {
        OrderState::Intent | OrderState::Sending => None,
        OrderState::Unknown => Some(Outcome::Unknown { reason }),
        OrderState::Filled => Some(Outcome::Filled { ticket: row.get(2)?, price: row.get(3)?, volume: row.get(4)? }),
        OrderState::Rejected => Some(Outcome::Rejected { reason }),
        OrderState::NotSent | OrderState::Expired => Some(Outcome::NotSent { reason }),
    })
}

/// Whether what the journal says of an order is about this claim: its last attempt was made under it by a daemon with this journal,
/// or taken over with it. Members have the same id for a bar's order, and each may have tried. The journal has the claim's epoch
/// before the claim is made, and no two processes ever have the same one.
fn is_about(connection: &Connection, id: Uuid, epoch: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT note FROM order_events WHERE order_id = ?1
               AND (state = 'sending' OR (state = 'unknown' AND who = ?2)) ORDER BY rowid DESC LIMIT 1";
    let mut select = connection.prepare_cached(sql)?;
    let last = select.query_row(params![id.to_string(), CLUSTER], |row| row.get::<_, Option<String>>(0)).optional()?;
    let under = under_epoch(epoch);
    let rest = last.flatten().and_then(|note| note.strip_prefix(&under).map(str::to_owned));
    Ok(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(',')))
}

/// Writes a claim whose owner is gone as an order of unknown outcome. What the journal knows better stays: that it was filled, or
/// what became of this very claim. What this daemon knows of another attempt says nothing about this one: an order that is unknown
/// since then would be proven by the positions of before, and too early.
pub(super) fn take_over(
    transaction: &Connection,
    claim: &Claim,
    identity: &Identity,
    now: Duration,
) -> Result<(), JournalError> {
    let id = claim.order.client_order_id;
    match state_of(transaction, id) {
        Ok(OrderState::Filled) => return Ok(()),
        Ok(OrderState::Rejected | OrderState::Unknown | OrderState::NotSent)
            if is_about(transaction, id, claim.epoch).map_err(broken)? =>
        {
            return Ok(());
        }
        Ok(_) | Err(JournalError::NoSuchOrder(_)) => {}
        Err(error) => return Err(error),
    }
    let text = format!(
        "{}, of {} ({}), which is gone; whether it was sent is not known",
        under_epoch(claim.epoch),
        claim.member,
        claim.instance
    );
    // Another order of the same bar may be here if the members have different models. Then it is kept under another name.
    let other = format!("{} of {}", identity.model, claim.member);
    match insert(transaction, claim, (&identity.account, &identity.model), &text, now) {
        Err(error) if is_taken(&error) => insert(transaction, claim, (&identity.account, &other), &text, now),
        done => done,
    }
    .map_err(broken)?;
    note(transaction, &id.to_string(), OrderState::Unknown, (CLUSTER, Some(&text)), now)
}

fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

fn insert(
    transaction: &Connection,
    claim: &Claim,
    (account, model): (&str, &str),
    reason: &str,
    now: Duration,
) -> rusqlite::Result<()> {
    let order = &claim.order;
    let row = params![
        order.client_order_id.to_string(),
        account,
        order.symbol,
        model,
        order.bar_close_time,
        order.side.as_str(),
        order.volume,
        order.stop_loss,
        order.take_profit,
        order.confidence,
        claim.at_ms,
        // Its owner may send it for so long after it lost the shard, if it has not noticed yet. A proof counts from then.
        millis(now + AGE_MAX),
        order.gateway_name,
        order.closes,
        claim.tickets_before.as_deref().map(as_text),
        claim.dialect,
        claim.account_mode.map(crate::domain::position::AccountMode::as_str),
        reason,
    ];
    let sql = "INSERT INTO orders (id, account, symbol, model, bar_close_time, side, volume, stop_loss, take_profit,
               confidence, state, created_at_ms, updated_at_ms, gateway_name, closes, tickets_before, dialect,
               account_mode, reason)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'unknown', ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
               ON CONFLICT (id) DO UPDATE SET side = ?6, volume = ?7, stop_loss = ?8, take_profit = ?9, confidence = ?10,
               state = 'unknown', updated_at_ms = ?12, gateway_name = ?13, closes = ?14, tickets_before = ?15,
               dialect = ?16, account_mode = ?17, reason = ?18";
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

/// Ends an order of unknown outcome by what another member of the cluster knew of it. One that was never sent counts as rejected:
/// the broker does not have it.
pub(super) fn report(transaction: &Connection, id: Uuid, outcome: &Outcome, now: Duration) -> Result<(), JournalError> {
    let (state, details) = match outcome {
        Outcome::Filled { ticket, price, volume } => {
            let details = Details { ticket: Some(*ticket), price: *price, filled_volume: *volume, reason: None };
            (OrderState::Filled, details)
        }
        Outcome::Rejected { reason } | Outcome::NotSent { reason } => {
            (OrderState::Rejected, Details { reason: Some(reason), ..Details::default() })
        }
        Outcome::Unknown { .. } => return Ok(()),
    };
    advance(transaction, id, |_| state, &details, (CLUSTER, Some("another member of the cluster knew it")), now)
}
