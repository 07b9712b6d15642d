//! `sentinel verify inf`, run on INF: checks everything that HUB's Prometheus needs, without other programs, on the machine or
//! inside the container.

mod counters;
mod network;
mod process;

use super::{Report, bad_flag, block_on, clock, daemon, not_checked, seconds};
use crate::{
    process::output::say,
    settings::daemon_address,
    tools::probe::{Client, Credentials},
};
use anyhow::Context as _;
use network::Endpoint;
use std::{process::ExitCode, time::Duration};

/// Prometheus's scrape timeout.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// URL of the daemon, as seen from this machine [default: by its settings]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// HUB's address; the route to it shows which address HUB will use [default: model.host of the settings]
    #[arg(long, value_name = "ADDRESS")]
    hub: Option<String>,
    /// How long to wait for the end of a cycle
    #[arg(long, value_name = "SECONDS", default_value = "75", value_parser = seconds)]
    wait: Duration,
    #[command(flatten)]
    credentials: Credentials,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let (url, hub) = match (&args.url, &args.hub) {
        (Some(url), Some(hub)) => (url.clone(), hub.clone()),
        (url, hub) => {
            let (its_url, its_hub) = daemon_address::url_and_hub();
            (url.clone().unwrap_or(its_url), hub.clone().unwrap_or(its_hub))
        }
    };
    let made = Client::new(&url, &args.credentials, DEADLINE)
        .context("--url")
        .and_then(|client| Ok((client, Endpoint::of(&url).with_context(|| format!("--url {url}"))?)));
    let (client, endpoint) = match made {
        Ok(made) => made,
        Err(error) => return bad_flag(&error),
    };
    if !args.json {
        say(&format!("INF {}\n", client.base_url()));
    }
    block_on(verify(args, &hub, &client, &endpoint)).conclude(args.json)
}

async fn verify(args: &Args, hub_name: &str, client: &Client, endpoint: &Endpoint) -> Report {
    let mut report = Report::new("inf", ["HUB can scrape this daemon.", "HUB cannot rely on this daemon yet."]);
    let hub = network::hub(hub_name);
    let connected = network::connect(endpoint, DEADLINE).await;
    let is_open = connected.is_ok();
    let owner = process::owner(endpoint);
    // A stopped process is not asked, because every request would take its whole deadline.
    let is_stopped = owner.as_ref().is_some_and(|owner| owner.is_stopped);
    let mut daemons = Report::new("inf", ["", ""]);
    let seen = if is_stopped { None } else { Some(daemon::check(client, is_open, &mut daemons).await) };
    process::check(endpoint, owner.as_ref(), is_open, seen.as_ref(), &mut report);
    network::port(endpoint, hub.as_ref().ok(), connected, &mut report);
    network::ipv6(endpoint, hub.as_ref().ok(), &mut report);
    report.append(daemons);
    match &seen {
        Some(seen) if !seen.is_silent => answers(args, client, seen, &mut report).await,
        seen => {
            if seen.is_none() {
                not_checked(
                    &mut report,
                    &["health", "metrics", "format", "text", "families"],
                    "the process is stopped",
                );
            }
            not_checked(&mut report, &["uptime", "cycles", "backwards", "clock", "openmetrics"], "nothing answers");
        }
    }
    let is_silent = seen.as_ref().is_none_or(|seen| seen.is_silent);
    match &hub {
        Ok(_) if is_silent => not_checked(&mut report, &["address", "from outside"], "nothing answers"),
        Ok(hub) => network::address(endpoint, *hub, &args.credentials, DEADLINE, &mut report).await,
        Err(error) => {
            let found = format!("HUB's address {hub_name} cannot be found: {error}");
            report.failed("address", found, "give its IP address: --hub ADDRESS");
            not_checked(&mut report, &["from outside"], "HUB's address is unknown");
        }
    }
    network::firewall(endpoint, hub_name, hub.as_ref().ok(), &mut report);
    report
}

/// The checks that need a daemon that answers.
async fn answers(args: &Args, client: &Client, seen: &daemon::Seen, report: &mut Report) {
    match &seen.exposition {
        Some(first) => {
            let is_over = seen.health.as_ref().is_some_and(daemon::Health::has_run_all_cycles);
            counters::watch(client, first, args.wait, is_over, report).await;
        }
        None => not_checked(report, &["uptime", "cycles", "backwards"], "there is no text to compare with"),
    }
    match seen.clock {
        Some(clock) => clock::check(Some(clock), None, "here (`sentinel verify hub` compares it with HUB's)", report),
        None => not_checked(report, &["clock"], "there is no answer with the time"),
    }
    open_metrics(client, report).await;
}

async fn open_metrics(client: &Client, report: &mut Report) {
    const ACCEPT: &str = "application/openmetrics-text;version=1.0.0";
    match client.get("/metrics", ACCEPT).await {
        Ok(page) if page.content_type.starts_with("application/openmetrics-text") => {
            report.note("openmetrics", "supported, too, if a scraper requests it")
        }
        Ok(_) => report.note("openmetrics", "not supported; HUB only needs 0.0.4"),
        Err(error) => report.note("openmetrics", format!("unknown: {error}")),
    }
}
