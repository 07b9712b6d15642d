//! `sentinel verify`: is a system that Sentinel works with ready for it? One file per target, one report for all.

mod clock;
mod daemon;
mod gateway;
mod hub;
mod inf;
mod market;
mod model;
mod report;

use crate::{
    process::{exit::EXIT_USAGE, on_system},
    settings::SettingsArgs,
};
use report::{Report, say};
use std::{io, process::ExitCode, time::Duration};

/// What can be verified.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Target {
    /// Send the gateway its dialect's harmless request, and nothing that trades; exit 0 if all is well, 1 if not
    ///
    /// Is it reachable, does it answer in time and in this dialect, is its clock within 2 s of ours, what is in the
    /// account. Takes the settings of `sentinel run`; needs a dialect, but no market data token. Never point it at an
    /// Expert Advisor that listens itself: one of those takes any message for an order.
    Gateway(Box<SettingsArgs>),
    /// Ask EODHD, with your own key, what the daemon would ask; exit 0 if all is well, 1 if not
    ///
    /// What each symbol's request is answered with, how far the newest bar is behind the clock and what that means for
    /// data.max_bar_age_s, and how many symbols the quota carries. Takes the settings of `sentinel run` and one request
    /// per symbol (5 calls of the quota each). Run it while the market is open: a lag shows only then.
    Market(Box<market::Args>),
    /// Ask the model server on HUB what the daemon would ask, with recorded bars; exit 0 if all is well, 1 if not
    ///
    /// What it answers to one row and to one per symbol, how fast, and whether rows in one request are answered as they
    /// are alone. Takes the settings of `sentinel run`; needs no token, and nothing is written or ordered.
    Model(Box<model::Args>),
    /// On INF: is the daemon there, whole, and reachable for HUB's Prometheus; exit 0 if all is well, 1 if not
    ///
    /// Who has the port and on which address, /health, the format, the families HUB knows and their buckets, what
    /// moves between two scrapes, its clock, the address HUB will use and the firewall rule it needs.
    Inf(inf::Args),
    /// On HUB: does Prometheus scrape INF as it should, with rules and Alertmanager; exit 0 if all is well, 1 if not
    ///
    /// INF reachable from here and its clock, the job, scrape interval, labels that no other target has, series stored as
    /// INF shows them and all that the rules read, rules as they came with this version and evaluated, Alertmanager
    /// known and there. Takes no settings.
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

/// Runs what has to wait for the network on this thread; awc's clients live on one.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    on_system(work)
}

/// Says on stderr which flag cannot stand.
fn bad_flag(error: &anyhow::Error) -> ExitCode {
    eprintln!("sentinel: {error:#}");
    ExitCode::from(EXIT_USAGE)
}

/// Reports what could not be looked at, so that nothing is left out in silence.
fn not_reached(report: &mut Report, names: &[&'static str], because: &str) {
    for name in names {
        report.failed(name, format!("not reached: {because}"), "");
    }
}

/// What to do where a connection is neither taken nor refused.
const FIREWALL: &str =
    "nothing came back, not even a refusal: a firewall in between drops what is sent, or the address is wrong";

/// Whether a connection failed because nothing came back.
fn is_lost(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable)
}

/// A flag's time to wait.
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
    fn a_connection_that_is_refused_is_not_lost() {
        assert!(!is_lost(&io::ErrorKind::ConnectionRefused.into()));
        assert!(is_lost(&io::ErrorKind::TimedOut.into()) && is_lost(&io::ErrorKind::HostUnreachable.into()));
    }
}
