//! The console over real sockets: who gets in, what every answer has, and what the two buttons do.

mod presses;
mod told;

use super::*;
use crate::settings::Protection;
use actix::{Actor, Context, Handler};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        halt_file::HaltFile,
        journal::Store,
        system_clock::SystemClock,
    },
    domain::{
        build_info::BuildInfo, calendar::Calendar, cluster::Unguarded, drift::Drift, instrument::Symbol,
        interval::Interval, journal::JournalError,
    },
    messages::Backlog,
    metrics::{Config, MetricsActor},
};
use std::{fs, path::Path};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// bcrypt of "correct horse".
const HASH: &str = "$2y$04$9BF5Djm3vG8khfy1Len.cuk/uasLAEWB2ZmlPsVNRm5zFgl56Zbsm";
/// `Basic` of ann and bob with that password.
const ANN: &str = "Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=\r\n";
const BOB: &str = "Authorization: Basic Ym9iOmNvcnJlY3QgaG9yc2U=\r\n";

/// Keeps presses as the Journal does; or fails, as on a full disk.
struct Keeper(Option<Store>);

impl Actor for Keeper {
    type Context = Context<Self>;
}

impl Handler<NotePress> for Keeper {
    type Result = Result<(), JournalError>;

    fn handle(&mut self, NotePress { press, .. }: NotePress, _: &mut Self::Context) -> Self::Result {
        let store = self.0.as_mut().ok_or_else(|| JournalError::Failed("the disk is full".into()))?;
        store.note_press(&press, SystemClock.now())
    }
}

/// A console with a journal of its own.
struct World {
    folder: TempDir,
    address: SocketAddr,
    metrics: actix::Addr<MetricsActor>,
}

struct Setup {
    users: bool,
    hosts: Vec<String>,
    has_halt_file: bool,
    is_writable: bool,
    is_live: bool,
    schedule: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        let (users, hosts, is_live) = (false, Vec::new(), false);
        Self { users, hosts, has_halt_file: true, is_writable: true, is_live, schedule: "58 * * * * *" }
    }
}

fn build() -> BuildInfo {
    BuildInfo { version: "0.1.0".into(), revision: "abc1234".into(), rustc: "1.95.0".into() }
}

fn facts(folder: &Path, setup: &Setup) -> Facts {
    Facts {
        build: build(),
        config_hash: 7,
        is_live: setup.is_live,
        account: Some("12345678".into()),
        journal_account: "12345678".into(),
        model: "baseline".into(),
        model_address: "http://hub:5001".into(),
        trained_until: None,
        horizon_bars: 4,
        reference: None,
        interval: Interval::OneHour,
        calendar: Calendar::fx().into(),
        calendar_name: "fx".into(),
        schedule: setup.schedule.parse().unwrap(),
        is_back_to_back: false,
        period: Duration::from_secs(60),
        step: Duration::from_secs(60),
        started: SystemClock.now(),
        symbols: vec![SymbolFacts { name: "EURUSD".into(), gateway_name: "EURUSDm".into(), digits: 5, threshold: 0.6 }],
        halt_file: setup.has_halt_file.then(|| folder.join("halt")),
        failures_max: 3,
        journal: folder.join("journal.db"),
        archive: Some(folder.join("bars.db")),
        operators: vec!["ann".into()],
        hosts: setup.hosts.clone(),
        bind: "127.0.0.1".into(),
    }
}

fn metrics() -> actix::Addr<MetricsActor> {
    let config = Config {
        symbols: vec![Symbol::new("EURUSD")],
        build: build(),
        config_hash: 7,
        drift: Drift::default(),
        failed_share_max: 0.5,
        live: false,
        money: None,
        paper: None,
        max_bar_age_s: 10_800,
        kill_switch: Arc::new(HaltFile::new(None)),
        authority: Arc::new(Unguarded),
        period: Duration::from_secs(60),
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        backlog: Backlog::default(),
        clock: Arc::new(SystemClock),
    };
    MetricsActor::new(config).unwrap().start()
}

