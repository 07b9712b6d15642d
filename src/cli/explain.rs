//! `sentinel explain`: for any minute, what was decided about each symbol, and why. Reads the journal while the daemon runs.

mod json;
mod minute;
mod reasons;
mod text;

use super::{
    journal,
    output::{self, time_ms},
};
use crate::process::exit::{fail, refuse};
use anyhow::bail;
use minute::Minute;
use sentinel_actors::{
    adapters::{
        journal::{Pick, Store},
        system_clock::SystemClock,
    },
    domain::clock::Clock,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this symbol
    #[arg(long, value_name = "NAME")]
    symbol: Option<String>,
    /// Cycles that began in this minute (UTC): 14:03 (today, else yesterday), 14:03:58 or 2026-11-22T14:03
    #[arg(long, value_name = "TIME", value_parser = Minute::parse, conflicts_with = "last")]
    at: Option<Minute>,
    /// The last N cycles
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    /// Print a JSON array, with all features
    #[arg(long)]
    json: bool,
    /// The daemon's journal [default: as in the daemon's settings]
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
    /// Settings file (TOML) with the path of the journal
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Exits with 1 if there is no such decision.
pub(super) fn main(args: &Args) -> ExitCode {
    let path = match journal::path(args.journal.as_ref(), args.config.as_ref()) {
        Ok(path) => path,
        Err(error) => return refuse(&error),
    };
    match explain(&path, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn explain(path: &Path, args: &Args) -> anyhow::Result<()> {
    let store = Store::open_read_only(path)?;
    let pick = match args.at {
        Some(when) => {
            let (from, until) = when.minute(SystemClock.now());
            Pick::Between(from, until)
        }
        None => Pick::Last(args.last),
    };
    let rows = store.decisions(pick, args.symbol.as_deref())?;
    if rows.is_empty() {
        return nothing(&store, path, pick, args.symbol.as_deref());
    }
    if args.json {
        let rows: Vec<_> = rows.iter().map(json::decision).collect();
        return output::print(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    output::print(&rows.iter().map(text::decision).collect::<Vec<_>>().join("\n"))
}

/// The error if there is no such decision: it names what the journal has.
fn nothing(store: &Store, path: &Path, pick: Pick, symbol: Option<&str>) -> anyhow::Result<()> {
    let path = path.display();
    let Some(covered) = store.coverage()? else { bail!("{path} has no decisions yet") };
    let of = symbol.map_or_else(String::new, |symbol| format!(" about {symbol}"));
    let when = match pick {
        Pick::Between(from, _) => format!(" in a cycle that began in the minute of {}", time_ms(from)),
        Pick::Last(_) => String::new(),
    };
    let (first, last, symbols) = (time_ms(covered.first), time_ms(covered.last), covered.symbols.join(", "));
    bail!("{path} has no decision{of}{when}. It has cycles from {first} to {last}, and the symbols {symbols}")
}
