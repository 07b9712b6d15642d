//! Handshakes with gateways on real sockets.

use super::*;
use crate::adapters::{
    gateway::{DialectParams, dialect},
    system_clock::SystemClock,
};
use serde_json::{Value, json};
use std::{
    thread::{self, JoinHandle},
    time::{SystemTime, UNIX_EPOCH},
};

/// Short enough for a test, long enough for two busy cores.
const DEADLINE: Duration = Duration::from_millis(400);

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A gateway that answers one request. Returns the request and the socket, which must exist longer than the reply, because a
/// disconnect can overtake a reply.
fn gateway(reply: impl FnOnce(&Value) -> Vec<Vec<u8>> + Send + 'static) -> (String, JoinHandle<(Value, zmq::Socket)>) {
    let socket = zmq::Context::new().socket(zmq::REP).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_rcvtimeo(5_000).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
    let address = socket.get_last_endpoint().unwrap().unwrap();
    let thread = thread::spawn(move || {
        let request = serde_json::from_slice(&socket.recv_bytes(0).unwrap()).unwrap();
        let frames = reply(&request);
        if !frames.is_empty() {
            socket.send_multipart(frames, 0).unwrap();
        }
        (request, socket)
    });
    (address, thread)
}

async fn shake(
    kind: DialectKind,
    reply: impl FnOnce(&Value) -> Value + Send + 'static,
) -> (Result<Handshake, HandshakeError>, Value) {
    let (address, thread) = gateway(|request| vec![reply(request).to_string().into_bytes()]);
    let result =
        run(&*dialect(kind, DialectParams::default()), &Peer::plain(&address), 10 * DEADLINE, &SystemClock).await;
    (result, thread.join().unwrap().0)
}

/// The answer to PING of a v43 gateway whose clock is this far ahead.
fn pong(ahead_s: f64) -> impl FnOnce(&Value) -> Value + Send + 'static {
    move |request| json!({"uuid": request["uuid"], "status": "ok", "server_time": now() + ahead_s, "latency_ms": 0.1})
}

#[actix::test]
async fn each_dialect_sends_its_own_harmless_query() {
    let (result, request) = shake(DialectKind::V43, pong(0.0)).await;
    assert_eq!(request["action"], "PING");
    assert!(result.unwrap().clock_skew_ms.unwrap().abs() < 1_000);

    let alive = |request: &Value| {
        let data = json!({"status": "alive"});
        json!({"req_id": request["req_id"], "status": "SUCCESS", "timestamp": now(), "data": data, "error": null})
    };
    let (result, request) = shake(DialectKind::Envelope, alive).await;
    assert_eq!((&request["action"], &request["payload"]), (&json!("HEARTBEAT"), &json!({})));
    assert!(result.unwrap().clock_skew_ms.is_some());

    let (result, request) = shake(DialectKind::PlaceOrder, |_| json!({"status": "OK"})).await;
    assert_eq!(request, json!({"action": "check_connection"}));
    assert_eq!(result.unwrap().clock_skew_ms, None);
}

#[actix::test]
async fn a_dialect_without_a_harmless_query_sends_nothing() {
    let dialect = dialect(DialectKind::OrderSend, DialectParams::default());
    let error = run(&*dialect, &Peer::plain("tcp://127.0.0.1:9"), DEADLINE, &SystemClock).await.unwrap_err();
    assert_eq!(error.kind(), "no_handshake");
}

#[actix::test]
async fn a_clock_more_than_two_seconds_off_is_refused() {
    for ahead_s in [1.5, -1.5] {
        assert!(shake(DialectKind::V43, pong(ahead_s)).await.0.is_ok(), "{ahead_s}");
    }
    for ahead_s in [2.5, -2.5, 3_600.0] {
        let error = shake(DialectKind::V43, pong(ahead_s)).await.0.unwrap_err();
        let HandshakeError::ClockSkew { skew_ms, .. } = error else { panic!("{error}") };
        assert!((skew_ms as f64 - ahead_s * 1e3).abs() < 400.0, "{skew_ms} for {ahead_s}");
    }
}

#[actix::test]
async fn a_gateway_that_tells_no_time_passes_and_one_that_tells_nonsense_does_not() {
    let (result, _) = shake(DialectKind::V43, |request| json!({"uuid": request["uuid"], "status": "ok"})).await;
    assert_eq!(result.unwrap().clock_skew_ms, None);
    let nonsense = |request: &Value| json!({"uuid": request["uuid"], "status": "ok", "server_time": "noon"});
    let error = shake(DialectKind::V43, nonsense).await.0.unwrap_err();
    assert!(matches!(error, HandshakeError::BadTime { .. }) && error.kind() == "bad_reply", "{error}");
}

