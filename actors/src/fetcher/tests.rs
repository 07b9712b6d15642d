//! The Fetcher against a scripted server.

mod bars;
mod breaker;
mod resampled_bars;

use super::*;
use crate::{
    adapters::{
        endpoint::{Breakers, Inflight},
        eodhd::ApiToken,
    },
    domain::{
        breaker::BreakerPolicy,
        calendar::Calendar,
        instrument::{Instrument, Symbol},
        interval::Interval,
        names::DropReason,
        window::BarRejection,
    },
    messages::{FetchReport, Telemetry},
};
use actix::Addr;
use fixtures::{FakeClock, Recorder, Reply, Server, TakeEvents, rows};
use std::{fs, sync::atomic::AtomicBool, sync::atomic::Ordering::Relaxed};

const HOUR: i64 = 3_600;
/// The hour at which the tests begin.
const NOW: i64 = 500_000;

/// A Fetcher, its clock and the events that it sends.
struct Harness {
    fetcher: Addr<Fetcher>,
    clock: Arc<FakeClock>,
    recorder: Addr<Recorder>,
    telemetry: Telemetry,
}

/// The result of a cycle: the answer and its event.
struct Cycle {
    bars: FetchedBars,
    fetches: Vec<FetchReport>,
    calls: u64,
    errors: Vec<&'static str>,
    rejected: Vec<(BarRejection, u64)>,
}

impl Harness {
    fn new(base_url: &str, tickers: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let instrument = |ticker: &&str| Instrument {
            symbol: Symbol::new(ticker),
            ticker: (*ticker).into(),
            gateway_name: (*ticker).into(),
            threshold: 0.6,
            volume: 0.01,
            digits: 5,
            stop_loss: None,
            take_profit: None,
        };
        let clock = Arc::new(FakeClock::default());
        clock.set(NOW * HOUR);
        let recorder = Recorder::default().start();
        let telemetry = Telemetry::from(recorder.clone().recipient());
        let mut config = Config {
            instruments: tickers.iter().map(instrument).collect(),
            interval: Interval::OneHour,
            lookback_bars: 200,
            base_url: base_url.into(),
            token: ApiToken::Value("canary-token".into()),
            poll: Poll::Cycle,
            overdue_poll_s: 300,
            deadline: Duration::from_secs(5),
            body_bytes_max: 4 << 20,
            concurrency: 8,
            market_clock: MarketClock::System,
            calendar: Arc::new(Calendar::always()),
            on_gap: OnGap::Continue,
            jump_max: 0.2,
            clock: clock.clone(),
            inflight: Inflight::default(),
            breakers: Breakers::default(),
            metrics: telemetry.clone(),
        };
        change(&mut config);
        Self { fetcher: Fetcher::new(config).start(), clock, recorder, telemetry }
    }

    /// Answers that were counted as discarded.
    fn discarded(&self) -> u64 {
        self.telemetry.backlog().dropped(ActorName::Fetcher, DropReason::Invalid)
    }

    async fn cycle(&self) -> Cycle {
        self.cycle_of(None).await
    }

    /// Of these symbols only.
    async fn cycle_of(&self, only: Option<&[&str]>) -> Cycle {
        let only = only.map(|only| Arc::new(only.iter().map(|name| Symbol::new(name)).collect()));
        let bars = self.fetcher.send(FetchBars { cycle_id: 1, only }).await.unwrap();
        let events = self.recorder.send(TakeEvents).await.unwrap();
        let event = events.into_iter().find(|event| matches!(event, Event::BarsFetched { .. }));
        let Some(Event::BarsFetched { fetches, api, rejected }) = event else { panic!("no event") };
        Cycle { bars, fetches, calls: api.calls, errors: api.errors, rejected }
    }
}

