//! `sentinel verify`: checks whether a system that Sentinel works with is ready. One module per target, one kind of report.

mod clock;
pub(super) mod cluster;
mod daemon;
mod gateway;
mod hub;
mod inf;
mod market;
pub(crate) mod model;
mod report;

use crate::{
    process::{exit::EXIT_USAGE, on_system, output::complain},
    settings::SettingsArgs,
};
use report::Report;
use std::{io, process::ExitCode, time::Duration};

/// The systems that can be verified.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Target {
    /// Check the gateway with its dialect's harmless query; nothing trades; exit 0 if no check failed, otherwise 1
    ///
    /// Checks that it is reachable, that it answers in time and in this dialect, and that its clock is within 2 s of this machine's;
    /// shows the account and its positions. Takes the settings of `sentinel run`; needs a dialect, but no market data token. Do not
    /// use it with an Expert Advisor that listens itself: it may treat any message as an order.
    Gateway(Box<SettingsArgs>),
    /// Send EODHD the daemon's requests with your key; exit 0 if no check failed, otherwise 1
    ///
    /// Checks the answer for each symbol, how far the newest bar is behind the clock, whether data.max_bar_age_s allows for that,
    /// and for how many symbols the quota is enough. Takes the settings of `sentinel run`; sends one request per symbol (5 calls of
    /// the quota each). Run it while the market is open, because only then can the lag be measured.
    Market(Box<market::Args>),
    /// Send the model server on HUB the daemon's requests with recorded bars; exit 0 if no check failed, otherwise 1
    ///
    /// Checks the answers to one row and to one row per symbol, the latency, and whether rows in one request get the same answers as
    /// alone. Takes the settings of `sentinel run`; needs no token, and sends no orders.
    Model(Box<model::Args>),
    /// On INF: check that the daemon works and that HUB's Prometheus can reach it; exit 0 if no check failed, otherwise 1
    ///
    /// Checks the process and the address on the port, /health, the format of /metrics, the families and buckets HUB relies on, the
    /// changes between two scrapes, the clock, and the address HUB will use; prints the firewall rule that HUB needs.
    Inf(inf::Args),
    /// On HUB: check that Prometheus scrapes INF, and its rules and Alertmanager; exit 0 if no check failed, otherwise 1
    ///
    /// Checks that INF is reachable, its clock, the job, the scrape interval, unique labels, that the series of INF and all series
    /// that the rules read are stored, that every member of INF's cluster is a target, that the rules are those of this version and are
    /// evaluated, and that Prometheus sends alerts to a running Alertmanager. Takes no settings.
    Hub(hub::Args),
}

pub(crate) fn main(target: &Target) -> ExitCode {
    match target {
        Target::Gateway(args) => gateway::main(args),
        Target::Market(args) => market::main(args),
        Target::Model(args) => model::main(args),
        Target::Inf(args) => inf::main(args),
        Target::Hub(args) => hub::main(args),
    }
}

/// Runs this work on the current thread, because awc's clients cannot change threads.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    on_system(work)
}

/// Reports an invalid flag on stderr.
fn bad_flag(error: &anyhow::Error) -> ExitCode {
    complain(&format!("sentinel: {error:#}"));
    ExitCode::from(EXIT_USAGE)
}

/// Reports checks that could not be made, so that none is left out silently.
fn not_checked(report: &mut Report, names: &[&'static str], because: &str) {
    for name in names {
        report.failed(name, format!("not checked: {because}"), "");
    }
}

/// Advice for a connection that is neither accepted nor refused.
const FIREWALL: &str =
    "no answer, not even a refusal: a firewall in between drops the packets, or the address is wrong";

/// Whether a connection failed because there was no answer.
fn is_lost(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable)
}

/// Parses a flag's waiting time.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be 0 to 86400 seconds".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_not_lost() {
        assert!(!is_lost(&io::ErrorKind::ConnectionRefused.into()));
        assert!(is_lost(&io::ErrorKind::TimedOut.into()) && is_lost(&io::ErrorKind::HostUnreachable.into()));
    }
}
