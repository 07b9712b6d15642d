//! `envelope`: requests with an id that the gateway echoes and a payload. A failed order still answers `SUCCESS`:
//! what counts is the `data` within. The id is echoed, not deduplicated: nothing here may be sent twice.

use super::{
    Dialect, DialectKind, DialectParams, Verdict, check_answer, check_id, is_empty, names_no_ticket, to_other,
};
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
/// Beginnings of the errors of a request that was not even looked at. Any other may come from within the order.
const UNREAD: [&str; 2] = ["Invalid request structure", "Unknown action"];

/// The dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    params: DialectParams,
}

impl Envelope {
    /// Every order carries these parameters.
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
            // Both, and the same: without `type` the gateway opens a BUY, whatever `side` says.
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
        let id = order.client_order_id;
        let reply = match parse_object(reply).and_then(|reply| check_id(reply, ID, id)) {
            Ok(reply) => reply,
            Err(BadReply(reason)) => return Verdict::not_ours(reason),
        };
        match Claims::of(&reply).foreign_id(id) {
            Some(id) => Verdict::not_ours(to_other("order", id)),
            None => Verdict::ours(outcome(&reply, order)),
        }
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

/// A request in the frame that `envelope` and `order_send` share; all four keys are required.
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

/// The fill within a success, if everything that is said about the order says so.
fn filled(data: &Value, claims: &Claims<'_>, order: &Order) -> Result<(i64, Fill), String> {
    let (said, ticket) = (&data["status"], whole(&data["ticket"]));
    if let Some(closed) = order.closes {
        // A close need not name a ticket, but then it has to say in a word that it succeeded.
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
