//! `spawn_app`: the whole daemon in this process, against the sandbox's servers on free ports.

use actix_rt::task::JoinHandle;
use sentinel::{
    daemon::{
        application::{Application, Plan},
        shutdown::Ended,
    },
    sandbox::{
        PriceBoard,
        baseline::Baseline,
        gateway::{self, Gateway},
        market, model,
        recording::Recording,
        server::Server,
    },
    settings::{Settings, Sources},
};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A free port on loopback.
pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A running daemon and its servers.
pub struct TestApp {
    pub address: SocketAddr,
    pub gateway: Gateway,
    pub market: Server,
    pub model: Server,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<anyhow::Result<Ended>>,
    /// Folder of the journal, unless a flag names another.
    _folder: TempDir,
}

/// Starts everything; `flags` are added to those that the sandbox needs.
pub async fn spawn_app(flags: &[(&'static str, &str)], plan: impl FnOnce(Plan) -> Plan) -> TestApp {
    let prices = PriceBoard::default();
    let market = market::start(market::Config::new(LOOPBACK, Recording::eurusd(), prices.clone())).unwrap();
    let model = model::start(LOOPBACK, Baseline::fitted()).unwrap();
    let gateway = gateway::start(gateway::Config { addr: LOOPBACK, prices, price: None }).unwrap();
    let folder = TempDir::new().unwrap();
    let mut all = vec![
        ("journal.path", folder.path().join("journal.db").display().to_string()),
        ("data.base_url", format!("http://{}", market.addr())),
        ("data.api_token", "test".into()),
        ("model.host", "127.0.0.1".into()),
        ("model.port", model.addr().port().to_string()),
        ("gateway.host", "127.0.0.1".into()),
        ("gateway.port", gateway.addr().port().to_string()),
        ("gateway.dialect", "v43".into()),
        ("gateway.account", "test".into()),
        ("trading.stop_loss", "0.02".into()),
        ("trading.threshold", "0.40".into()),
        ("schedule.clock", "bars".into()),
        // For any day on which a test runs.
        ("market.calendar", "always".into()),
        ("metrics.bind", "127.0.0.1".into()),
        ("metrics.port", "0".into()),
        ("console.enabled", "false".into()),
    ];
    all.extend(flags.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let sources = Sources { environment: HashMap::new(), flags: all, ..Sources::default() };
    let settings = Settings::load(&sources).unwrap();
    let plan = plan(Plan::from_settings(&settings));
    let application = Application::start(&settings, plan, None, None).unwrap();
    let address = application.address().expect("a free port can be bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let ended = actix_rt::spawn(application.run_until_stopped(shutdown));
    TestApp { address, gateway, market, model, stop, ended, _folder: folder }
}

impl TestApp {
    /// Status, content type and body of a GET.
    pub async fn get(&self, path: &str) -> (u16, String, String) {
        let mut response = awc::Client::default().get(format!("http://{}{path}", self.address)).send().await.unwrap();
        let content_type = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
        let body = response.body().await.unwrap();
        (response.status().as_u16(), content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The exposition's samples: `name{labels}` to value.
    pub async fn metrics(&self) -> HashMap<String, f64> {
        samples(&self.get("/metrics").await.2)
    }

    /// Polls until a sample reaches `at_least`.
    pub async fn wait_for(&self, sample: &str, at_least: f64) -> HashMap<String, f64> {
        let reached = |now: &HashMap<String, f64>| now.get(sample).is_some_and(|value| *value >= at_least);
        self.wait_until(&format!("{sample} {at_least}"), reached).await
    }

    /// Polls until this holds for the samples; panics with the exposition after two minutes: a proof of an unknown order that came
    /// too early is tried again after one.
    pub async fn wait_until(&self, what: &str, holds: impl Fn(&HashMap<String, f64>) -> bool) -> HashMap<String, f64> {
        for _ in 0..12_000 {
            let metrics = self.metrics().await;
            if holds(&metrics) {
                return metrics;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}: {:#?}", self.metrics().await);
    }

    /// Stops the daemon gracefully, then its servers.
    pub async fn stop(self) -> Ended {
        // The daemon may have ended by itself, and then nothing listens.
        let _ = self.stop.send(());
        let ended = self.ended.await.unwrap().unwrap();
        self.gateway.stop();
        self.model.stop();
        self.market.stop();
        ended
    }
}

/// Parses an exposition's samples.
pub fn samples(text: &str) -> HashMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}
