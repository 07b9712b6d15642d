//! The requests for v43 orders, and what their replies prove.

use super::*;
use crate::{adapters::gateway::dialects::fixtures::order, domain::order::Side};
use proptest::prelude::*;
use uuid::Uuid;

fn v43(magic: Option<i64>) -> V43 {
    V43::new(DialectParams { comment: "sentinel".into(), magic })
}

fn verdict(fields: &str) -> Verdict {
    let reply = format!(r#"{{"uuid": "00000000-0000-0000-0000-000000000007", {fields}}}"#);
    v43(None).classify(&order(), reply.as_bytes())
}

fn outcome_of(fields: &str) -> &'static str {
    verdict(fields).outcome.as_str()
}

#[test]
fn an_order_has_every_field_and_a_signature() {
    let bytes = v43(Some(123_456)).open_order(&order(), Duration::from_millis(1_500_000_000_250));
    let request: Value = serde_json::from_slice(&bytes).unwrap();
    let signature = request["risk_signature"].as_str().unwrap().to_owned();
    assert!(signature.starts_with("RISK_PASS:") && signature.ends_with(":20170714T024000Z"), "{signature}");
    let expected = json!({
        "uuid": "00000000-0000-0000-0000-000000000007", "action": "OPEN", "timestamp": 1_500_000_000.25,
        "symbol": "EURUSDm", "type": "BUY", "volume": 0.1, "price": 0.0, "sl": 1.05, "tp": 0.0,
        "comment": "sentinel", "magic": 123_456, "risk_signature": signature,
    });
    assert_eq!(request, expected);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#""tp":0.0"#), "an integer 0 has another checksum: {text}");
    assert!(!String::from_utf8(v43(None).open_order(&order(), Duration::ZERO)).unwrap().contains("magic"));
}

