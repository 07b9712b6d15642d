//! `sentinel cluster`: who trades the account according to etcd, and what a person has to say about that: which member shall own
//! nothing, that all of them stop, that the orders of a holder that died were looked for.

pub(super) mod account_view;
mod acknowledgement;
mod claims;
#[cfg(test)]
pub(super) mod fixtures;
mod halt;
mod membership;
pub(super) mod status;
mod target_file;
#[cfg(test)]
mod tests;
pub(super) mod wording;

use super::verify;
use crate::{
    process::{
        exit::{answer, fail, refuse, refuse_flags},
        on_system,
    },
    settings::{Cluster, ClusterMode, Settings, SettingsArgs},
};
use account_view::AccountView;
use anyhow::Context;
use sentinel_actors::{
    adapters::{etcd::Etcd, system_clock::SystemClock},
    domain::{clock::Clock, cluster::shared::targets},
};
use std::{path::PathBuf, process::ExitCode};

type Resolved = crate::settings::Resolved<Cluster>;

/// Why there was no answer, and where to look.
const ETCD: &str = "etcd gave no usable answer; `sentinel cluster verify` says what is wrong with it";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say which daemons trade the account according to etcd; exit 0 if etcd answered, otherwise 1
    ///
    /// With cluster.mode = "guard" the daemon that holds it. With "shared" the members of the last 24 h, their leases and shards, what
    /// has to move, the account's limits, a halt, and how many claims have no final outcome. Takes the settings of `sentinel run`;
    /// needs cluster.mode and an account.
    Status(Box<Args>),
    /// Check that etcd can be used for the account; exit 0 if no check failed, otherwise 1
    ///
    /// Checks every endpoint, its version, leader, latency, space and clock, TLS, the user and its permissions, and the holder. With
    /// cluster.mode = "shared" also the members: their clocks, names and addresses, shards without an owner, a halt, claims without an
    /// outcome; that takes cluster.keepalive_s and two seconds. Writes nothing. Takes the settings of `sentinel run`; needs
    /// cluster.mode and an account.
    Verify(Box<Args>),
    /// Say that you have looked for the last orders of a holder that died; exit 0 if etcd answered, otherwise 1
    ///
    /// A daemon that did not give the account back may have sent orders that no other daemon knows. Until this is said, /health is
    /// degraded and SentinelDeadHolder fires. First look in the account and in the dead daemon's journal. Changes nothing else.
    /// Takes the settings of `sentinel run`; needs cluster.mode and an account.
    Acknowledge(Box<Args>),
    /// Let a member give its shards to the others, and own nothing; exit 0 if that is in etcd, otherwise 1
    ///
    /// Before it is upgraded or stopped. Its shards move when its cycle is over and its orders are settled; `sentinel cluster status`
    /// shows it. Stays so after a restart of the member, until undrain. Needs cluster.mode = "shared".
    Drain(Box<MemberArgs>),
    /// Let a drained member own shards again; exit 0 if that is in etcd, otherwise 1
    Undrain(Box<MemberArgs>),
    /// List the claims of orders that have no final outcome; exit 0 if etcd answered, otherwise 1
    ///
    /// Each blocks its symbol for all members, until the member that claimed it says what became of the order, or a person does with
    /// `sentinel orders resolve`. Needs cluster.mode = "shared".
    Claims(Box<ClaimsArgs>),
    /// Stop the orders of all members at once; exit 0 if that is in etcd, otherwise 1
    ///
    /// No member claims an order until `sentinel cluster resume`. Without etcd: `sentinel halt` on each machine. Needs
    /// cluster.mode = "shared".
    Halt(Box<HaltArgs>),
    /// Let all members order again, and count failed orders in a row anew; exit 0 if that is in etcd, otherwise 1
    ///
    /// With cluster.mode = "guard" it ends a halt from the time with members, which keeps the daemon from taking the account.
    Resume(Box<Args>),
    /// Write the members of the last 24 h to a file for Prometheus (file_sd); exit 0 if it was written, otherwise 1
    ///
    /// The same list as at /sd of each daemon. A member that has died or left stays in it for 24 h, so that an alert fires. Without
    /// --file it is printed. If etcd does not answer, the file stays as it is. With cluster.mode = "guard" it is the daemon of these
    /// settings.
    Targets(Box<TargetsArgs>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MemberArgs {
    #[command(flatten)]
    common: Args,
    /// The member's name in etcd [default: cluster.member, else the name of this machine]
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ClaimsArgs {
    #[command(flatten)]
    common: Args,
    /// Only those without any outcome: nobody has said whether they were sent
    #[arg(long)]
    unsent: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HaltArgs {
    #[command(flatten)]
    common: Args,
    /// Why, for those who read it later
    #[arg(long, value_name = "TEXT", default_value = "no reason was given", value_parser = one_line)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TargetsArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The file; its name must end in .json, as Prometheus wants it
    #[arg(long, value_name = "FILE", value_parser = json_file)]
    file: Option<PathBuf>,
}

fn json_file(path: &str) -> Result<PathBuf, String> {
    if path.ends_with(".json") {
        Ok(path.into())
    } else {
        Err("must end in .json: Prometheus reads no others as JSON".into())
    }
}

fn one_line(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_line = !text.is_empty() && !text.chars().any(char::is_control);
    if is_line { Ok(text.to_owned()) } else { Err("must be one line of text".into()) }
}

impl Command {
    fn settings(&self) -> &SettingsArgs {
        match self {
            Self::Status(args) | Self::Verify(args) | Self::Acknowledge(args) | Self::Resume(args) => &args.settings,
            Self::Drain(args) | Self::Undrain(args) => &args.common.settings,
            Self::Claims(args) => &args.common.settings,
            Self::Halt(args) => &args.common.settings,
            Self::Targets(args) => &args.settings,
        }
    }

    /// What to do instead in guard mode; `None` if it is the same there.
    const fn instead_with_guard(&self) -> Option<&'static str> {
        match self {
            Self::Drain(_) | Self::Undrain(_) => Some("stop the daemon with SIGTERM, which gives the account back"),
            Self::Claims(_) => Some("`sentinel orders --unresolved` lists the orders of unknown outcome"),
            Self::Halt(_) => Some("`sentinel halt` on its machine stops the daemon that trades"),
            // A halt from the time with members holds for a guard, too.
            Self::Resume(_) | Self::Status(_) | Self::Verify(_) | Self::Acknowledge(_) | Self::Targets(_) => None,
        }
    }
}

pub(crate) fn main(command: &Command) -> ExitCode {
    let settings: Resolved = match Settings::load_for(&command.settings().beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    if settings.cluster.mode == ClusterMode::Guard
        && let Some(instead) = command.instead_with_guard()
    {
        return refuse_flags(&format!("this is for cluster.mode = \"shared\", and it is \"guard\": {instead}"));
    }
    let etcd = match Etcd::new(settings.etcd(&settings.purpose.account)) {
        Ok(etcd) => etcd,
        Err(error) => return fail(&error.into()),
    };
    on_system(carry_out(command, etcd, &settings))
}

async fn carry_out(command: &Command, mut etcd: Etcd, settings: &Resolved) -> ExitCode {
    let now_s = SystemClock.now_unix();
    let account = &settings.purpose.account;
    let member = |args: &MemberArgs| args.member.clone().unwrap_or_else(|| settings.member_name());
    answer(match command {
        Command::Verify(args) => return verify::cluster::main(etcd, settings, args.json).await,
        Command::Status(args) => status(&mut etcd, settings, now_s, args.json).await,
        Command::Acknowledge(args) => acknowledgement::acknowledge(&mut etcd, account, args.json).await,
        Command::Drain(args) => membership::drain(&mut etcd, &member(args), now_s, args.common.json).await,
        Command::Undrain(args) => membership::undrain(&mut etcd, &member(args), now_s, args.common.json).await,
        Command::Claims(args) => claims(&mut etcd, args.unsent, now_s, args.common.json).await,
        Command::Halt(args) => halt::halt(&mut etcd, &args.reason, now_s, args.common.json).await,
        Command::Resume(args) => halt::resume(&mut etcd, args.json).await,
        Command::Targets(args) => write_targets(args, &mut etcd, settings, now_s).await,
    })
}

async fn read(etcd: &mut Etcd) -> anyhow::Result<AccountView> {
    AccountView::read(etcd).await.context(ETCD)
}

async fn status(etcd: &mut Etcd, settings: &Resolved, now_s: i64, as_json: bool) -> anyhow::Result<String> {
    let (account, read) = (&settings.purpose.account, read(etcd).await?);
    if as_json {
        return Ok(serde_json::to_string_pretty(&status::as_json(account, &etcd.claim_key(), &read, now_s))?);
    }
    Ok(status::text(account, &read, &settings.limits(), now_s))
}

async fn claims(etcd: &mut Etcd, is_unsent: bool, now_s: i64, as_json: bool) -> anyhow::Result<String> {
    claims::list(&read(etcd).await?, is_unsent, now_s, as_json)
}

async fn write_targets(args: &TargetsArgs, etcd: &mut Etcd, settings: &Resolved, now_s: i64) -> anyhow::Result<String> {
    let targets = if settings.cluster.mode == ClusterMode::Shared {
        targets(&read(etcd).await?.view, now_s)
    } else {
        settings.own_target().into_iter().collect()
    };
    let text = target_file::text(&targets)?;
    let Some(path) = &args.file else { return Ok(text.trim_end().to_owned()) };
    target_file::write(path, &text)?;
    Ok(format!("{}: {} targets", path.display(), targets.len()))
}
