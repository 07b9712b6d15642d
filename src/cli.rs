//! The command line: what can be asked of the binary, and what each answer exits with.

mod account_lock;
mod check;
mod demo;
mod explain;
mod halt;
mod healthcheck;
mod journal;
mod orders;
mod output;
mod run;
mod sandbox;
mod temporary_folder;

use crate::{
    process::exit::EXIT_USAGE,
    settings::SettingsArgs,
    tools::{soak, verify},
};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Sentinel: every minute bars, features, the model's odds, and an order when they are good enough.
///
/// Without a command it runs the daemon. Settings come from flags, then the environment (SENTINEL__SECTION__KEY), then
/// the settings file (--config, else SENTINEL_CONFIG, else /etc/sentinel/production.toml if it is there), then the built-in
/// config/base.toml. Commands beside a service also know the flags and variables that it was started with.
#[derive(Debug, Parser)]
#[command(name = "sentinel", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (also what `sentinel` alone does)
    Run(Box<run::Args>),
    /// Run the daemon live against an embedded market, model and gateway; needs no network and no key
    Demo(demo::Args),
    /// Load and validate the settings and print the effective ones, secrets redacted
    Check(Box<SettingsArgs>),
    /// Stop orders at once: make the kill switch's file, for a running daemon and every later one
    Halt(halt::Args),
    /// Go on: remove the kill switch's file, and count failed orders in a row afresh
    Resume(halt::ResumeArgs),
    /// Is the daemon on this machine alive? Exit 0 if it is, 1 if not: what Docker's HEALTHCHECK runs
    Healthcheck(healthcheck::Args),
    /// Ask a system that Sentinel talks to whether it is ready for it, without trading
    #[command(subcommand)]
    Verify(verify::Target),
    /// Watch a running daemon for a while: soak.json, soak.html with plots, and HEALTHY (exit 0) or not (exit 1)
    ///
    /// The thresholds are set beforehand and stand in the report with what was measured. What is not known is not
    /// healthy; a run too short for a slope leaves that one open and says so. The report is written every minute, and a
    /// signal ends the run early, with the report. Elapsed time is this machine's; what a daemon counted after the last
    /// look before it died is lost.
    Soak(Box<soak::Args>),
    /// List the journal's orders, or settle one whose fate nobody knows; works beside a running daemon
    Orders(orders::Args),
    /// What was decided in a minute, and why: bars, odds, the rule that stopped it or let it through, order and reply
    Explain(explain::Args),
    /// The places at which this test build can be told to kill itself, by FAILPOINTS
    #[cfg(feature = "failpoints")]
    #[command(hide = true)]
    FailPoints,
    /// Run one of the demo's three servers alone, for trying things by hand
    #[command(subcommand)]
    Sandbox(sandbox::Server),
}

/// Parses the process's arguments and does what they ask.
pub fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _armed = sentinel_actors::adapters::fail_points::arm();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; if even printing fails there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        None => run::main(&cli.run),
        Some(Command::Run(args)) => run::main(&args),
        Some(Command::Demo(args)) => demo::main(&args),
        Some(Command::Check(args)) => check::main(&args),
        Some(Command::Halt(args)) => halt::halt(&args),
        Some(Command::Resume(args)) => halt::resume(&args),
        Some(Command::Healthcheck(args)) => healthcheck::main(&args),
        Some(Command::Verify(target)) => verify::main(&target),
        Some(Command::Soak(args)) => soak::main(&args),
        Some(Command::Orders(args)) => orders::main(&args),
        Some(Command::Explain(args)) => explain::main(&args),
        #[cfg(feature = "failpoints")]
        Some(Command::FailPoints) => {
            println!("{}", sentinel_actors::adapters::fail_points::ALL.join("\n"));
            ExitCode::SUCCESS
        }
        Some(Command::Sandbox(server)) => sandbox::main(server),
    }
}
