//! The requests for orders in order_send, and what their replies prove.

use super::*;
use crate::adapters::gateway::dialects::fixtures::order;
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
    assert_eq!(
        verdict,
        Verdict { outcome: Outcome::Filled { ticket: 9, price: Some(1.1), volume: None }, is_ours: true }
    );
    assert_eq!(coded(false, 9, 10_010), "filled", "in part");
    for reply in [
        r#"{"error": false, "ticket": 0, "retcode": 10009}"#,
        r#"{"error": false, "ticket": "nine", "retcode": 10009}"#,
        r#"{"error": false, "ticket": 9, "retcode": "done"}"#,
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
    for code in (10_004..=10_046).filter(|code| return_codes::is_refusal(*code)).chain([-2, -3]) {
        assert_eq!(coded(true, 0, code), "rejected", "{code}");
        assert_eq!(coded(true, 9, code), "unknown", "{code} with a ticket");
        assert_eq!(coded(false, 0, code), "unknown", "{code} that is no error");
    }
    for code in [-1, -4, -5, 0, 10_005, 10_007, 10_008, 10_011, 10_012, 10_023, 10_025, 10_028, 10_029, 10_036, 10_037]
    {
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
    for query in Query::ALL {
        assert_eq!(order_send("", None).ask(query, Uuid::nil(), Duration::ZERO), None);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_prove_nothing(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(order_send("", None).classify(&order(), &reply).outcome.as_str(), "unknown");
    }
}
