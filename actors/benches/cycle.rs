//! A whole cycle for 1 and 100 symbols against in-process stages: real features and decisions, no network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench panics

use actix::{Actor, Context, Handler, MessageResult};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sentinel_actors::{
    adapters::system_clock::SystemClock,
    cycle::{CycleEnd, Policy, Stages, run_cycle},
    domain::{
        bar::Bar,
        calendar::Calendar,
        decision::Prediction,
        features::TimeColumns,
        guard::{KillSwitch, Suppression},
        instrument::{Instrument, Symbol},
        interval::Interval,
    },
    feature_builder::{Config, FeatureBuilder},
    messages::*,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A kill switch that is always off and costs no time.
#[derive(Debug)]
struct NeverHalted;

impl KillSwitch for NeverHalted {
    fn is_halted(&self) -> bool {
        false
    }
}

/// Answers with bars, probabilities and orders without a server; ignores events.
struct Outside {
    symbols: Vec<Symbol>,
    bars: Arc<[Bar]>,
}

impl Actor for Outside {
    type Context = Context<Self>;
}

impl Handler<FetchBars> for Outside {
    type Result = MessageResult<FetchBars>;

    fn handle(&mut self, _: FetchBars, _: &mut Self::Context) -> Self::Result {
        let windows = self.symbols.iter().map(|symbol| (symbol.clone(), Ok(self.bars.clone()))).collect();
        MessageResult(FetchedBars { market_now: 200 * 3_600, windows })
    }
}

impl Handler<Predict> for Outside {
    type Result = MessageResult<Predict>;

    fn handle(&mut self, message: Predict, _: &mut Self::Context) -> Self::Result {
        let buy = |(symbol, _)| (symbol, Ok(Prediction::parse([0.1, 0.1, 0.8]).unwrap()));
        MessageResult(message.rows.into_iter().map(buy).collect())
    }
}

impl Handler<OpenGateway> for Outside {
    type Result = ();

    fn handle(&mut self, _: OpenGateway, _: &mut Self::Context) {}
}

impl Handler<LookAtAccount> for Outside {
    type Result = ();

    fn handle(&mut self, _: LookAtAccount, _: &mut Self::Context) {}
}

impl Handler<PrepareOrders> for Outside {
    type Result = ();

    fn handle(&mut self, _: PrepareOrders, _: &mut Self::Context) {}
}

impl Handler<SendSignals> for Outside {
    type Result = MessageResult<SendSignals>;

    fn handle(&mut self, message: SendSignals, _: &mut Self::Context) -> Self::Result {
        let report = |signal: Signal| SignalReport {
            symbol: signal.instrument.symbol.clone(),
            side: signal.side,
            closes: Vec::new(),
            judged_at: None,
            slippage_points: None,
            result: SignalResult::Suppressed(Suppression::DryRun),
        };
        MessageResult(message.signals.into_iter().map(report).collect())
    }
}

impl Handler<RecordDecisions> for Outside {
    type Result = ();

    fn handle(&mut self, _: RecordDecisions, _: &mut Self::Context) {}
}

impl Handler<Settled> for Outside {
    type Result = ();

    fn handle(&mut self, _: Settled, _: &mut Self::Context) {}
}

impl Handler<Event> for Outside {
    type Result = ();

    fn handle(&mut self, _: Event, _: &mut Self::Context) {}
}

fn bars() -> Arc<[Bar]> {
    let close = |hour: i64| 1.1 + 0.01 * (hour as f64 * 0.37).sin();
    (0..200)
        .map(|hour| {
            let (open, close) = (close(hour - 1), close(hour));
            Bar {
                open_time: hour * 3_600,
                open,
                high: open.max(close) + 0.001,
                low: open.min(close) - 0.001,
                close,
                volume: 1_000.0 + hour as f64,
            }
        })
        .collect()
}

fn policy(symbols: &[Symbol]) -> Policy {
    let instrument = |symbol: &Symbol| Instrument {
        symbol: symbol.clone(),
        ticker: format!("{symbol}.FOREX"),
        gateway_name: symbol.to_string(),
        threshold: 0.6,
        volume: 0.01,
        digits: 5,
        stop_loss: None,
        take_profit: None,
    };
    Policy {
        members: None,
        instruments: symbols.iter().map(instrument).map(Arc::new).collect(),
        interval: Interval::OneHour,
        max_bar_age_s: 10_800,
        calendar: Arc::new(Calendar::fx()),
        kill_switch: Arc::new(NeverHalted),
        volume_max: 0.0,
        clock: Arc::new(SystemClock),
        failed_share_max: 0.5,
        has_clock_stepped: false,
    }
}

fn cycle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cycle_in_process");
    for count in [1, 100] {
        let symbols: Vec<Symbol> = (0..count).map(|index| Symbol::new(&format!("SYM{index}"))).collect();
        let policy = policy(&symbols);
        let system = actix_rt::System::new();
        let stages = system.block_on(async {
            let outside = Outside { symbols, bars: bars() }.start();
            let config = Config { time_columns: TimeColumns::Utc, metrics: outside.clone().recipient().into() };
            Stages {
                fetch: outside.clone().recipient(),
                build: FeatureBuilder::new(config).start().recipient(),
                predict: outside.clone().recipient(),
                open: outside.clone().recipient(),
                prepare: outside.clone().recipient(),
                look: outside.clone().recipient(),
                send: outside.clone().recipient(),
                record: outside.clone().recipient(),
                settled: outside.clone().recipient(),
                metrics: outside.recipient().into(),
            }
        });
        let shutdown = CancellationToken::new();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                let end = system.block_on(run_cycle(1, &stages, &policy, &shutdown));
                assert_eq!(end, CycleEnd::Completed);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, cycle);
criterion_main!(benches);