impl World {
    fn new(setup: &Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("journal.db")).unwrap();
        let keeper = Keeper(setup.is_writable.then_some(store)).start();
        let protection = setup.users.then(|| {
            let path = folder.path().join("console.yml");
            fs::write(&path, format!("basic_auth_users:\n  ann: {HASH}\n  bob: {HASH}\n")).unwrap();
            Protection::load(&path).unwrap()
        });
        let config = HttpConfig {
            host: "127.0.0.1".into(),
            port: 0,
            connections_max: 16,
            header_deadline: Duration::from_secs(1),
            connection_deadline: Duration::from_secs(5),
            body_bytes_max: BODY_BYTES_MAX,
            ask_deadline: Duration::from_millis(500),
            protection,
        };
        let metrics = metrics();
        let deps = Deps {
            health: metrics.clone().recipient(),
            metrics: metrics.clone().recipient(),
            press: keeper.recipient(),
            clock: Arc::new(SystemClock),
            facts: Arc::new(facts(folder.path(), setup)),
        };
        let console = Console::open(config, deps, Duration::from_millis(100));
        let address = console.address().unwrap();
        assert!(console.0.borrow().server.is_none(), "no thread before a client");
        Self { folder, address, metrics }
    }

    /// Status, head in lower case, and body.
    async fn send(&self, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
    }

    async fn get(&self, path: &str, headers: &str) -> (u16, String, String) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address)).await
    }
}

fn code(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{body}"));
    body["error"]["code"].as_str().unwrap().to_owned()
}