impl Cycle {
    /// Kind of the failure of a symbol.
    fn failure(&self, index: usize) -> Option<&'static str> {
        let kind = self.bars.windows[index].1.as_ref().err().map(|failure| failure.kind);
        assert_eq!(self.fetches[index].failure, kind);
        kind
    }

    /// Number of bars of a symbol and the hour of the newest.
    fn window(&self, index: usize) -> (usize, i64) {
        let bars = self.bars.windows[index].1.as_ref().unwrap();
        (bars.len(), bars.last().unwrap().open_time / HOUR)
    }
}

#[actix::test]
async fn a_symbol_that_comes_back_takes_its_bars_anew() {
    let server = Server::start(|_, _| Reply::Body(rows(NOW - 200..NOW)));
    let harness = Harness::new(&server.base_url, &["EURUSD", "GBPUSD"], |_| {});
    harness.cycle().await;
    let one = harness.cycle_of(Some(&["GBPUSD"])).await;
    let names: Vec<_> = one.bars.windows.iter().map(|(symbol, _)| symbol.as_str()).collect();
    assert_eq!(names, ["GBPUSD"]);
    let left = one.fetches.iter().find(|fetch| fetch.symbol.as_str() == "EURUSD").unwrap();
    assert_eq!((left.newest_bar_close_time, left.failure), (Some(0), None), "nobody waits for its bars");
    assert_eq!(harness.cycle().await.bars.windows.len(), 2);
    let requests = server.requests();
    let asked =
        |name: &str| requests.iter().filter(|it| it.path.contains(name)).map(|it| it.range()).collect::<Vec<_>>();
    let whole = Some((NOW * HOUR - 200 * HOUR * 7 / 5 - 4 * 86_400, NOW * HOUR));
    assert_eq!(asked("EURUSD"), [whole, whole]);
    assert_eq!((asked("GBPUSD").len(), asked("GBPUSD")[0]), (3, whole));
    assert!(asked("GBPUSD")[1..].iter().all(|range| *range != whole));
}

#[actix::test]
async fn it_asks_only_for_what_it_lacks() {
    let server = Server::start(|number, _| {
        Reply::Body(match number {
            0 => rows(NOW - 250..NOW + 1),
            1 => "[]".into(),
            _ => rows(NOW..NOW + 2),
        })
    });
    let harness = Harness::new(&server.base_url, &["EURUSD.FOREX"], |_| {});
    let first = harness.cycle().await;
    assert_eq!((first.window(0), first.calls, first.bars.market_now), ((200, NOW - 1), 1, NOW * HOUR));
    assert_eq!(first.fetches[0].newest_bar_close_time, Some(NOW * HOUR));
    harness.clock.set(NOW * HOUR + 60);
    assert_eq!(harness.cycle().await.window(0), (200, NOW - 1), "nothing new is no fault");
    harness.clock.set((NOW + 1) * HOUR + 60);
    assert_eq!(harness.cycle().await.window(0), (200, NOW), "the forming bar stays out");

    let requests = server.requests();
    assert!(requests[0].path.starts_with("/api/intraday/EURUSD.FOREX?interval=1h&"), "{requests:?}");
    assert!(requests[0].path.ends_with("&fmt=json") && requests[0].authorization == "Bearer canary-token");
    assert_eq!(requests[0].range(), Some((NOW * HOUR - 200 * HOUR * 7 / 5 - 4 * 86_400, NOW * HOUR)));
    assert_eq!(requests[1].range(), Some((NOW * HOUR, NOW * HOUR + 60)));
    assert_eq!(requests[2].range(), Some((NOW * HOUR, (NOW + 1) * HOUR + 60)));
}

#[actix::test]
async fn a_short_first_answer_is_completed() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Body(rows(NOW - 50..NOW)),
        1 => Reply::Body("[]".into()),
        _ => Reply::Body(rows(NOW - 200..NOW)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| ());
    assert_eq!(harness.cycle().await.window(0), (50, NOW - 1));
    assert_eq!(harness.cycle().await.window(0), (50, NOW - 1), "at first only for what is newer");
    harness.clock.set(NOW * HOUR + 300);
    assert_eq!(harness.cycle().await.window(0), (200, NOW - 1), "then for the whole range again");
}

