//! `sentinel pnl`: what the account brought, at the gateway and on paper. Reads the journal beside a running daemon.

mod json;
mod text;

use super::{journal, output};
use crate::{
    process::exit::{fail, refuse},
    tools::account::profit::Report,
};
use sentinel_actors::{
    adapters::{journal::Store, system_clock::SystemClock},
    domain::clock::Clock,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print a JSON array, an element for each account
    #[arg(long)]
    json: bool,
    /// Only the account on paper
    #[arg(long)]
    paper: bool,
    /// The daemon's journal [default: as in the daemon's settings]
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
    /// Settings file (TOML) with the path of the journal
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let path = match journal::path(args.journal.as_ref(), args.config.as_ref()) {
        Ok(path) => path,
        Err(error) => return refuse(&error),
    };
    match pnl(&path, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn pnl(path: &Path, args: &Args) -> anyhow::Result<()> {
    let store = Store::open_read_only(path)?;
    let now = SystemClock.now();
    let accounts = store.accounts()?;
    let reports = accounts.iter().map(|account| Report::read(&store, account, now));
    let mut reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    if args.paper {
        reports.retain(Report::has_paper);
        reports.iter_mut().for_each(Report::leave_out_live);
    }
    if args.json {
        let reports: Vec<_> = reports.iter().map(json::report).collect();
        return output::print(&format!("{}\n", serde_json::to_string_pretty(&reports)?));
    }
    if reports.is_empty() {
        return output::print("nothing is known of any account\n");
    }
    output::print(&reports.iter().map(text::report).collect::<Vec<_>>().join("\n"))
}
