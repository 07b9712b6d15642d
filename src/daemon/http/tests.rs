//! The routes over real sockets, with real actors and with stubs.

mod actors;
mod compression;
mod connections;
mod discovery;

use super::*;
use crate::daemon::console::ConsoleLink;
use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use actix_web::dev::ServerHandle;
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        halt_file::HaltFile,
        system_clock::SystemClock,
    },
    domain::{build_info::BuildInfo, cluster::Unguarded, drift::Drift, instrument::Symbol, names::ActorName},
    messages::{Backlog, Event},
    metrics::{Config, Exposition, MetricsActor},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Answers everything or nothing, and counts the requests.
#[derive(Clone, Default)]
struct Stub {
    silent: bool,
    asked: Arc<AtomicUsize>,
}

impl Actor for Stub {
    type Context = Context<Self>;
}

impl Handler<Ping> for Stub {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        if self.silent { Box::pin(std::future::pending()) } else { Box::pin(async {}) }
    }
}

impl Handler<GetMetrics> for Stub {
    type Result = ResponseFuture<Exposition>;

    fn handle(&mut self, _: GetMetrics, _: &mut Self::Context) -> Self::Result {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let silent = self.silent;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(if silent { 60_000 } else { 100 })).await;
            exposition(Format::Text, "fresh")
        })
    }
}

impl Handler<GetHealth> for Stub {
    type Result = ResponseFuture<Health>;

    fn handle(&mut self, _: GetHealth, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

fn exposition(format: Format, text: &str) -> Exposition {
    Exposition { format, text: text.to_owned().into(), gzip: None }
}

fn config() -> HttpConfig {
    HttpConfig {
        host: "127.0.0.1".into(),
        port: 0,
        connections_max: 16,
        header_deadline: Duration::from_secs(1),
        connection_deadline: Duration::from_secs(3),
        body_bytes_max: 0,
        ask_deadline: Duration::from_millis(250),
        protection: None,
    }
}

fn stubs(stub: Stub) -> Deps {
    let actor = stub.start();
    Deps {
        metrics: actor.clone().recipient(),
        health: actor.clone().recipient(),
        scheduler: actor.recipient(),
        snapshot: Snapshot::default(),
        landing: landing(),
        discovery: Discovery::Own("[]".into()),
    }
}

fn landing() -> Landing {
    let build = BuildInfo { version: "0.1.0".into(), revision: "abc1234".into(), rustc: "1.95.0".into() };
    Landing::new(build, ConsoleLink::default())
}

fn real() -> (Deps, Addr<MetricsActor>) {
    let config = Config {
        symbols: vec![Symbol::new("EURUSD")],
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
        clock: Arc::new(SystemClock),
    };
    let actor = MetricsActor::new(config).unwrap();
    let snapshot = actor.snapshot();
    let actor = actor.start();
    let scheduler = Stub::default().start().recipient();
    (
        Deps {
            metrics: actor.clone().recipient(),
            health: actor.clone().recipient(),
            scheduler,
            snapshot,
            landing: landing(),
            discovery: Discovery::Own("[]".into()),
        },
        actor,
    )
}

fn start(deps: Deps) -> (SocketAddr, ServerHandle) {
    let (server, address) = serve(&config(), deps).unwrap();
    let handle = server.handle();
    actix::spawn(server);
    (address, handle)
}

/// Sends `method path` and gives back the whole answer, head and body.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    ask_with(address, method, path, "").await
}

/// The same with more header lines, each with its line end.
async fn ask_with(address: SocketAddr, method: &str, path: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

#[actix::test]
async fn metrics_are_text_with_the_right_content_type() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    let (status, head, body) = ask(address, "GET", "/metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(body.starts_with("# HELP sentinel_trading_cycles_total Total number of trading cycles executed\n"));
    assert!(body.ends_with('\n'));
}

#[actix::test]
async fn openmetrics_is_served_on_request() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    let open = "Accept: application/openmetrics-text;version=1.0.0\r\nAccept: text/plain;q=0.5\r\n";
    let content_type = "\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    let (status, head, body) = ask_with(address, "GET", "/metrics", open).await;
    assert_eq!(status, 200);
    assert!(head.contains(content_type) && head.contains("\r\nvary: accept, accept-encoding\r\n"), "{head}");
    assert!(body.starts_with("# TYPE sentinel_trading_cycles counter\n") && body.ends_with("\n# EOF\n"));
    let (status, head, body) = ask_with(address, "HEAD", "/metrics", open).await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains(content_type), "{head}");
    let (_, head, body) = ask_with(address, "GET", "/metrics", "Accept: */*\r\n").await;
    assert!(head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
    assert!(!body.contains("# EOF"));
}

#[actix::test]
async fn head_has_the_head_of_get_and_no_body() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    for path in ["/", "/metrics", "/health", "/sd", "/livez", "/readyz", "/startupz"] {
        let (get, _, body) = ask(address, "GET", path).await;
        let (head, _, nothing) = ask(address, "HEAD", path).await;
        assert_eq!(get, head, "{path}");
        assert!(!body.is_empty() && nothing.is_empty(), "{path}");
    }
}

