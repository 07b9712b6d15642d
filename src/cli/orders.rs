//! `sentinel orders`: what the journal says of every order, and the settling of those whose fate nobody knows. Works
//! beside a running daemon, which sees what is settled in its next cycle.

use super::{fail, refuse};
use crate::settings::{Settings, Sources};
use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat};
use sentinel_actors::{
    adapters::{
        journal::{OrderRow, Store, Verdict},
        system_clock::SystemClock,
    },
    domain::{clock::Clock, journal::JournalError, order_state::OrderState},
};
use serde_json::json;
use std::{
    io::{ErrorKind, Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};
use uuid::Uuid;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only orders of unknown fate, which block their symbols
    #[arg(long)]
    unresolved: bool,
    /// A JSON array instead of a table
    #[arg(long)]
    json: bool,
    /// The daemon's journal [default: journal.path of the settings, journal.db]
    // An id of its own: a global flag is handed to the parents, where `run` has one of the same name.
    #[arg(id = "orders_journal", long = "journal", value_name = "PATH", global = true)]
    journal: Option<PathBuf>,
    /// Settings file (TOML) that says where the journal is
    #[arg(id = "orders_config", long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Settle an order of unknown fate, after a look at the account; the journal keeps who said so
    Resolve {
        /// The order's id, as `sentinel orders --unresolved` shows it
        id: Uuid,
        /// What the account shows
        fate: Fate,
        /// The broker's ticket of a filled order
        #[arg(long, value_name = "N", allow_hyphen_values = true)]
        ticket: Option<i64>,
        /// What was seen, and where
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Fate {
    /// The broker has it
    Filled,
    /// The broker does not have it
    Rejected,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let path = match journal_path(args) {
        Ok(path) => path,
        Err(error) => return refuse(&error),
    };
    let done = match &args.command {
        None => list(&path, args),
        Some(Command::Resolve { id, fate, ticket, note }) => resolve(&path, *id, (*fate, *ticket), note),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn journal_path(args: &Args) -> Result<PathBuf, crate::settings::SettingsError> {
    if let Some(path) = &args.journal {
        return Ok(path.clone());
    }
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Settings::journal_path(&Sources {
        file: args.config.clone(),
        environment: environment.collect(),
        ..Sources::default()
    })
}

fn list(path: &Path, args: &Args) -> anyhow::Result<()> {
    let orders = Store::open_existing(path)?.orders(args.unresolved)?;
    let text = if args.json {
        let rows: Vec<_> = orders.iter().map(as_json).collect();
        format!("{}\n", serde_json::to_string_pretty(&rows)?)
    } else {
        table(&orders)
    };
    match stdout().write_all(text.as_bytes()) {
        // The reader has seen enough: `sentinel orders | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("stdout"),
    }
}

fn resolve(path: &Path, id: Uuid, fate: (Fate, Option<i64>), note: &str) -> anyhow::Result<()> {
    let verdict = match fate {
        (Fate::Filled, Some(ticket)) if ticket >= 0 => Verdict::Filled { ticket },
        (Fate::Filled, _) => bail!("a filled order needs the broker's ticket: --ticket N (0 if the gateway has none)"),
        (Fate::Rejected, None) => Verdict::Rejected,
        (Fate::Rejected, Some(_)) => bail!("a rejected order has no ticket: leave out --ticket, or say filled"),
    };
    let note = note.trim();
    if note.is_empty() || note.chars().any(char::is_control) {
        bail!("--note must say, on one line, what was seen");
    }
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "unknown".into());
    let mut store = Store::open_existing(path)?;
    match store.resolve(id, verdict, &format!("person:{user}"), note, SystemClock.now()) {
        Ok(()) => {
            println!("{id} is settled. A running daemon trades its symbol again from its next cycle on.");
            Ok(())
        }
        Err(JournalError::NoSuchOrder(id)) => {
            bail!("{} has no order {id}: `sentinel orders` lists them, --journal names another journal", path.display())
        }
        Err(JournalError::Transition { from: from @ (OrderState::Intent | OrderState::Sending), .. }) => {
            bail!("the order is {from}: a running daemon is about to settle it; without one, its next start does")
        }
        Err(JournalError::Transition { from, .. }) => {
            bail!(
                "the order is {from}: only one that is unknown can be settled; `sentinel orders --unresolved` lists them"
            )
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn as_json(order: &OrderRow) -> serde_json::Value {
    json!({
        "id": order.id.to_string(), "symbol": order.symbol, "bar": order.bar_close_time, "state": order.state,
        "ticket": order.ticket, "side": order.side, "volume": order.volume, "price": order.price,
        "reason": order.reason, "account": order.account, "model": order.model,
        "created_at_ms": order.created_at_ms, "updated_at_ms": order.updated_at_ms,
    })
}

fn table(orders: &[OrderRow]) -> String {
    if orders.is_empty() {
        return "no orders\n".into();
    }
    let title = ["ID", "SYMBOL", "BAR CLOSE (UTC)", "SIDE", "LOTS", "STATE", "TICKET", "REASON"].map(str::to_owned);
    let cells = |order: &OrderRow| {
        let bar = DateTime::from_timestamp(order.bar_close_time, 0).unwrap_or_default();
        [
            order.id.to_string(),
            order.symbol.clone(),
            bar.to_rfc3339_opts(SecondsFormat::Secs, true),
            order.side.clone(),
            order.volume.to_string(),
            order.state.to_string(),
            order.ticket.map_or_else(|| "-".into(), |ticket| ticket.to_string()),
            order.reason.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = std::iter::once(title).chain(orders.iter().map(cells)).collect();
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 8]| {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
