//! The gateway over a real REQ socket, and its broker with a clock of the test's own.

use super::*;
use crate::sandbox::broker::canonical;
use chrono::{DateTime, TimeDelta};
use sentinel_actors::adapters::gateway::dialects::v43::risk_signature;
use serde_json::{Value, json};

/// An order signed at `signed_at`; `changed` replaces what it names, and is signed, too.
fn order(signed_at: DateTime<Utc>, changed: Value) -> Value {
    let mut order = json!({
        "uuid": "id-1", "action": "OPEN", "symbol": "EURUSD", "type": "BUY", "volume": 0.1, "price": 0.0,
        "sl": 1.05, "tp": 1.3, "comment": "test",
    });
    merge(&mut order, changed);
    let checksum = risk_signature::checksum(&canonical(order.as_object().unwrap()));
    order["risk_signature"] = json!(format!("RISK_PASS:{checksum}:{}", signed_at.format("%Y%m%dT%H%M%SZ")));
    order
}

fn merge(into: &mut Value, changed: Value) {
    into.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
}

fn broker() -> Broker {
    Broker::new(PriceBoard::default(), Some(1.1))
}

fn ask(broker: &mut Broker, request: &Value) -> Value {
    broker.answer(request.to_string().as_bytes(), Utc::now())
}

fn error_code(reply: &Value) -> &str {
    reply["error_code"].as_str().unwrap_or_default()
}

#[test]
fn the_published_example_is_spelled_as_python_spells_it() {
    let order = json!({"symbol": "EURUSD", "type": "BUY", "volume": 0.1, "price": 0.0, "sl": 1.05, "tp": 1.06});
    assert_eq!(
        canonical(order.as_object().unwrap()),
        r#"{"price": 0.0, "sl": 1.05, "symbol": "EURUSD", "tp": 1.06, "type": "BUY", "volume": 0.1}"#
    );
    let sparse = json!({"symbol": "EURUSD", "type": "BUY", "volume": 1, "price": null, "sl": 1e-5});
    let spelled = r#"{"sl": 1e-05, "symbol": "EURUSD", "type": "BUY", "volume": 1}"#;
    assert_eq!(canonical(sparse.as_object().unwrap()), spelled);
}

#[test]
fn a_signed_order_is_filled_at_the_boards_price() {
    let prices = PriceBoard::default();
    prices.set("EURUSD", 1.2);
    let mut broker = Broker::new(prices.clone(), None);
    let reply = ask(&mut broker, &order(Utc::now(), json!({})));
    assert_eq!((&reply["status"], &reply["ticket"]), (&json!("FILLED"), &json!(1_000_001)));
    assert_eq!((&reply["price"], &reply["volume"], &reply["uuid"]), (&json!(1.2), &json!(0.1), &json!("id-1")));
    prices.set("EURUSD", 1.21);
    let account = ask(&mut broker, &json!({"uuid": "id-2", "action": "GET_ACCOUNT"}));
    assert_eq!((&account["balance"], &account["equity"]), (&json!(100_000.0), &json!(100_100.0)));
    let unknown = ask(&mut broker, &order(Utc::now(), json!({"symbol": "USDJPY"})));
    assert_eq!((error_code(&unknown), &unknown["error_msg"]), ("MT5_ORDER_FAILED", &json!("Cannot get tick")));
}

#[test]
fn an_order_is_refused_with_the_code_of_its_fault() {
    let now = Utc::now();
    for (fault, code) in [
        (json!({"symbol": null}), "MISSING_SYMBOL"),
        (json!({"type": null}), "MISSING_TYPE"),
        (json!({"type": "HOLD"}), "MT5_ORDER_FAILED"),
        (json!({"volume": 0.0}), "INVALID_VOLUME"),
        (json!({"volume": -0.1}), "INVALID_VOLUME"),
        (json!({"volume": "0.1"}), "INVALID_VOLUME"),
        (json!({"action": null}), "MISSING_ACTION"),
        (json!({"action": "KILL"}), "UNKNOWN_ACTION"),
    ] {
        let reply = ask(&mut broker(), &order(now, fault.clone()));
        assert_eq!((error_code(&reply), &reply["uuid"]), (code, &json!("id-1")), "{fault}");
    }
    assert_eq!(error_code(&broker().answer(b"{", now)), "INVALID_JSON");
    assert_eq!(error_code(&broker().answer(b"[]", now)), "INVALID_JSON");
}

