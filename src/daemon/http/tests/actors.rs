//! Actors that are late or silent, and many requests at once.

use super::*;

#[actix::test]
async fn if_the_actor_is_late_the_last_text_is_served() {
    let deps = stubs(Stub { silent: true, ..Stub::default() });
    let snapshot = deps.snapshot.clone();
    let (address, _) = start(deps);
    let (status, _, body) = ask(address, "GET", "/metrics").await;
    assert_eq!((status, body.as_str()), (503, "no metrics yet\n"));
    snapshot.set(exposition(Format::Text, "last known"));
    let (status, head, body) = ask(address, "GET", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, "last known"));
    assert!(head.contains("version=0.0.4"), "{head}");
    snapshot.set(exposition(Format::OpenMetrics, "newer"));
    let (status, head, body) = ask(address, "GET", "/metrics").await;
    assert_eq!((status, body.as_str()), (200, "newer"), "the newest, in whichever format it is");
    assert!(head.contains("openmetrics-text"), "{head}");
}

#[actix::test]
async fn silent_actors_fail_every_probe_with_a_reason() {
    let (address, _) = start(stubs(Stub { silent: true, ..Stub::default() }));
    for path in ["/livez", "/readyz", "/startupz", "/health"] {
        let (status, _, body) = ask(address, "GET", path).await;
        assert_eq!((status, body.contains("did not answer in time")), (503, true), "{path}");
    }
}

#[actix::test]
async fn simultaneous_scrapes_ask_the_actor_once() {
    let stub = Stub::default();
    let asked = Arc::clone(&stub.asked);
    let (address, _) = start(stubs(stub));
    let answers = futures_util::future::join_all((0..10).map(|_| ask(address, "GET", "/metrics"))).await;
    assert!(answers.iter().all(|(status, _, body)| (*status, body.as_str()) == (200, "fresh")));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    ask(address, "GET", "/metrics").await;
    assert_eq!(asked.load(Ordering::Relaxed), 2, "after an answer a new request is sent");
}

#[actix::test]
async fn a_request_that_nobody_waits_for_is_dropped() {
    let stub = Stub::default();
    let asked = Arc::clone(&stub.asked);
    let question = GetMetrics { format: Format::Text, is_gzipped: false };
    let ask = SharedRequest::new(stub.start().recipient::<GetMetrics>(), question, Duration::from_secs(5));
    let gone = tokio::time::timeout(Duration::from_millis(20), ask.answer()).await;
    assert!(gone.is_err());
    assert_eq!(ask.answer().await, Some(exposition(Format::Text, "fresh")));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
