//! `sentinel verify`: is a system that Sentinel works with ready for it? One file per target, one report for all.

mod gateway;
mod report;

use super::{args::SettingsArgs, fail, refuse};
use report::Report;
use std::process::ExitCode;

/// What can be verified.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Target {
    /// Send the gateway its dialect's harmless request, and nothing that trades; exit 0 if all is well, 1 if not
    ///
    /// Is it reachable, does it answer in time and in this dialect, is its clock within 2 s of ours, what is in the
    /// account. Takes the settings of `sentinel run`; needs a dialect, but no market data token. Never point it at an
    /// Expert Advisor that listens itself: one of those takes any message for an order.
    Gateway(Box<SettingsArgs>),
}

pub(super) fn main(target: &Target) -> ExitCode {
    match target {
        Target::Gateway(args) => gateway::main(args),
    }
}

/// Runs what has to wait for the network on this thread; awc's clients live on one.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(work)
}
