//! `sentinel cluster`: who holds the account in etcd, whether etcd can be used for that, and a person's word about a holder that died.

mod checks;
#[cfg(test)]
mod tests;

use super::block_on;
use crate::{
    process::{
        exit::{answer, fail, refuse},
        output::say,
    },
    settings::{Cluster, Settings, SettingsArgs},
};
use checks::verify;
use sentinel_actors::{
    adapters::{
        etcd::{Etcd, EtcdError},
        system_clock::SystemClock,
    },
    domain::{
        clock::Clock,
        cluster::{Ask, EtcdAnswer, Record, Seen},
    },
};
use serde_json::json;
use std::process::ExitCode;

type Resolved = crate::settings::Resolved<Cluster>;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say which daemon holds the account in etcd; exit 0 if etcd answered, otherwise 1
    ///
    /// Takes the settings of `sentinel run`; needs cluster.mode = "guard" and an account.
    Status(Box<Args>),
    /// Check that etcd can be used for the claim on the account; exit 0 if no check failed, otherwise 1
    ///
    /// Checks every endpoint, its version, leader, latency and clock, TLS, the user and its permissions, and shows the holder.
    /// Writes nothing. Takes the settings of `sentinel run`; needs cluster.mode = "guard" and an account.
    Verify(Box<Args>),
    /// Say that you have looked for the last orders of a holder that died; exit 0 if etcd answered, otherwise 1
    ///
    /// A daemon that did not give the account back may have sent orders that no other daemon knows. Until this is said, /health is
    /// degraded and SentinelDeadHolder fires. First look in the account and in the dead daemon's journal. Changes nothing else.
    /// Takes the settings of `sentinel run`; needs cluster.mode = "guard" and an account.
    Acknowledge(Box<Args>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(command: &Command) -> ExitCode {
    let (Command::Status(args) | Command::Verify(args) | Command::Acknowledge(args)) = command;
    let settings: Resolved = match Settings::load_for(&args.settings.beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let account = &settings.purpose.account;
    let etcd = match Etcd::new(settings.etcd(account)) {
        Ok(etcd) => etcd,
        Err(error) => return fail(&error.into()),
    };
    match command {
        Command::Status(_) => answer(block_on(status(etcd, account, args.json))),
        Command::Acknowledge(_) => answer(block_on(acknowledge(etcd, account, args.json))),
        Command::Verify(_) => {
            if !args.json {
                say(&format!("Account {account}, {}\n", etcd.endpoints().join(", ")));
            }
            block_on(verify(etcd, &settings)).conclude(args.json)
        }
    }
}

async fn look(etcd: &mut Etcd) -> Result<Seen, EtcdError> {
    match etcd.perform(&Ask::Look).await? {
        EtcdAnswer::Seen(seen) => Ok(seen),
        // A look has no other answer.
        _ => Ok(Seen::default()),
    }
}

async fn status(mut etcd: Etcd, account: &str, as_json: bool) -> anyhow::Result<String> {
    let seen = look(&mut etcd).await?;
    if as_json {
        let claim = seen.claim.as_ref().map(|claim| json!({"epoch": claim.create_revision, "record": claim.record}));
        let last = seen.last.as_ref().map(|last| json!({"revision": last.mod_revision, "record": last.record}));
        let status = json!({
            "account": account, "key": etcd.claim_key(), "is_held": seen.claim.is_some(), "claim": claim, "last": last,
        });
        return Ok(serde_json::to_string_pretty(&status)?);
    }
    Ok(format!("account {account}: {}", in_words(&seen, SystemClock.now_unix())))
}

/// How often a record is read again that its daemon has just written: it does so twice in ten seconds.
const TRIES: u32 = 5;

async fn acknowledge(mut etcd: Etcd, account: &str, as_json: bool) -> anyhow::Result<String> {
    for _ in 0..TRIES {
        let last = look(&mut etcd).await?.last;
        let written = last.and_then(|last| Some((last.mod_revision, last.record?)));
        let dead = written.as_ref().and_then(|(_, record)| record.before.clone());
        if let (Some((revision, record)), Some(_)) = (written, &dead)
            && !etcd.acknowledge(revision, record).await?
        {
            continue;
        }
        return Ok(if as_json {
            serde_json::to_string_pretty(&json!({"account": account, "acknowledged": dead}))?
        } else {
            match dead {
                Some(dead) => format!("account {account}: acknowledged that {dead} did not give it back"),
                None => format!("account {account}: there is nothing to acknowledge"),
            }
        });
    }
    anyhow::bail!("the record in etcd was written by its daemon each time; try again")
}

/// Who holds the account, and who was the last to write.
fn in_words(seen: &Seen, now: i64) -> String {
    let unreadable = "a daemon whose record cannot be read";
    let name = |record: &Option<Record>| record.as_ref().map_or_else(|| unreadable.to_owned(), Record::in_words);
    let last = seen.last.as_ref();
    let heard = last.and_then(|last| last.record.as_ref()).map(|record| now.saturating_sub(record.at).max(0));
    let heard = heard.map_or_else(String::new, |ago| format!("; last heard of {ago} s ago"));
    let dead = last.and_then(|last| last.record.as_ref()?.before.as_ref());
    let dead = dead.map_or_else(String::new, |dead| {
        format!(
            "; {dead} did not give it back: look for its last orders in the account and in its journal, then `sentinel cluster acknowledge`"
        )
    });
    match (&seen.claim, last) {
        (Some(claim), _) if claim.lease == 0 => {
            format!(
                "held by {}; its claim has no lease, so it never ends: delete it if no such daemon runs",
                name(&claim.record)
            )
        }
        (Some(claim), _) => {
            let after = last.and_then(|last| last.record.as_ref()?.bars_after);
            let after = after.and_then(|at| chrono::DateTime::from_timestamp(at, 0));
            let after = after.map_or_else(String::new, |at| {
                format!("; it orders bars that close after {}", at.format("%Y-%m-%d %H:%M:%S UTC"))
            });
            format!("held by {}, epoch {}{heard}{after}{dead}", name(&claim.record), claim.create_revision)
        }
        (None, None) => "not held, now or before".into(),
        (None, Some(last)) if last.record.as_ref().is_some_and(|record| record.released) => {
            format!("not held; given back by {}{heard}{dead}", name(&last.record))
        }
        (None, Some(last)) => format!("not held; {} did not give it back{heard}", name(&last.record)),
    }
}
