//! The transactions of shared mode on the wire.

use super::*;
use crate::domain::cluster::shared::{
    AccountState, Answer, Change, Compare, Done, Owner, Request, Span, Transaction as Txn, Value as Of, key,
};

/// Of the account `1/2%`.
fn coded(name: &str) -> String {
    encoded(format!("/sentinel/1%2F2%25/{name}").as_bytes())
}

fn transaction() -> Txn {
    Txn {
        compare: vec![
            Compare::Created("shards/07".into(), 40),
            Compare::Changed(key::STATE.into(), 0),
            Compare::Absent(key::bars_from("EURUSD", 600)),
            Compare::CreatedAfter(key::bar("EURUSD", 600), 40),
        ],
        changes: vec![
            Change::Put {
                key: "shards/07".into(),
                value: Of::Owner(Owner { member: "m".into(), instance: "i".into() }),
                lease: 7,
            },
            Change::Delete(key::bars_before("EURUSD", 60)),
        ],
        reads: vec![Span::one(key::STATE), key::orders_of("EURUSD").newest()],
    }
}

#[actix::test]
async fn a_transaction_has_its_conditions_changes_and_reads() {
    let reply = r#"{"header":{"revision":"9"},"succeeded":true,"responses":[{"response_put":{}},{"response_delete_range":{}},
        {"response_range":{}},{"response_range":{}}]}"#;
    let (url, asked) = serve(Box::leak(Box::new([(200, reply)])));
    let answer = etcd(&[&url], None).perform_shared(&Request::Transact(transaction())).await;
    assert_eq!(answer, Ok(Answer::Done(Done { is_made: true, revision: 9, read: vec![Vec::new(), Vec::new()] })));
    let asked = asked.lock().unwrap().join("\n");
    let body: Value = serde_json::from_str(asked.strip_prefix("/v3/kv/txn - ").unwrap()).unwrap();
    let (orders, bar) = ("orders/EURUSD/", "orders/EURUSD/0000000600");
    let reads = [
        json!({"request_range": {"key": coded("state"), "range_end": coded("state\0")}}),
        json!({"request_range": {"key": coded(orders), "range_end": coded("orders/EURUSD0"), "limit": "1",
            "sort_order": "DESCEND", "sort_target": "KEY"}}),
    ];
    let wanted = json!({
        "compare": [
            {"key": coded("shards/07"), "target": "CREATE", "result": "EQUAL", "create_revision": "40"},
            {"key": coded("state"), "target": "MOD", "result": "EQUAL", "mod_revision": "0"},
            {"key": coded(&format!("{bar}/")), "range_end": coded("orders/EURUSD0"), "target": "CREATE",
                "result": "EQUAL", "create_revision": "0"},
            {"key": coded(&format!("{bar}/")), "range_end": coded(&format!("{bar}0")), "target": "CREATE",
                "result": "GREATER", "create_revision": "40"},
        ],
        "success": [
            {"request_put": {"key": coded("shards/07"), "value": encoded(br#"{"member":"m","instance":"i"}"#), "lease": "7"}},
            {"request_delete_range": {"key": coded(orders), "range_end": coded("orders/EURUSD/0000000060/")}},
            reads[0], reads[1],
        ],
        "failure": reads,
    });
    assert_eq!(body, wanted);
}

#[actix::test]
async fn what_is_read_is_whole_or_nothing() {
    let state = encoded(&serde_json::to_vec(&AccountState { in_flight: 3, ..AccountState::default() }).unwrap());
    let kv = |key: &str, more: &str| format!(r#"{{"key":"{}","value":"{state}"{more}}}"#, coded(key));
    let revisions = r#","create_revision":"4","mod_revision":"6""#;
    let reply = |kvs: &str| {
        let text = format!(r#"{{"responses":[{{"response_range":{{"kvs":[{kvs}]}}}},{{"response_range":{{}}}}]}}"#);
        Box::leak(text.into_boxed_str())
    };
    let perform = async |body: &'static str| {
        let (url, _) = serve(Box::leak(Box::new([(200, body)])));
        etcd(&[&url], None).perform_shared(&Request::Transact(transaction())).await
    };
    let Ok(Answer::Done(done)) = perform(reply(&kv("state", revisions))).await else { panic!("it reads") };
    assert!(!done.is_made, "no succeeded is no success");
    let entry = done.one(0).unwrap();
    assert_eq!((entry.key.as_str(), entry.create_revision, entry.mod_revision, entry.lease), ("state", 4, 6, 0));
    assert!(matches!(&entry.value, Some(Of::State(state)) if state.in_flight == 3));
    // The same value is no owner: then the key is there, and nobody knows what it says.
    let Ok(Answer::Done(done)) = perform(reply(&kv("shards/07", revisions))).await else { panic!("it reads") };
    assert_eq!(done.one(0).unwrap().value, None);
    for body in [
        "{}",
        r#"{"succeeded":true,"responses":[{"response_range":{}}]}"#,
        reply(&kv("state", "")),
        reply(&format!(r#"{{"key":"eA=="{revisions}}}"#)),
    ] {
        let error = perform(body).await.unwrap_err();
        assert!(matches!(error, EtcdError::Unreadable { .. }), "{body}: {error}");
    }
}

#[actix::test]
async fn leases_are_those_of_a_guard() {
    let script = [
        (200, r#"{"ID":"7","TTL":"15"}"#),
        (200, r#"{"result":{"ID":"7","TTL":"15"}}"#),
        (200, r#"{"result":{"ID":"7"}}"#),
        (404, r#"{"error":"etcdserver: requested lease not found"}"#),
    ];
    let (url, _) = serve(Box::leak(Box::new(script)));
    let mut etcd = etcd(&[&url], None);
    let ttl = Duration::from_secs(15);
    for (request, answer) in [
        (Request::Grant { ttl }, Answer::Granted { lease: 7, ttl }),
        (Request::KeepAlive { lease: 7 }, Answer::KeptAlive(Some(ttl))),
        (Request::KeepAlive { lease: 7 }, Answer::KeptAlive(None)),
        (Request::Revoke { lease: 7 }, Answer::Revoked),
    ] {
        assert_eq!(etcd.perform_shared(&request).await, Ok(answer));
    }
}
