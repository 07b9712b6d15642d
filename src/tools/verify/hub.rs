//! `sentinel verify hub`, run on HUB: checks that its Prometheus scrapes INF and that alerts reach people. Uses only HTTP, and the
//! configuration file if it is given; no settings.

mod address;
mod alerting;
mod config;
mod delivery;
mod identity;
mod labels;
mod members;
mod prometheus;
mod promql;
mod rule_inputs;
mod rules;
mod scrape_error;
mod scrape_target;
mod series;
mod target;

use super::{Report, bad_flag, block_on, clock, daemon, not_checked, seconds};
use crate::{
    process::output::say,
    tools::probe::{Client, Credentials, route},
};
use address::Address;
use anyhow::Context as _;
use prometheus::Prometheus;
use rules::Wanted;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Prometheus's scrape timeout.
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
    /// Prometheus's configuration file: check that it has the job and that Prometheus has read it since it changed
    #[arg(long, value_name = "FILE")]
    prometheus_config: Option<PathBuf>,
    /// Name of the scrape job
    #[arg(long, value_name = "NAME", default_value = "sentinel-metrics")]
    job: String,
    /// The target's `instance` label, if the job has several targets [default: that of the target at --inf]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Rules that should be loaded, if yours differ on purpose [default: alerts.yml of this version]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// How long to wait for a scrape [default: two scrape intervals]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    wait: Option<Duration>,
    /// Send Alertmanager an alert that ends by itself after two minutes; the person on call gets it
    #[arg(long, requires = "alertmanager")]
    send_test_alert: bool,
    #[command(flatten)]
    credentials: Credentials,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// The servers to check.
struct Clients {
    inf: Client,
    prometheus: Prometheus,
    alertmanager: Option<Client>,
}

impl Clients {
    fn new(args: &Args) -> anyhow::Result<Self> {
        // The login is INF's, so no other server gets it.
        let open = |url: &str, flag| Client::new(url, &Credentials::default(), DEADLINE).context(flag);
        Ok(Self {
            inf: Client::new(&args.inf, &args.credentials, DEADLINE).context("--inf")?,
            prometheus: Prometheus(open(&args.prometheus, "--prometheus")?),
            alertmanager: args.alertmanager.as_ref().map(|url| open(url, "--alertmanager")).transpose()?,
        })
    }
}

pub(super) fn main(args: &Args) -> ExitCode {
    let made =
        Clients::new(args).and_then(|clients| Ok((clients, Wanted::new(args.rules.as_deref()).context("--rules")?)));
    let (clients, wanted) = match made {
        Ok(made) => made,
        Err(error) => return bad_flag(&error),
    };
    if !args.json {
        say(&format!("INF {}, Prometheus {}\n", args.inf, args.prometheus));
    }
    block_on(verify(args, &clients, &wanted)).conclude(args.json)
}

async fn verify(args: &Args, Clients { inf, prometheus, alertmanager }: &Clients, wanted: &Wanted) -> Report {
    let mut report = Report::new("hub", ["HUB sees INF.", "HUB does not see all of INF yet."]);
    let seen = daemon::check(inf, is_open(&args.inf).await, &mut report).await;
    let its_clock = prometheus.ready(&mut report).await;
    let is_ready = its_clock.is_some();
    match seen.clock {
        Some(clock) => {
            let its_clock = its_clock.flatten();
            let whose = if its_clock.is_some() { "HUB's Prometheus" } else { "here" };
            clock::check(Some(clock), its_clock, whose, &mut report);
        }
        None => not_checked(&mut report, &["clock"], "INF does not answer from here"),
    }
    if is_ready {
        prometheus.settled().await;
    }
    let running = config::check(prometheus, is_ready, args, &mut report).await;
    let target = if is_ready {
        let fetched = scrape_target::Fetched { page: seen.exposition.as_ref(), at: seen.sent_at };
        target::check(prometheus, args, fetched, &running, wanted, &mut report).await
    } else {
        not_checked(&mut report, &target::NAMES, "Prometheus does not answer");
        None
    };
    let instance = target.as_ref().map(|target| target.label("instance"));
    members::check(inf, prometheus, is_ready, args, &mut report).await;
    rules::check(prometheus, is_ready, wanted, instance, &mut report).await;
    delivery::check(prometheus, is_ready, alertmanager.as_ref(), &mut report).await;
    match alertmanager {
        None => report.note("alertmanager", "not checked; --alertmanager URL checks it"),
        Some(alertmanager) => {
            alerting::check(alertmanager, args.send_test_alert, target.as_ref(), wanted, &mut report).await;
        }
    }
    report
}

/// Whether INF's port accepts a connection: if it does and there is no answer, the daemon hangs and it is not a firewall.
async fn is_open(inf: &str) -> bool {
    let Some(Address { host, port }) = Address::of(inf) else { return false };
    match route::resolve(&host) {
        Ok(host) => daemon::connect(host, port, DEADLINE).await.is_ok(),
        Err(_) => false,
    }
}
