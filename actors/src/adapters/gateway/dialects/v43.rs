//! `v43`: orders with an id that the gateway echoes, with stops, and with a risk signature, because of which an order expires
//! 5 s after it was signed. The gateway does not deduplicate by id, so nothing here may be sent twice.

pub mod risk_signature;
#[cfg(test)]
mod tests;

use super::{Dialect, DialectKind, DialectParams, Verdict, check_answer, check_id, is_empty, names_no_ticket};
use crate::{
    adapters::gateway::{
        queries::{Query, QueryAnswer},
        reply::{
            BadReply,
            consistency::{Claims, VolumeRule},
            parse_object, whole,
        },
    },
    domain::{
        order::{Order, Outcome},
        sanitize::one_line,
    },
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The key of the id.
const ID: &str = "uuid";
/// Price of a market order: the gateway uses the current one.
const MARKET_PRICE: f64 = 0.0;

/// Refusals before anything was sent to the broker, in addition to those that begin with `MISSING_`.
const REFUSALS: [&str; 5] =
    ["INVALID_VOLUME", "RISK_SIGNATURE_INVALID", "UNKNOWN_ACTION", "INVALID_JSON", "MT5_NOT_CONNECTED"];

/// Beginnings of the messages of `MT5_ORDER_FAILED` from before the send. Other messages may follow a fill.
const FAILURES_BEFORE_SEND: [&str; 3] = ["MT5 not connected", "Unknown order type", "Cannot get tick"];

/// The dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V43 {
    params: DialectParams,
}

impl V43 {
    /// Values that every order has.
    pub const fn new(params: DialectParams) -> Self {
        Self { params }
    }
}

impl Dialect for V43 {
    fn kind(&self) -> DialectKind {
        DialectKind::V43
    }

    fn echoes_id(&self) -> bool {
        true
    }

    fn open_order(&self, order: &Order, signed_at: Duration) -> Vec<u8> {
        let mut request = json!({
            "uuid": order.client_order_id.to_string(),
            "action": "OPEN",
            "timestamp": signed_at.as_secs_f64(),
            "symbol": order.gateway_name,
            "type": order.side.as_str(),
            "volume": order.volume,
            "price": MARKET_PRICE,
            // Sent as numbers even if there is no stop, so that both sides include them in the checksum.
            "sl": order.stop_loss,
            "tp": order.take_profit,
            "comment": self.params.comment,
            "risk_signature": risk_signature::sign(order, MARKET_PRICE, signed_at),
        });
        if let Some(magic) = self.params.magic {
            request["magic"] = magic.into();
        }
        request.to_string().into_bytes()
    }

    fn close_position(&self, order: &Order, ticket: i64, signed_at: Duration) -> Option<Vec<u8>> {
        let request = json!({
            "uuid": order.client_order_id.to_string(),
            "action": "CLOSE",
            "timestamp": signed_at.as_secs_f64(),
            "ticket": ticket,
        });
        Some(request.to_string().into_bytes())
    }

    fn classify(&self, order: &Order, reply: &[u8]) -> Verdict {
        Verdict::by_id(order, reply, ID, outcome)
    }

    fn ask(&self, query: Query, id: Uuid, asked_at: Duration) -> Option<Vec<u8>> {
        let action = match query {
            Query::Handshake => "PING",
            Query::Account => "GET_ACCOUNT",
            Query::Positions => "GET_POSITIONS",
        };
        let request = json!({"uuid": id.to_string(), "action": action, "timestamp": asked_at.as_secs_f64()});
        Some(request.to_string().into_bytes())
    }

    fn answer(&self, query: Query, id: Uuid, reply: &[u8]) -> Result<QueryAnswer, BadReply> {
        let mut reply = check_id(parse_object(reply)?, ID, id)?;
        check_answer(&Claims::of(&reply), id)?;
        let status = &reply["status"];
        // By the documentation, only the reply to PING has a status; but every failure has one.
        let is_ok = status.as_str() == Some("ok") || (status.is_null() && query != Query::Handshake);
        if !is_ok || !is_empty(&reply["error_code"]) {
            return Err(BadReply::new(&format!("status {status}, {}", reply["error_code"])));
        }
        Ok(QueryAnswer::new(reply["server_time"].take(), reply))
    }
}

fn outcome(reply: &Value, order: &Order) -> Outcome {
    let claims = Claims::of(reply);
    let (status, ticket) = (&reply["status"], whole(&reply["ticket"]));
    let code = reply["error_code"].as_str().unwrap_or_default();
    let message = reply["error_msg"].as_str().unwrap_or_default();
    let why = match (status.as_str(), order.closes) {
        // The reply to a close may contain the ticket of the closing deal or of the position, or none.
        (Some("CLOSED" | "FILLED" | "ok"), Some(closed)) if is_empty(&reply["error_code"]) => {
            match claims.fill(order, VolumeRule::AllOfIt) {
                Ok(fill) => return fill.filled(order, closed),
                Err(why) => why,
            }
        }
        (Some("FILLED"), None) if is_empty(&reply["error_code"]) => {
            match (claims.fill(order, VolumeRule::AtMostOrdered), ticket) {
                (Ok(fill), Some(ticket)) => return fill.filled(order, ticket),
                (Ok(_), None) => "a fill without a ticket".into(),
                (Err(why), _) => why,
            }
        }
        (Some("REJECTED" | "error"), _) if is_refusal(code, message) && names_no_ticket(&reply["ticket"]) => {
            match claims.against_refusal(order) {
                Ok(()) => return Outcome::Rejected { reason: one_line(&format!("{code}: {message}")) },
                Err(why) => why,
            }
        }
        _ => format!("volume {}", reply["volume"]),
    };
    let seen = format!("status {status}, ticket {}, {why}, {code} {message}", reply["ticket"]);
    Outcome::Unknown { reason: one_line(&seen) }
}

fn is_refusal(code: &str, message: &str) -> bool {
    code.starts_with("MISSING_")
        || REFUSALS.contains(&code)
        || (code == "MT5_ORDER_FAILED" && FAILURES_BEFORE_SEND.iter().any(|start| message.starts_with(start)))
}
