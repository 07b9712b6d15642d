//! What a whole live cycle adds to the three calls it makes: market, model and gateway over loopback, first asked
//! by plain clients one after the other, then by Sentinel's actors.
//!
//! The difference of the two figures is Sentinel: parsing, features, messages, decision, order, metrics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench panics

use actix::{Actor, Arbiter};
use actix_web::{App, HttpResponse, HttpServer, web};
use criterion::{Criterion, criterion_group, criterion_main};
use sentinel::{
    daemon::wiring::{self, Shared},
    process::build_info,
    sandbox::{PriceBoard, gateway, market, recording::Recording},
    settings::{Resolved, Settings, Sources},
};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        halt_file::HaltFile,
        system_clock::SystemClock,
    },
    archive::Archivist,
    cycle::{CycleEnd, Policy, Stages, run_cycle},
    domain::{clock::Clock, cluster::Unguarded, drift::Drift, instrument::Symbol},
    journal::{Journal, Opened},
    messages::{Backlog, Telemetry},
    metrics::{self, MetricsActor},
};
use std::{
    cell::Cell,
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A model server that is always sure, so that every cycle sends an order.
fn always_buy() -> SocketAddr {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let answer = || async { HttpResponse::Ok().json(serde_json::json!({"predictions": [[0.1, 0.1, 0.8]]})) };
        let server = HttpServer::new(move || App::new().route("/invocations", web::post().to(answer)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        actix_rt::System::new().block_on(server).unwrap();
    });
    address
}

fn settings(market: SocketAddr, model: SocketAddr, gateway: SocketAddr, journal: &Path) -> Resolved {
    let flags = vec![
        ("data.base_url", format!("http://{market}")),
        ("data.api_token", "bench".into()),
        ("model.host", model.ip().to_string()),
        ("model.port", model.port().to_string()),
        ("gateway.host", gateway.ip().to_string()),
        ("gateway.port", gateway.port().to_string()),
        ("gateway.dialect", "v43".into()),
        ("gateway.account", "bench".into()),
        ("trading.live", "true".into()),
        ("trading.stop_loss", "0.02".into()),
        ("schedule.clock", "bars".into()),
        // Every cycle is to send an order.
        ("guards.positions_max", "0".into()),
        ("journal.path", journal.display().to_string()),
    ];
    Settings::load(&Sources { environment: HashMap::new(), flags, ..Sources::default() }).unwrap()
}

/// The daemon's own actors, the MetricsActor on a thread of its own as always.
fn start_stages(settings: &Resolved) -> (Stages, Policy) {
    let clock = Arc::new(SystemClock);
    let (inflight, breakers, backlog) = (Inflight::default(), Breakers::default(), Backlog::default());
    let recorder = MetricsActor::new(metrics::Config {
        symbols: vec![Symbol::new("EURUSD")],
        build: build_info(),
        config_hash: 0,
        drift: Drift::default(),
        failed_share_max: 0.5,
        live: true,
        money: None,
        paper: None,
        max_bar_age_s: 10_800,
        kill_switch: Arc::new(HaltFile::new(None)),
        authority: Arc::new(Unguarded::default()),
        claim: String::new(),
        period: Duration::from_secs(60),
        inflight: inflight.clone(),
        breakers: breakers.clone(),
        backlog: backlog.clone(),
        clock: clock.clone(),
    })
    .unwrap();
    let arbiter = Arbiter::new();
    let recorder = MetricsActor::start_in_arbiter(&arbiter.handle(), |_| recorder);
    let metrics = Telemetry::new(recorder.recipient(), backlog, clock.clone());
    let archivist = wiring::archive_config(settings, clock.clone(), metrics.clone()).map(Archivist::start);
    let queue = archivist.map(|archivist| archivist.unwrap().queue());
    let config = wiring::journal_config(settings, clock.clone(), metrics.clone(), queue).unwrap();
    let opened = Opened::at(&config.path, &config.identity, clock.now()).unwrap();
    let journal = Journal::start(config, opened);
    let policy = wiring::policy(settings, clock.clone(), None);
    let kill_switch = policy.kill_switch.clone();
    let shared = Shared {
        members: None,
        clock,
        inflight,
        breakers,
        kill_switch,
        authority: Arc::new(Unguarded::default()),
        shutdown: CancellationToken::new(),
        metrics,
        journal,
    };
    (wiring::start(settings, &shared).expect("there is no cluster").stages, policy)
}

/// The same three calls by plain clients: the newest bar, a prediction for a body of the same size, a ping on a new
/// socket.
struct Plain {
    /// Open time of the first bar not seen yet.
    from: Cell<i64>,
    client: awc::Client,
    context: tmq::Context,
    body: Vec<u8>,
}

impl Plain {
    async fn cycle(&self, market: SocketAddr, model: SocketAddr, gateway: SocketAddr) {
        let range = format!("from={}&to=9999999999", self.from.get());
        let url = format!("http://{market}/api/intraday/GBPUSD.FOREX?interval=1h&{range}&fmt=json");
        let mut answer = self.client.get(url).bearer_auth("bench").send().await.unwrap();
        let body = answer.body().limit(1 << 24).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        let (_, newest) = text.rsplit_once("\"timestamp\":").expect("a bar a request");
        let digits: String = newest.chars().take_while(char::is_ascii_digit).collect();
        self.from.set(digits.parse::<i64>().unwrap() + 3_600);
        let asked = self.client.post(format!("http://{model}/invocations")).content_type("application/json");
        asked.send_body(self.body.clone()).await.unwrap().body().await.unwrap();
        let socket =
            tmq::request(&self.context).set_linger(0).set_immediate(true).connect(&format!("tcp://{gateway}")).unwrap();
        let ping = br#"{"uuid":"1","action":"PING","timestamp":0}"#.to_vec();
        let sent = socket.send(vec![ping].into()).await.unwrap();
        sent.recv().await.unwrap();
    }
}

fn live_cycle(criterion: &mut Criterion) {
    let prices = PriceBoard::default();
    let market = market::start(market::Config::new(LOOPBACK, Recording::eurusd(), prices.clone())).unwrap();
    let model = always_buy();
    let gateway = gateway::start(gateway::Config { addr: LOOPBACK, prices, price: None }).unwrap();
    let (market, gateway) = (market.addr(), gateway.addr());
    let system = actix_rt::System::new();

    let mut group = criterion.benchmark_group("live_cycle");
    group.sample_size(30);
    group.bench_function("three_calls_alone", |bencher| {
        bencher.iter_custom(|cycles| {
            system.block_on(async {
                let plain = Plain {
                    from: Cell::new(0),
                    client: awc::Client::default(),
                    context: tmq::Context::new(),
                    body: vec![b'1'; 15_000],
                };
                plain.cycle(market, model, gateway).await;
                let started = Instant::now();
                for _ in 0..cycles {
                    plain.cycle(market, model, gateway).await;
                }
                started.elapsed()
            })
        });
    });
    let folder = tempfile::TempDir::new().unwrap();
    let settings = settings(market, model, gateway, &folder.path().join("journal.db"));
    let (stages, policy) = system.block_on(async { start_stages(&settings) });
    let mut cycle_id = 0;
    group.bench_function("whole_cycle", |bencher| {
        bencher.iter_custom(|cycles| {
            system.block_on(async {
                let shutdown = CancellationToken::new();
                let started = Instant::now();
                for _ in 0..cycles {
                    cycle_id += 1;
                    let end = run_cycle(cycle_id, &stages, &policy, &shutdown).await;
                    assert_eq!(end, CycleEnd::Completed);
                }
                started.elapsed()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, live_cycle);
criterion_main!(benches);
