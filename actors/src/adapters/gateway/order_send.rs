//! `order_send` (JSON v1.0): the broker's return code decides. Replies name no request, so every order has a socket
//! of its own. The gateway forgets at a restart which orders it has seen: nothing here may be sent twice.

use super::{
    Answer, BadReply, Dialect, DialectKind, DialectParams, Question, Verdict, envelope, names_no_ticket, parse_object,
    retcode,
};
use crate::{
    adapters::http::one_line,
    domain::order::{Order, Outcome, Side},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The gateway's own magic number.
const MAGIC: i64 = 123_456;
/// A longer comment is refused, and the order with it.
const COMMENT_CHARS_MAX: usize = 31;
/// The gateway's own codes for a missing field and a value out of range, both from before the order. Its -1 (no
/// answer of the terminal) and -4 (any exception) may follow a fill.
const REFUSALS: [i64; 2] = [-2, -3];

/// The dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSend {
    params: DialectParams,
}

impl OrderSend {
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
    error: Value,
    ticket: Value,
    msg: Value,
    retcode: Value,
    volume: Value,
    price: Value,
    data: Value,
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

    fn classify(&self, _: &Order, reply: &[u8]) -> Verdict {
        match parse_object(reply) {
            Ok(reply) => Verdict::ours(outcome(&reply)),
            Err(BadReply(reason)) => Verdict::not_ours(reason),
        }
    }

    /// Nothing: the one action it knows is an order.
    fn ask(&self, _: Question, _: Uuid, _: Duration) -> Option<Vec<u8>> {
        None
    }

    fn answer(&self, _: Question, _: Uuid, _: &[u8]) -> Result<Answer, BadReply> {
        Err(BadReply::new("order_send has no questions"))
    }
}

fn outcome(reply: &Reply) -> Outcome {
    let Reply { error, ticket, msg, retcode, volume, price, data } = reply;
    let number = ticket.as_i64().unwrap_or(0);
    let volumes_fit = is_absent_or_positive(volume) && is_absent_or_positive(&data["volume"]);
    match (error.as_bool(), retcode.as_i64()) {
        (Some(false), Some(code)) if retcode::is_done(code) && number > 0 && volumes_fit => {
            Outcome::Filled { ticket: number, price: price.as_f64().or_else(|| data["price"].as_f64()) }
        }
        (Some(true), Some(code)) if is_refusal(code) && names_no_ticket(ticket) => {
            Outcome::Rejected { reason: one_line(&format!("retcode {code}: {msg}")) }
        }
        _ => Outcome::Unknown {
            reason: one_line(&format!("error {error}, ticket {ticket}, retcode {retcode}, volume {volume}: {msg}")),
        },
    }
}

fn is_refusal(code: i64) -> bool {
    REFUSALS.contains(&code) || retcode::is_refusal(code)
}

