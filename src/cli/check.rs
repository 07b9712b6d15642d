//! `sentinel check`: would `sentinel run` start with these settings, and which are they?

use super::{args::SettingsArgs, fail, refuse};
use crate::settings::Settings;
use anyhow::Context;
use sentinel_actors::adapters::gateway::curve;
use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt, path::Path, process::ExitCode};

pub(super) fn main(args: &SettingsArgs) -> ExitCode {
    let settings = match Settings::load(&args.sources()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let printed = settings.to_toml().and_then(|text| Ok((text, settings.hash()?)));
    match printed.context("the settings have no TOML form") {
        Ok((text, hash)) => {
            println!(
                "# These settings are valid; `sentinel run` starts with them.\n# sentinel_config_hash {hash}\n{}{}\n{text}",
                line(&settings),
                derived(&settings)
            );
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// How orders travel, and how they could, as comments: what is printed has to stay TOML.
fn line(settings: &Settings) -> String {
    let version = curve::library_version();
    let library = match curve::is_available() {
        true => format!("# libzmq {version}, with CURVE."),
        false => format!(
            "# libzmq {version}, without CURVE: `cargo --config docker/curve.toml build --release` makes a binary with it."
        ),
    };
    let gateway = &settings.gateway;
    let line = match gateway.curve {
        Some(_) => "# The line to the gateway: CURVE, encrypted and both ends proven.",
        None => "# The line to the gateway: open, neither encrypted nor proven.",
    };
    let exposed = exposed(gateway.curve_secret_key_file.as_deref(), "gateway.curve_secret_key_file");
    format!("{library}\n{line}{exposed}{}", http(settings))
}

/// What follows from the symbols' names, where it is not plain: the calendar, and what a name with a suffix means.
fn derived(settings: &Settings) -> String {
    let (calendar, auto) = (settings.market.calendar.as_str(), settings.auto_calendar());
    let why = if auto == "fx" { "every ticker ends in .FOREX" } else { "not every ticker ends in .FOREX" };
    let mut text = if calendar == auto {
        format!("\n# The market's calendar is {calendar}, which auto is here: {why}.")
    } else {
        format!("\n# The market's calendar is {calendar}; auto would be {auto}: {why}.")
    };
    for symbol in settings.symbols.0.iter().filter(|symbol| symbol.name.contains('.')) {
        // Writing to a String cannot fail.
        let _ =
            write!(text, "\n# {}: ticker {}, at the gateway {}.", symbol.name, symbol.ticker(), symbol.gateway_name());
    }
    text
}

/// What protects /metrics and /health, if anything does.
fn http(settings: &Settings) -> String {
    let Some(protection) = &settings.metrics.protection else { return String::new() };
    let line = match (protection.has_tls(), protection.users()) {
        (true, 0) => "TLS, without a password.".to_owned(),
        (true, users) => format!("TLS, with a password, users: {users}."),
        (false, users) => {
            format!("with a password that travels in the open, users: {users}; tls_server_config encrypts it.")
        }
    };
    let exposed = exposed(protection.key_file(), "tls_server_config.key_file");
    format!("\n# HTTP: {line}{exposed}")
}

fn exposed(secret: Option<&Path>, key: &str) -> String {
    let mode = secret.and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.permissions().mode());
    if mode & 0o004 == 0 { String::new() } else { format!("\n# Everyone on this machine may read {key}: chmod o-r.") }
}
