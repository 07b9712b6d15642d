//! `sentinel orders`: lists the orders in the journal, and settles what only a person can find out. Works while the daemon
//! runs; it sees the result in its next cycle.

mod id_prefix;
pub(super) mod paper;
pub(super) mod print;
mod table;

use super::{journal, output};
use crate::{
    process::{
        exit::{fail, refuse},
        person,
    },
    tools::account::positions::Holdings,
};
use anyhow::{Context, bail};
use sentinel_actors::{
    adapters::{
        journal::{Store, Verdict},
        system_clock::SystemClock,
    },
    domain::{clock::Clock, journal::JournalError, order_state::OrderState},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only orders of unknown outcome, which block their symbols
    #[arg(long)]
    unresolved: bool,
    /// The orders on paper instead, which are never listed with the others
    #[arg(long, conflicts_with = "unresolved")]
    paper: bool,
    /// Print a JSON array instead of a table
    #[arg(long)]
    json: bool,
    /// The daemon's journal [default: as in the daemon's settings]
    // With its own id: a global flag is passed to the parents, where `run` has a flag of the same name.
    #[arg(id = "orders_journal", long = "journal", value_name = "PATH", global = true)]
    journal: Option<PathBuf>,
    /// Settings file (TOML) with the path of the journal
    #[arg(id = "orders_config", long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show one order with all of its states, when each began, and who set it
    Show {
        /// The order's id, or its first characters, as `sentinel orders` shows them
        #[arg(value_parser = id_prefix::IdPrefix::parse)]
        id: id_prefix::IdPrefix,
        /// JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Settle an order of unknown outcome after checking the account; the journal keeps who did it
    Resolve {
        /// The order's id, or its first characters, as `sentinel orders --unresolved` shows them
        #[arg(value_parser = id_prefix::IdPrefix::parse)]
        id: id_prefix::IdPrefix,
        /// What the account shows
        outcome: Outcome,
        /// The broker's ticket of a filled order
        #[arg(long, value_name = "N", allow_hyphen_values = true)]
        ticket: Option<i64>,
        /// What was seen, and where
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Record that the position of a filled order has been closed, for gateways whose list of positions cannot be trusted
    ///
    /// For these gateways the fills in the journal count as open positions.
    Closed {
        /// The id of the order that opened the position, or its first characters
        #[arg(value_parser = id_prefix::IdPrefix::parse)]
        id: id_prefix::IdPrefix,
        /// What was seen, and where
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Outcome {
    /// The broker has it
    Filled,
    /// The broker does not have it
    Rejected,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let path = match journal::path(args.journal.as_ref(), args.config.as_ref()) {
        Ok(path) => path,
        Err(error) => return refuse(&error),
    };
    let done = match &args.command {
        None => list(&path, args),
        Some(Command::Show { id, json }) => show(&path, id, *json || args.json),
        Some(Command::Resolve { id, outcome, ticket, note }) => resolve(&path, id, (*outcome, *ticket), note),
        Some(Command::Closed { id, note }) => closed(&path, id, note),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn list(path: &Path, args: &Args) -> anyhow::Result<()> {
    let store = Store::open_read_only(path)?;
    if args.paper {
        let rows = store.paper_orders()?;
        if args.json {
            let rows: Vec<_> = rows.iter().map(paper::as_json).collect();
            return output::print(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
        }
        return output::print(&paper::table(&rows, &store.paper_equities()?));
    }
    let orders = store.orders(args.unresolved)?;
    let holdings = Holdings::read(&store, &orders)?;
    if args.json {
        let rows: Vec<_> = orders.iter().map(|order| print::as_json(order, &holdings)).collect();
        return output::print(&format!("{}\n", serde_json::to_string_pretty(&rows)?));
    }
    output::print(&table::table(&orders, &holdings))
}

fn show(path: &Path, id: &id_prefix::IdPrefix, json: bool) -> anyhow::Result<()> {
    let store = Store::open_read_only(path)?;
    let life = store.order_life(id.find(&store, path)?).or_else(|error| refused(path, error))?;
    let holdings = Holdings::read(&store, std::slice::from_ref(&life.order))?;
    if json {
        let life = print::life_as_json(&life, &holdings);
        return output::print(&format!("{}\n", serde_json::to_string_pretty(&life)?));
    }
    output::print(&print::life(&life, &holdings))
}

fn resolve(path: &Path, id: &id_prefix::IdPrefix, outcome: (Outcome, Option<i64>), note: &str) -> anyhow::Result<()> {
    let verdict = match outcome {
        (Outcome::Filled, Some(ticket)) if ticket >= 0 => Verdict::Filled { ticket },
        (Outcome::Filled, _) => {
            bail!("a filled order needs the broker's ticket: --ticket N (0 if the gateway has none)")
        }
        (Outcome::Rejected, None) => Verdict::Rejected,
        (Outcome::Rejected, Some(_)) => bail!("a rejected order has no ticket: remove --ticket, or use `filled`"),
    };
    let note = journal::note(note)?;
    let mut store = journal::open_to_write(path)?;
    let id = id.find(&store, path)?;
    store.resolve(id, verdict, &person(), note, SystemClock.now()).or_else(|error| refused(path, error))?;
    output::say(&format!("{id} is settled. A running daemon trades its symbol again from the next cycle on."));
    Ok(())
}

fn closed(path: &Path, id: &id_prefix::IdPrefix, note: &str) -> anyhow::Result<()> {
    let note = journal::note(note)?;
    let mut store = journal::open_to_write(path)?;
    let id = id.find(&store, path)?;
    store.mark_closed(id, &person(), note, SystemClock.now()).or_else(|error| refused(path, error))?;
    output::say(&format!("The position of {id} no longer counts. A running daemon sees this in the next cycle."));
    Ok(())
}

/// The journal's refusal, with what to do.
fn refused<T>(path: &Path, error: JournalError) -> anyhow::Result<T> {
    match error {
        JournalError::NoSuchOrder(id) => {
            bail!("{} has no order {id}: `sentinel orders` lists all; --journal names another journal", path.display())
        }
        JournalError::NoPosition => bail!(
            "this order has no position that counts: only a filled order that opened one has, until it is closed. \
             `sentinel orders` shows which are open"
        ),
        JournalError::Transition { from: from @ (OrderState::Intent | OrderState::Sending), .. } => {
            bail!("the order is {from}: a running daemon will settle it now, else the next start of the daemon")
        }
        JournalError::Transition { from, .. } => bail!(
            "the order is {from}: only an unknown order can be settled; `sentinel orders --unresolved` lists them"
        ),
        JournalError::Failed(why) if why.contains("readonly") => Err(journal::read_only(path)),
        error => Err(error).with_context(|| path.display().to_string()),
    }
}
