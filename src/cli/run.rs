//! `sentinel run`: the daemon.

use super::{args::SettingsArgs, fail, refuse};
use crate::{
    application::{Application, Ended, Plan},
    settings::Settings,
    signals, telemetry,
};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Run one cycle and exit: 0 if every symbol went through, 1 if not
    #[arg(long)]
    once: bool,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let settings = match Settings::load(&args.settings.sources()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    telemetry::init(&settings.log);
    let mut plan = Plan::from_settings(&settings);
    if args.once {
        plan = plan.once();
    }
    run(&settings, plan)
}

/// Runs the daemon until it is stopped; the exit code says how it went.
pub(super) fn run(settings: &Settings, plan: Plan) -> ExitCode {
    let ended = actix_rt::System::new().block_on(async {
        let application = Application::start(settings, plan)?;
        application.run_until_stopped(signals::stop()?).await
    });
    match ended {
        Ok(Ended::Stopped | Ended::Once { failed: false }) => ExitCode::SUCCESS,
        Ok(Ended::Once { failed: true } | Ended::StageGone(_)) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}