#[actix::test]
async fn from_is_always_before_to() {
    let server = Server::start(|_, _| Reply::Body(rows(NOW - 200..NOW)));
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    harness.cycle().await;
    harness.cycle().await;
    assert_eq!(server.requests()[1].range(), Some((NOW * HOUR, NOW * HOUR + 1)));
}

#[actix::test]
async fn a_fault_that_may_pass_is_retried_once() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Close,
        2 => Reply::Status(503, ""),
        4 => Reply::Status(429, "Retry-After: 0\r\n"),
        6 | 7 => Reply::Status(500, ""),
        8 => Reply::Status(404, ""),
        _ => Reply::Body(rows(NOW - 200..NOW)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    let broken = harness.cycle().await;
    assert_eq!((broken.window(0), broken.calls, broken.errors), ((200, NOW - 1), 2, vec!["exception"]));
    let refused = harness.cycle().await;
    assert_eq!((refused.failure(0), refused.calls, refused.errors), (None, 2, vec!["503"]));
    let limited = harness.cycle().await;
    assert_eq!((limited.failure(0), limited.calls, limited.errors), (None, 2, vec!["429"]));
    let twice = harness.cycle().await;
    assert_eq!(
        (twice.failure(0), twice.calls, twice.errors.len()),
        (Some("500"), 2, 2),
        "a window is held all the same"
    );
    let unknown = harness.cycle().await;
    assert_eq!((unknown.failure(0), unknown.calls), (Some("404"), 1));
    let told = format!("{:?}", unknown.bars.windows);
    assert!(told.contains("[redacted]") && !told.contains("canary"), "{told}");
}

#[actix::test]
async fn the_deadline_covers_a_dripping_body() {
    let server = Server::start(|_, _| Reply::Drip);
    let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.deadline = Duration::from_millis(300));
    let started = Instant::now();
    let cycle = harness.cycle().await;
    assert_eq!((cycle.failure(0), cycle.calls, cycle.errors), (Some("timeout"), 1, vec!["timeout"]));
    assert!((300..1_000).contains(&started.elapsed().as_millis()));
    assert!(cycle.fetches[0].duration >= Some(Duration::from_millis(300)), "failures are timed too");
}

#[actix::test]
async fn a_redirect_or_an_oversized_answer_is_refused() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Status(302, "Location: /elsewhere\r\n"),
        _ => Reply::Body(" ".repeat(5_000_000) + &rows(NOW - 200..NOW)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    for _ in 0..2 {
        let cycle = harness.cycle().await;
        assert_eq!((cycle.failure(0), cycle.calls, cycle.errors), (Some("exception"), 1, vec!["exception"]));
    }
    assert!(server.requests().iter().all(|request| request.path.starts_with("/api/intraday/")));
}

