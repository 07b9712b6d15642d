//! The cost of telemetry: encoding the exposition in both formats, compressing it, and recording a cycle's events. A stage
//! sends one event per cycle with all symbols in it; `record_cycle` shows the cost for 1 symbol and for 1,000.

use criterion::{Criterion, criterion_group, criterion_main};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        gzip::gzip,
        halt_file::HaltFile,
        prometheus::Format,
    },
    domain::{
        build_info::BuildInfo,
        clock::Clock,
        cluster::Unguarded,
        decision::{Action, Decision},
        drift::Drift,
        features::InvalidValues,
        guard::Suppression,
        instrument::Symbol,
        names::ActorName,
        order::Side,
        regime::Regime,
    },
    messages::{
        ApiUsage, Backlog, BuildReport, DecisionReport, Event, FetchReport, PredictionReport, SignalReport,
        SignalResult,
    },
    metrics::{Config, recorder::Recorder},
};
use std::{
    hint::black_box,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

/// `model.rows_per_request` of base.toml.
const ROWS_PER_REQUEST: usize = 50;
const NOW: Duration = Duration::from_secs(1_500_000_000);

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Duration {
        NOW
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

#[allow(clippy::expect_used, reason = "a bench that cannot start must say so, like a test")]
fn recorder(symbols: usize) -> Recorder {
    let config = Config {
        symbols: (0..symbols).map(|i| Symbol::new(&format!("SYMBOL{i}"))).collect(),
        build: BuildInfo { version: "0.1.0".into(), revision: "abc1234".into(), rustc: "1.85.0".into() },
        config_hash: 0,
        drift: Drift::default(),
        failed_share_max: 0.5,
        live: false,
        money: None,
        paper: None,
        max_bar_age_s: 10_800,
        kill_switch: Arc::new(HaltFile::new(None)),
        authority: Arc::new(Unguarded::default()),
        claim: String::new(),
        period: Duration::from_secs(60),
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        backlog: Backlog::default(),
        clock: Arc::new(Standing),
    };
    Recorder::new(config).expect("the catalogue is consistent")
}

/// The events of a cycle, one of each kind, in the order in which they are sent.
fn cycle_events(symbols: usize) -> Vec<(&'static str, Event)> {
    fn each<T>(symbols: usize, report: impl Fn(Symbol) -> T) -> Vec<T> {
        (0..symbols).map(|i| report(Symbol::new(&format!("SYMBOL{i}")))).collect()
    }
    let duration = Duration::from_millis(20);
    let fetches = each(symbols, |symbol| FetchReport {
        symbol,
        duration: Some(duration),
        newest_bar_close_time: Some(1_499_997_600),
        failure: None,
        gaps: 0,
    });
    let (build, regime) = (Duration::from_micros(10), Regime::Range);
    let builds = each(symbols, |symbol| BuildReport { symbol, duration: build, failure: None, regime });
    let prediction = PredictionReport { latency: duration, failure: None, row_failures: vec![] };
    let requests = vec![prediction; symbols.div_ceil(ROWS_PER_REQUEST)];
    let decision = Decision { action: Action::Buy, likeliest: Action::Buy, confidence: 0.7 };
    let decisions = each(symbols, |symbol| DecisionReport { symbol, bar_close_time: 1_499_997_600, decision });
    let result = SignalResult::Suppressed(Suppression::DryRun);
    let reports = each(symbols, |symbol| SignalReport {
        symbol,
        side: Side::Buy,
        closes: Vec::new(),
        judged_at: None,
        slippage_points: None,
        result: result.clone(),
    });
    let api = ApiUsage { calls: 1, errors: vec![] };
    vec![
        ("actors_pinged", Event::ActorsPinged(ActorName::ALL.map(|name| (name, true)).to_vec())),
        ("cycle_started", Event::CycleStarted { cycle_id: 1, lag: Duration::from_millis(1) }),
        ("bars_fetched", Event::BarsFetched { fetches, api: api.clone(), rejected: vec![] }),
        ("features_built", Event::FeaturesBuilt { builds, invalid: InvalidValues::default() }),
        ("predictions_received", Event::PredictionsReceived { requests, api, is_refused: false }),
        ("signals_decided", Event::SignalsDecided { decisions, suppressed: vec![] }),
        ("signals_handled", Event::SignalsHandled { reports }),
        ("symbols_ended", Event::SymbolsEnded { cycle_id: 1, failures: vec![] }),
        ("cycle_finished", Event::CycleFinished { cycle_id: 1, finished_at: 1.5e9, duration, failed: false }),
    ]
}

fn exposition(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exposition");
    for symbols in [1, 100, 10_000] {
        let mut recorder = recorder(symbols);
        for (name, format) in [("text", Format::Text), ("openmetrics", Format::OpenMetrics)] {
            group.bench_function(format!("{name}/{symbols}_symbols"), |b| {
                b.iter(|| black_box(recorder.encode(black_box(NOW), [0, 0, 0], format)));
            });
            let text = recorder.encode(NOW, [0, 0, 0], format);
            group.bench_function(format!("gzip_of_{name}/{symbols}_symbols"), |b| {
                b.iter(|| black_box(gzip(black_box(&text))));
            });
        }
    }
    group.finish();
}

fn record(criterion: &mut Criterion) {
    let at = (NOW, Instant::now());
    let mut group = criterion.benchmark_group("record");
    let mut recorder = recorder(1);
    for (name, event) in cycle_events(1) {
        group.bench_function(name, |b| b.iter(|| recorder.record(black_box(&event), at)));
    }
    group.finish();
}

fn record_cycle(criterion: &mut Criterion) {
    let at = (NOW, Instant::now());
    let mut group = criterion.benchmark_group("record_cycle");
    for symbols in [1, 1_000] {
        let mut recorder = recorder(symbols);
        let events = cycle_events(symbols);
        group.bench_function(format!("{symbols}_symbols"), |b| {
            b.iter(|| events.iter().for_each(|(_, event)| recorder.record(black_box(event), at)));
        });
    }
    group.finish();
}

criterion_group!(benches, exposition, record, record_cycle);
criterion_main!(benches);
