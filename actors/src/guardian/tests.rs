//! The Guardian against an etcd that does not answer. The real one is in the system tests.

use super::*;
use crate::{
    adapters::{
        etcd::{self, tests::serve},
        system_clock::SystemClock,
    },
    domain::cluster::{Authority, ClaimCell, Record, Terms},
};
use std::{sync::Arc, time::Duration};

fn keeper() -> (Keeper, ClaimCell) {
    // Nothing listens there.
    keeper_at("http://127.0.0.1:1")
}

fn keeper_at(url: &str) -> (Keeper, ClaimCell) {
    let cell = ClaimCell::new(Arc::new(SystemClock));
    let me = Record {
        instance: "i".into(),
        member: "m".into(),
        host: "h".into(),
        pid: 1,
        version: "v".into(),
        journal: "j".into(),
        since: 0,
        at: 0,
        trust_ms: 0,
        bars_after: None,
        before: None,
        released: false,
        newest_order: None,
    };
    let etcd = etcd::Config {
        endpoints: vec![url.into()],
        ca: None,
        identity: None,
        patience: Duration::from_millis(500),
        login: None,
        prefix: "/sentinel".into(),
        account: "12".into(),
    };
    let terms = Terms { lease: Duration::from_secs(15), keepalive: Duration::from_secs(5) };
    (
        Keeper::new(Config { etcd, me, terms, clock: Arc::new(SystemClock), cell: cell.clone(), orders: Vec::new() })
            .unwrap(),
        cell,
    )
}

#[actix::test]
async fn without_etcd_nothing_may_be_sent_and_the_start_goes_on() {
    let (mut keeper, cell) = keeper();
    assert!(!cell.may_send() && cell.remaining().is_zero(), "before the first answer");
    let Taken::NoAnswer(why) = keeper.take(false).await else { panic!("nobody answers") };
    assert!(why.contains("http://127.0.0.1:1"), "{why}");
    let standing = cell.standing().unwrap();
    assert!(!cell.may_send() && !standing.is_etcd_up && !standing.is_holder);
    assert!(standing.trouble.unwrap().starts_with("no order is sent, because etcd does not answer"));
}

#[actix::test]
async fn one_failed_request_does_not_end_a_start_that_must_settle() {
    let (mut keeper, _) = keeper();
    let taking = tokio::time::timeout(Duration::from_millis(2_500), keeper.take(true)).await;
    assert!(taking.is_err(), "it is tried for as long as a lease lasts: {taking:?}");
}

#[actix::test]
async fn a_stop_while_the_claim_is_made_withdraws_it() {
    let nobody = r#"{"responses":[{"response_range":{}},{"response_range":{}},{"response_range":{}}]}"#;
    let granted = r#"{"ID":"7","TTL":"15"}"#;
    let done = r#"{"succeeded":true,"header":{"revision":"5"}}"#;
    let not_halted = r#"{"responses":[{"response_range":{}}]}"#;
    // The connection ends after the claim; then its release and the end of its lease are asked for.
    let (url, asked) = serve(Box::leak(Box::new([
        (200, nobody),
        (200, not_halted),
        (200, granted),
        (0, ""),
        (200, done),
        (200, "{}"),
    ])));
    let (mut keeper, cell) = keeper_at(&url);
    for _ in 0..3 {
        keeper.step().await;
    }
    assert!(!cell.may_send() && keeper.release(true).await);
    let asked = asked.lock().unwrap().clone();
    let paths: Vec<_> = asked.iter().map(|it| it.split(' ').next().unwrap()).collect();
    let txn = "/v3/kv/txn";
    assert_eq!(paths, [txn, txn, "/v3/lease/grant", txn, txn, "/v3/lease/revoke"]);
    assert!(asked[4].contains(r#""target":"LEASE""#) && asked[4].contains("request_delete_range"), "{}", asked[4]);
}

#[actix::test]
async fn a_halt_in_etcd_keeps_the_account_from_being_taken() {
    let nobody = r#"{"responses":[{"response_range":{}},{"response_range":{}},{"response_range":{}}]}"#;
    // The key /sentinel/12/state: {"orders":{},"failures_in_a_row":0,"in_flight":0,"unknown":0,"day":null,
    // "halt":{"who":"alice","reason":"news","at":5,"generation":1},"generation":1}
    let halted = r#"{"responses":[{"response_range":{"kvs":[{"key":"L3NlbnRpbmVsLzEyL3N0YXRl","create_revision":"3",
        "mod_revision":"4","value":"eyJvcmRlcnMiOnt9LCJmYWlsdXJlc19pbl9hX3JvdyI6MCwiaW5fZmxpZ2h0IjowLCJ1bmtub3duIjowLCJkYXkiOm51bGwsImhhbHQiOnsid2hvIjoiYWxpY2UiLCJyZWFzb24iOiJuZXdzIiwiYXQiOjUsImdlbmVyYXRpb24iOjF9LCJnZW5lcmF0aW9uIjoxfQ=="}]}}]}"#;
    let (url, asked) = serve(Box::leak(Box::new([(200, nobody), (200, halted)])));
    let (mut keeper, cell) = keeper_at(&url);
    let Taken::Halted(why) = keeper.take(false).await else { panic!("it is halted") };
    assert!(why.contains("by alice: news") && why.contains("sentinel cluster resume"), "{why}");
    let standing = cell.standing().unwrap();
    assert!(!standing.is_holder && standing.is_etcd_up && standing.trouble.unwrap().contains("by alice"));
    assert_eq!(asked.lock().unwrap().len(), 2, "no lease was asked for");
}

#[actix::test]
async fn a_release_ends_the_guardian_whatever_etcd_does() {
    let (keeper, cell) = keeper();
    let guardian = Guardian::new(Keeping::Claim(Box::new(keeper))).start();
    guardian.send(Ping).await.unwrap();
    let released = tokio::time::timeout(Duration::from_secs(5), guardian.send(ReleaseClaim { is_settled: true })).await;
    assert!(matches!(released, Ok(Ok(true))), "nothing was held");
    assert!(cell.standing().unwrap().trouble.unwrap().contains("the daemon is stopping"));
    assert_eq!(guardian.send(ReleaseClaim { is_settled: true }).await, Ok(false), "there is nothing to release twice");
}