#[actix::test]
async fn other_paths_and_methods_are_refused_with_a_reason() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    for path in ["/metric", "/metrics/", "/health/x"] {
        let (status, head, body) = ask(address, "GET", path).await;
        assert_eq!((status, body.contains("/metrics")), (404, true), "{path}");
        assert!(head.contains("\r\ncontent-type: text/plain; charset=utf-8"), "{head}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let (status, head, _) = ask(address, method, "/metrics").await;
        assert_eq!(status, 405, "{method}");
        assert!(head.contains("\r\nallow: get, head"), "{head}");
        assert!(head.contains("\r\ncontent-type: text/plain; charset=utf-8"), "{head}");
    }
}

#[actix::test]
async fn probes_follow_the_verdict() {
    let (deps, actor) = real();
    let (address, _) = start(deps);
    let (status, _, body) = ask(address, "GET", "/readyz").await;
    assert_eq!((status, body.starts_with("no answer from scheduler, ")), (503, true), "{body}");
    let (status, _, body) = ask(address, "GET", "/startupz").await;
    assert_eq!((status, body.starts_with("not started: ")), (503, true), "{body}");
    assert_eq!(ask(address, "GET", "/livez").await.0, 200);

    for name in ActorName::ALL {
        actor.do_send(Event::ActorStarted(name));
    }
    actor.do_send(Event::ActorsPinged(ActorName::ALL.map(|name| (name, true)).to_vec()));
    let duration = Duration::from_millis(3);
    actor.do_send(Event::CycleFinished { cycle_id: 1, finished_at: 1.5e9, duration, failed: false });
    for (path, text) in [("/readyz", "ready\n"), ("/startupz", "started\n"), ("/livez", "live\n")] {
        let (status, _, body) = ask(address, "GET", path).await;
        assert_eq!((status, body.as_str()), (200, text));
    }
    let (status, head, body) = ask(address, "GET", "/health").await;
    assert_eq!(status, 200);
    assert!(head.contains("\r\ncontent-type: application/json"), "{head}");
    let health: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((health["status"].as_str(), health["mode"].as_str()), (Some("ok"), Some("dry_run")));

    actor.do_send(Event::ActorsPinged(vec![(ActorName::Fetcher, false)]));
    let (status, _, body) = ask(address, "GET", "/health").await;
    assert_eq!((status, body.contains("no answer from fetcher")), (503, true), "{body}");
}

#[actix::test]
async fn a_slow_head_is_cut_off() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost:").await.unwrap();
    let begun = Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[actix::test]
async fn a_port_in_use_is_an_error_and_can_be_tried_again() {
    let (deps, _actor) = real();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = HttpConfig { port: taken.local_addr().unwrap().port(), ..config() };
    assert_eq!(serve(&config, deps.clone()).err().unwrap().kind(), io::ErrorKind::AddrInUse);
    drop(taken);
    let (server, address) = serve(&config, deps).unwrap();
    actix::spawn(server);
    assert_eq!(ask(address, "GET", "/livez").await.0, 200);
}

#[actix::test]
async fn it_stops_at_once_although_a_client_stays_connected() {
    let (deps, _actor) = real();
    let (address, handle) = start(deps);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: sentinel\r\n\r\n").await.unwrap();
    assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
    let begun = Instant::now();
    handle.stop(false).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}
