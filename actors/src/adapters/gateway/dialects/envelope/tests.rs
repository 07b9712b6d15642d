//! The requests for orders in envelopes, and what their replies prove.

use super::*;
use crate::{adapters::gateway::dialects::fixtures::order, domain::order::Side};
use proptest::prelude::*;

const OURS: Uuid = Uuid::from_u128(7);
/// The same as text.
const OURS_TEXT: &str = "00000000-0000-0000-0000-000000000007";

fn envelope(magic: Option<i64>) -> Envelope {
    Envelope::new(DialectParams { comment: "sentinel".into(), magic })
}

/// The verdict on a reply with the order's id and these parts.
fn verdict(status: &str, data: &Value, error: &Value) -> Verdict {
    let reply = json!({"req_id": OURS_TEXT, "status": status, "timestamp": 1.5e9, "data": data, "error": error});
    envelope(None).classify(&order(), reply.to_string().as_bytes())
}

fn outcome_of(status: &str, data: &Value) -> &'static str {
    verdict(status, data, &Value::Null).outcome.as_str()
}

#[test]
fn an_order_says_its_side_twice() {
    let sell = Order { side: Side::Sell, ..order() };
    let bytes = envelope(Some(7)).open_order(&sell, Duration::from_millis(1_500_000_000_250));
    let expected = json!({
        "action": "OPEN_ORDER", "req_id": "00000000-0000-0000-0000-000000000007", "timestamp": 1_500_000_000.25,
        "payload": {
            "symbol": "EURUSDm", "type": "SELL", "side": "SELL", "volume": 0.1, "sl": 1.05, "tp": 0.0,
            "comment": "sentinel", "magic": 7,
        },
    });
    assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), expected);
    let bytes = envelope(None).open_order(&order(), Duration::ZERO);
    let payload = serde_json::from_slice::<Value>(&bytes).unwrap()["payload"].take();
    assert_eq!((payload["type"].as_str(), payload["side"].as_str()), (Some("BUY"), Some("BUY")));
    assert!(payload.get("magic").is_none());
}

#[test]
fn a_fill_is_success_within_success_with_a_ticket() {
    let fill = verdict("SUCCESS", &json!({"status": "SUCCESS", "ticket": 9, "price": 1.1}), &Value::Null);
    assert_eq!(fill, Verdict { outcome: Outcome::Filled { ticket: 9, price: Some(1.1), volume: None }, is_ours: true });
    for data in [
        json!({"ticket": 9}),
        json!({"status": null, "ticket": 9, "volume": 0.1}),
        json!({"status": "FILLED", "ticket": 9, "retcode": 10_009, "error": ""}),
        json!({"status": "SUCCESS", "ticket": 9, "retcode": 10_010, "error": null}),
        json!({"ticket": "9", "volume": "0.1", "retcode": "10009"}),
    ] {
        assert_eq!(outcome_of("SUCCESS", &data), "filled", "{data}");
    }
    for data in [
        Value::Null,
        json!([]),
        json!({}),
        json!({"ticket": 0}),
        json!({"status": "SUCCESS"}),
        json!({"status": "ERROR", "ticket": 9}),
        json!({"status": "PENDING", "ticket": 9}),
        json!({"status": true, "ticket": 9}),
        json!({"ticket": 9, "volume": 0.0}),
        json!({"ticket": 9, "volume": "much"}),
        json!({"ticket": "nine"}),
        json!({"ticket": 9.5}),
        json!({"ticket": 9, "retcode": 10_008}),
        json!({"ticket": 9, "error": "no money"}),
    ] {
        assert_eq!(outcome_of("SUCCESS", &data), "unknown", "{data}");
    }
    for status in ["ERROR", "PENDING", "success", "FILLED", ""] {
        assert_eq!(outcome_of(status, &json!({"status": "SUCCESS", "ticket": 9})), "unknown", "{status}");
    }
    assert_eq!(verdict("SUCCESS", &json!({"ticket": 9}), &"boom".into()).outcome.as_str(), "unknown");
}

#[test]
fn a_failed_order_within_success_is_rejected_only_by_its_code() {
    let failed = |data: Value| outcome_of("SUCCESS", &data);
    for code in (10_004..=10_046).filter(|code| return_codes::is_refusal(*code)) {
        assert_eq!(failed(json!({"status": "ERROR", "retcode": code})), "rejected", "{code}");
        assert_eq!(failed(json!({"status": "ERROR", "retcode": code, "ticket": 0})), "rejected", "{code}");
        assert_eq!(failed(json!({"status": "ERROR", "retcode": code, "ticket": 9})), "unknown", "{code}, a ticket");
        assert_eq!(failed(json!({"retcode": code})), "unknown", "{code} without a status");
    }
    for code in [10_008, 10_009, 10_010, 10_012, -1, -2, -3, -4, 0] {
        assert_eq!(failed(json!({"status": "ERROR", "retcode": code})), "unknown", "{code}");
    }
    assert_eq!(failed(json!({"status": "ERROR", "error": "Order send failed"})), "unknown", "no code");
}