fn is_absent_or_positive(volume: &Value) -> bool {
    volume.is_null() || volume.as_f64().is_some_and(|volume| volume > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::gateway::v43::tests::order;
    use proptest::prelude::*;

    fn order_send(comment: &str, magic: Option<i64>) -> OrderSend {
        OrderSend::new(DialectParams { comment: comment.into(), magic })
    }

    fn outcome_of(reply: &str) -> &'static str {
        order_send("", None).classify(&order(), reply.as_bytes()).outcome.as_str()
    }

    fn coded(error: bool, ticket: i64, code: i64) -> &'static str {
        outcome_of(&json!({"error": error, "ticket": ticket, "msg": "m", "retcode": code}).to_string())
    }

    #[test]
    fn an_order_is_as_the_protocol_has_it() {
        let bytes = order_send("sentinel", Some(7)).open_order(&order(), Duration::from_millis(1_500_000_000_250));
        let expected = json!({
            "action": "ORDER_SEND", "req_id": "00000000-0000-0000-0000-000000000007", "timestamp": 1_500_000_000.25,
            "payload": {
                "symbol": "EURUSDm", "type": "OP_BUY", "volume": 0.1, "magic": 7, "comment": "sentinel", "sl": 1.05,
                "tp": 0.0,
            },
        });
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
        let sell = Order { side: Side::Sell, ..order() };
        let bytes = order_send(&"c".repeat(40), None).open_order(&sell, Duration::ZERO);
        let payload = serde_json::from_slice::<Value>(&bytes).unwrap()["payload"].take();
        assert_eq!((payload["type"].as_str(), payload["magic"].as_i64()), (Some("OP_SELL"), Some(123_456)));
        assert_eq!(payload["comment"].as_str().map(str::len), Some(31));
    }

    #[test]
    fn a_fill_needs_a_ticket_and_a_code_that_says_done() {
        let reply = br#"{"error": false, "ticket": 9, "msg": "Done", "retcode": 10009, "data": {"price": 1.1}}"#;
        let verdict = order_send("", None).classify(&order(), reply);
        assert_eq!(verdict, Verdict { outcome: Outcome::Filled { ticket: 9, price: Some(1.1) }, is_ours: true });
        assert_eq!(coded(false, 9, 10_010), "filled", "in part");
        for reply in [
            r#"{"error": false, "ticket": 0, "retcode": 10009}"#,
            r#"{"error": false, "ticket": "9", "retcode": 10009}"#,
            r#"{"error": false, "ticket": 9, "retcode": "10009"}"#,
            r#"{"error": false, "ticket": 9}"#,
            r#"{"error": "false", "ticket": 9, "retcode": 10009}"#,
            r#"{"error": 0, "ticket": 9, "retcode": 10009}"#,
            r#"{"ticket": 9, "retcode": 10009}"#,
            r#"{"error": false, "ticket": 9, "retcode": 10009, "volume": 0}"#,
            r#"{"error": false, "ticket": 9, "retcode": 10009, "data": {"volume": 0.0}}"#,
            r#"{"error": true, "ticket": 9, "retcode": 10009}"#,
            r#"[false, 9, "Done", 10009]"#,
        ] {
            assert_eq!(outcome_of(reply), "unknown", "{reply}");
        }
    }

    #[test]
    fn every_code_has_its_outcome() {
        for code in [10_004, 10_006, 10_014, 10_015, 10_016, 10_017, 10_018, 10_019, 10_027, 10_031, -2, -3] {
            assert_eq!(coded(true, 0, code), "rejected", "{code}");
            assert_eq!(coded(true, 9, code), "unknown", "{code} with a ticket");
            assert_eq!(coded(false, 0, code), "unknown", "{code} that is no error");
        }
        for code in [-1, -4, -5, 0, 10_007, 10_008, 10_011, 10_012, 10_013] {
            assert_eq!(coded(true, 0, code), "unknown", "{code}");
            assert_eq!(coded(false, 9, code), "unknown", "{code} with a ticket");
        }
        assert_eq!(outcome_of(r#"{"error": true, "ticket": 0, "msg": "no"}"#), "unknown", "no code");
        assert_eq!(outcome_of(r#"{"error": true, "ticket": 0, "retcode": null}"#), "unknown");
        assert_eq!(outcome_of(r#"{"error": true, "retcode": 10019}"#), "rejected", "no ticket at all");
        assert_eq!(outcome_of(r#"{"error": true, "ticket": "9", "retcode": 10019}"#), "unknown", "some ticket");
    }

    #[test]
    fn there_is_nothing_harmless_to_ask() {
        for question in Question::ALL {
            assert_eq!(order_send("", None).ask(question, Uuid::nil(), Duration::ZERO), None);
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3i64..3).prop_map(Value::from),
            prop::sample::select(vec![10_008, 10_009, 10_010, 10_012, 10_019]).prop_map(Value::from),
            (-1.0..1.0f64).prop_map(Value::from),
            Just(Value::from("10009")),
        ]
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_prove_nothing(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(order_send("", None).classify(&order(), &reply).outcome.as_str(), "unknown");
        }

        #[test]
        fn a_fill_always_has_ticket_and_code(
            error in json_value(), ticket in json_value(), code in json_value(), volume in json_value(),
        ) {
            let reply = json!({"error": error, "ticket": ticket, "retcode": code, "data": {"volume": volume}});
            let outcome = order_send("", None).classify(&order(), reply.to_string().as_bytes()).outcome;
            let may_be_filled = error == false && ticket.as_i64() > Some(0)
                && matches!(code.as_i64(), Some(10_009 | 10_010))
                && (volume.is_null() || volume.as_f64() > Some(0.0));
            prop_assert_eq!(matches!(outcome, Outcome::Filled { .. }), may_be_filled);
            prop_assert_ne!(outcome.as_str(), "not_sent");
        }
    }
}
