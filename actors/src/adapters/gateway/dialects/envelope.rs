//! `envelope`: requests with a payload and an id that the gateway echoes. A failed order is also answered with `SUCCESS`: the
//! `data` inside decides. The gateway does not deduplicate by id, so nothing here may be sent twice.

use super::{Dialect, DialectKind, DialectParams, Verdict, check_answer, check_id, is_empty, names_no_ticket};
use crate::{
    adapters::gateway::{
        queries::{Query, QueryAnswer},
        reply::{
            BadReply,
            consistency::{Claims, Fill, VolumeRule},
            parse_object, whole,
        },
        return_codes,
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
const ID: &str = "req_id";
/// Beginnings of the errors that mean the request was not processed at all. Other errors may come from the order's execution.
const UNREAD: [&str; 2] = ["Invalid request structure", "Unknown action"];

/// The dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    params: DialectParams,
}

impl Envelope {
    /// Values that every order has.
    pub const fn new(params: DialectParams) -> Self {
        Self { params }
    }
}

impl Dialect for Envelope {
    fn kind(&self) -> DialectKind {
        DialectKind::Envelope
    }

    fn echoes_id(&self) -> bool {
        true
    }

    fn open_order(&self, order: &Order, signed_at: Duration) -> Vec<u8> {
        let mut payload = json!({
            "symbol": order.gateway_name,
            // Both, with the same value: without `type` the gateway opens a BUY, whatever `side` says.
            "type": order.side.as_str(),
            "side": order.side.as_str(),
            "volume": order.volume,
            "sl": order.stop_loss,
            "tp": order.take_profit,
            "comment": self.params.comment,
        });
        if let Some(magic) = self.params.magic {
            payload["magic"] = magic.into();
        }
        request("OPEN_ORDER", order.client_order_id, signed_at, &payload)
    }

    fn close_position(&self, order: &Order, ticket: i64, signed_at: Duration) -> Option<Vec<u8>> {
        Some(request("CLOSE_POSITION", order.client_order_id, signed_at, &json!({"ticket": ticket})))
    }

    fn classify(&self, order: &Order, reply: &[u8]) -> Verdict {
        Verdict::by_id(order, reply, ID, outcome)
    }

    fn ask(&self, query: Query, id: Uuid, asked_at: Duration) -> Option<Vec<u8>> {
        let action = match query {
            Query::Handshake => "HEARTBEAT",
            Query::Account => "GET_ACCOUNT_INFO",
            Query::Positions => "GET_POSITIONS",
        };
        Some(request(action, id, asked_at, &json!({})))
    }

    fn answer(&self, _: Query, id: Uuid, reply: &[u8]) -> Result<QueryAnswer, BadReply> {
        let mut reply = check_id(parse_object(reply)?, ID, id)?;
        check_answer(&Claims::of(&reply), id)?;
        let (status, data, error) = (&reply["status"], &reply["data"], &reply["error"]);
        if status.as_str() != Some("SUCCESS") || data["status"].as_str() == Some("ERROR") || !is_empty(&data["error"]) {
            return Err(BadReply::new(&format!("status {status}, error {error}, data {data}")));
        }
        Ok(QueryAnswer::new(reply["timestamp"].take(), reply["data"].take()))
    }
}

/// A request in the format that `envelope` and `order_send` share; all four keys are required.
pub(super) fn request(action: &str, id: Uuid, at: Duration, payload: &Value) -> Vec<u8> {
    let request =
        json!({"action": action, "req_id": id.to_string(), "timestamp": at.as_secs_f64(), "payload": payload});
    request.to_string().into_bytes()
}

fn outcome(reply: &Value, order: &Order) -> Outcome {
    let claims = Claims::of(reply);
    let (status, data, error) = (&reply["status"], &reply["data"], &reply["error"]);
    let why = match status.as_str() {
        Some("SUCCESS") if data["status"].as_str() == Some("ERROR") => match whole(&data["retcode"]) {
            Some(code) if return_codes::is_refusal(code) && names_no_ticket(&data["ticket"]) => {
                match claims.against_refusal(order) {
                    Ok(()) => {
                        let reason = format!("retcode {}: {}", return_codes::named(code), data["error"]);
                        return Outcome::Rejected { reason: one_line(&reason) };
                    }
                    Err(why) => why,
                }
            }
            _ => "no code that refuses".into(),
        },
        Some("SUCCESS") if is_empty(error) && is_empty(&data["error"]) => match filled(data, &claims, order) {
            Ok((ticket, fill)) => return fill.filled(order, ticket),
            Err(why) => why,
        },
        Some("ERROR") if names_no_ticket(&data["ticket"]) && was_not_read(error) => {
            match claims.against_refusal(order) {
                Ok(()) => return Outcome::Rejected { reason: one_line(error.as_str().unwrap_or_default()) },
                Err(why) => why,
            }
        }
        _ => "no proof".into(),
    };
    Outcome::Unknown { reason: one_line(&format!("{why}; status {status}, error {error}, data {data}")) }
}

/// The fill in a success, if everything that the reply says about the order confirms it.
fn filled(data: &Value, claims: &Claims<'_>, order: &Order) -> Result<(i64, Fill), String> {
    let (said, ticket) = (&data["status"], whole(&data["ticket"]));
    if let Some(closed) = order.closes {
        // The reply to a close may have no ticket, but then it must contain a word of success.
        let is_said = matches!(said.as_str(), Some("SUCCESS" | "FILLED" | "CLOSED"));
        let is_told = said.is_null() && ticket.is_some();
        let fill = claims.fill(order, VolumeRule::AllOfIt)?;
        return if is_said || is_told { Ok((closed, fill)) } else { Err("neither a word nor a ticket".into()) };
    }
    if !said.is_null() && !matches!(said.as_str(), Some("SUCCESS" | "FILLED")) {
        return Err(format!("a fill with status {said}"));
    }
    let fill = claims.fill(order, VolumeRule::AtMostOrdered)?;
    ticket.map(|ticket| (ticket, fill)).ok_or_else(|| "a fill without a ticket".into())
}

fn was_not_read(error: &Value) -> bool {
    error.as_str().is_some_and(|error| UNREAD.iter().any(|start| error.starts_with(start)))
}

#[cfg(test)]
mod tests;
