//! `order_send` (JSON v1.0): the broker's return code decides. Replies have no id, so every order has a new socket. After a
//! restart the gateway does not know which orders it has seen, so nothing here may be sent twice.

use super::{Dialect, DialectKind, DialectParams, Verdict, envelope, names_no_ticket, to_other};
use crate::{
    adapters::gateway::{
        queries::{Query, QueryAnswer},
        reply::{
            BadReply,
            consistency::{Claims, VolumeRule},
            parse_object, whole,
        },
        return_codes,
    },
    domain::{
        order::{Order, Outcome, Side},
        sanitize::one_line,
    },
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The gateway's own magic number.
const MAGIC: i64 = 123_456;
/// The gateway refuses an order with a longer comment.
const COMMENT_CHARS_MAX: usize = 31;
/// The gateway's own codes for a missing field and a value out of range, which it sends before it executes an order. Its
/// codes -1 (no answer from the terminal) and -4 (any exception) may follow a fill.
const REFUSALS: [i64; 2] = [-2, -3];

/// The dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSend {
    params: DialectParams,
}

impl OrderSend {
    /// Values that every order has.
    pub const fn new(params: DialectParams) -> Self {
        Self { params }
    }
}

impl Dialect for OrderSend {
    fn kind(&self) -> DialectKind {
        DialectKind::OrderSend
    }

    fn echoes_id(&self) -> bool {
        false
    }

    fn open_order(&self, order: &Order, signed_at: Duration) -> Vec<u8> {
        let payload = json!({
            "symbol": order.gateway_name,
            "type": match order.side {
                Side::Buy => "OP_BUY",
                Side::Sell => "OP_SELL",
            },
            "volume": order.volume,
            "magic": self.params.magic.unwrap_or(MAGIC),
            "comment": self.params.comment.chars().take(COMMENT_CHARS_MAX).collect::<String>(),
            "sl": order.stop_loss,
            "tp": order.take_profit,
        });
        envelope::request("ORDER_SEND", order.client_order_id, signed_at, &payload)
    }

    fn close_position(&self, _: &Order, _: i64, _: Duration) -> Option<Vec<u8>> {
        None
    }

    fn classify(&self, order: &Order, reply: &[u8]) -> Verdict {
        let reply = match parse_object(reply) {
            Ok(reply) => reply,
            Err(BadReply(reason)) => return Verdict::not_ours(reason),
        };
        match Claims::of(&reply).foreign_id(order.client_order_id) {
            Some(id) => Verdict::not_ours(to_other("order", id)),
            None => Verdict::ours(outcome(&reply, order)),
        }
    }

    /// Always `None`: the only action of this dialect is an order.
    fn ask(&self, _: Query, _: Uuid, _: Duration) -> Option<Vec<u8>> {
        None
    }

    fn answer(&self, _: Query, _: Uuid, _: &[u8]) -> Result<QueryAnswer, BadReply> {
        Err(BadReply::new("order_send has no queries"))
    }
}

/// `error` decides, so it must be a boolean. A 0 or a "false" comes from another gateway and proves nothing.
fn outcome(reply: &Value, order: &Order) -> Outcome {
    let claims = Claims::of(reply);
    let (error, retcode, msg) = (&reply["error"], &reply["retcode"], &reply["msg"]);
    let why = match (error.as_bool(), whole(retcode)) {
        (Some(false), Some(code)) if return_codes::is_done(code) => match claims.fill(order, VolumeRule::AtMostOrdered)
        {
            Ok(fill) => match whole(&reply["ticket"]) {
                Some(ticket) => return fill.filled(order, ticket),
                None => "a fill without a ticket".into(),
            },
            Err(why) => why,
        },
        (Some(true), Some(code)) if is_refusal(code) && names_no_ticket(&reply["ticket"]) => {
            match claims.against_refusal(order) {
                Ok(()) => {
                    return Outcome::Rejected {
                        reason: one_line(&format!("retcode {}: {msg}", return_codes::named(code))),
                    };
                }
                Err(why) => why,
            }
        }
        _ => format!("volume {}", reply["volume"]),
    };
    let seen = format!("error {error}, ticket {}, retcode {retcode}, {why}: {msg}", reply["ticket"]);
    Outcome::Unknown { reason: one_line(&seen) }
}

fn is_refusal(code: i64) -> bool {
    REFUSALS.contains(&code) || return_codes::is_refusal(code)
}

#[cfg(test)]
mod tests;