#[actix::test]
async fn every_answer_has_the_safe_headers_and_errors_are_json() {
    let world = World::new(&Setup { users: true, ..Setup::default() });
    let host = world.address;
    let requests = [
        (200, format!("GET /console/ HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (200, format!("GET /console/app.js HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (200, format!("GET /console/api/now HTTP/1.1\r\nHost: {host}\r\n{BOB}\r\n")),
        (302, format!("GET / HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (400, format!("GET /console/api/bars HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (400, format!("GET /console/api/decisions?limit=501 HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (401, format!("GET /console/ HTTP/1.1\r\nHost: {host}\r\n\r\n")),
        (
            401,
            format!("GET /console/api/now HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic aHViOnNjcmFwZQ==\r\n\r\n"),
        ),
        (404, format!("GET /console/../etc/passwd HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /console/api/none HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /console/api/odds?symbol=XAUUSD HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /console/api/orders/none HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (405, format!("DELETE /console/api/now HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (405, format!("GET /console/api/halt HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (421, "GET /console/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".into()),
    ];
    for (status, request) in requests {
        let (found, head, body) = world.send(&request).await;
        assert_eq!(found, status, "{request}: {body}");
        for header in [
            "\r\ncontent-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n",
            "\r\nx-content-type-options: nosniff",
            "\r\nreferrer-policy: no-referrer",
            "\r\ncache-control: ",
        ] {
            assert!(format!("{head}\r\n").contains(header), "{request}: {header}: {head}");
        }
        if status >= 400 {
            assert!(head.contains("\r\ncontent-type: application/json"), "{request}: {head}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(body["error"]["message"].as_str().unwrap().len() > 10 && body["schema"] == 1, "{body}");
        }
        assert_eq!(head.contains("www-authenticate: basic"), status == 401, "{request}");
    }
}

#[actix::test]
async fn only_names_of_the_console_reach_it() {
    let world = World::new(&Setup { hosts: vec!["INF.example".into()], ..Setup::default() });
    for host in
        ["localhost", "LOCALHOST:9001", "127.0.0.1", "127.0.0.1:8001", "[::1]:8001", "127.3.2.1", "inf.example:80"]
    {
        let request = format!("GET /console/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(world.send(&request).await.0, 200, "{host}");
    }
    for headers in [
        "",
        "Host: evil.example\r\n",
        "Host: localhost.evil.example\r\n",
        "Host: evil.example#localhost\r\n",
        "Host: ann@localhost\r\n",
        "Host: 10.0.0.7\r\n",
        "Host: \r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: 0.0.0.0:8001\r\n",
    ] {
        let (status, _, body) = world.send(&format!("GET /console/api/now HTTP/1.1\r\n{headers}\r\n")).await;
        assert!(status == 421 || status == 400, "{headers}: {status}");
        assert!(status == 400 || code(&body) == "wrong_host", "{headers}");
    }
    let absolute = "GET http://evil.example/console/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(world.send(absolute).await.0, 421);
}

#[actix::test]
async fn an_answer_that_has_not_changed_is_304() {
    let world = World::new(&Setup::default());
    let paths = [
        "now",
        "decisions",
        "orders",
        "orders?ledger=paper",
        "positions",
        "equity",
        "money",
        "stages",
        "model",
        "system",
        "bars?symbol=EURUSD",
        "odds?symbol=EURUSD",
    ];
    for path in paths {
        let path = format!("/console/api/{path}");
        let (status, head, body) = world.get(&path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(answer["schema"] == 1 && answer["now_ms"].as_i64().unwrap() > 1_500_000_000_000, "{path}: {body}");
        assert!(
            answer.as_object().unwrap().contains_key("cycle_id") && head.contains("\r\ncache-control: no-store"),
            "{path}"
        );
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
        let (status, head, body) = world.get(&path, &format!("If-None-Match: \"other\", W/{tag}\r\n")).await;
        assert_eq!((status, body.as_str()), (304, ""), "{path}");
        assert!(head.contains(&format!("etag: {tag}")), "{head}");
        assert_eq!(world.get(&path, "If-None-Match: \"other\"\r\n").await.0, 200, "{path}");
    }
    let before = world.get("/console/api/now", "").await;
    let tag = before.1.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    fs::write(world.folder.path().join("halt"), "").unwrap();
    let (status, _, body) = world.get("/console/api/now", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(status == 200 && body.contains("\"is_halted\":true"), "a halt is news: {body}");
}

#[actix::test]
async fn a_journal_that_is_gone_is_an_error_and_not_an_empty_answer() {
    let world = World::new(&Setup::default());
    assert_eq!(world.get("/console/api/orders", "").await.0, 200);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.folder.path().join(format!("journal.db{suffix}")));
    }
    for path in ["now", "orders", "money"] {
        let (status, head, body) = world.get(&format!("/console/api/{path}"), "").await;
        assert_eq!((status, code(&body).as_str()), (503, "journal"), "{path}: {body}");
        assert!(head.contains("\r\nretry-after: 1"), "{head}");
    }
    assert_eq!(world.get("/console/api/system", "").await.0, 200, "what the process knows is still shown");
    assert_eq!(world.get("/console/", "").await.0, 200);
}

#[actix::test]
async fn a_server_that_did_not_start_is_started_again() {
    let mut answers = vec![Ok(true), Err(io::Error::other("no thread")), Ok(false), Err(io::Error::other("no thread"))];
    until_it_ends(async || answers.pop().unwrap(), Duration::from_millis(1)).await;
    assert!(answers.is_empty(), "until it ended as it should");
}

#[actix::test]
async fn a_port_in_use_is_tried_again() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::new(&Setup::default());
    let setup = Setup::default();
    let port = taken.local_addr().unwrap().port();
    let metrics = metrics();
    let deps = Deps {
        health: metrics.clone().recipient(),
        metrics: metrics.recipient(),
        press: Keeper(None).start().recipient(),
        clock: Arc::new(SystemClock),
        facts: Arc::new(facts(world.folder.path(), &setup)),
    };
    let config = HttpConfig {
        host: "127.0.0.1".into(),
        port,
        connections_max: 4,
        header_deadline: Duration::from_secs(1),
        connection_deadline: Duration::from_secs(5),
        body_bytes_max: BODY_BYTES_MAX,
        ask_deadline: Duration::from_millis(500),
        protection: None,
    };
    let console = Console::open(config, deps, Duration::from_millis(20));
    assert_eq!(console.address(), None);
    drop(taken);
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if console.address().is_some() {
            break;
        }
    }
    assert_eq!(console.address().map(|address| address.port()), Some(port));
    console.close().await;
}
