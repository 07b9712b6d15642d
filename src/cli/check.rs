//! `sentinel check`: would `sentinel run` start with these settings, and which are they?

use super::{args::SettingsArgs, fail, refuse};
use crate::settings::Settings;
use anyhow::Context;
use std::process::ExitCode;

pub(super) fn main(args: &SettingsArgs) -> ExitCode {
    let settings = match Settings::load(&args.sources()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    match settings.to_toml().context("the settings have no TOML form") {
        Ok(text) => {
            println!("# These settings are valid; `sentinel run` starts with them.\n{text}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}
