//! `sentinel verify hub`: run on HUB, does its Prometheus scrape INF as it should, and would anybody hear of an alert?
//! Only HTTP, and the configuration file if it is given; no shell tool, no settings.

mod address;
mod alerting;
mod config;
mod delivery;
mod prometheus;
mod rules;
mod same;
mod target;

use super::{Report, bad_flag, block_on, daemon, say, seconds};
use crate::tools::probe::{Client, Credentials};
use anyhow::Context as _;
use prometheus::Prometheus;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// As long as Prometheus waits for a scrape.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The daemon, as seen from HUB
    #[arg(long, value_name = "URL", default_value = "http://172.19.141.250:8000")]
    inf: String,
    /// Prometheus, as seen from here
    #[arg(long, value_name = "URL", default_value = "http://localhost:9090")]
    prometheus: String,
    /// Alertmanager, as seen from here
    #[arg(long, value_name = "URL")]
    alertmanager: Option<String>,
    /// Prometheus's configuration file: does it have the job, and has Prometheus read it since it changed?
    #[arg(long, value_name = "FILE")]
    prometheus_config: Option<PathBuf>,
    /// Name of the scrape job
    #[arg(long, value_name = "NAME", default_value = "sentinel-metrics")]
    job: String,
    /// How long to wait for a scrape [default: two scrape intervals]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    wait: Option<Duration>,
    /// Send Alertmanager an alert that ends by itself after two minutes; whoever is on call gets it
    #[arg(long, requires = "alertmanager")]
    send_test_alert: bool,
    #[command(flatten)]
    credentials: Credentials,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// Whom to ask.
struct Clients {
    inf: Client,
    prometheus: Prometheus,
    alertmanager: Option<Client>,
}

impl Clients {
    fn new(args: &Args) -> anyhow::Result<Self> {
        // The login is INF's; nobody else gets it.
        let open = |url: &str, flag| Client::new(url, &Credentials::default(), DEADLINE).context(flag);
        Ok(Self {
            inf: Client::new(&args.inf, &args.credentials, DEADLINE).context("--inf")?,
            prometheus: Prometheus(open(&args.prometheus, "--prometheus")?),
            alertmanager: args.alertmanager.as_ref().map(|url| open(url, "--alertmanager")).transpose()?,
        })
    }
}

pub(super) fn main(args: &Args) -> ExitCode {
    let clients = match Clients::new(args) {
        Ok(clients) => clients,
        Err(error) => return bad_flag(&error),
    };
    if !args.json {
        say(&format!("INF {}, Prometheus {}\n", args.inf, args.prometheus));
    }
    block_on(verify(args, &clients)).conclude(args.json)
}

async fn verify(args: &Args, Clients { inf, prometheus, alertmanager }: &Clients) -> Report {
    let mut report = Report::new("hub", ["HUB sees INF.", "HUB does not see all of INF yet."]);
    let health = daemon::health(inf, &mut report).await;
    let metrics = daemon::metrics(inf, health.as_ref(), &mut report).await;
    let is_ready = prometheus.ready(&mut report).await;
    if is_ready {
        prometheus.settled().await;
    }
    config::check(prometheus, is_ready, args, &mut report).await;
    target::check(prometheus, is_ready, args, metrics.as_ref(), &mut report).await;
    rules::check(prometheus, is_ready, &mut report).await;
    delivery::check(prometheus, is_ready, alertmanager.as_ref(), &mut report).await;
    match alertmanager {
        None => report.note("alertmanager", "not asked; --alertmanager URL asks it"),
        Some(alertmanager) => alerting::reachable(alertmanager, args.send_test_alert, &mut report).await,
    }
    report
}
