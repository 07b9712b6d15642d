//! `sentinel run`: the daemon.

use super::account_lock;
use crate::{
    daemon::{
        application::{Application, Plan},
        shutdown::Ended,
        telemetry,
    },
    process::{
        exit::{fail, refuse},
        on_system, unix_signals,
    },
    settings::{Settings, SettingsArgs},
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Run one cycle and exit: 0 unless it failed (health.failed_share_max) or the journal could not be written, then 1
    #[arg(long)]
    once: bool,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let is_private = keep_to_ourselves();
    let sources = args.settings.sources();
    let settings = match Settings::load(&sources) {
        Ok(settings) => settings,
        Err(error) => {
            if is_service()
                && let Err(error) = sources.to_last_start(None).write(&sources.environment, true)
            {
                eprintln!("sentinel: `sentinel check` will not know this start's flags and variables: {error}");
            }
            return refuse(&error);
        }
    };
    telemetry::init(&settings.log);
    if let Err(error) = is_private {
        tracing::warn!("other processes of this user can read this one's memory, with its keys: {error}");
    }
    // Held to the end.
    let _alone = match account_lock::prepare(&settings) {
        Ok(lock) => lock,
        Err(error) => return fail(&error),
    };
    let mut plan = Plan::from_settings(&settings);
    if args.once {
        plan = plan.once();
    }
    let ended = on_system(async {
        // First of all, so that no signal finds the daemon without a handler.
        let stop = unix_signals::stop()?;
        let application = Application::start(&settings, plan, sources.file.as_deref())?;
        // Only now, with the journal its own: of two daemons the commands are to know the one that runs.
        if let Err(error) = sources.to_last_start(Some(&settings.journal.path)).write(&sources.environment, false) {
            tracing::warn!(%error, "the commands beside this daemon will not know its flags and variables");
        }
        application.run_until_stopped(stop).await
    });
    exit_code(ended)
}

/// Whether this process is what systemd or a container started, and no trial beside it.
fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some() || std::process::id() == 1
}

/// Before a secret is read: no core dump of this process, and no look into its memory or environment for its user.
fn keep_to_ourselves() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// What the process says about how the daemon ended.
pub(super) fn exit_code(ended: anyhow::Result<Ended>) -> ExitCode {
    match ended {
        Ok(Ended::Stopped | Ended::Once { failed: false, is_recorded: true, .. }) => ExitCode::SUCCESS,
        Ok(Ended::Once { .. } | Ended::StageGone(_) | Ended::FateLost) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}
