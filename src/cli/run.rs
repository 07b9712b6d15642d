//! `sentinel run`: the daemon.

use super::account_lock;
use crate::{
    daemon::{
        application::{Application, Plan},
        cluster::Claim,
        shutdown::Ended,
        start_lines::say_other_machines,
        telemetry,
    },
    process::{
        exit::{fail, refuse},
        on_system,
        output::complain,
        unix_signals,
    },
    settings::{Settings, SettingsArgs},
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Run one cycle and exit: 1 if it failed (health.failed_share_max) or the journal could not be written, else 0
    #[arg(long)]
    once: bool,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let hidden = hide_memory();
    let sources = args.settings.sources();
    let settings = match Settings::load(&sources) {
        Ok(settings) => settings,
        Err(error) => {
            if is_service()
                && let Err(error) = sources.to_last_start(None).write(&sources.environment, true)
            {
                complain(&format!(
                    "sentinel: `sentinel check` will not see the flags and variables of this start: {error}"
                ));
            }
            return refuse(&error);
        }
    };
    telemetry::init(&settings.log);
    if let Err(error) = hidden {
        tracing::warn!("other processes of this user can read the memory of this one, including its keys: {error}");
    }
    // Held until the process ends.
    let _lock = match account_lock::prepare(&settings) {
        Ok(lock) => lock,
        Err(error) => return fail(&error),
    };
    let mut plan = Plan::from_settings(&settings);
    if args.once {
        plan = plan.once();
    }
    let ended = on_system(async {
        // First, so that no signal comes before its handler.
        let stop = unix_signals::stop()?;
        let mut stop = std::pin::pin!(stop);
        // Before the journal is created: its id belongs to a journal that was there.
        let mut claim = Claim::of(&settings)?;
        let opened = Application::open_journal(&settings)?;
        if let Some(claim) = &mut claim {
            tokio::select! {
                taken = claim.take(&settings, plan.once) => taken?,
                () = &mut stop => {
                    // An earlier run may have left orders of unknown outcome.
                    claim.keeping.release(opened.is_settled()).await;
                    return Ok(Ended::Stopped);
                }
            }
        }
        let application = Application::start_with(&settings, plan, sources.file.as_deref(), opened, claim)?;
        say_other_machines(&settings);
        // Only now, because the journal is locked: of two daemons the commands must see the one that runs.
        if let Err(error) = sources.to_last_start(Some(&settings.journal.path)).write(&sources.environment, false) {
            tracing::warn!(%error, "the other sentinel commands will not see the flags and variables of this daemon");
        }
        application.run_until_stopped(stop).await
    });
    exit_code(ended)
}

/// Whether systemd or a container started this process. Otherwise it is a trial in a shell.
fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some() || std::process::id() == 1
}

/// Disables core dumps, and hides memory and environment from other processes of the same user. Called before a secret is
/// read.
fn hide_memory() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// The exit code for the way the daemon ended.
pub(super) fn exit_code(ended: anyhow::Result<Ended>) -> ExitCode {
    match ended {
        Ok(Ended::Stopped | Ended::Once { failed: false, is_recorded: true, .. }) => ExitCode::SUCCESS,
        Ok(Ended::Once { .. } | Ended::StageGone(_) | Ended::OutcomeLost) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}