#[actix::test]
async fn an_answer_of_another_shape_is_counted_as_an_error() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Body("[]".into()),
        1 => Reply::Body(String::new()),
        2 => Reply::Body(r#"{"error":"canary-token"}"#.into()),
        3 => Reply::Body(r#""canary-token""#.into()),
        _ => Reply::Body(rows(NOW..NOW + 1)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    for kind in ["empty_response", "empty_response", "bad_shape", "bad_shape", "empty_response"] {
        let cycle = harness.cycle().await;
        assert_eq!((cycle.failure(0), cycle.errors), (Some(kind), vec![kind]));
        assert!(!format!("{:?}", cycle.bars).contains("canary"));
    }
}

#[actix::test]
async fn a_long_retry_after_silences_the_next_cycles() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Status(429, "Retry-After: 1\r\n"),
        _ => Reply::Body(rows(NOW - 200..NOW)),
    });
    let change = |config: &mut Config| (config.deadline, config.concurrency) = (Duration::from_millis(500), 1);
    let harness = Harness::new(&server.base_url, &["EURUSD", "GBPUSD"], change);
    let first = harness.cycle().await;
    assert_eq!((first.failure(0), first.failure(1)), (Some("429"), Some("rate_limited")));
    assert_eq!((first.calls, first.errors), (1, vec!["429"]));
    let second = harness.cycle().await;
    assert_eq!((second.failure(0), second.failure(1)), (Some("rate_limited"), Some("rate_limited")));
    assert_eq!((second.calls, second.errors.len()), (0, 0));
    assert!(second.fetches[0].duration.is_some(), "failures are timed too");
    sleep_ms(1_050).await;
    let third = harness.cycle().await;
    assert_eq!((third.failure(0), third.failure(1), third.calls), (None, None, 2));
}

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[actix::test]
async fn with_poll_bar_it_asks_when_a_newer_bar_can_exist() {
    let late = Arc::new(AtomicBool::new(true));
    let is_late = late.clone();
    let server = Server::start(move |number, _| match number {
        0 => Reply::Body(rows(NOW - 200..NOW)),
        1 => Reply::Status(404, ""),
        _ if is_late.load(Relaxed) => Reply::Body("[]".into()),
        _ => Reply::Body(rows(NOW..NOW + 1)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.poll = Poll::Bar);
    let due = (NOW + 1) * HOUR;
    let cases = [
        (NOW * HOUR, 1, None),
        (due - 1, 0, None),
        (due, 1, Some("404")),
        (due + 60, 0, None),
        (due + 299, 0, None),
        (due + 300, 1, None),
        (due + 599, 0, None),
        (due + 600, 1, None),
    ];
    for (now, calls, failure) in cases {
        harness.clock.set(now);
        let cycle = harness.cycle().await;
        assert_eq!((cycle.calls, cycle.failure(0), cycle.fetches[0].duration.is_some()), (calls, failure, calls == 1));
        assert_eq!(cycle.fetches[0].newest_bar_close_time, Some(NOW * HOUR));
    }
    late.store(false, Relaxed);
    harness.clock.set(due + 900);
    assert_eq!(harness.cycle().await.window(0), (200, NOW));
    assert_eq!(harness.cycle().await.calls, 0, "the next one cannot have closed");
}

#[actix::test]
async fn with_the_bars_clock_now_is_the_newest_close_and_every_cycle_polls() {
    let server = Server::start(|number, request| {
        let behind = if request.path.contains("GBPUSD") { 3 } else { 0 };
        Reply::Body(if number < 2 { rows(100 - behind..400 - behind) } else { rows(400 - behind..401 - behind) })
    });
    let change = |config: &mut Config| (config.poll, config.market_clock) = (Poll::Bar, MarketClock::Bars);
    let harness = Harness::new(&server.base_url, &["EURUSD", "GBPUSD"], change);
    harness.clock.set(50 * HOUR);
    let first = harness.cycle().await;
    assert_eq!((first.window(0), first.window(1), first.bars.market_now), ((200, 399), (200, 396), 400 * HOUR));
    let second = harness.cycle().await;
    assert_eq!((second.window(0), second.window(1), second.bars.market_now), ((200, 400), (200, 397), 401 * HOUR));
    let requests = server.requests();
    assert!(requests[..2].iter().all(|request| request.range().is_none() && !request.path.contains("from")));
    let later: Vec<_> = requests[2..].iter().filter_map(|request| request.range()).collect();
    assert!(
        later.contains(&(400 * HOUR, 400 * HOUR + 1)) && later.contains(&(397 * HOUR, 397 * HOUR + 1)),
        "{later:?}"
    );
}

#[actix::test]
async fn one_symbols_failure_never_costs_another() {
    let server = Server::start(|_, request| match &request.path {
        path if path.contains("HUNG") => Reply::Late(Duration::from_secs(2), String::new()),
        path if path.contains("GONE") => Reply::Status(404, ""),
        _ => Reply::Body(rows(NOW - 200..NOW)),
    });
    let change = |config: &mut Config| (config.deadline, config.concurrency) = (Duration::from_millis(400), 2);
    let harness = Harness::new(&server.base_url, &["HUNG", "GONE", "A", "B", "C"], change);
    let cycle = harness.cycle().await;
    assert_eq!((cycle.failure(0), cycle.failure(1)), (Some("timeout"), Some("404")));
    let names: Vec<_> = cycle.bars.windows.iter().map(|(symbol, _)| symbol.as_str()).collect();
    assert_eq!(names, ["HUNG", "GONE", "A", "B", "C"]);
    assert!((2..5).all(|index| cycle.window(index) == (200, NOW - 1)));
}

#[actix::test]
async fn a_conflict_or_an_invalid_newest_bar_stops_the_decision_and_heals() {
    let changed = rows(NOW - 1..NOW).replace("1.4", "1.5");
    let null = rows(NOW..NOW + 1).replace("\"close\":1", "\"close\":null,\"was\":1");
    let server = Server::start(move |number, _| {
        Reply::Body(match number {
            1 => changed.clone(),
            3 => null.clone(),
            4 => rows(NOW..NOW + 1),
            _ => rows(NOW - 200..NOW),
        })
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    harness.clock.set((NOW + 1) * HOUR);
    assert_eq!(harness.cycle().await.failure(0), None);
    let conflict = harness.cycle().await;
    assert_eq!((conflict.failure(0), conflict.rejected), (Some("conflict"), vec![(BarRejection::Conflict, 1)]));
    assert_eq!(harness.discarded(), 1);
    assert_eq!(harness.cycle().await.window(0), (200, NOW - 1), "everything is asked for again");
    let invalid = harness.cycle().await;
    assert_eq!((invalid.failure(0), invalid.rejected), (Some("newest_bar_invalid"), vec![(BarRejection::Null, 1)]));
    assert!(invalid.errors.is_empty(), "the answer itself was in order");
    assert_eq!(harness.cycle().await.window(0), (200, NOW));
}

/// 200 bars up to `NOW`, without the one that is `ago` bars old.
fn rows_without(ago: i64) -> String {
    let (before, after) = (rows(NOW - 201..NOW - ago), rows(NOW - ago + 1..NOW));
    format!("{},{}", before.trim_end_matches(']'), after.trim_start_matches('['))
}

#[actix::test]
async fn a_gap_is_counted_once_and_stops_only_when_asked_to() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Body(rows_without(30)),
        1 => Reply::Body("[]".into()),
        // The hour after the newest bar never comes, so it is a second gap.
        _ => Reply::Body(rows(NOW + 1..NOW + 2)),
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |_| {});
    let first = harness.cycle().await;
    assert_eq!((first.failure(0), first.window(0), first.fetches[0].gaps), (None, (200, NOW - 1), 1));
    assert_eq!(harness.cycle().await.fetches[0].gaps, 0, "known already");
    harness.clock.set((NOW + 2) * HOUR);
    assert_eq!(harness.cycle().await.fetches[0].gaps, 1);
    assert_eq!(harness.cycle().await.fetches[0].gaps, 0);
}

#[actix::test]
async fn a_gap_stops_the_decision_while_the_model_sees_both_sides_of_it() {
    // The missing bar is between the 59th and the 60th newest, then between the 60th and the 61st.
    for (ago, failure) in [(60, Some("gap")), (61, None)] {
        let server = Server::start(move |_, _| Reply::Body(rows_without(ago)));
        let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.on_gap = OnGap::Stop);
        let cycle = harness.cycle().await;
        assert_eq!((cycle.failure(0), cycle.fetches[0].gaps), (failure, 1), "{ago} bars ago");
        assert!(cycle.errors.is_empty(), "the answer itself was in order");
    }
}

#[actix::test]
async fn a_gap_that_the_calendar_explains_is_none() {
    let mut calendar = Calendar::always();
    let day = chrono::DateTime::from_timestamp((NOW - 30) * HOUR, 0).unwrap().date_naive();
    calendar.close(crate::domain::calendar::Closure::Days(day, day));
    let server = Server::start(|_, _| Reply::Body(rows_without(30)));
    let change = |config: &mut Config| (config.on_gap, config.calendar) = (OnGap::Stop, Arc::new(calendar));
    let cycle = Harness::new(&server.base_url, &["EURUSD"], change).cycle().await;
    assert_eq!((cycle.failure(0), cycle.fetches[0].gaps), (None, 0));
}

#[actix::test]
async fn an_open_breaker_makes_no_request_and_one_probe_closes_it_for_all() {
    let server = Server::start(|number, _| match number {
        0..=2 => Reply::Status(401, ""),
        _ => Reply::Body(rows(NOW - 200..NOW)),
    });
    let breakers = Breakers::new(BreakerPolicy { failures: 2, pause: Duration::from_millis(300) });
    let shared = breakers.clone();
    let harness = Harness::new(&server.base_url, &["EURUSD", "GBPUSD"], |config| config.breakers = shared);
    let failing = harness.cycle().await;
    assert_eq!((failing.failure(0), failing.failure(1), failing.calls), (Some("401"), Some("401"), 2));
    assert_eq!(breakers.state(Endpoint::Eodhd), BreakerState::Open);
    let open = harness.cycle().await;
    assert_eq!((open.failure(0), open.failure(1), open.calls), (Some("breaker"), Some("breaker"), 0));
    assert!(open.errors.is_empty(), "nothing was asked");
    sleep_ms(350).await;
    let probed = harness.cycle().await;
    assert_eq!((probed.failure(0), probed.failure(1), probed.calls), (Some("401"), Some("breaker"), 1));
    sleep_ms(350).await;
    let healed = harness.cycle().await;
    assert_eq!((healed.failure(0), healed.failure(1), healed.calls), (None, None, 2), "in the same cycle");
    assert_eq!(breakers.state(Endpoint::Eodhd), BreakerState::Closed);
}

#[actix::test]
async fn a_provider_without_newer_bars_is_no_failing_endpoint() {
    let server = Server::start(|_, _| Reply::Body("[]".into()));
    let breakers = Breakers::new(BreakerPolicy { failures: 1, ..Default::default() });
    let shared = breakers.clone();
    let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.breakers = shared);
    assert_eq!(harness.cycle().await.failure(0), Some("empty_response"));
    assert!(breakers.admits(Endpoint::Eodhd));
}