#[test]
fn a_signature_holds_for_this_order_and_five_seconds() {
    let signed_at = DateTime::from_timestamp(1_795_354_237, 0).unwrap();
    let good = order(signed_at, json!({}));
    for (age_ms, code) in [(0, ""), (5_000, ""), (5_001, "RISK_SIGNATURE_INVALID"), (-6_000, "RISK_SIGNATURE_INVALID")]
    {
        let reply = broker().answer(good.to_string().as_bytes(), signed_at + TimeDelta::milliseconds(age_ms));
        assert_eq!(error_code(&reply), code, "{age_ms}");
    }
    let with_colons = good["risk_signature"].as_str().unwrap().replace("T133037Z", "T13:30:37Z");
    for signature in ["", "RISK_PASS", "RISK_PASS:00000000:20261122T133037Z", &with_colons] {
        let mut bad = good.clone();
        merge(&mut bad, json!({"risk_signature": signature}));
        assert_eq!(error_code(&broker().answer(bad.to_string().as_bytes(), signed_at)), "RISK_SIGNATURE_INVALID");
    }
    let mut larger = good;
    merge(&mut larger, json!({"volume": 10.0}));
    assert_eq!(error_code(&broker().answer(larger.to_string().as_bytes(), signed_at)), "RISK_SIGNATURE_INVALID");
}

#[test]
fn positions_are_listed_by_symbol_and_closed_by_ticket() {
    let mut broker = broker();
    ask(&mut broker, &order(Utc::now(), json!({})));
    ask(&mut broker, &order(Utc::now(), json!({"symbol": "GBPUSD", "type": "SELL", "sl": 0.0, "tp": 0.0})));
    let all = ask(&mut broker, &json!({"uuid": "p", "action": "GET_POSITIONS"}));
    assert_eq!(all["positions"].as_array().map(Vec::len), Some(2));
    let some = ask(&mut broker, &json!({"uuid": "p", "action": "GET_POSITIONS", "symbol": "GBPUSD"}));
    let wanted = json!([{
        "ticket": 1_000_002, "symbol": "GBPUSD", "type": "SELL", "volume": 0.1, "open_price": 1.1,
        "current_price": 1.1, "profit": 0.0,
    }]);
    assert_eq!(some["positions"], wanted);
    let close = json!({"uuid": "c", "action": "CLOSE", "ticket": 1_000_002});
    assert_eq!(ask(&mut broker, &close)["status"], "CLOSED");
    assert_eq!(error_code(&ask(&mut broker, &close)), "MT5_ORDER_FAILED");
    assert_eq!(broker.summary().open_positions, 1);
}

#[actix_rt::test]
async fn it_answers_over_its_socket_and_stops() {
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { addr, prices: PriceBoard::default(), price: Some(1.1) };
    let gateway = start(config.clone()).unwrap();
    assert!(start(Config { addr: gateway.addr(), ..config }).is_err(), "a taken port is an error");
    let context = tmq::Context::new();
    let connect = || tmq::request(&context).set_linger(0).connect(&format!("tcp://{}", gateway.addr()));
    let mut socket = connect().unwrap();
    for request in [json!({"uuid": "ping-1", "action": "PING"}), order(Utc::now(), json!({}))] {
        let text = request.to_string();
        let (mut reply, next) = socket.send(vec![text.as_bytes()].into()).await.unwrap().recv().await.unwrap();
        let reply: Value = serde_json::from_slice(&reply.pop_front().unwrap()).unwrap();
        assert_eq!(reply["uuid"], request["uuid"]);
        assert!(reply["latency_ms"].is_f64(), "{reply}");
        socket = next;
    }
    assert_eq!((gateway.requests(), gateway.summary().orders_filled), (2, 1));
    gateway.stop();
}
