//! From events to texts and verdicts, through the actor's messages.

mod account;
mod claim;
mod compression;
mod money;
mod symbols;

use super::*;
use crate::{
    adapters::halt_file::HaltFile,
    domain::{
        cluster::Unguarded,
        decision::{Action, Decision},
        drift::{FirstConfidence, Reference},
        features::InvalidValues,
        guard::Suppression,
        names::{ActorName, DropReason},
        order::{Order, Outcome, Side},
        order_manager::OrderResult,
        regime::Regime,
        window::BarRejection,
    },
    messages::{
        ApiUsage, BuildReport, DecisionReport, FetchReport, PredictionReport, SignalReport, SignalResult, Telemetry,
    },
    metrics::health::Status,
};
use actix::Addr;
use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

const START: u64 = 1_500_000_000;

/// A clock that only the test moves, in seconds.
#[derive(Clone)]
struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

impl HandClock {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn start() -> (Addr<MetricsActor>, HandClock, Inflight, Snapshot) {
    start_with(|_| {})
}

fn config(clock: &HandClock) -> Config {
    Config {
        symbols: vec![Symbol::new("EURUSD"), Symbol::new("USDJPY")],
        build: BuildInfo { version: "0.1.0".into(), revision: "abc1234".into(), rustc: "1.85.0".into() },
        config_hash: 281_474_976_710_655,
        drift: Drift::default(),
        failed_share_max: 0.5,
        live: true,
        money: None,
        paper: None,
        max_bar_age_s: 10_800,
        kill_switch: Arc::new(HaltFile::new(None)),
        authority: Arc::new(Unguarded::default()),
        claim: "/sentinel/12".into(),
        period: Duration::from_secs(60),
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        backlog: Backlog::default(),
        clock: Arc::new(clock.clone()),
    }
}

fn start_with(change: impl FnOnce(&mut Config)) -> (Addr<MetricsActor>, HandClock, Inflight, Snapshot) {
    let clock = HandClock(Arc::new(START.into()));
    let mut config = config(&clock);
    change(&mut config);
    let inflight = config.inflight.clone();
    let actor = MetricsActor::new(config).unwrap();
    let snapshot = actor.snapshot();
    (actor.start(), clock, inflight, snapshot)
}

fn plain(format: Format) -> GetMetrics {
    GetMetrics { format, is_gzipped: false }
}

async fn text(actor: &Addr<MetricsActor>) -> String {
    String::from_utf8(actor.send(plain(Format::Text)).await.unwrap().text.to_vec()).unwrap()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

fn finished(cycle_id: u64, failed: bool) -> Event {
    let finished_at = (START + cycle_id) as f64 + 0.25;
    Event::CycleFinished { cycle_id, finished_at, duration: Duration::from_millis(300), failed }
}

fn decision(action: Action, likeliest: Action, confidence: f64) -> Decision {
    Decision { action, likeliest, confidence }
}

fn decided(symbol: &str, bar_close_time: i64, decision: Decision) -> DecisionReport {
    DecisionReport { symbol: Symbol::new(symbol), bar_close_time, decision }
}

fn ordered(side: Side, outcome: Outcome, latency_ms: Option<u64>) -> SignalReport {
    let order = Order {
        client_order_id: uuid::Uuid::nil(),
        symbol: Symbol::new("EURUSD"),
        gateway_name: "EURUSD".into(),
        closes: None,
        side,
        volume: 0.01,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time: 0,
    };
    let latency = latency_ms.map(Duration::from_millis);
    let result = SignalResult::Ordered {
        order: Box::new(order),
        answer: OrderResult { outcome, send_latency: latency, gateway_roundtrip: latency },
    };
    SignalReport {
        symbol: Symbol::new("EURUSD"),
        side,
        closes: Vec::new(),
        judged_at: None,
        slippage_points: None,
        result,
    }
}

#[actix::test]
async fn events_from_many_threads_sum_exactly() {
    const THREADS: u64 = 8;
    const EVENTS: u64 = 2_000;
    let (actor, ..) = start();
    let senders = (0..THREADS).map(|_| {
        let recipient = actor.clone().recipient::<Event>();
        thread::spawn(move || {
            for i in 0..EVENTS {
                recipient.do_send(finished(i, i % 4 == 0));
                recipient.do_send(Event::TicksMissed(3));
                let decisions = vec![decided("USDJPY", 0, decision(Action::Buy, Action::Buy, 0.75))];
                recipient.do_send(Event::SignalsDecided { decisions, suppressed: vec![Suppression::StaleBar] });
            }
        })
    });
    let senders = senders.collect::<Vec<_>>();
    // Scrapes in between must not lose or repeat an event.
    while !senders.iter().all(thread::JoinHandle::is_finished) {
        text(&actor).await;
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());

    let text = text(&actor).await;
    let all = (THREADS * EVENTS) as f64;
    assert_eq!(value(&text, "sentinel_trading_cycles_total"), all);
    assert_eq!(value(&text, "sentinel_trading_cycles_failed_total"), all / 4.0);
    assert_eq!(value(&text, "sentinel_trading_cycle_duration_seconds_count"), all);
    assert_eq!(value(&text, "sentinel_scheduler_ticks_missed_total"), all * 3.0);
    assert_eq!(value(&text, "sentinel_symbol_signals_total{action=\"BUY\",symbol=\"USDJPY\"}"), all);
    assert_eq!(value(&text, "sentinel_prediction_confidence_sum"), all * 0.75);
    assert_eq!(value(&text, "sentinel_signals_suppressed_total{reason=\"stale_bar\"}"), all);
}

#[actix::test]
async fn a_cycles_events_become_the_numbers_they_mean() {
    let (actor, clock, ..) = start();
    clock.advance(30);
    let fetch = |symbol, failure| FetchReport {
        symbol: Symbol::new(symbol),
        duration: Some(Duration::from_millis(200)),
        newest_bar_close_time: Some(1_499_997_600),
        failure,
        gaps: 2,
    };
    let api = ApiUsage { calls: 3, errors: vec!["429", "418"] };
    let rejected = vec![(BarRejection::HighBelowLow, 2)];
    let fetches = vec![fetch("EURUSD", None), fetch("USDJPY", Some("timeout"))];
    actor.do_send(Event::BarsFetched { fetches, api, rejected });
    let duration = Duration::from_micros(10);
    let symbol = Symbol::new("EURUSD");
    let builds = vec![BuildReport { symbol, duration, failure: None, regime: Regime::Trend }];
    actor.do_send(Event::FeaturesBuilt { builds, invalid: InvalidValues { nan: 4, ..Default::default() } });
    let request = |failure| PredictionReport { latency: Duration::from_millis(20), failure, row_failures: vec![] };
    let requests = vec![request(None), request(Some("bad_shape"))];
    actor.do_send(Event::PredictionsReceived {
        requests,
        api: ApiUsage { calls: 2, errors: vec!["bad_shape"] },
        is_refused: false,
    });
    let decisions = vec![
        decided("EURUSD", 0, decision(Action::Buy, Action::Buy, 0.7)),
        decided("USDJPY", 0, decision(Action::Hold, Action::Sell, 0.5)),
    ];
    actor.do_send(Event::SignalsDecided { decisions, suppressed: vec![Suppression::BelowThreshold] });

    actor.do_send(Event::ClockStepped);

    let text = text(&actor).await;
    for (series, expected) in [
        ("sentinel_clock_steps_total", 1.0),
        ("sentinel_data_fetch_duration_seconds_count", 2.0),
        ("sentinel_data_fetch_duration_seconds_bucket{le=\"0.1\"}", 0.0),
        ("sentinel_data_fetch_duration_seconds_bucket{le=\"0.25\"}", 2.0),
        ("sentinel_data_fetch_failed_total", 1.0),
        ("sentinel_last_bar_timestamp_seconds{symbol=\"EURUSD\"}", 1_499_997_600.0),
        ("sentinel_bars_rejected_total{reason=\"high_below_low\"}", 2.0),
        ("sentinel_bar_gaps_total{symbol=\"EURUSD\"}", 2.0),
        ("sentinel_api_calls_total{endpoint=\"eodhd\"}", 3.0),
        ("sentinel_api_errors_total{endpoint=\"eodhd\",error_code=\"429\"}", 1.0),
        ("sentinel_api_errors_total{endpoint=\"eodhd\",error_code=\"exception\"}", 1.0),
        ("sentinel_api_errors_total{endpoint=\"hub\",error_code=\"bad_shape\"}", 1.0),
        ("sentinel_feature_build_duration_seconds_count", 1.0),
        ("sentinel_feature_invalid_values_total{kind=\"nan\"}", 4.0),
        ("sentinel_prediction_requests_total", 2.0),
        ("sentinel_prediction_failures_total", 1.0),
        ("sentinel_prediction_latency_seconds_count", 1.0),
        ("sentinel_last_prediction_confidence", 0.5),
        ("sentinel_trading_signals_total{action=\"BUY\"}", 1.0),
        ("sentinel_trading_signals_total{action=\"HOLD\"}", 1.0),
        ("sentinel_trading_signals_total{action=\"SELL\"}", 0.0),
        ("sentinel_signals_suppressed_total{reason=\"below_threshold\"}", 1.0),
        ("sentinel_step_last_success_timestamp_seconds{step=\"fetch\"}", START as f64),
        ("sentinel_step_last_success_timestamp_seconds{step=\"features\"}", (START + 30) as f64),
        ("sentinel_step_last_success_timestamp_seconds{step=\"predict\"}", START as f64),
        ("sentinel_step_last_success_timestamp_seconds{step=\"decide\"}", (START + 30) as f64),
        ("sentinel_config_hash", 281_474_976_710_655.0),
        ("sentinel_market_regime{regime=\"trend\",symbol=\"EURUSD\"}", 1.0),
        ("sentinel_market_regime{regime=\"unknown\",symbol=\"EURUSD\"}", 0.0),
        ("sentinel_market_regime{regime=\"unknown\",symbol=\"USDJPY\"}", 1.0),
        ("sentinel_build_info{revision=\"abc1234\",rustc=\"1.85.0\",version=\"0.1.0\"}", 1.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
}

#[actix::test]
async fn only_a_filled_order_counts_as_executed() {
    let (actor, clock, ..) = start();
    clock.advance(30);
    let filled = Outcome::Filled { ticket: 1, price: None, volume: None };
    let reports = vec![
        ordered(Side::Buy, filled, Some(2)),
        ordered(Side::Sell, Outcome::Rejected { reason: "no money".into() }, Some(2)),
        ordered(Side::Sell, Outcome::Unknown { reason: "timeout".into() }, None),
        SignalReport {
            symbol: Symbol::new("USDJPY"),
            side: Side::Buy,
            closes: Vec::new(),
            judged_at: None,
            slippage_points: None,
            result: SignalResult::Suppressed(Suppression::Unresolved),
        },
    ];
    actor.do_send(Event::SignalsHandled { reports });

    let text = text(&actor).await;
    for (series, expected) in [
        ("sentinel_trading_signals_executed_total{action=\"BUY\"}", 1.0),
        ("sentinel_trading_signals_executed_total{action=\"SELL\"}", 0.0),
        ("sentinel_orders_total{outcome=\"filled\"}", 1.0),
        ("sentinel_orders_total{outcome=\"rejected\"}", 1.0),
        ("sentinel_orders_total{outcome=\"unknown\"}", 1.0),
        ("sentinel_zmq_send_latency_seconds_count", 2.0),
        ("sentinel_zmq_send_failures_total", 1.0),
        ("sentinel_gateway_roundtrip_seconds_count", 2.0),
        ("sentinel_signals_suppressed_total{reason=\"unresolved\"}", 1.0),
        ("sentinel_step_last_success_timestamp_seconds{step=\"send\"}", (START + 30) as f64),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    let health = actor.send(GetHealth).await.unwrap();
    assert_eq!(health.stages[4].1.last_outcome, "unknown");
}

#[actix::test]
async fn a_cycle_without_orders_says_nothing_about_the_gateway() {
    let (actor, ..) = start();
    let result = SignalResult::Suppressed(Suppression::DryRun);
    let report = SignalReport {
        symbol: Symbol::new("EURUSD"),
        side: Side::Buy,
        closes: Vec::new(),
        judged_at: None,
        slippage_points: None,
        result,
    };
    actor.do_send(Event::SignalsHandled { reports: vec![report] });
    let health = actor.send(GetHealth).await.unwrap();
    assert_eq!(health.stages[4].1.last_outcome, "none yet");
    let text = text(&actor).await;
    assert_eq!(value(&text, "sentinel_zmq_send_failures_total"), 0.0);
    assert_eq!(value(&text, "sentinel_step_last_success_timestamp_seconds{step=\"send\"}"), START as f64);
}

#[actix::test]
async fn the_text_is_made_again_only_when_something_changed() {
    let (actor, clock, inflight, snapshot) = start();
    let first = actor.send(plain(Format::Text)).await.unwrap();
    assert_eq!(snapshot.get(), Some(first.clone()), "published at the start");
    let again = actor.send(plain(Format::Text)).await.unwrap();
    assert_eq!(first.text.as_ptr(), again.text.as_ptr(), "the same bytes");

    let guard = inflight.enter(Endpoint::Gateway);
    let text_in_flight = text(&actor).await;
    assert_eq!(value(&text_in_flight, "sentinel_inflight_requests{endpoint=\"gateway\"}"), 1.0);
    drop(guard);
    actor.do_send(Event::TicksMissed(1));
    assert_eq!(value(&text(&actor).await, "sentinel_scheduler_ticks_missed_total"), 1.0);

    let before = actor.send(plain(Format::Text)).await.unwrap();
    clock.advance(1);
    let after = actor.send(plain(Format::Text)).await.unwrap();
    assert_ne!(before.text.as_ptr(), after.text.as_ptr(), "a second has passed");
    assert_eq!(snapshot.get(), Some(after));
}

#[actix::test]
async fn each_breaker_is_in_one_state() {
    let (actor, ..) = start();
    let closed = text(&actor).await;
    for endpoint in ["eodhd", "hub", "gateway"] {
        for (state, expected) in [("closed", 1.0), ("half_open", 0.0), ("open", 0.0)] {
            let series = format!("sentinel_breaker_state{{endpoint=\"{endpoint}\",state=\"{state}\"}}");
            assert_eq!(value(&closed, &series), expected, "{series}");
        }
    }
}

#[actix::test]
async fn a_step_that_the_breaker_kept_from_its_work_says_so() {
    let (actor, ..) = start();
    actor.do_send(Event::PredictionsReceived { requests: vec![], api: ApiUsage::default(), is_refused: true });
    let health = actor.send(GetHealth).await.unwrap();
    assert_eq!(health.stages[2].1.last_outcome, "breaker");
    assert_eq!(value(&text(&actor).await, "sentinel_prediction_requests_total"), 0.0);
}

#[actix::test]
async fn readiness_is_the_same_in_metrics_and_health() {
    let (actor, clock, ..) = start();
    for name in ActorName::ALL {
        actor.do_send(Event::ActorStarted(name));
    }
    actor.do_send(Event::ActorsPinged(ActorName::ALL.map(|name| (name, true)).to_vec()));
    actor.do_send(Event::CycleGuarded { is_market_open: false });
    let closed = text(&actor).await;
    assert_eq!((value(&closed, "sentinel_market_open"), value(&closed, "sentinel_ready")), (0.0, 1.0));
    actor.do_send(Event::CycleGuarded { is_market_open: true });
    let open = text(&actor).await;
    assert_eq!((value(&open, "sentinel_market_open"), value(&open, "sentinel_ready")), (1.0, 0.0));
    actor.do_send(finished(1, false));
    assert_eq!(value(&text(&actor).await, "sentinel_ready"), 1.0);
    let health = actor.send(GetHealth).await.unwrap();
    assert!(health.ready && health.started && health.status == Status::Ok && health.mode == "live");

    clock.advance(181);
    assert_eq!(value(&text(&actor).await, "sentinel_ready"), 0.0);
    assert!(!actor.send(GetHealth).await.unwrap().ready);
}

#[actix::test]
async fn an_actor_is_up_from_its_start_to_its_end() {
    let (actor, ..) = start();
    let up = "sentinel_actor_up{actor=\"predictor\"}";
    let first = text(&actor).await;
    assert_eq!(value(&first, up), 0.0);
    assert_eq!(value(&first, "sentinel_actor_up{actor=\"metrics\"}"), 1.0, "whoever made this text runs");
    actor.do_send(Event::ActorStarted(ActorName::Predictor));
    assert_eq!(value(&text(&actor).await, up), 1.0);
    actor.do_send(Event::ActorRestarted(ActorName::Predictor));
    let restarting = text(&actor).await;
    assert_eq!(value(&restarting, up), 0.0);
    assert_eq!(value(&restarting, "sentinel_actor_restarts_total{actor=\"predictor\"}"), 1.0);
    actor.do_send(Event::ActorStarted(ActorName::Predictor));
    assert_eq!(value(&text(&actor).await, up), 1.0);
    actor.do_send(Event::ActorsPinged(vec![(ActorName::Predictor, false)]));
    assert_eq!(value(&text(&actor).await, up), 0.0);
}

#[actix::test]
async fn the_regime_of_a_symbol_without_usable_bars_is_unknown() {
    let (actor, ..) = start();
    let build = |regime| {
        let (symbol, duration) = (Symbol::new("EURUSD"), Duration::from_micros(10));
        let builds = vec![BuildReport { symbol, duration, failure: None, regime }];
        Event::FeaturesBuilt { builds, invalid: InvalidValues::default() }
    };
    let fetch = |failure| {
        let symbol = Symbol::new("EURUSD");
        let fetches = vec![FetchReport { symbol, duration: None, newest_bar_close_time: None, failure, gaps: 0 }];
        Event::BarsFetched { fetches, api: ApiUsage::default(), rejected: vec![] }
    };
    for (event, current) in [
        (None, "unknown"),
        (Some(build(Regime::Volatile)), "volatile"),
        (Some(build(Regime::Range)), "range"),
        (Some(fetch(None)), "range"),
        (Some(fetch(Some("timeout"))), "unknown"),
    ] {
        event.into_iter().for_each(|event| actor.do_send(event));
        let text = text(&actor).await;
        for regime in ["trend", "range", "volatile", "unknown"] {
            let series = format!("sentinel_market_regime{{regime=\"{regime}\",symbol=\"EURUSD\"}}");
            assert_eq!(value(&text, &series), f64::from(u8::from(regime == current)), "{series}");
        }
    }
}

#[actix::test]
async fn drift_goes_on_from_what_was_known_and_says_nothing_before_500() {
    let reference = Reference::new(vec![0.5, 1.0], vec![0.5, 0.5]).unwrap();
    let known = |count: i64| {
        let first = |bar_close_time| FirstConfidence { symbol: Symbol::new("EURUSD"), bar_close_time, confidence: 0.9 };
        (0..count).map(first)
    };
    let decide = |bar| Event::SignalsDecided {
        decisions: vec![decided("EURUSD", bar, decision(Action::Buy, Action::Buy, 0.9))],
        suppressed: vec![],
    };
    let (actor, ..) = start_with(|config| config.drift = Drift::new(Some(reference.clone()), known(498)));
    for bar in [498, 498] {
        actor.do_send(decide(bar));
    }
    assert_eq!(value(&text(&actor).await, "sentinel_prediction_drift_psi"), 0.0, "two cycles of one bar are one");
    actor.do_send(decide(499));
    let drifted = value(&text(&actor).await, "sentinel_prediction_drift_psi");
    assert!(drifted > 0.25, "all of them are in one of two bins: {drifted}");

    let (restarted, ..) = start_with(|config| config.drift = Drift::new(Some(reference), known(500)));
    assert_eq!(value(&text(&restarted).await, "sentinel_prediction_drift_psi"), drifted, "before any cycle");
}

#[actix::test]
async fn what_was_discarded_is_counted_although_nobody_could_say_so() {
    let backlog = Backlog::default();
    let (actor, clock, ..) = start_with(|config| config.backlog = backlog.clone());
    let telemetry = Telemetry::new(actor.clone().recipient(), backlog, Arc::new(clock.clone()));
    let (stale, full) = (
        "sentinel_events_dropped_total{actor=\"journal\",reason=\"stale\"}",
        "sentinel_events_dropped_total{actor=\"scheduler\",reason=\"full\"}",
    );
    assert_eq!(value(&text(&actor).await, stale), 0.0);
    telemetry.dropped(ActorName::Journal, DropReason::Stale, 3);
    // More events than may wait, without an await in which the actor could take one.
    for _ in 0..1_100 {
        telemetry.report(Event::TicksMissed(1));
    }
    clock.advance(1);
    let text = text(&actor).await;
    assert_eq!((value(&text, stale), value(&text, full)), (3.0, 76.0));
    assert_eq!(value(&text, "sentinel_scheduler_ticks_missed_total"), 1_024.0);
}

#[test]
fn events_of_another_thread_are_taken_without_a_scrape() {
    const EVENTS: u64 = 20_000;
    let backlog = Backlog::default();
    let system = actix::System::new();
    let arbiter = actix::Arbiter::new();
    let clock = HandClock(Arc::new(START.into()));
    let config = Config { backlog: backlog.clone(), ..config(&clock) };
    let recorder = MetricsActor::new(config).unwrap();
    let actor = MetricsActor::start_in_arbiter(&arbiter.handle(), |_| recorder);
    let telemetry = Telemetry::new(actor.clone().recipient(), backlog.clone(), Arc::new(clock));
    // More in all than may wait, and never so many at a time. With 64 waiting the actor has been woken.
    for _ in 0..EVENTS / 500 {
        (0..500).for_each(|_| telemetry.report(Event::TicksMissed(1)));
        let asked_at = Instant::now();
        while backlog.waiting_len() >= 64 {
            assert!(asked_at.elapsed() < Duration::from_secs(20), "nobody takes them");
            thread::sleep(Duration::from_micros(200));
        }
    }
    let lost = backlog.dropped(ActorName::Scheduler, DropReason::Full);
    let text = system.block_on(text(&actor));
    assert_eq!((value(&text, "sentinel_scheduler_ticks_missed_total"), lost), (EVENTS as f64, 0));
}
