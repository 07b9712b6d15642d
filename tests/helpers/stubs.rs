//! Stubs for the stages and the clock, so that a test controls what happens and when.

use actix::{Actor, Addr, Context, Handler, MessageResult, ResponseFuture};
use sentinel_actors::{
    cycle::{Policy, Stages},
    domain::{
        bar::Bar,
        calendar::Calendar,
        clock::Clock,
        decision::Prediction,
        features::{FEATURE_COUNT, FeatureSet, SEQUENCE_BARS},
        guard::{KillSwitch, Suppression},
        instrument::{Instrument, Symbol},
        interval::Interval,
        journal::DecisionRecord,
    },
    messages::*,
    scheduler::{Notice, Scheduler, SchedulerConfig},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, mpsc::UnboundedReceiver, mpsc::unbounded_channel, watch};
use tokio_util::sync::CancellationToken;

/// Second 0 of a minute.
pub const NOON: u64 = 1_763_812_800;

/// A clock that the test moves.
pub struct ManualClock {
    wall: watch::Sender<Duration>,
    monotonic: Mutex<Duration>,
}

impl ManualClock {
    pub fn at(unix_s: u64) -> Arc<Self> {
        Arc::new(Self { wall: watch::Sender::new(Duration::from_secs(unix_s)), monotonic: Mutex::default() })
    }

    /// Advances the time, and runs everything that waited for it.
    pub async fn advance(&self, by: Duration) {
        *self.monotonic.lock().unwrap() += by;
        self.wall.send_modify(|now| *now += by);
        settle().await;
    }

    /// Sets the wall clock forward; no time passes.
    pub async fn set_forward(&self, by: Duration) {
        self.wall.send_modify(|now| *now += by);
        settle().await;
    }

    /// Sets the wall clock back; no time passes.
    pub async fn set_back(&self, by: Duration) {
        self.wall.send_modify(|now| *now -= by);
        settle().await;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        *self.wall.borrow()
    }

    fn monotonic(&self) -> Duration {
        *self.monotonic.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut time = self.wall.subscribe();
        let until = self.now() + duration;
        let before = self.now();
        // Also wakes when the clock is set back, as a real one does within a second.
        Box::pin(async move { drop(time.wait_for(|now| *now >= until || *now < before).await) })
    }
}

/// Lets every ready task of this thread run.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A kill switch that the test controls.
#[derive(Debug)]
struct Switch(Arc<AtomicBool>);

impl KillSwitch for Switch {
    fn is_halted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The script of the stub stages.
#[derive(Clone, Default)]
pub struct Script {
    /// Open time of the bars, unix seconds; the market's time is an hour and `market_now_offset_s` later.
    pub bar_open_time: i64,
    pub failing_symbol: Option<&'static str>,
    pub predict_panics: bool,
    pub fetch_waits_for: Option<Arc<Notify>>,
    pub market_now_offset_s: i64,
    pub is_halted: Arc<AtomicBool>,
    /// Lots; every order has 0.01.
    pub volume_max: f64,
    /// How often the SignalSender was notified that orders could follow.
    /// How many orders were sent before each question for the account.
    pub looked: Arc<Mutex<Vec<usize>>>,
    pub prepared: Arc<Mutex<usize>>,
    pub sent: Arc<Mutex<Vec<Signal>>>,
    pub recorded: Arc<Mutex<Vec<DecisionRecord>>>,
    pub events: Arc<Mutex<Vec<Event>>>,
}

pub struct Stub(pub Script);

impl Actor for Stub {
    type Context = Context<Self>;
}

pub fn symbols() -> Vec<Symbol> {
    ["EURUSD", "GBPUSD"].map(Symbol::new).to_vec()
}

impl Handler<FetchBars> for Stub {
    type Result = ResponseFuture<FetchedBars>;

    fn handle(&mut self, _: FetchBars, _: &mut Self::Context) -> Self::Result {
        let script = self.0.clone();
        Box::pin(async move {
            if let Some(gate) = script.fetch_waits_for {
                gate.notified().await;
            }
            let bar = Bar { open_time: script.bar_open_time, open: 1.1, high: 1.1, low: 1.1, close: 1.1, volume: 0.0 };
            let failure = StageFailure { kind: "timeout", detail: "as scripted".into() };
            let result = |symbol: Symbol| {
                let failing = script.failing_symbol == Some(symbol.as_str());
                (symbol, if failing { Err(failure.clone()) } else { Ok(Arc::from([bar])) })
            };
            let windows = symbols().into_iter().map(result).collect();
            FetchedBars { market_now: script.bar_open_time + 3_600 + script.market_now_offset_s, windows }
        })
    }
}

impl Handler<BuildFeatures> for Stub {
    type Result = ResponseFuture<Vec<SymbolResult<Arc<FeatureSet>>>>;

    fn handle(&mut self, message: BuildFeatures, _: &mut Self::Context) -> Self::Result {
        let set = || {
            let sequence = Box::new([[0.0; FEATURE_COUNT]; SEQUENCE_BARS]);
            Ok(Arc::new(FeatureSet { tabular: [0.0; FEATURE_COUNT], sequence }))
        };
        Box::pin(async move { message.windows.into_iter().map(|(symbol, _)| (symbol, set())).collect() })
    }
}

impl Handler<Predict> for Stub {
    type Result = ResponseFuture<Vec<SymbolResult<Prediction>>>;

    fn handle(&mut self, message: Predict, _: &mut Self::Context) -> Self::Result {
        let panics = self.0.predict_panics;
        Box::pin(async move {
            assert!(!panics, "as scripted");
            let buy = || Prediction::parse([0.1, 0.1, 0.8]).unwrap();
            message.rows.into_iter().map(|(symbol, _)| (symbol, Ok(buy()))).collect()
        })
    }
}

impl Handler<OpenGateway> for Stub {
    type Result = ();

