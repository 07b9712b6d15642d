//! The console over real sockets, with a journal and actors of its own.

mod answers;
mod presses;
mod staleness;

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
    messages::{Backlog, Event},
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
        store.note_press(&press)
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
    has_paper: bool,
    schedule: &'static str,
    /// How long the daemon has been running.
    up: Duration,
    /// EURUSD, and others without a decision.
    symbols: usize,
}

impl Default for Setup {
    fn default() -> Self {
        let (users, hosts, is_live) = (false, Vec::new(), false);
        let (schedule, up) = ("58 * * * * *", Duration::ZERO);
        Self {
            users,
            hosts,
            has_halt_file: true,
            is_writable: true,
            is_live,
            has_paper: true,
            schedule,
            up,
            symbols: 1,
        }
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
        has_paper: setup.has_paper,
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
        started: SystemClock.now() - setup.up,
        symbols: (0..setup.symbols).map(symbol).collect(),
        halt_file: setup.has_halt_file.then(|| folder.join("halt")),
        failures_max: 3,
        journal: folder.join("journal.db"),
        archive: Some(folder.join("bars.db")),
        operators: vec!["ann".into()],
        hosts: setup.hosts.clone(),
        bind: "127.0.0.1".into(),
    }
}

/// Those of a console whose files are in this folder.
pub(super) fn facts_in(folder: &Path) -> Facts {
    facts(folder, &Setup::default())
}

fn symbol(number: usize) -> SymbolFacts {
    let name = if number == 0 { "EURUSD".to_owned() } else { format!("S{number}") };
    SymbolFacts { gateway_name: format!("{name}m"), name, digits: 5, threshold: 0.6 }
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
        authority: Arc::new(Unguarded::default()),
        claim: String::new(),
        period: Duration::from_secs(60),
        inflight: Inflight::default(),
        breakers: Breakers::default(),
        backlog: Backlog::default(),
        clock: Arc::new(SystemClock),
    };
    MetricsActor::new(config).unwrap().start()
}

fn telemetry(metrics: &actix::Addr<MetricsActor>) -> Telemetry {
    metrics.clone().recipient::<Event>().into()
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
            telemetry: telemetry(&metrics),
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
        metrics: metrics.clone().recipient(),
        press: Keeper(None).start().recipient(),
        telemetry: telemetry(&metrics),
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
