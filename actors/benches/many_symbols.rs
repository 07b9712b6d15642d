//! A whole cycle of 10,000 symbols: the real Fetcher over TLS with a connection per request, the real FeatureBuilder and
//! Predictor, eight requests at a time. Market and model are threads of this process, on the same cores. It prints the time
//! of each cycle. Every cycle but the first fetches a new bar; these must stay under the bound.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

use actix::{Actor, Context, Handler, MessageResult};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring::default_provider, pki_types::PrivateKeyDer};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        eodhd::ApiToken,
        mlflow::Tabular,
    },
    cycle::{CycleEnd, Policy, Stages, run_cycle},
    domain::{
        calendar::Calendar,
        clock::Clock,
        features::TimeColumns,
        guard::{KillSwitch, Suppression},
        instrument::{Instrument, Symbol},
        interval::Interval,
    },
    feature_builder::{self, FeatureBuilder},
    fetcher::{self, Fetcher, MarketClock, OnGap, Poll},
    messages::*,
    predictor::{self, Predictor},
};
use std::{
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    pin::Pin,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const SYMBOLS: usize = 10_000;
const HOUR: u64 = 3_600;
/// The first time: a full hour.
const START: u64 = 1_500_001_200;
const CYCLE_MAX: Duration = Duration::from_secs(5);
/// The variable with the path of the only trusted root.
const ROOTS: &str = "SSL_CERT_FILE";

/// A clock that the bench moves forward by an hour.
struct HandClock(AtomicU64);

impl Clock for HandClock {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.load(Relaxed))
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async {})
    }
}

/// The parts that are not measured: no order is sent, nothing is recorded.
struct Outside;

impl Actor for Outside {
    type Context = Context<Self>;
}

macro_rules! swallows {
    ($($message:ty),+) => {$(
        impl Handler<$message> for Outside {
            type Result = ();

            fn handle(&mut self, _: $message, _: &mut Self::Context) {}
        }
    )+};
}

swallows!(LookAtAccount, OpenGateway, PrepareOrders, RecordDecisions, Settled, Event);

impl Handler<SendSignals> for Outside {
    type Result = MessageResult<SendSignals>;

    fn handle(&mut self, message: SendSignals, _: &mut Self::Context) -> Self::Result {
        let suppressed = |signal: Signal| SignalReport {
            symbol: signal.instrument.symbol.clone(),
            side: signal.side,
            closes: Vec::new(),
            judged_at: None,
            slippage_points: None,
            result: SignalResult::Suppressed(Suppression::DryRun),
        };
        MessageResult(message.signals.into_iter().map(suppressed).collect())
    }
}

#[derive(Debug)]
struct NeverHalted;

impl KillSwitch for NeverHalted {
    fn is_halted(&self) -> bool {
        false
    }
}

/// Reads the head of a request and its body.
fn read_request(stream: &mut impl Read) -> Option<String> {
    let (mut request, mut chunk) = (Vec::new(), [0; 65_536]);
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&chunk[..read]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).into_owned();
        let length = head.to_ascii_lowercase().split("content-length: ").nth(1).map_or(0, |rest| {
            rest.split("\r\n").next().and_then(|digits| digits.trim().parse::<usize>().ok()).unwrap_or(0)
        });
        if request.len() >= end + 4 + length {
            return Some(head);
        }
    }
}

fn answer(stream: &mut impl Write, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body.as_bytes()))
        .and_then(|()| stream.flush());
}

/// A server with one thread per connection.
fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handle = handle.clone();
            thread::spawn(move || handle(stream));
        }
    });
    port
}

/// The requested hours, as rows.
fn rows(head: &str) -> String {
    let number = |name: &str| {
        let digits = head.split(name).nth(1).unwrap_or_default().chars().take_while(char::is_ascii_digit);
        digits.collect::<String>().parse::<u64>().unwrap_or(START)
    };
    let (from, to) = (number("from=").div_ceil(HOUR), number("to=") / HOUR);
    let price = |hour: u64| 1.1 + 0.01 * (hour as f64 * 0.37).sin();
    let row = |hour: u64| {
        let (open, close) = (price(hour - 1), price(hour));
        let (high, low) = (open.max(close) + 0.001, open.min(close) - 0.001);
        format!(
            r#"{{"timestamp":{},"gmtoffset":0,"open":{open},"high":{high},"low":{low},"close":{close},"volume":{hour}}}"#,
            hour * HOUR
        )
    };
    format!("[{}]", (from..=to).map(row).collect::<Vec<_>>().join(","))
}