    fn handle(&mut self, _: OpenGateway, _: &mut Self::Context) {}
}

impl Handler<PrepareOrders> for Stub {
    type Result = ();

    fn handle(&mut self, _: PrepareOrders, _: &mut Self::Context) {
        *self.0.prepared.lock().unwrap() += 1;
    }
}

impl Handler<LookAtAccount> for Stub {
    type Result = ();

    fn handle(&mut self, _: LookAtAccount, _: &mut Self::Context) {
        let sent = self.0.sent.lock().unwrap().len();
        self.0.looked.lock().unwrap().push(sent);
    }
}

impl Handler<SendSignals> for Stub {
    type Result = ResponseFuture<Vec<SignalReport>>;

    fn handle(&mut self, message: SendSignals, _: &mut Self::Context) -> Self::Result {
        self.0.sent.lock().unwrap().extend(message.signals.clone());
        let report = |signal: Signal| SignalReport {
            symbol: signal.instrument.symbol.clone(),
            side: signal.side,
            closes: Vec::new(),
            judged_at: None,
            slippage_points: None,
            result: SignalResult::Suppressed(Suppression::DryRun),
        };
        Box::pin(async move { message.signals.into_iter().map(report).collect() })
    }
}

impl Handler<RecordDecisions> for Stub {
    type Result = ();

    fn handle(&mut self, message: RecordDecisions, _: &mut Self::Context) {
        self.0.recorded.lock().unwrap().extend(message.decisions);
    }
}

impl Handler<Settled> for Stub {
    type Result = ();

    fn handle(&mut self, _: Settled, _: &mut Self::Context) {}
}

impl Handler<Event> for Stub {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.0.events.lock().unwrap().push(event);
    }
}

/// A stage that dies, and stays dead, at the first message.
pub struct Mortal;

impl Actor for Mortal {
    type Context = Context<Self>;
}

impl Handler<BuildFeatures> for Mortal {
    type Result = Vec<SymbolResult<Arc<FeatureSet>>>;

    fn handle(&mut self, _: BuildFeatures, _: &mut Self::Context) -> Self::Result {
        panic!("as scripted")
    }
}

/// A model that answers about these symbols, whatever it was asked.
pub struct Astray(pub &'static [&'static str]);

impl Actor for Astray {
    type Context = Context<Self>;
}

impl Handler<Predict> for Astray {
    type Result = MessageResult<Predict>;

    fn handle(&mut self, _: Predict, _: &mut Self::Context) -> Self::Result {
        let buy = || Ok(Prediction::parse([0.1, 0.1, 0.8]).unwrap());
        MessageResult(self.0.iter().map(|name| (Symbol::new(name), buy())).collect())
    }
}

/// A Scheduler over stub stages.
pub struct Harness {
    pub clock: Arc<ManualClock>,
    pub script: Script,
    pub scheduler: Addr<Scheduler>,
    pub notices: UnboundedReceiver<Notice>,
    pub shutdown: CancellationToken,
    pub telemetry: Telemetry,
}

impl Harness {
    pub async fn start(script: Script) -> Self {
        Self::start_with(script, 0, |stages| stages).await
    }

    pub async fn start_with(script: Script, cycles_max: u64, change: impl FnOnce(Stages) -> Stages) -> Self {
        let clock = ManualClock::at(NOON);
        let stub = Stub(script.clone()).start();
        let telemetry = Telemetry::from(stub.clone().recipient());
        let stages = change(Stages {
            fetch: stub.clone().recipient(),
            build: stub.clone().recipient(),
            predict: stub.clone().recipient(),
            open: stub.clone().recipient(),
            prepare: stub.clone().recipient(),
            send: stub.clone().recipient(),
            look: stub.clone().recipient(),
            record: stub.clone().recipient(),
            settled: stub.recipient(),
            metrics: telemetry.clone(),
        });
        let instrument = |symbol: Symbol| Instrument {
            ticker: format!("{symbol}.FOREX"),
            gateway_name: symbol.to_string(),
            symbol,
            threshold: 0.6,
            volume: 0.01,
            digits: 5,
            stop_loss: None,
            take_profit: None,
        };
        let (notify, notices) = unbounded_channel();
        let shutdown = CancellationToken::new();
        let scheduler = Scheduler::new(SchedulerConfig {
            schedule: "58 * * * * *".parse().unwrap(),
            cycles_max,
            back_to_back: 0,
            stages,
            policy: Policy {
                members: None,
                instruments: symbols().into_iter().map(instrument).map(Arc::new).collect(),
                interval: Interval::OneHour,
                max_bar_age_s: 10_800,
                calendar: Arc::new(Calendar::fx()),
                kill_switch: Arc::new(Switch(script.is_halted.clone())),
                volume_max: script.volume_max,
                clock: clock.clone(),
                failed_share_max: 0.5,
                has_clock_stepped: false,
            },
            clock: clock.clone(),
            shutdown: shutdown.clone(),
            notices: notify,
            deadman: None,
        })
        .start();
        settle().await;
        Self { clock, script, scheduler, notices, shutdown, telemetry }
    }

    /// `(cycles finished, of these failed, ticks missed)` so far.
    pub fn counts(&self) -> (usize, usize, u64) {
        let events = self.script.events.lock().unwrap();
        let finished = events.iter().filter(|event| matches!(event, Event::CycleFinished { .. })).count();
        let failed = events.iter().filter(|event| matches!(event, Event::CycleFinished { failed: true, .. })).count();
        let missed = events.iter().map(|event| if let Event::TicksMissed(count) = event { *count } else { 0 }).sum();
        (finished, failed, missed)
    }
}