#[actix::test]
async fn a_reply_without_our_id_says_what_it_looks_like() {
    for (reply, part) in [
        (json!({"status": "ok"}), "no uuid in it; a status and no id is what place_order replies with"),
        (json!({"req_id": "x", "status": "SUCCESS"}), "its req_id is what envelope replies with"),
        (json!({"error": false, "retcode": 10_009}), "what order_send replies with"),
        (json!({"pong": 1}), "a reply without an id: no uuid in it"),
        (json!({"uuid": "00000000-0000-4000-8000-000000000000"}), "a reply to another request: its id is"),
    ] {
        let error = shake(DialectKind::V43, |_| reply).await.0.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let v43 = |_: &Value| json!({"uuid": "x", "status": "ok"});
    let error = shake(DialectKind::Envelope, v43).await.0.unwrap_err().to_string();
    assert!(error.contains("no req_id in it; its uuid is what v43 replies with"), "{error}");
}

#[actix::test]
async fn a_success_that_names_an_error_or_another_id_is_no_answer() {
    let ours = |request: &Value| json!({"uuid": request["uuid"], "status": "ok", "error_msg": "no terminal"});
    assert!(shake(DialectKind::V43, ours).await.0.unwrap_err().to_string().contains("no terminal"));
    let two = |request: &Value| json!({"uuid": request["uuid"], "status": "ok", "req_id": "x"});
    assert!(shake(DialectKind::V43, two).await.0.unwrap_err().to_string().contains("another request"));
    let empty =
        |request: &Value| json!({"req_id": request["req_id"], "status": "SUCCESS", "data": {}, "error": "boom"});
    assert!(shake(DialectKind::Envelope, empty).await.0.unwrap_err().to_string().contains("boom"));
    let plain = |_: &Value| json!({"status": "ok", "error": "boom"});
    assert!(shake(DialectKind::PlaceOrder, plain).await.0.unwrap_err().to_string().contains("boom"));
}

#[actix::test]
async fn a_reply_that_is_not_this_dialects_is_bad() {
    let stranger = "00000000-0000-4000-8000-000000000000";
    for reply in [
        json!({"status": "ok"}),
        json!({"uuid": stranger, "status": "ok"}),
        json!({"req_id": stranger, "status": "SUCCESS"}),
        json!(["ok"]),
    ] {
        let text = reply.to_string();
        assert_eq!(shake(DialectKind::V43, |_| reply).await.0.unwrap_err().kind(), "bad_reply", "{text}");
    }
    let unknown_action = |request: &Value| json!({"uuid": request["uuid"], "status": "error", "error_code": "X\nY"});
    let error = shake(DialectKind::V43, unknown_action).await.0.unwrap_err();
    assert!(error.to_string().contains("error") && !error.to_string().contains('\n'), "{error}");
}

#[actix::test]
async fn a_reply_that_reads_like_a_trade_is_not_taken_for_a_handshake() {
    let (result, _) = shake(DialectKind::PlaceOrder, |_| json!({"status": "filled"})).await;
    assert!(result.unwrap_err().to_string().contains("check the account"));
    let ticket = |request: &Value| json!({"uuid": request["uuid"], "status": "ok", "ticket": 9});
    assert!(shake(DialectKind::V43, ticket).await.0.unwrap_err().to_string().contains("check the account"));
}

#[actix::test]
async fn absent_silent_and_many_framed_gateways_are_told_apart() {
    let v43 = dialect(DialectKind::V43, DialectParams::default());
    let kind_at =
        async |address: &str| run(&*v43, &Peer::plain(address), DEADLINE, &SystemClock).await.unwrap_err().kind();
    let absent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(kind_at(&format!("tcp://{absent}")).await, "no_gateway");
    assert_eq!(kind_at("nonsense").await, "socket");
    let (address, thread) = gateway(|_| vec![]);
    assert_eq!(kind_at(&address).await, "timeout");
    thread.join().unwrap();
    let (address, thread) = gateway(|_| vec![b"{}".to_vec(), b"{}".to_vec()]);
    assert_eq!(kind_at(&address).await, "bad_reply");
    thread.join().unwrap();
}
