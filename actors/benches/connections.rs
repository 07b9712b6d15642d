//! The cost of a separate connection per request: over TLS on loopback, for 1, 100 and 1,000 symbols, eight at a time
//! (`data.concurrency`), compared with a client that keeps its connections. It prints the ratio of the times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::{StreamExt, stream};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::ring::default_provider,
    pki_types::PrivateKeyDer,
};
use sentinel_actors::adapters::http::{self, Client};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const CONCURRENCY: usize = 8;
const BODY_BYTES_MAX: usize = 1 << 20;

/// A certificate for `localhost`, the server that has it and the client that trusts it.
fn tls() -> (Arc<ServerConfig>, ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let mut server = server.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    server.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    (Arc::new(server), client)
}

/// A server with one thread per connection. It answers each request with one row, until the client closes the connection.
fn serve(config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/api/intraday", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = config.clone();
            thread::spawn(move || converse(config, stream));
        }
    });
    url
}

fn converse(config: Arc<ServerConfig>, stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let body = r#"[{"timestamp":1500000000,"open":1.1,"high":1.2,"low":1.0,"close":1.1,"volume":null}]"#;
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut request = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        request.extend_from_slice(&chunk[..read]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
    }
}

async fn ask_all(symbols: usize, request: impl Fn() -> awc::ClientRequest) {
    let calls = (0..symbols).map(|_| http::get(request(), BODY_BYTES_MAX));
    let answers: Vec<_> = stream::iter(calls).buffer_unordered(CONCURRENCY).collect().await;
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers.iter().find(|answer| answer.is_err()));
}

fn connections(criterion: &mut Criterion) {
    let (server, config) = tls();
    let url = serve(server);
    let system = actix_rt::System::new();
    let mut group = criterion.benchmark_group("requests_over_tls");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for symbols in [1, 100, 1_000] {
        let (own, kept) = clients(&config);
        let (own, kept) = (|| own.get(&url), || kept.get(&url));
        group.bench_function(format!("own_connections/{symbols}"), |bencher| {
            bencher.iter(|| system.block_on(ask_all(symbols, own)));
        });
        group.bench_function(format!("kept_alive/{symbols}"), |bencher| {
            bencher.iter(|| system.block_on(ask_all(symbols, kept)));
        });
    }
    group.finish();
    for symbols in [1, 100, 1_000, 10_000] {
        print_ratio(&system, &config, &url, symbols);
    }
}

/// One cycle's requests with each client, after a first cycle that opens the connections that are kept.
fn print_ratio(system: &actix_rt::SystemRunner, config: &ClientConfig, url: &str, symbols: usize) {
    let (own, kept) = clients(config);
    let took = |cycle: &dyn Fn()| {
        cycle();
        let began = Instant::now();
        cycle();
        began.elapsed()
    };
    let own = took(&|| system.block_on(ask_all(symbols, || own.get(url))));
    let kept = took(&|| system.block_on(ask_all(symbols, || kept.get(url))));
    let times = own.as_secs_f64() / kept.as_secs_f64();
    println!("{symbols} symbols: {own:?} on connections of their own, {kept:?} kept alive: {times:.1} times");
}

/// A client of Sentinel, and a client of awc with its defaults.
fn clients(config: &ClientConfig) -> (Client, awc::Client) {
    let connector = awc::Connector::new().rustls_0_23(Arc::new(config.clone()));
    (Client::with_tls(config.clone()), awc::Client::builder().connector(connector).disable_redirects().finish())
}

criterion_group!(benches, connections);
criterion_main!(benches);
