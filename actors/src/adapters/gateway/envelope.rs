//! `envelope`: requests with an id that the gateway echoes and a payload. A failed order still answers `SUCCESS`:
//! what counts is the `data` within. The id is echoed, not deduplicated: nothing here may be sent twice.

use super::{
    Answer, BadReply, Dialect, DialectKind, DialectParams, Question, Verdict, closes_all, names_no_ticket,
    parse_object, retcode,
};
use crate::{
    adapters::http::one_line,
    domain::order::{Order, Outcome},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

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

/// Fields are plain values, so that an odd one that proves nothing does not make the reply unreadable.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Reply {
    req_id: Value,
    status: Value,
    timestamp: Value,
    data: Value,
    error: Value,
}

impl Reply {
    /// The reply to the request of this id.
    fn to(id: Uuid, reply: &[u8]) -> Result<Self, BadReply> {
        let reply: Self = parse_object(reply)?;
        if reply.req_id.as_str() != Some(&id.to_string()) {
            return Err(BadReply::new(&format!("reply to another request, {}", reply.req_id)));
        }
        Ok(reply)
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
        match Reply::to(order.client_order_id, reply) {
            Ok(reply) => Verdict::ours(outcome(&reply, order)),
            Err(BadReply(reason)) => Verdict::not_ours(reason),
        }
    }

    fn ask(&self, question: Question, id: Uuid, asked_at: Duration) -> Option<Vec<u8>> {
        let action = match question {
            Question::Handshake => "HEARTBEAT",
            Question::Account => "GET_ACCOUNT_INFO",
            Question::Positions => "GET_POSITIONS",
        };
        Some(request(action, id, asked_at, &json!({})))
    }

    fn answer(&self, _: Question, id: Uuid, reply: &[u8]) -> Result<Answer, BadReply> {
        let Reply { status, timestamp, data, error, .. } = Reply::to(id, reply)?;
        if status.as_str() != Some("SUCCESS") || data["status"].as_str() == Some("ERROR") || !is_empty(&data["error"]) {
            return Err(BadReply::new(&format!("status {status}, error {error}, data {data}")));
        }
        Ok(Answer::new(timestamp, data))
    }
}

/// A request in the frame that `envelope` and `order_send` share; all four keys are required.
pub(super) fn request(action: &str, id: Uuid, at: Duration, payload: &Value) -> Vec<u8> {
    let request =
        json!({"action": action, "req_id": id.to_string(), "timestamp": at.as_secs_f64(), "payload": payload});
    request.to_string().into_bytes()
}

fn outcome(Reply { status, data, error, .. }: &Reply, order: &Order) -> Outcome {
    let closes = order.closes;
    let code = data["retcode"].as_i64();
    let ticket = data["ticket"].as_i64().unwrap_or(0);
    match status.as_str() {
        Some("SUCCESS") if is_empty(error) && closes.is_some() && says_closed(data, order) => {
            Outcome::Filled { ticket: closes.unwrap_or(ticket), price: data["price"].as_f64() }
        }
        Some("SUCCESS") if closes.is_none() && ticket > 0 && is_empty(error) && says_filled(data) => {
            Outcome::Filled { ticket, price: data["price"].as_f64() }
        }
        Some("SUCCESS") if data["status"].as_str() == Some("ERROR") && is_refused(data, code) => {
            Outcome::Rejected { reason: one_line(&format!("retcode {}: {}", data["retcode"], data["error"])) }
        }
        Some("ERROR") if names_no_ticket(&data["ticket"]) && was_not_read(error) => {
            Outcome::Rejected { reason: one_line(error.as_str().unwrap_or_default()) }
        }
        _ => Outcome::Unknown { reason: one_line(&format!("status {status}, error {error}, data {data}")) },
    }
}

/// Whether everything that is said about the order says so.
fn says_filled(data: &Value) -> bool {
    let status_fits = data["status"].is_null() || matches!(data["status"].as_str(), Some("SUCCESS" | "FILLED"));
    let code_fits = data["retcode"].is_null() || data["retcode"].as_i64().is_some_and(retcode::is_done);
    let volume_fits = data["volume"].is_null() || data["volume"].as_f64().is_some_and(|volume| volume > 0.0);
    status_fits && code_fits && volume_fits && is_empty(&data["error"])
}

/// A close need not name a ticket, but then it has to say in a word that it succeeded.
fn says_closed(data: &Value, order: &Order) -> bool {
    let is_said = matches!(data["status"].as_str(), Some("SUCCESS" | "FILLED" | "CLOSED"));
    let without_status = json!({"retcode": data["retcode"], "volume": data["volume"], "error": data["error"]});
    (is_said || (data["status"].is_null() && !names_no_ticket(&data["ticket"])))
        && (data["ticket"].is_null() || !names_no_ticket(&data["ticket"]))
        // Done in part is not closed.
        && (data["retcode"].is_null() || data["retcode"].as_i64() == Some(retcode::DONE_WHOLLY))
        && closes_all(&data["volume"], order)
        && says_filled(&without_status)
}

fn is_refused(data: &Value, code: Option<i64>) -> bool {
    names_no_ticket(&data["ticket"]) && code.is_some_and(retcode::is_refusal)
}

fn was_not_read(error: &Value) -> bool {
    error.as_str().is_some_and(|error| UNREAD.iter().any(|start| error.starts_with(start)))
}

fn is_empty(error: &Value) -> bool {
    error.is_null() || error.as_str() == Some("")
}

#[cfg(test)]
mod tests;
