//! Requests a second of `/metrics`, as it is and compressed, next to what the same server does with the same bytes when they
//! are static. All are driven in turns, so that a noisy neighbour hits all: `cargo bench --bench scrape`.

#![allow(clippy::print_stdout)] // its figures

use actix::{Actor, Arbiter, Context, Handler};
use actix_web::{HttpResponse, dev::Server, http::header::CONTENT_TYPE, web};
use sentinel::daemon::{
    console::ConsoleLink,
    discovery::Discovery,
    http::{Deps, HttpConfig, Landing, serve, serve_routes},
};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        halt_file::HaltFile,
        prometheus::Format,
        system_clock::SystemClock,
    },
    domain::{build_info::BuildInfo, cluster::Unguarded, drift::Drift, instrument::Symbol},
    messages::{Backlog, Ping},
    metrics::{Config, GetMetrics, MetricsActor},
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const CLIENTS: usize = 8;

struct Scheduler;

impl Actor for Scheduler {
    type Context = Context<Self>;
}

impl Handler<Ping> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Without cargo's `--bench` it only shows that it runs.
    let (rounds, round) = match std::env::args().any(|arg| arg == "--bench") {
        true => (8, Duration::from_secs(1)),
        false => (1, Duration::from_millis(50)),
    };
    let (ours, fixed) = start()?;
    let (mut asked, mut compressed, mut baseline) = (vec![], vec![], vec![]);
    for _ in 0..rounds {
        asked.push(requests_per_second(ours, "", round)?);
        compressed.push(requests_per_second(ours, "Accept-Encoding: gzip\r\n", round)?);
        baseline.push(requests_per_second(fixed, "", round)?);
    }
    let (asked, compressed, baseline) = (median(asked), median(compressed), median(baseline));
    let (ratio, compressed_ratio) = (asked / baseline, compressed / baseline);
    println!(
        "{CLIENTS} clients: /metrics {asked:.0}/s, compressed {compressed:.0}/s, static bytes {baseline:.0}/s, \
         ratios {ratio:.2} and {compressed_ratio:.2}"
    );
    Ok(())
}

/// Starts the actor on its own thread and both servers; gives back where they listen.
fn start() -> Result<(SocketAddr, SocketAddr), Box<dyn std::error::Error>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let servers = servers().await;
            let addresses = servers.as_ref().map(|(ours, fixed)| (ours.1, fixed.1)).map_err(ToString::to_string);
            let _ = sender.send(addresses);
            if let Ok(((ours, _), (fixed, _))) = servers {
                let _ = futures_util::future::join(ours, fixed).await;
            }
        });
    });
    Ok(receiver.recv()??)
}

type Bound = (Server, SocketAddr);

async fn servers() -> Result<(Bound, Bound), Box<dyn std::error::Error>> {
    let actor = MetricsActor::new(Config {
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
    })?;
    let snapshot = actor.snapshot();
    let metrics = MetricsActor::start_in_arbiter(&Arbiter::new().handle(), move |_| actor);
    let text = metrics.send(GetMetrics { format: Format::Text, is_gzipped: false }).await?.text;
    let http = HttpConfig {
        host: "127.0.0.1".into(),
        port: 0,
        connections_max: 256,
        header_deadline: Duration::from_secs(5),
        connection_deadline: Duration::from_secs(10),
        body_bytes_max: 0,
        ask_deadline: Duration::from_millis(500),
        protection: None,
    };
    let scheduler = Scheduler.start().recipient();
    let build = BuildInfo { version: String::new(), revision: String::new(), rustc: String::new() };
    let landing = Landing::new(build, ConsoleLink::default());
    let deps = Deps {
        metrics: metrics.clone().recipient(),
        health: metrics.recipient(),
        scheduler,
        snapshot,
        landing,
        discovery: Discovery::Own("[]".into()),
    };
    let fixed = serve_routes(&http, move |app| {
        let text = text.clone();
        let answer = move || {
            let content_type = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
            let response = HttpResponse::Ok().insert_header(content_type).body(text.clone());
            async { response }
        };
        app.service(web::resource("/metrics").route(web::get().to(answer)));
    })?;
    Ok((serve(&http, deps)?, fixed))
}

fn requests_per_second(address: SocketAddr, headers: &'static str, round: Duration) -> io::Result<f64> {
    let begun = Instant::now();
    let clients = (0..CLIENTS).map(|_| thread::spawn(move || drive(address, headers, begun + round)));
    let clients = clients.collect::<Vec<_>>();
    let mut requests = 0;
    for client in clients {
        requests += client.join().map_err(|_| io::Error::other("a client panicked"))??;
    }
    Ok(requests as f64 / begun.elapsed().as_secs_f64())
}

/// A connection per request, as the server wants it, until the end.
fn drive(address: SocketAddr, headers: &str, end: Instant) -> io::Result<usize> {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: sentinel\r\n{headers}\r\n");
    // A text ends with its last line; gzip with the length of the text, which is no line's end.
    let end_mark: &[u8] = if headers.is_empty() { b"\n" } else { b"\0\0" };
    let (mut requests, mut answer) = (0, Vec::with_capacity(1 << 16));
    while Instant::now() < end {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        answer.clear();
        stream.read_to_end(&mut answer)?;
        if !answer.starts_with(b"HTTP/1.1 200 ") || !answer.ends_with(end_mark) {
            return Err(io::Error::other("an answer was not whole"));
        }
        requests += 1;
    }
    Ok(requests)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
