//! The command line: every command, and where it is carried out.

mod account_lock;
mod check;
mod demo;
mod explain;
mod halt;
mod healthcheck;
mod journal;
mod orders;
mod output;
mod own_bars;
mod pnl;
mod run;
mod sandbox;
mod temporary_folder;

use crate::{
    process::exit::EXIT_USAGE,
    settings::SettingsArgs,
    tools::{bars, cluster, dataset, replay, soak, study, verify},
};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Sentinel: every minute it fetches bars, computes features, asks the model, and sends an order if the odds are good enough.
///
/// Without a command it runs the daemon. Flags override the environment (SENTINEL__SECTION__KEY), which overrides the
/// settings file (--config, else SENTINEL_CONFIG, else /etc/sentinel/production.toml if it exists), which overrides the
/// built-in config/base.toml. The other commands also use the flags and variables with which the service was started.
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
    /// Run the daemon; the same as `sentinel` without a command
    Run(Box<run::Args>),
    /// Run the daemon live with a built-in market, model and gateway, without network or key
    Demo(demo::Args),
    /// Validate the settings and print the effective ones, with secrets hidden
    Check(Box<SettingsArgs>),
    /// Stop all orders at once, now and after restarts: create the file of the kill switch
    Halt(halt::Args),
    /// Allow orders again: remove that file, and reset the count of failed orders in a row
    Resume(halt::ResumeArgs),
    /// Check whether the daemon on this machine is alive: exit code 0 or 1, for Docker's HEALTHCHECK
    Healthcheck(healthcheck::Args),
    /// Check a system that Sentinel works with, without trading
    #[command(subcommand)]
    Verify(verify::Target),
    /// Say which daemons trade the account according to etcd, and steer them (cluster.mode = "guard" or "shared")
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Watch a running daemon for a while: soak.html, and HEALTHY (exit code 0) or not (1)
    ///
    /// The thresholds are fixed before the run; the report has them next to the measured values. An unknown value counts
    /// as not healthy. If the run is too short for a slope, the slope is not judged, and the report says so. The report is
    /// written every minute, and a signal that ends the run early still leaves one. Elapsed time is measured by this
    /// machine. Anything the daemon counts after the last scrape is lost.
    Soak(Box<soak::Args>),
    /// Fetch history from EODHD into a CSV file, checked as live bars are
    ///
    /// Takes the settings of `sentinel run`: symbols, interval, EODHD's key and its limits. One request takes 5 calls of
    /// the day's quota and brings up to 120 days of 1m bars, 600 of 5m or 7200 of 1h, as far as they fit into an answer
    /// (data.body_bytes_max); other intervals are made of these. Bars fetched so far are kept in FILE.part; after an
    /// interruption, run the same command again to continue. Exit code 0 if the file was written, 1 if not, 64 if the settings
    /// are not usable.
    Bars(Box<bars::Args>),
    /// Compute the daemon's features from files of bars, to train a model
    ///
    /// For every bar with a whole window of data.lookback_bars: tabular.csv (23 features), sequence.npy (60x23, float32),
    /// index.csv (symbol, close of the bar) and manifest.json (hashes, settings). Files are CSV with
    /// timestamp,open,high,low,close,volume (unix seconds UTC at which a bar opens), EODHD's JSON, or MetaTrader 5's export with
    /// --time-zone. A file with impossible bars is refused, and the line is named; nothing is written. Exit code 0 if the folder
    /// was written, 1 if not, 64 if the settings are not usable.
    Dataset(Box<dataset::Args>),
    /// Say whether a model's odds are worth trading
    ///
    /// Writes study.json, and study.html to read in a minute. Tests each threshold from 0.34 to 0.95 on bars that the model has
    /// not seen: entry at the next bar's open, all costs charged, exit by stop-loss, take-profit, a signal of the other side or
    /// the horizon. Thresholds are chosen walk-forward, and the result is compared with 2,000 circular shifts of the signals,
    /// and judged by the number of studies of these bars. Advice is given only if chance can be ruled out; "no threshold is
    /// better than chance here" is a good answer. Takes the settings of `sentinel run`. Exit code 0 if the files were written,
    /// 1 if not, 64 if the settings are not usable.
    Study(Box<study::Args>),
    /// Recompute every recorded decision and report whether the result is identical, bit for bit
    ///
    /// Takes the decisions of the journal, the bars of the archive and the settings that were in force then, and computes by the
    /// functions of the daemon: bars, 23 features, sequence, action, and the reasons that follow from data. What came from
    /// outside (odds, open positions, equity, halts, breakers) is taken from the record. Works while the daemon runs. Exit 0 if
    /// all are equal, 1 with the first field that is not (or if none could be made again), 2 if a file cannot be read, 3 if bars of
    /// some decisions are lost and the others are equal.
    Replay(Box<replay::Args>),
    /// List the orders in the journal, or settle one whose outcome is unknown, beside a running daemon
    Orders(orders::Args),
    /// Show profit and loss
    ///
    /// For today, this week and this month, by symbol: at the gateway, and on paper for comparison. Realised profit has a
    /// source: the step of the balance when exactly one position was closed, else an estimate, marked ~, from the gateway's
    /// last report. Periods begin at 00:00 UTC, weeks on Monday; the trading day at 17:00 in New York. Growth is that of the
    /// equity, without deposits and withdrawals. A figure that is not known is "-".
    Pnl(pnl::Args),
    /// Show what was decided in a cycle, and why
    Explain(explain::Args),
    /// List the fail points of this test build, at which FAILPOINTS makes it kill itself
    #[cfg(feature = "failpoints")]
    #[command(hide = true)]
    FailPoints,
    /// Run one of the demo's servers alone, to try things by hand
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
            // Help and version come this way, too. A failure to print cannot be reported anywhere.
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
        Some(Command::Cluster(command)) => cluster::main(&command),
        Some(Command::Soak(args)) => soak::main(&args),
        Some(Command::Bars(args)) => bars::main(&args),
        Some(Command::Dataset(args)) => dataset::main(&args),
        Some(Command::Replay(args)) => replay::main(&args),
        Some(Command::Study(args)) => study::main(&args),
        Some(Command::Orders(args)) => orders::main(&args),
        Some(Command::Pnl(args)) => pnl::main(&args),
        Some(Command::Explain(args)) => explain::main(&args),
        #[cfg(feature = "failpoints")]
        Some(Command::FailPoints) => {
            output::say(&sentinel_actors::adapters::fail_points::ALL.join("\n"));
            ExitCode::SUCCESS
        }
        Some(Command::Sandbox(server)) => sandbox::main(server),
    }
}
