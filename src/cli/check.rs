//! `sentinel check`: would `sentinel run` start with these settings, and which are they?

use crate::{
    process::exit::refuse,
    settings::{DeadmanSettings, Remarks, Resolved, Settings, SettingsArgs, Sources},
};
use sentinel_actors::{
    adapters::{
        eodhd::{ROW_BYTES, first_range_s, first_rows_max},
        gateway::curve,
    },
    fetcher::MarketClock,
};
use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::ExitCode,
};

pub(super) fn main(args: &SettingsArgs) -> ExitCode {
    let sources = args.of_last_start();
    let settings = match Settings::load(&sources) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let parts = [
        files(&sources),
        line(&settings),
        derived(&settings),
        bars(&settings),
        deadman(&settings.deadman),
        token(&settings, &sources),
        remarks(&settings.remarks),
    ];
    let head = "# These settings are valid; `sentinel run` starts with them.";
    let (hash, toml) = (settings.hash, &settings.toml);
    // Whoever closes the pipe has read enough.
    let _ = writeln!(io::stdout(), "{head}\n# sentinel_config_hash {hash}\n{}\n{toml}", parts.concat());
    ExitCode::SUCCESS
}

/// Where they come from, variables and flags of this call aside.
fn files(sources: &Sources) -> String {
    let mut text = match &sources.file {
        Some(file) => format!("# The settings file: {}\n", file.display()),
        None => "# No settings file: the built-in settings.\n".to_owned(),
    };
    if let Some(last_start) = &sources.last_start {
        let (keys, path) = (last_start.keys().join(", "), last_start.path().display());
        text += &format!("# From flags and variables of the daemon's last start ({path}): {keys}\n");
        for key in last_start.untrusted() {
            text += &format!(
                "# Warning: the daemon has {key} from a flag or a variable. It names a file that the daemon's user chose, so it \
                 is not used here: set it in the settings file.\n"
            );
        }
    }
    text
}

/// How orders travel, and how they could, as comments: what is printed has to stay TOML.
fn line(settings: &Resolved) -> String {
    let version = curve::library_version();
    let library = match curve::is_available() {
        true => format!("# libzmq {version}, with CURVE."),
        false => format!(
            "# libzmq {version}, without CURVE: `cargo --config docker/curve.toml build --release` makes a binary with it."
        ),
    };
    let gateway = &settings.gateway;
    let line = match settings.curve {
        Some(_) => "# The line to the gateway: CURVE, encrypted and both ends proven.",
        None => "# The line to the gateway: open, neither encrypted nor proven.",
    };
    let exposed = exposed(gateway.curve_secret_key_file.as_deref(), "gateway.curve_secret_key_file");
    format!("{library}\n{line}{exposed}{}", http(settings))
}

/// Whether others may read the token where it lies.
fn token(settings: &Resolved, sources: &Sources) -> String {
    let is_said_by_a_variable = ["EODHD_API_TOKEN", "SENTINEL__DATA__API_TOKEN"]
        .iter()
        .any(|name| sources.environment.get(*name).is_some_and(|value| !value.is_empty()));
    match &settings.data.api_token {
        Some(_) if is_said_by_a_variable => String::new(),
        Some(_) => exposed(sources.file.as_deref(), "--config, which holds data.api_token"),
        None => exposed(settings.data.api_token_file.as_deref(), "data.api_token_file"),
    }
}

/// What follows from the symbols' names, where it is not plain: the calendar, and what a name with a suffix means.
fn derived(settings: &Resolved) -> String {
    let (calendar, auto) = (settings.calendar_name.as_str(), settings.symbols.auto_calendar());
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

/// Of what bars are made, where they close, and how many of them are asked for at first.
fn bars(settings: &Resolved) -> String {
    let (data, interval) = (&settings.data, settings.data.interval);
    let (name, finer) = (interval.as_str(), interval.source().as_str());
    let kind = match interval.edges(&settings.calendar) {
        Some(edges) => format!("Bars of {name} are made of EODHD's {finer} bars and close {edges}."),
        None => format!("Bars of {name} are EODHD's own."),
    };
    let days = first_range_s(data.lookback_bars, interval) as f64 / 86_400.0;
    let rows = first_rows_max(data.lookback_bars, interval);
    let asked = match settings.market_clock {
        MarketClock::System => format!(
            "At first {days:.0} days of {finer} bars are asked for, {rows} bars or {} kB at most, for {} bars of {name}.",
            rows * ROW_BYTES / 1_000,
            data.lookback_bars
        ),
        MarketClock::Bars => "At first those are taken that EODHD sends unasked: 120 days.".into(),
    };
    format!("\n# {kind}\n# {asked}")
}

/// Whether somebody outside is shown a sign of life, and where it can be seen that it arrives.
fn deadman(deadman: &DeadmanSettings) -> String {
    let Some(source) = deadman.source() else {
        return "\n# The dead-man ping is off: deadman.url is not set, so nobody outside notices when everything here is dead.".into();
    };
    let every_s = deadman.every_s;
    let file = exposed(deadman.url_file.as_deref(), "deadman.url_file");
    let https = source.read().is_ok_and(|url| url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")));
    let line = if https { "over TLS" } else { "in the open" };
    format!(
        "\n# The dead-man ping is on, {line}: after a good cycle, at most every {every_s} s; the first cycle tries it, and \
         sentinel_deadman_pings_total says how it went.{file}"
    )
}

/// What protects /metrics and /health, if anything does.
fn http(settings: &Resolved) -> String {
    let Some(protection) = &settings.protection else { return String::new() };
    let line = match (protection.has_tls(), protection.users()) {
        (true, 0) => "TLS, without a password.".to_owned(),
        (true, users) => format!("TLS, with a password, users: {users}."),
        (false, users) => {
            format!("with a password that travels in the open, users: {users}; tls_server_config encrypts it.")
        }
    };
    let web_config = exposed(settings.metrics.web_config_file.as_deref(), "metrics.web_config_file");
    let key = exposed(protection.key_file(), "tls_server_config.key_file");
    format!("\n# HTTP: {line}{web_config}{key}")
}

/// A comment if others than its owner may read a file that holds a secret. Containers mount secrets so, and it is no fault.
fn exposed(secret: Option<&Path>, key: &str) -> String {
    let mode = secret.and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.permissions().mode());
    let who = match (mode & 0o004, mode & 0o040) {
        (0, 0) => return String::new(),
        (0, _) => "Its group",
        _ => "Everyone on this machine",
    };
    format!("\n# {who} may read the file of {key}: chmod go-r, unless a container needs it so.")
}

/// What the environment holds that looks as if it did something.
fn remarks(remarks: &Remarks) -> String {
    let misspelt = remarks.misspelt.iter().map(|remark| format!("\n# Warning: {remark}."));
    let proxies =
        remarks.proxies.iter().map(|name| format!("\n# {name} is set, and not used: Sentinel connects directly."));
    misspelt.chain(proxies).collect()
}
