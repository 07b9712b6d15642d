//! What is not in the system tests: an etcd that says what none of this version wrote.

use super::*;
use crate::{
    adapters::{etcd::tests::serve, system_clock::SystemClock},
    domain::cluster::{
        Record, Terms,
        shared::{Member, MemberRecord, Ownership},
    },
    signal_sender::fixtures::{RULES, telemetry},
};

fn claims(url: String) -> Claims {
    let record = Record {
        instance: "i".into(),
        member: "inf-1".into(),
        host: "h".into(),
        pid: 1,
        version: "v".into(),
        journal: String::new(),
        since: 1,
        at: 2,
        trust_ms: 3,
        bars_after: None,
        before: None,
        released: false,
        newest_order: None,
    };
    let (address, region, settings) = <(String, String, String)>::default();
    let me = MemberRecord { record, weight: 1, address, region, settings, has_flapped: false, has_left: false };
    let terms = Terms { lease: Duration::from_secs(15), keepalive: Duration::from_secs(5) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let config = ClaimsConfig {
        etcd: etcd::Config {
            endpoints: vec![url],
            ca: None,
            identity: None,
            patience: PATIENCE,
            login: None,
            prefix: "/sentinel".into(),
            account: "demo".into(),
        },
        cell: MemberCell::new(Ownership::new(Member::new(me, terms)), clock.clone()),
        limits: RULES.limits,
        account_mode: AccountMode::Hedging,
        dialect: "v43",
    };
    Claims::new(config, clock, telemetry()).unwrap()
}

#[actix::test]
async fn a_state_that_cannot_be_read_is_asked_for_once() {
    let (url, asked) = serve(&[(
        200,
        r#"{"succeeded":true,"responses":[{"response_range":{"kvs":[{"key":"L3NlbnRpbmVsL2RlbW8vc3RhdGU=","value":"e30=",
            "create_revision":"4","mod_revision":"5","version":"1"}]}}]}"#,
    )]);
    assert!(!claims(url).note_equity(1_000.0).await);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn only_what_says_otherwise_of_the_account_contradicts() {
    let filled = Outcome::Filled { ticket: 1, price: None, volume: None };
    let [rejected, not_sent, unknown] = [
        Outcome::Rejected { reason: "the open positions do not show it".into() },
        Outcome::NotSent { reason: "claim_late".into() },
        Outcome::Unknown { reason: "no reply".into() },
    ];
    assert!(!contradict(&rejected, &not_sent) && !contradict(&not_sent, &rejected));
    assert!(contradict(&filled, &rejected) && contradict(&not_sent, &filled));
    assert!(!contradict(&unknown, &filled) && !contradict(&filled, &unknown) && !contradict(&filled, &filled));
}