#[test]
fn an_error_is_a_rejection_only_if_the_request_was_not_read() {
    let failed = |error: Value| verdict("ERROR", &Value::Null, &error).outcome.as_str();
    assert_eq!(failed("Invalid request structure".into()), "rejected");
    assert_eq!(failed("Unknown action: OPEN_ORDER".into()), "rejected");
    for error in [Value::Null, "".into(), "timeout".into(), "'NoneType' object is not subscriptable".into(), 1.into()] {
        assert_eq!(failed(error.clone()), "unknown", "{error}");
    }
    let with_ticket = verdict("ERROR", &json!({"ticket": 9}), &"Unknown action".into());
    assert_eq!(with_ticket.outcome.as_str(), "unknown");
    assert_eq!(verdict("PENDING", &Value::Null, &"Unknown action".into()).outcome.as_str(), "unknown");
}

#[test]
fn a_reply_without_our_id_proves_nothing() {
    for reply in [
        json!({"status": "SUCCESS", "data": {"ticket": 9}}),
        json!({"req_id": "unknown", "status": "ERROR", "error": "Invalid request structure"}),
        json!({"req_id": Uuid::from_u128(8).to_string(), "status": "SUCCESS", "data": {"ticket": 9}}),
        json!({"uuid": OURS_TEXT, "status": "SUCCESS", "data": {"ticket": 9}}),
        json!([OURS_TEXT, "SUCCESS", 1.5e9, {"ticket": 9}, null]),
    ] {
        let verdict = envelope(None).classify(&order(), reply.to_string().as_bytes());
        assert_eq!((verdict.outcome.as_str(), verdict.is_ours), ("unknown", false), "{reply}");
    }
}

#[test]
fn outside_text_in_a_reason_stays_one_line() {
    let data = json!({"status": "ERROR", "retcode": 10_019, "error": "a\nlevel=INFO filled"});
    let Outcome::Rejected { reason } = verdict("SUCCESS", &data, &Value::Null).outcome else { panic!("not rejected") };
    assert!(!reason.contains('\n'), "{reason}");
}

#[test]
fn an_answer_is_a_success_through_and_through() {
    let answer = |status: &str, data: Value| {
        let reply = json!({"req_id": OURS_TEXT, "status": status, "timestamp": 1.5e9, "data": data, "error": null});
        envelope(None).answer(Query::Handshake, OURS, reply.to_string().as_bytes())
    };
    let alive = answer("SUCCESS", json!({"status": "alive"})).unwrap();
    assert_eq!(alive.server_time(), Ok(Some(Duration::from_secs(1_500_000_000))));
    assert_eq!(answer("SUCCESS", json!([])).unwrap().positions(), Ok(vec![]));
    assert!(answer("SUCCESS", json!({"status": "ERROR"})).is_err());
    assert!(answer("SUCCESS", json!({"error": "MT5 not connected"})).is_err());
    assert!(answer("ERROR", Value::Null).is_err() && answer("PENDING", Value::Null).is_err());
    let request = envelope(None).ask(Query::Positions, OURS, Duration::from_millis(1_500)).unwrap();
    let expected = json!({"action": "GET_POSITIONS", "req_id": OURS_TEXT, "timestamp": 1.5, "payload": {}});
    assert_eq!(serde_json::from_slice::<Value>(&request).unwrap(), expected);
}

proptest! {
    #[test]
    fn arbitrary_bytes_prove_nothing(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(envelope(None).classify(&order(), &reply).outcome.as_str(), "unknown");
        prop_assert!(envelope(None).answer(Query::Handshake, OURS, &reply).is_err());
    }
}

#[test]
fn a_close_is_confirmed_by_a_word_or_its_ticket() {
    let close = Order { closes: Some(5), ..order() };
    let request: Value =
        serde_json::from_slice(&envelope(None).close_position(&close, 5, Duration::from_secs(1)).unwrap()).unwrap();
    assert_eq!((&request["action"], &request["payload"]), (&json!("CLOSE_POSITION"), &json!({"ticket": 5})));
    let outcome = |status: &str, data: Value| {
        let reply = json!({"req_id": OURS_TEXT, "status": status, "data": data, "error": null});
        envelope(None).classify(&close, reply.to_string().as_bytes()).outcome
    };
    for data in [json!({"status": "SUCCESS"}), json!({"status": "CLOSED", "ticket": 5}), json!({"ticket": 5})] {
        assert_eq!(
            outcome("SUCCESS", data.clone()),
            Outcome::Filled { ticket: 5, price: None, volume: None },
            "{data}"
        );
    }
    for (status, data, expected) in [
        ("SUCCESS", json!({}), "unknown"),
        ("SUCCESS", json!({"status": "SUCCESS", "ticket": 0}), "unknown"),
        ("SUCCESS", json!({"status": "SUCCESS", "error": "no connection"}), "unknown"),
        ("SUCCESS", json!({"status": "SUCCESS", "retcode": 10012}), "unknown"),
        ("SUCCESS", json!({"status": "ERROR", "retcode": 10018}), "rejected"),
        ("PENDING", json!({"status": "SUCCESS"}), "unknown"),
    ] {
        assert_eq!(outcome(status, data.clone()).as_str(), expected, "{data}");
    }
}