#[actix::test]
async fn a_token_file_is_read_for_each_cycle() {
    let path = std::env::temp_dir().join(format!("sentinel-token-{}", uuid::Uuid::new_v4()));
    let server = Server::start(|_, _| Reply::Body(rows(NOW - 200..NOW)));
    let harness =
        Harness::new(&server.base_url, &["EURUSD", "GBPUSD"], |config| config.token = ApiToken::File(path.clone()));
    let absent = harness.cycle().await;
    assert_eq!((absent.failure(0), absent.failure(1)), (Some("no_api_key"), Some("no_api_key")));
    assert_eq!((absent.calls, absent.errors), (0, vec!["no_api_key"; 2]));
    for token in ["one\n", "two\n"] {
        fs::write(&path, token).unwrap();
        assert_eq!(harness.cycle().await.failure(0), None);
        assert_eq!(server.requests().last().unwrap().authorization, format!("Bearer {}", token.trim()));
    }
    fs::write(&path, "\n").unwrap();
    assert_eq!(harness.cycle().await.failure(0), Some("no_api_key"));
    fs::remove_file(path).unwrap();
}

#[actix::test]
async fn a_server_that_is_not_there_is_a_connect_error() {
    let harness = Harness::new("http://127.0.0.1:1", &["EURUSD"], |_| {});
    let cycle = harness.cycle().await;
    assert_eq!((cycle.failure(0), cycle.calls, cycle.errors), (Some("connect"), 2, vec!["connect"; 2]));
}
