//! What is made of the gateway's answers, against servers that give scripted ones. The real etcd is in the system tests.

mod shared;

use super::*;
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    sync::Arc,
    sync::Mutex,
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// A server that gives these answers (status and body), one after the other; the last one again and again. Status 0 closes the
/// connection without an answer. It notes path, token
/// and body of each request.
pub(crate) fn serve(answers: &'static [(u16, &'static str)]) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, asked) = (format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port()), Asked::default());
    let notes = asked.clone();
    thread::spawn(move || {
        for (number, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let field = |name: &str| {
                head.lines()
                    .find_map(|line| line.to_ascii_lowercase().starts_with(name).then(|| line[name.len()..].trim()))
            };
            let mut body = vec![0; field("content-length:").map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).unwrap();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let token = field("authorization:").unwrap_or("-");
            notes.lock().unwrap().push(format!("{path} {token} {}", String::from_utf8(body).unwrap()));
            let (status, text) = answers[number.min(answers.len() - 1)];
            if status == 0 {
                continue;
            }
            let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        }
    });
    (url, asked)
}

fn etcd(endpoints: &[&str], login: Option<(String, PathBuf)>) -> Etcd {
    let endpoints = endpoints.iter().map(|url| (*url).to_owned()).collect();
    let (prefix, account, patience) = ("/sentinel".into(), "1/2%".into(), PATIENCE);
    Etcd::new(Config { endpoints, ca: None, identity: None, patience, login, prefix, account }).unwrap()
}

async fn answer(body: &'static str, ask: &Ask) -> Result<EtcdAnswer, EtcdError> {
    etcd(&[&serve(Box::leak(Box::new([(200, body)]))).0], None).perform(ask).await
}

fn beat() -> Ask {
    Ask::Beat { epoch: 4, last_revision: 5, record: record() }
}

fn record() -> Record {
    Record {
        instance: "i".into(),
        member: "m".into(),
        host: "h".into(),
        pid: 1,
        version: "v".into(),
        journal: "j".into(),
        since: 1,
        at: 2,
        trust_ms: 3,
        bars_after: None,
        before: None,
        released: false,
        newest_order: None,
    }
}