#[test]
fn a_fill_needs_a_ticket() {
    let fill = verdict(r#""status": "FILLED", "ticket": 9, "symbol": "EURUSDm", "volume": 0.1, "price": 1.1"#);
    assert_eq!(
        fill,
        Verdict { outcome: Outcome::Filled { ticket: 9, price: Some(1.1), volume: Some(0.1) }, is_ours: true }
    );
    assert_eq!(outcome_of(r#""status": "FILLED", "ticket": 9"#), "filled", "volume may be absent");
    let part = verdict(r#""status": "FILLED", "ticket": "10006293775", "volume": "0.05", "price": NaN"#).outcome;
    assert_eq!(part, Outcome::Filled { ticket: 10_006_293_775, price: None, volume: Some(0.05) });
    assert_eq!(outcome_of(r#""status": "FILLED", "ticket": 9, "volume": null"#), "filled");
    for fields in [
        r#""status": "FILLED", "ticket": 0, "volume": 0.1"#,
        r#""status": "FILLED", "ticket": -1"#,
        r#""status": "FILLED", "ticket": "nine""#,
        r#""status": "FILLED", "ticket": 9.5"#,
        r#""status": "FILLED""#,
        r#""status": "FILLED", "ticket": 9, "volume": 0.0"#,
        r#""status": "FILLED", "ticket": 9, "volume": "much""#,
        r#""status": "FILLED", "ticket": 9, "volume": NaN"#,
        r#""status": "FILLED", "ticket": 9, "volume": 0.2"#,
        r#""status": "ok", "ticket": 9"#,
        r#""status": "filled", "ticket": 9"#,
        r#""ticket": 9"#,
    ] {
        let verdict = verdict(fields);
        assert_eq!(verdict.outcome.as_str(), "unknown", "{fields}");
        assert!(verdict.is_ours, "{fields}");
    }
}

#[test]
fn only_an_unambiguous_refusal_is_a_rejection() {
    for code in [
        "MISSING_SYMBOL",
        "MISSING_TYPE",
        "MISSING_ACTION",
        "INVALID_VOLUME",
        "RISK_SIGNATURE_INVALID",
        "UNKNOWN_ACTION",
        "INVALID_JSON",
        "MT5_NOT_CONNECTED",
    ] {
        for status in ["REJECTED", "error"] {
            assert_eq!(outcome_of(&format!(r#""status": "{status}", "error_code": "{code}""#)), "rejected", "{code}");
        }
        assert_eq!(outcome_of(&format!(r#""error_code": "{code}""#)), "unknown", "{code} without a status");
    }
    for code in ["MT5_EXCEPTION", "SERVER_ERROR", "MT5_ORDER_FAILED", "SOMETHING_NEW", ""] {
        assert_eq!(outcome_of(&format!(r#""status": "REJECTED", "error_code": "{code}""#)), "unknown", "{code}");
    }
    assert_eq!(outcome_of(r#""status": "REJECTED""#), "unknown");
    assert_eq!(outcome_of(r#""status": "REJECTED", "error_code": "INVALID_VOLUME", "ticket": 9"#), "unknown");
}

#[test]
fn a_failed_order_is_rejected_only_if_it_failed_before_the_send() {
    let failed = |message: &str| {
        outcome_of(&format!(r#""status": "error", "error_code": "MT5_ORDER_FAILED", "error_msg": "{message}""#))
    };
    for message in ["MT5 not connected", "Unknown order type: HOLD", "Cannot get tick for EURUSDm"] {
        assert_eq!(failed(message), "rejected", "{message}");
    }
    for message in ["", "order_send returned None", "retcode 10012", "retry: MT5 not connected"] {
        assert_eq!(failed(message), "unknown", "{message}");
    }
}

#[test]
fn a_reply_without_our_id_proves_nothing() {
    for reply in [
        "",
        "FILLED",
        r#"{"status": "FILLED", "ticket": 9}"#,
        r#"{"uuid": null, "status": "FILLED", "ticket": 9}"#,
        r#"{"uuid": "00000000-0000-0000-0000-000000000008", "status": "FILLED", "ticket": 9}"#,
        r#"{"uuid": "00000000-0000-0000-0000-000000000008", "status": "REJECTED", "error_code": "INVALID_VOLUME"}"#,
        r#"["00000000-0000-0000-0000-000000000007", "FILLED", 9, 0.1, 1.1, null, null]"#,
        r#"{"uuid": "00000000-0000-0000-0000-000000000007", "status": "FILLED", "ticket": 9"#,
    ] {
        let verdict = v43(None).classify(&order(), reply.as_bytes());
        assert_eq!((verdict.outcome.as_str(), verdict.is_ours), ("unknown", false), "{reply}");
    }
}

#[test]
fn outside_text_in_a_reason_stays_one_line() {
    let Outcome::Rejected { reason } =
        verdict(r#""status": "error", "error_code": "INVALID_VOLUME", "error_msg": "a\nlevel=INFO filled""#).outcome
    else {
        panic!("not rejected")
    };
    assert_eq!(reason, "INVALID_VOLUME: a level=INFO filled");
}

#[test]
fn an_answer_has_our_id_and_no_error() {
    let id = Uuid::from_u128(7);
    let answer = |query: Query, fields: Value| {
        let mut reply = json!({"uuid": id.to_string()});
        reply.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        v43(None).answer(query, id, reply.to_string().as_bytes())
    };
    let pong = answer(Query::Handshake, json!({"status": "ok", "server_time": "2017-07-14T02:40:00Z"})).unwrap();
    assert_eq!(pong.server_time(), Ok(Some(Duration::from_secs(1_500_000_000))));
    let account = answer(Query::Account, json!({"balance": 1.0, "equity": 2.0})).unwrap();
    assert_eq!(account.account().unwrap().equity, 2.0);
    assert!(answer(Query::Handshake, json!({"balance": 1.0})).is_err(), "only PING has to say ok");
    assert!(answer(Query::Account, json!({"error_code": "MT5_NOT_CONNECTED"})).is_err());
    for status in ["error", "REJECTED", "FILLED"] {
        assert!(answer(Query::Positions, json!({"status": status, "positions": []})).is_err(), "{status}");
    }
    assert!(v43(None).answer(Query::Positions, Uuid::nil(), br#"{"status": "ok"}"#).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_prove_nothing(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(v43(None).classify(&order(), &reply).outcome.as_str(), "unknown");
    }
}

#[test]
fn a_close_names_its_ticket_and_only_a_reply_that_says_so_confirms_it() {
    let close = order().closing(
        &crate::domain::position::Position { ticket: 5, gateway_name: "EURUSDm".into(), side: Side::Sell, volume: 0.3 },
        Uuid::from_u128(7),
    );
    assert_eq!((close.volume, close.stop_loss, close.side), (0.3, 0.0, Side::Buy));
    let request = v43(None).close_position(&close, 5, Duration::from_secs(1)).unwrap();
    let request: Value = serde_json::from_slice(&request).unwrap();
    assert_eq!((&request["action"], &request["ticket"]), (&json!("CLOSE"), &json!(5)));
    assert_eq!(request["uuid"], "00000000-0000-0000-0000-000000000007");
    let outcome = |fields: &str| {
        let reply = format!(r#"{{"uuid": "00000000-0000-0000-0000-000000000007", {fields}}}"#);
        v43(None).classify(&close, reply.as_bytes()).outcome
    };
    for fields in
        [r#""status": "CLOSED", "ticket": 5, "price": 1.1"#, r#""status": "FILLED", "ticket": 9, "price": 1.1"#]
    {
        assert_eq!(outcome(fields), Outcome::Filled { ticket: 5, price: Some(1.1), volume: None }, "{fields}");
    }
    for (fields, expected) in [
        (r#""status": "CLOSED", "ticket": 0"#, "unknown"),
        (r#""status": "CLOSED", "error_code": "MT5_EXCEPTION""#, "unknown"),
        (r#""status": "REJECTED", "error_code": "MISSING_TICKET""#, "rejected"),
        (r#""status": "error", "error_code": "MT5_ORDER_FAILED", "error_msg": "Position not found""#, "unknown"),
        (r#""status": null"#, "unknown"),
    ] {
        assert_eq!(outcome(fields).as_str(), expected, "{fields}");
    }
    assert_eq!(outcome_of(r#""status": "CLOSED", "ticket": 5"#), "unknown", "an order to open is not closed");
}
