//! What telemetry costs: making the exposition, and recording one event of each kind with one symbol.

use criterion::{Criterion, criterion_group, criterion_main};
use sentinel_actors::{
    adapters::{breakers::Breakers, inflight::Inflight},
    domain::{
        clock::Clock,
        decision::{Action, Decision},
        features::InvalidValues,
        guard::Suppression,
        health::BuildInfo,
        instrument::Symbol,
        order::Side,
    },
    messages::{ActorName, ApiUsage, BuildReport, Event, FetchReport, PredictionReport, SignalReport, SignalResult},
    metrics::{Config, record::Recorder},
};
use std::{hint::black_box, pin::Pin, sync::Arc, time::Duration};

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
        live: false,
        period: Duration::from_secs(60),
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        clock: Arc::new(Standing),
    };
    Recorder::new(config).expect("the catalogue is consistent")
}

/// One of each kind that a cycle sends, in its order.
fn cycle_events() -> Vec<(&'static str, Event)> {
    let symbol = Symbol::new("SYMBOL0");
    let duration = Duration::from_millis(20);
    let fetch = FetchReport {
        symbol: symbol.clone(),
        duration: Some(duration),
        newest_bar_close_time: Some(1_499_997_600),
        failure: None,
        gaps: 0,
    };
    let build = BuildReport { symbol: symbol.clone(), duration: Duration::from_micros(10), failure: None };
    let prediction = PredictionReport { latency: duration, failure: None, row_failures: vec![] };
    let decision = Decision { action: Action::Buy, likeliest: Action::Buy, confidence: 0.7 };
    let result = SignalResult::Suppressed(Suppression::DryRun);
    let report = SignalReport { symbol: symbol.clone(), side: Side::Buy, closes: Vec::new(), result };
    let api = ApiUsage { calls: 1, errors: vec![] };
    vec![
        ("actors_pinged", Event::ActorsPinged(ActorName::ALL.map(|name| (name, true)).to_vec())),
        ("cycle_started", Event::CycleStarted { cycle_id: 1, lag: Duration::from_millis(1) }),
        ("bars_fetched", Event::BarsFetched { fetches: vec![fetch], api: api.clone(), rejected: vec![] }),
        ("features_built", Event::FeaturesBuilt { builds: vec![build], invalid: InvalidValues::default() }),
        ("predictions_received", Event::PredictionsReceived { requests: vec![prediction], api, is_refused: false }),
        ("signals_decided", Event::SignalsDecided { decisions: vec![(symbol, decision)], suppressed: vec![] }),
        ("signals_handled", Event::SignalsHandled { reports: vec![report] }),
        ("cycle_finished", Event::CycleFinished { cycle_id: 1, finished_at: 1.5e9, duration, failed: false }),
    ]
}

fn exposition(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exposition");
    for symbols in [1, 100] {
        let mut recorder = recorder(symbols);
        group.bench_function(format!("encode/{symbols}_symbols"), |b| {
            b.iter(|| black_box(recorder.encode(black_box(NOW), [0, 0, 0])));
        });
    }
    group.finish();
}

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    let mut recorder = recorder(1);
    for (name, event) in cycle_events() {
        group.bench_function(name, |b| b.iter(|| recorder.record(black_box(&event), NOW)));
    }
    group.finish();
}

criterion_group!(benches, exposition, record);
criterion_main!(benches);
