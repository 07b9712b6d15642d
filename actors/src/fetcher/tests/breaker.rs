//! One symbol's errors and the breaker for all: an error of one request does not stop the other requests.

use super::*;

const PAUSE: Duration = Duration::from_millis(150);

/// Number of failures in a row that open it.
fn breakers() -> Breakers {
    Breakers::new(BreakerPolicy { failures: 5, pause: PAUSE })
}

/// A market in which all requests fail while it is down. Otherwise `first` is the answer for the first symbol.
fn market(first: impl Fn() -> Reply + Send + Sync + 'static) -> (Server, Arc<AtomicBool>) {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let server = Server::start(move |_, request| match &request.path {
        _ if is_down.load(Relaxed) => Reply::Status(401, ""),
        path if path.contains("XX0USD") => first(),
        _ => Reply::Body(rows(NOW - 200..NOW)),
    });
    (server, down)
}

/// `XX0USD` and so on, as many symbols as needed.
fn symbols(count: usize) -> Vec<String> {
    (0..count).map(|index| if index == 0 { "XX0USD".into() } else { format!("S{index}") }).collect()
}

fn harness(server: &Server, count: usize, breakers: &Breakers) -> Harness {
    let symbols = symbols(count);
    let symbols: Vec<_> = symbols.iter().map(String::as_str).collect();
    let shared = breakers.clone();
    Harness::new(&server.base_url, &symbols, |config| {
        (config.breakers, config.deadline) = (shared, Duration::from_millis(500));
    })
}

async fn outage(harness: &Harness, down: &AtomicBool, breakers: &Breakers) {
    down.store(true, Relaxed);
    while breakers.state(Endpoint::Eodhd) == BreakerState::Closed {
        harness.cycle().await;
    }
    down.store(false, Relaxed);
    tokio::time::sleep(PAUSE + Duration::from_millis(50)).await;
}

#[actix::test]
async fn after_an_outage_a_dead_first_symbol_stops_no_other() {
    for count in [2, 10, 49] {
        for (status, kind) in [(404, "404"), (400, "exception"), (422, "422")] {
            let (server, down) = market(move || Reply::Status(status, ""));
            let breakers = breakers();
            let harness = harness(&server, count, &breakers);
            outage(&harness, &down, &breakers).await;
            let cycle = harness.cycle().await;
            assert_eq!((cycle.failure(0), cycle.calls), (Some(kind), count as u64), "{status}, {count} symbols");
            (1..count).for_each(|index| assert_eq!(cycle.window(index), (200, NOW - 1), "{status}, {count} symbols"));
            assert_eq!(breakers.state(Endpoint::Eodhd), BreakerState::Closed);
        }
    }
}

#[actix::test]
async fn a_fault_of_one_symbol_opens_no_breaker() {
    let bodies = ["[]", "", "<html>", r#"{"code":404}"#, r#"[{"timestamp":"x"}]"#];
    for body in bodies {
        let (server, _) = market(|| Reply::Body(body.into()));
        let breakers = breakers();
        let harness = harness(&server, 1, &breakers);
        for _ in 0..12 {
            assert!(harness.cycle().await.failure(0).is_some_and(|kind| kind != "breaker"), "{body}");
        }
        assert_eq!(breakers.state(Endpoint::Eodhd), BreakerState::Closed, "{body}");
    }
}

#[actix::test]
async fn with_poll_bar_a_dead_symbol_delays_no_other() {
    let server = Server::start(|number, request| match &request.path {
        path if path.contains("XX0USD") => Reply::Status(404, ""),
        _ => Reply::Body(if number < 2 { rows(NOW - 200..NOW) } else { rows(NOW..NOW + 1) }),
    });
    let breakers = breakers();
    let shared = breakers.clone();
    let change = |config: &mut Config| (config.breakers, config.poll) = (shared, Poll::Bar);
    let harness = Harness::new(&server.base_url, &["XX0USD", "EURUSD"], change);
    harness.cycle().await;
    for step in 1..12 {
        harness.clock.set(NOW * HOUR + 300 * step);
        let cycle = harness.cycle().await;
        assert_eq!((cycle.calls, cycle.failure(0), cycle.failure(1)), (1, Some("404"), None), "step {step}");
    }
    harness.clock.set((NOW + 1) * HOUR);
    assert_eq!(harness.cycle().await.window(1), (200, NOW));
    assert_eq!(breakers.state(Endpoint::Eodhd), BreakerState::Closed);
}

#[actix::test]
async fn a_trial_that_fails_is_not_the_trial_again() {
    let (server, down) = market(|| Reply::Late(Duration::from_secs(2), String::new()));
    let breakers = breakers();
    let harness = harness(&server, 10, &breakers);
    outage(&harness, &down, &breakers).await;
    let cycle = harness.cycle().await;
    assert_eq!((cycle.failure(0), cycle.failure(1), cycle.calls), (Some("timeout"), Some("breaker"), 1));
    tokio::time::sleep(PAUSE + Duration::from_millis(50)).await;
    let cycle = harness.cycle().await;
    assert_eq!((cycle.failure(0), cycle.calls), (Some("timeout"), 10));
    (1..10).for_each(|index| assert_eq!(cycle.window(index), (200, NOW - 1)));
}

#[actix::test]
async fn what_is_wrong_with_the_account_or_the_server_opens_it() {
    for status in [401, 402, 403, 429, 500, 503, 301] {
        let server = Server::start(move |_, _| Reply::Status(status, ""));
        let breakers = breakers();
        let harness = harness(&server, 5, &breakers);
        harness.cycle().await;
        assert_eq!(breakers.state(Endpoint::Eodhd), BreakerState::Open, "{status}");
    }
}