#[actix::test]
async fn an_absent_field_is_never_good_news() {
    let gone = answer(r#"{"result":{"header":{"revision":"2"},"ID":"7"}}"#, &Ask::KeepAlive { lease: 7 }).await;
    assert_eq!(gone, Ok(EtcdAnswer::KeptAlive(None)), "no TTL is no lease");
    let failed = r#"{"header":{"revision":"9"},"responses":[{"response_range":{}},{"response_range":{}},{"response_range":{}}]}"#;
    assert_eq!(answer(failed, &beat()).await, Ok(EtcdAnswer::Refused(Seen::default())), "no succeeded is no success");
    for (body, ask) in [
        ("{}", Ask::KeepAlive { lease: 7 }),
        (r#"{"result":{"TTL":"15"}}"#, Ask::KeepAlive { lease: 7 }),
        (r#"{"result":{"ID":"8","TTL":"15"}}"#, Ask::KeepAlive { lease: 7 }),
        ("{}", Ask::Grant { ttl: Duration::from_secs(15) }),
        (r#"{"ID":"7"}"#, Ask::Grant { ttl: Duration::from_secs(15) }),
        (r#"{"succeeded":true}"#, beat()),
        (r#"{"succeeded":true,"header":{"revision":"x"}}"#, beat()),
        ("{}", beat()),
        (r#"{"responses":[{"response_range":{}},{"response_range":{}}]}"#, Ask::Look),
        (
            r#"{"responses":[{"response_range":{"kvs":[{"value":""}]}},{"response_range":{}},{"response_range":{}}]}"#,
            Ask::Look,
        ),
        ("<html>", Ask::Look),
    ] {
        let error = answer(body, &ask).await.unwrap_err();
        assert!(matches!(error, EtcdError::Unreadable { .. }), "{body}: {error}");
    }
}

#[actix::test]
async fn both_keys_are_read_whatever_is_in_them() {
    let value = encoded(&serde_json::to_vec(&record()).unwrap());
    let body = format!(
        r#"{{"responses":[{{"response_range":{{"kvs":[{{"create_revision":"4","mod_revision":"4","lease":"7","value":"{value}"}}]}}}},
            {{"response_range":{{"kvs":[{{"create_revision":"1","mod_revision":"6","value":"eA=="}}]}}}},
            {{"response_range":{{}}}}]}}"#
    );
    let Ok(EtcdAnswer::Seen(seen)) = answer(Box::leak(body.into_boxed_str()), &Ask::Look).await else {
        panic!("it reads")
    };
    let claim = Stored { create_revision: 4, mod_revision: 4, lease: 7, record: Some(record()) };
    let last = Stored { create_revision: 1, mod_revision: 6, lease: 0, record: None };
    assert_eq!(seen, Seen { claim: Some(claim), last: Some(last) });
}

#[actix::test]
async fn a_member_holds_the_account_for_a_guard() {
    let member = encoded(&serde_json::to_vec(&record()).unwrap());
    let body = format!(
        r#"{{"responses":[{{"response_range":{{}}}},{{"response_range":{{}}}},
            {{"response_range":{{"kvs":[{{"create_revision":"4","mod_revision":"4","lease":"7","value":"{member}"}}]}}}}]}}"#
    );
    let Ok(EtcdAnswer::Seen(seen)) = answer(Box::leak(body.into_boxed_str()), &Ask::Look).await else {
        panic!("it reads")
    };
    assert_eq!(seen.claim.unwrap().record, Some(record()));
}

#[actix::test]
async fn a_claim_is_one_transaction_and_needs_no_member() {
    let (url, asked) = serve(&[(200, r#"{"succeeded":true,"header":{"revision":"5"}}"#)]);
    let mut etcd = etcd(&[&url], None);
    assert_eq!(etcd.claim_key(), "/sentinel/1%2F2%25/claim");
    let claim = Ask::Claim { lease: 7, last_revision: 3, record: record() };
    assert_eq!(etcd.perform(&claim).await, Ok(EtcdAnswer::Done { revision: 5 }));
    let asked = asked.lock().unwrap().join("\n");
    let (keys, value) = (
        ["claim", "last", "members/", "members0"].map(|name| encoded(format!("/sentinel/1%2F2%25/{name}").as_bytes())),
        serde_json::to_vec(&record()),
    );
    let value = encoded(&value.unwrap());
    let body: Value = serde_json::from_str(asked.strip_prefix("/v3/kv/txn - ").unwrap()).unwrap();
    let wanted = json!({
        "compare": [
            {"key": keys[0], "target": "CREATE", "result": "EQUAL", "create_revision": "0"},
            {"key": keys[1], "target": "MOD", "result": "EQUAL", "mod_revision": "3"},
            {"key": keys[2], "range_end": keys[3], "target": "CREATE", "result": "EQUAL", "create_revision": "0"},
        ],
        "success": [
            {"request_put": {"key": keys[0], "value": value, "lease": "7"}},
            {"request_put": {"key": keys[1], "value": value, "lease": "0"}},
        ],
        "failure": [
            {"request_range": {"key": keys[0]}},
            {"request_range": {"key": keys[1]}},
            {"request_range": {"key": keys[2], "range_end": keys[3], "limit": "1"}},
        ],
    });
    assert_eq!(body, wanted);
}

#[actix::test]
async fn an_endpoint_that_hangs_costs_its_own_time_once() {
    // It accepts and never answers.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", hole.local_addr().unwrap().port());
    let (well, _) = serve(&[(200, NO_KEYS)]);
    let mut etcd = etcd(&[&url, &well], None);
    for most in [PATIENCE * 3 / 2, PATIENCE / 2, PATIENCE / 2] {
        let began = std::time::Instant::now();
        assert_eq!(etcd.perform(&Ask::Look).await, Ok(EtcdAnswer::Seen(Seen::default())));
        assert!(began.elapsed() < most, "{:?}", began.elapsed());
    }
}

#[actix::test]
async fn a_release_is_of_the_claim_with_this_lease() {
    let (url, asked) = serve(&[(200, r#"{"succeeded":true,"header":{"revision":"5"}}"#)]);
    let done = etcd(&[&url], None).perform(&Ask::Release { lease: 7, record: record() }).await;
    assert_eq!(done, Ok(EtcdAnswer::Done { revision: 5 }));
    let asked = asked.lock().unwrap().join("\n");
    let body: Value = serde_json::from_str(asked.strip_prefix("/v3/kv/txn - ").unwrap()).unwrap();
    let keys = ["claim", "last"].map(|name| encoded(format!("/sentinel/1%2F2%25/{name}").as_bytes()));
    let compared = json!([{"key": keys[0], "target": "LEASE", "result": "EQUAL", "lease": "7"}]);
    assert_eq!((&body["compare"], &body["success"][0]["request_delete_range"]["key"]), (&compared, &json!(keys[0])));
}

#[actix::test]
async fn an_acknowledgement_rewrites_the_record_that_was_read_or_nothing() {
    let script = [(200, r#"{"succeeded":true,"header":{"revision":"5"}}"#), (200, NO_KEYS)];
    let (url, asked) = serve(Box::leak(Box::new(script)));
    let mut etcd = etcd(&[&url], None);
    let last = Record { before: Some("dead".into()), ..record() };
    assert_eq!(etcd.acknowledge(3, last.clone()).await, Ok(true));
    assert_eq!(etcd.acknowledge(3, last).await, Ok(false), "it was written since");
    let asked = asked.lock().unwrap()[0].clone();
    let body: Value = serde_json::from_str(asked.strip_prefix("/v3/kv/txn - ").unwrap()).unwrap();
    let key = encoded(b"/sentinel/1%2F2%25/last");
    let value = encoded(&serde_json::to_vec(&record()).unwrap());
    let compared = json!([{"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": "3"}]);
    assert_eq!(
        (&body["compare"], &body["success"]),
        (&compared, &json!([{"request_put": {"key": key, "value": value}}]))
    );
}

#[actix::test]
async fn what_etcd_says_about_itself_may_be_little() {
    let full = r#"{"version":"3.6.0","leader":"9","dbSize":"2048","dbSizeQuota":"4096","errors":["alarm:NOSPACE"]}"#;
    let (url, _) = serve(Box::leak(Box::new([(200, full), (200, r#"{"version":"3.4.0","leader":"0"}"#), (200, "{}")])));
    let mut etcd = etcd(&[&url], None);
    let told = etcd.status(0).await.unwrap();
    assert_eq!((told.has_leader, told.data_bytes, told.quota_bytes), (true, Some(2_048), Some(4_096)));
    assert_eq!(told.errors, ["alarm:NOSPACE"]);
    let told = etcd.status(0).await.unwrap();
    assert_eq!((told.has_leader, told.data_bytes, told.quota_bytes, told.errors.len()), (false, None, None, 0));
    assert!(etcd.status(0).await.is_err(), "no version");
}

#[actix::test]
async fn old_versions_of_keys_are_either_all_there_or_compacted() {
    let compacted = r#"{"error":"etcdserver: mvcc: required revision has been compacted"}"#;
    let answers =
        [(200, r#"{"header":{"revision":"77"}}"#), (400, compacted), (500, "broken"), (200, r#"{"members":[{},{}]}"#)];
    let (url, _) = serve(Box::leak(Box::new(answers)));
    let mut etcd = etcd(&[&url], None);
    assert_eq!(etcd.never_compacted().await, Ok(Some(77)));
    assert_eq!(etcd.never_compacted().await, Ok(None));
    assert!(etcd.never_compacted().await.is_err());
    assert_eq!(etcd.nodes().await, Ok(2));
}

#[actix::test]
async fn endpoints_are_tried_in_turn_and_the_one_that_answers_is_kept() {
    let ok = r#"{"responses":[{"response_range":{}},{"response_range":{}},{"response_range":{}}]}"#;
    let (sick, asked_sick) = serve(&[(503, "no leader")]);
    let (well, _) = serve(Box::leak(Box::new([(200, ok)])));
    let mut etcd = etcd(&["http://127.0.0.1:1", &sick, &well], None);
    for _ in 0..3 {
        assert_eq!(etcd.perform(&Ask::Look).await, Ok(EtcdAnswer::Seen(Seen::default())));
    }
    assert_eq!(asked_sick.lock().unwrap().len(), 1);
}

#[actix::test]
async fn a_token_that_has_ended_is_renewed_once_and_no_password_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "canary-password\n").unwrap();
    let ok = r#"{"responses":[{"response_range":{}},{"response_range":{}},{"response_range":{}}]}"#;
    let script: &[_] = Box::leak(Box::new([
        (200, r#"{"token":"one"}"#),
        (200, ok),
        (401, r#"{"error":"etcdserver: invalid auth token"}"#),
        (200, r#"{"token":"two"}"#),
        (200, ok),
        (401, "x"),
        (401, r#"{"error":"etcdserver: authentication failed"}"#),
    ]));
    let (url, asked) = serve(script);
    let mut etcd = etcd(&[&url], Some(("alice".into(), file.clone())));
    assert!(etcd.perform(&Ask::Look).await.is_ok() && etcd.perform(&Ask::Look).await.is_ok());
    let tokens: Vec<_> = asked.lock().unwrap().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(tokens, ["-", "one", "one", "-", "two"]);
    let error = etcd.perform(&Ask::Look).await.unwrap_err().to_string();
    assert!(error.contains("alice") && !error.contains("canary"), "{error}");
    std::fs::write(&file, " \n").unwrap();
    let error = etcd.perform(&Ask::Look).await.unwrap_err().to_string();
    assert!(error.contains("is empty"), "{error}");
}

const NO_KEYS: &str = r#"{"responses":[{"response_range":{}},{"response_range":{}},{"response_range":{}}]}"#;

#[actix::test]
async fn a_connection_closed_without_an_answer_renews_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "canary-password\n").unwrap();
    let (one, two, three) = (r#"{"token":"one"}"#, r#"{"token":"two"}"#, r#"{"token":"three"}"#);
    let script = [
        (200, one),
        (200, NO_KEYS),
        (0, ""),
        (200, two),
        (200, NO_KEYS),
        (0, ""),
        (503, ""),
        (200, three),
        (200, NO_KEYS),
    ];
    let (url, asked) = serve(Box::leak(Box::new(script)));
    // The other endpoint is away, which says nothing about the token.
    let mut etcd = etcd(&[&url, "http://127.0.0.1:1"], Some(("alice".into(), file)));
    for _ in 0..2 {
        assert_eq!(etcd.perform(&Ask::Look).await, Ok(EtcdAnswer::Seen(Seen::default())));
    }
    assert!(etcd.perform(&Ask::Look).await.is_err(), "the login fails, too");
    assert_eq!(etcd.perform(&Ask::Look).await, Ok(EtcdAnswer::Seen(Seen::default())), "and is tried again");
    let tokens: Vec<_> = asked.lock().unwrap().iter().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(tokens, ["-", "one", "one", "-", "two", "two", "-", "-", "three"]);
}

#[actix::test]
async fn an_endpoint_that_is_not_etcd_hides_no_other_one() {
    for (status, text) in [(404, "Not Found"), (403, "no"), (401, "no"), (200, "<html>"), (200, r#"{"status":"UP"}"#)] {
        let (other, _) = serve(Box::leak(Box::new([(status, text)])));
        let (well, _) = serve(&[(200, NO_KEYS)]);
        let mut etcd = etcd(&[&other, &well], None);
        let _ = etcd.perform(&Ask::Look).await;
        assert_eq!(etcd.perform(&Ask::Look).await, Ok(EtcdAnswer::Seen(Seen::default())), "{status} {text}");
    }
    let (proxy, _) = serve(&[(404, "Not Found")]);
    assert!(etcd(&[&proxy], None).perform(&Ask::Revoke { lease: 7 }).await.is_err());
    let (gone, _) = serve(&[(404, r#"{"error":"etcdserver: requested lease not found"}"#)]);
    assert_eq!(etcd(&[&gone], None).perform(&Ask::Revoke { lease: 7 }).await, Ok(EtcdAnswer::Revoked));
}

#[test]
fn a_certificate_authority_is_at_least_one_certificate() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    assert!(Ca::parse(made.cert.pem().as_bytes()).is_ok());
    for text in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Ca::parse(text.as_bytes()).is_err(), "{text}");
    }
}