fn market(config: Arc<ServerConfig>) -> u16 {
    serve(move |stream| {
        let _ = stream.set_nodelay(true);
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        if let Some(head) = read_request(&mut stream) {
            answer(&mut stream, &rows(&head));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

fn model(rows_per_request: usize) -> u16 {
    let body = format!(r#"{{"predictions":[{}]}}"#, vec!["[0.1,0.1,0.8]"; rows_per_request].join(","));
    serve(move |mut stream| {
        if read_request(&mut stream).is_some() {
            answer(&mut stream, &body);
        }
    })
}

fn stages(market: u16, model: u16, rows_per_request: usize, clock: &Arc<HandClock>) -> (Stages, Policy) {
    let outside = Outside.start();
    let metrics = Telemetry::from(outside.clone().recipient());
    let instrument = |index: usize| Instrument {
        symbol: Symbol::new(&format!("SYM{index:05}")),
        ticker: format!("SYM{index:05}.FOREX"),
        gateway_name: format!("SYM{index:05}"),
        threshold: 0.6,
        volume: 0.01,
        digits: 5,
        stop_loss: None,
        take_profit: None,
    };
    let instruments: Arc<[Instrument]> = (0..SYMBOLS).map(instrument).collect();
    let calendar = Arc::new(Calendar::always());
    let fetch = Fetcher::new(fetcher::Config {
        instruments: instruments.clone(),
        interval: Interval::OneHour,
        lookback_bars: 200,
        base_url: format!("https://localhost:{market}"),
        token: ApiToken::Value("bench".into()),
        poll: Poll::Bar,
        overdue_poll_s: 300,
        deadline: Duration::from_secs(10),
        body_bytes_max: 1 << 22,
        concurrency: 8,
        market_clock: MarketClock::System,
        calendar: calendar.clone(),
        on_gap: OnGap::Continue,
        jump_max: 0.2,
        clock: clock.clone(),
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        metrics: metrics.clone(),
    });
    let build =
        FeatureBuilder::new(feature_builder::Config { time_columns: TimeColumns::Utc, metrics: metrics.clone() });
    let predict = Predictor::new(predictor::Config {
        base_url: format!("http://127.0.0.1:{model}"),
        tabular: Tabular::Flat,
        rows_per_request,
        deadline: Duration::from_secs(5),
        body_bytes_max: 1 << 22,
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        metrics: metrics.clone(),
    });
    let stages = Stages {
        fetch: fetch.start().recipient(),
        build: build.start().recipient(),
        predict: predict.start().recipient(),
        open: outside.clone().recipient(),
        prepare: outside.clone().recipient(),
        look: outside.clone().recipient(),
        send: outside.clone().recipient(),
        record: outside.clone().recipient(),
        settled: outside.recipient(),
        metrics,
    };
    let policy = Policy {
        members: None,
        instruments: instruments.iter().cloned().map(Arc::new).collect(),
        interval: Interval::OneHour,
        max_bar_age_s: 10_800,
        calendar,
        kill_switch: Arc::new(NeverHalted),
        volume_max: 0.0,
        clock: clock.clone(),
        failed_share_max: 0.5,
        has_clock_stepped: false,
    };
    (stages, policy)
}

fn measure() {
    let key = env::var("BENCH_KEY_DER").unwrap();
    let key: Vec<u8> = (0..key.len() / 2).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap()).collect();
    let certificate = rustls_native_certs::load_native_certs().certs.remove(0);
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate], PrivateKeyDer::try_from(key).unwrap()).unwrap();
    // Divides the number of all symbols, so the model does not need to count rows.
    let rows_per_request = 50;
    let (market, model) = (market(Arc::new(server)), model(rows_per_request));
    let clock = Arc::new(HandClock(AtomicU64::new(START + 60)));
    actix_rt::System::new().block_on(async {
        let (stages, policy) = stages(market, model, rows_per_request, &clock);
        for cycle_id in 1..=4 {
            let began = Instant::now();
            let end = run_cycle(cycle_id, &stages, &policy, &CancellationToken::new()).await;
            let took = began.elapsed();
            assert_eq!(end, CycleEnd::Completed);
            println!("{SYMBOLS} symbols over TLS, cycle {cycle_id}: {took:?}");
            assert!(cycle_id == 1 || took < CYCLE_MAX, "a cycle of {took:?}");
            clock.0.fetch_add(HOUR, Relaxed);
        }
    });
}

fn main() {
    // `cargo test` builds and starts every bench, but this one only runs in `cargo bench`.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    if env::var_os("BENCH_KEY_DER").is_some() {
        return measure();
    }
    // The trusted root is set in the environment of a child process, because a process cannot change its own environment
    // safely.
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("root.pem");
    std::fs::write(&roots, made.cert.pem()).unwrap();
    let key: String = made.signing_key.serialize_der().iter().map(|byte| format!("{byte:02x}")).collect();
    let measuring =
        Command::new(env::current_exe().unwrap()).arg("--bench").env(ROOTS, &roots).env("BENCH_KEY_DER", key).status();
    assert!(measuring.unwrap().success());
}
