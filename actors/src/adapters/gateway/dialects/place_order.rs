//! `place_order`: the format of the replaced daemon, without id, volume or stops. That daemon took any reply for an
//! execution; this one requires a reply that says so.

use super::{Dialect, DialectKind, Verdict, check_answer, to_other};
use crate::{
    adapters::gateway::{
        queries::{Query, QueryAnswer},
        reply::{
            BadReply,
            consistency::{Claims, VolumeRule, is_failure},
            parse_object,
        },
    },
    domain::{
        order::{Order, Outcome},
        sanitize::one_line,
    },
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceOrder;

impl Dialect for PlaceOrder {
    fn kind(&self) -> DialectKind {
        DialectKind::PlaceOrder
    }

    fn echoes_id(&self) -> bool {
        false
    }

    fn open_order(&self, order: &Order, signed_at: Duration) -> Vec<u8> {
        let time = DateTime::<Utc>::UNIX_EPOCH + signed_at;
        let request = json!({
            "action": "place_order",
            "symbol": order.gateway_name,
            "signal": order.side.as_str(),
            "confidence": order.confidence,
            "timestamp": time.to_rfc3339_opts(SecondsFormat::Millis, true),
        });
        request.to_string().into_bytes()
    }

    fn close_position(&self, _: &Order, _: i64, _: Duration) -> Option<Vec<u8>> {
        None
    }

    fn classify(&self, order: &Order, reply: &[u8]) -> Verdict {
        let reply = match parse_object(reply) {
            Ok(reply) => reply,
            Err(BadReply(reason)) => return Verdict::not_ours(reason),
        };
        let claims = Claims::of(&reply);
        match claims.foreign_id(order.client_order_id) {
            Some(id) => Verdict::not_ours(to_other("order", id)),
            None => Verdict::ours(outcome(&reply["status"], &claims, order)),
        }
    }

    fn ask(&self, query: Query, _: Uuid, _: Duration) -> Option<Vec<u8>> {
        (query == Query::Handshake).then(|| json!({"action": "check_connection"}).to_string().into_bytes())
    }

    /// The reply has no id; it belongs to this order because the order has its own socket.
    fn answer(&self, _: Query, id: Uuid, reply: &[u8]) -> Result<QueryAnswer, BadReply> {
        let reply = parse_object(reply)?;
        check_answer(&Claims::of(&reply), id)?;
        match reply["status"].as_str().map(str::to_ascii_lowercase).as_deref() {
            // `filled` cannot answer this query; the handshake reports that.
            Some("ok" | "success" | "filled") => Ok(QueryAnswer::new(Value::Null, reply)),
            _ => Err(BadReply::new(&format!("status {}", reply["status"]))),
        }
    }
}

fn outcome(status: &Value, claims: &Claims<'_>, order: &Order) -> Outcome {
    let word = status.as_str().map(str::to_ascii_lowercase);
    match word.as_deref() {
        // The order has no volume, so the gateway may choose any.
        Some("ok" | "success" | "filled") => match claims.fill(order, VolumeRule::Any) {
            Ok(fill) => fill.filled(order, fill.ticket.unwrap_or(0)),
            Err(why) => Outcome::Unknown { reason: one_line(&format!("status {status}: {why}")) },
        },
        Some(word) if is_failure(word) => {
            let is_one_voice = claims.words().all(|word| word.as_str().is_some_and(is_failure));
            match claims.against_refusal(order) {
                Ok(()) if is_one_voice => Outcome::Rejected { reason: one_line(&format!("status {status}")) },
                Ok(()) => Outcome::Unknown { reason: one_line(&format!("status {status} and another")) },
                Err(why) => Outcome::Unknown { reason: one_line(&format!("status {status}: {why}")) },
            }
        }
        _ => Outcome::Unknown { reason: one_line(&format!("status {status}")) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::gateway::dialects::fixtures::order;
    use proptest::prelude::*;

    fn outcome(reply: &str) -> &'static str {
        PlaceOrder.classify(&order(), reply.as_bytes()).outcome.as_str()
    }

    #[test]
    fn the_request_is_the_original_daemons() {
        let bytes = PlaceOrder.open_order(&order(), Duration::from_millis(1_500_000_000_250));
        let expected = json!({
            "action": "place_order", "symbol": "EURUSDm", "signal": "BUY", "confidence": 0.7,
            "timestamp": "2017-07-14T02:40:00.250Z",
        });
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
    }

    #[test]
    fn only_a_status_that_says_so_is_a_fill() {
        for status in ["ok", "OK", "success", "Success", "filled", "FILLED"] {
            assert_eq!(outcome(&format!(r#"{{"status": "{status}"}}"#)), "filled", "{status}");
        }
        for status in ["error", "ERROR", "rejected", "Failed"] {
            assert_eq!(outcome(&format!(r#"{{"status": "{status}"}}"#)), "rejected", "{status}");
        }
        for reply in [
            "",
            "ok",
            "\"ok\"",
            "{}",
            r#"["ok"]"#,
            r#"{"status": "okay"}"#,
            r#"{"status": true}"#,
            r#"{"status": ["ok"]}"#,
            r#"{"state": "ok"}"#,
            r#"{"status": "ok"} x"#,
            r#"{"status": "ok", "status": "error"}"#,
        ] {
            assert_eq!(outcome(reply), "unknown", "{reply}");
        }
    }

    #[test]
    fn any_readable_object_answers_the_order_of_its_socket() {
        assert!(PlaceOrder.classify(&order(), b"{}").is_ours);
        assert!(!PlaceOrder.classify(&order(), b"ok").is_ours);
    }

    #[test]
    fn only_the_connection_can_be_asked_for() {
        assert!(PlaceOrder.ask(Query::Account, Uuid::nil(), Duration::ZERO).is_none());
        let answer = |reply: &str| PlaceOrder.answer(Query::Handshake, Uuid::nil(), reply.as_bytes());
        assert!(answer(r#"{"status": "OK"}"#).is_ok());
        for reply in ["ok", "{}", r#"{"status": "error"}"#, r#"{"status": ["ok"]}"#] {
            assert!(answer(reply).is_err(), "{reply}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_never_a_fill(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
            let is_fill = matches!(PlaceOrder.classify(&order(), &reply).outcome, Outcome::Filled { .. });
            prop_assert!(!is_fill, "{reply:?}");
        }
    }
}
