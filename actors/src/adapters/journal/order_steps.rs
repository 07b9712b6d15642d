//! Every step of an order's life in the journal; one that the domain does not allow is refused here, whoever asks.

use super::{
    Identity, Store, broken, millis,
    order_moves::{DAEMON, Details, advance, note, state_of, under_epoch},
    orders::{and_open_orders, as_text},
    takeover::{report, take_over},
};
use crate::{
    adapters::fail_points::reach,
    domain::{
        journal::{JournalError, OrderStep},
        order::{Order, Outcome},
        order_state::OrderState,
        reconcile::Proof,
    },
};
use rusqlite::{Connection, params};
use std::time::Duration;
use uuid::Uuid;

/// Who moves an order whose outcome open positions have proven.
const PROOF: &str = "proof";

/// What a person found out about an unknown order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The broker has it.
    Filled {
        /// Under this ticket.
        ticket: i64,
    },
    /// The broker does not have it.
    Rejected,
}

impl Store {
    /// Writes steps of an order, all of them or none.
    ///
    /// # Errors
    /// A step that cannot follow where the order stands; an intent that is there already; a journal that fails.
    pub fn order_steps(&mut self, steps: &[OrderStep], identity: &Identity, now: Duration) -> Result<(), JournalError> {
        let work = |transaction: &Connection| steps.iter().try_for_each(|step| take(transaction, step, identity, now));
        ((), self.open) = self.write(and_open_orders(work))?;
        Ok(())
    }

    /// Writes one.
    ///
    /// # Errors
    /// As above.
    pub fn order_step(&mut self, step: &OrderStep, identity: &Identity, now: Duration) -> Result<(), JournalError> {
        self.order_steps(std::slice::from_ref(step), identity, now)
    }

    /// A person settles an unknown order; `who` and `note` are kept.
    ///
    /// # Errors
    /// No such order, or one that is not unknown.
    pub fn resolve(
        &mut self,
        id: Uuid,
        verdict: Verdict,
        who: &str,
        note: &str,
        now: Duration,
    ) -> Result<(), JournalError> {
        self.write(|transaction| {
            let (state, ticket) = match verdict {
                Verdict::Filled { ticket } => (OrderState::Filled, Some(ticket)),
                Verdict::Rejected => (OrderState::Rejected, None),
            };
            match state_of(transaction, id)? {
                // A daemon may be waiting for its reply at this moment.
                OrderState::Unknown => {}
                from => return Err(JournalError::Transition { from, to: state }),
            }
            let details = Details { ticket, reason: Some(note), ..Details::default() };
            advance(transaction, id, |_| state, &details, (who, Some(note)), now)
        })
    }
}

/// Takes one step.
fn take(transaction: &Connection, step: &OrderStep, identity: &Identity, now: Duration) -> Result<(), JournalError> {
    match step {
        OrderStep::Intent { order, tickets_before } => {
            insert(transaction, order, tickets_before.as_deref(), identity, now)?;
            reach("intent.after");
            Ok(())
        }
        OrderStep::Sending(id, epoch) => {
            let under = epoch.map(under_epoch);
            let who = (DAEMON, under.as_deref());
            advance(transaction, *id, |_| OrderState::Sending, &Details::default(), who, now)
        }
        OrderStep::Outcome(order, outcome) => {
            let details = match outcome {
                Outcome::Filled { ticket, price, volume } => {
                    Details { ticket: Some(*ticket), price: *price, filled_volume: *volume, reason: None }
                }
                Outcome::Rejected { reason } | Outcome::NotSent { reason } | Outcome::Unknown { reason } => {
                    Details { reason: Some(reason), ..Details::default() }
                }
            };
            let next = |_| OrderState::of(outcome);
            advance(transaction, order.client_order_id, next, &details, (DAEMON, details.reason), now)
        }
        OrderStep::GivenUp(id, reason) => {
            let details = Details { reason: Some(reason), ..Details::default() };
            match advance(transaction, *id, OrderState::after_giving_up, &details, (DAEMON, Some(reason)), now) {
                // Its intent never got here.
                Err(JournalError::NoSuchOrder(_)) => Ok(()),
                done => done,
            }
        }
        OrderStep::Proven(id, proof) => {
            let (state, ticket, why) = match proof {
                Proof::Filled { ticket } => (OrderState::Filled, Some(*ticket), "the open positions show it"),
                Proof::Rejected => (OrderState::Rejected, None, "the open positions do not show it"),
            };
            let details = Details { ticket, reason: Some(why), ..Details::default() };
            advance(transaction, *id, |_| state, &details, (PROOF, Some(why)), now)
        }
        OrderStep::TakenOver(claim) => take_over(transaction, claim, identity, now),
        OrderStep::Reported(id, outcome) => report(transaction, *id, outcome, now),
    }
}

fn insert(
    transaction: &Connection,
    order: &Order,
    tickets_before: Option<&[i64]>,
    identity: &Identity,
    now: Duration,
) -> Result<(), JournalError> {
    let id = order.client_order_id.to_string();
    let row = params![
        id,
        identity.account,
        order.symbol.as_str(),
        identity.model,
        order.bar_close_time,
        order.side.as_str(),
        order.volume,
        order.stop_loss,
        order.take_profit,
        order.confidence,
        OrderState::Intent.as_str(),
        millis(now),
        order.gateway_name,
        order.closes,
        tickets_before.map(as_text),
        identity.dialect,
        identity.account_mode.as_str(),
    ];
    let sql = "INSERT INTO orders (id, account, symbol, model, bar_close_time, side, volume, stop_loss, take_profit,
               confidence, state, created_at_ms, updated_at_ms, gateway_name, closes, tickets_before,
               dialect, account_mode)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16, ?17)";
    let inserted = transaction.prepare_cached(sql).and_then(|mut insert| insert.execute(row));
    inserted.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::ConstraintViolation) => JournalError::Exists,
        _ => broken(error),
    })?;
    note(transaction, &id, OrderState::Intent, (DAEMON, None), now)
}
