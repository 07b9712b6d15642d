//! `sentinel check`: whether `sentinel run` would start, and with which settings.

use crate::{
    process::exit::refuse,
    settings::{DeadmanSettings, Remarks, Resolved, Settings, SettingsArgs, Sources},
};
use sentinel_actors::{
    adapters::{
        archive::BAR_BYTES,
        eodhd::{ROW_BYTES, first_range_s, first_rows_max},
        gateway::curve,
    },
    domain::{instrument::Instrument, money::NotKnown},
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
        archive(&settings),
        deadman(&settings.deadman),
        paper(&settings),
        token(&settings, &sources),
        remarks(&settings.remarks),
    ];
    let head = "# These settings are valid; `sentinel run` starts with them.";
    let (hash, toml) = (settings.hash, &settings.toml);
    // A reader that closes the pipe has seen enough.
    let _ = writeln!(io::stdout(), "{head}\n# sentinel_config_hash {hash}\n{}\n{toml}", parts.concat());
    ExitCode::SUCCESS
}

/// Where the settings come from, apart from the variables and flags of this call.
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

/// How the connection to the gateway is protected, as comments: the output has to remain TOML.
fn line(settings: &Resolved) -> String {
    let version = curve::library_version();
    let library = match curve::is_available() {
        true => format!("# libzmq {version}, with CURVE."),
        false => format!(
            "# libzmq {version}, without CURVE: `cargo --config docker/curve.toml build --release` builds a binary with it."
        ),
    };
    let gateway = &settings.gateway;
    let line = match settings.curve {
        Some(_) => "# The connection to the gateway: CURVE, encrypted and authenticated on both sides.",
        None => "# The connection to the gateway: plaintext, neither encrypted nor authenticated.",
    };
    let exposed = exposed(gateway.curve_secret_key_file.as_deref(), "gateway.curve_secret_key_file");
    format!("{library}\n{line}{exposed}{}", http(settings))
}

/// Whether other users can read the file that has the token.
fn token(settings: &Resolved, sources: &Sources) -> String {
    let is_in_a_variable = ["EODHD_API_TOKEN", "SENTINEL__DATA__API_TOKEN"]
        .iter()
        .any(|name| sources.environment.get(*name).is_some_and(|value| !value.is_empty()));
    match &settings.data.api_token {
        Some(_) if is_in_a_variable => String::new(),
        Some(_) => exposed(sources.file.as_deref(), "--config, which contains data.api_token"),
        None => exposed(settings.data.api_token_file.as_deref(), "data.api_token_file"),
    }
}

/// What was derived from the symbols' names: the calendar, and the meaning of a name with a suffix.
fn derived(settings: &Resolved) -> String {
    let (calendar, auto) = (settings.calendar_name.as_str(), settings.auto_calendar);
    let why = if auto == "fx" { "every ticker ends in .FOREX" } else { "not every ticker ends in .FOREX" };
    let mut text = if calendar == auto {
        format!("\n# The market's calendar is {calendar}, as auto selects it here: {why}.")
    } else {
        format!("\n# The market's calendar is {calendar}; auto would be {auto}: {why}.")
    };
    for Instrument { symbol, ticker, gateway_name, .. } in settings.instruments() {
        if symbol.as_str().contains('.') {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n# {symbol}: ticker {ticker}, at the gateway {gateway_name}.");
        }
    }
    text
}

/// What the bars are made of, when they close, and how many the first request asks for.
fn bars(settings: &Resolved) -> String {
    let (data, interval) = (&settings.data, settings.data.interval);
    let (name, finer) = (interval.as_str(), interval.source().as_str());
    let kind = match interval.edges(&settings.calendar) {
        Some(edges) => format!("Bars of {name} are made of EODHD's {finer} bars and close {edges}."),
        None => format!("Bars of {name} are EODHD's own."),
    };
    let days = first_range_s(data.lookback_bars, interval) as f64 / 86_400.0;
    let rows = first_rows_max(data.lookback_bars, interval);
    let request = match settings.market_clock {
        MarketClock::System => format!(
            "The first request asks for {days:.0} days of {finer} bars, at most {rows} bars or {} kB, for {} bars of {name}.",
            rows * ROW_BYTES / 1_000,
            data.lookback_bars
        ),
        MarketClock::Bars => "The first request names no range, so EODHD sends 120 days.".into(),
    };
    format!("\n# {kind}\n# {request}")
}

/// Whether bars are kept, where, and how large that gets.
fn archive(settings: &Resolved) -> String {
    let Some(archive) = &settings.archive else {
        return "\n# No bars are archived: archive.enabled is false, so `sentinel replay` cannot repeat decisions."
            .into();
    };
    let days = match archive.keep.as_secs() / 86_400 {
        0 => 365,
        days => days,
    };
    let bars = days * 86_400 / settings.data.interval.nominal_s().unsigned_abs() * settings.symbols.len() as u64;
    let megabytes = (bars * BAR_BYTES) as f64 / 1e6;
    let (path, each) = (archive.path.display(), if archive.keep.is_zero() { "each year" } else { "at most" });
    format!("\n# Bars are archived in {path}, {each} about {megabytes:.1} MB ({bars} bars of {BAR_BYTES} bytes).")
}

/// Whether the dead-man ping is on, and which metric counts it.
fn deadman(deadman: &DeadmanSettings) -> String {
    let Some(source) = deadman.source() else {
        return "\n# The dead-man ping is off: deadman.url is not set, so no outside service notices when this machine fails.".into();
    };
    let every_s = deadman.every_s;
    let file = exposed(deadman.url_file.as_deref(), "deadman.url_file");
    let https = source.read().is_ok_and(|url| url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")));
    let line = if https { "over TLS" } else { "in plaintext" };
    format!(
        "\n# The dead-man ping is on, {line}: after a good cycle, at most every {every_s} s. The first cycle tries it; \
         sentinel_deadman_pings_total counts the results.{file}"
    )
}

/// Symbols for which the account on paper cannot know the day's loss, which is limited.
fn paper(settings: &Resolved) -> String {
    if !settings.paper.enabled || settings.guards.loss_pct_per_day_max <= 0.0 {
        return String::new();
    }
    let why = |instrument: &Instrument| settings.money.per_point(&instrument.symbol, |_| Some(1.0)).err();
    let note = |why: NotKnown| {
        format!(
            "\n# Warning: guards.loss_pct_per_day_max is set and {why}: while such a trade is open on paper, its loss is not known in \
             money, so no order is made on paper. Live orders do not depend on it."
        )
    };
    settings.instruments().filter_map(why).map(note).collect()
}

/// What protects /metrics and /health, if anything does.
fn http(settings: &Resolved) -> String {
    let Some(protection) = &settings.protection else { return String::new() };
    let line = match (protection.has_tls(), protection.users()) {
        (true, 0) => "TLS, without a password.".to_owned(),
        (true, users) => format!("TLS, with a password, users: {users}."),
        (false, users) => {
            format!("with a password that is sent in plaintext, users: {users}; tls_server_config encrypts it.")
        }
    };
    let web_config = exposed(settings.metrics.web_config_file.as_deref(), "metrics.web_config_file");
    let key = exposed(protection.key_file(), "tls_server_config.key_file");
    format!("\n# HTTP: {line}{web_config}{key}")
}

/// A comment if users other than its owner can read a file with a secret. It is only a remark: containers mount secrets that
/// way.
fn exposed(secret: Option<&Path>, key: &str) -> String {
    let mode = secret.and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.permissions().mode());
    let who = match (mode & 0o004, mode & 0o040) {
        (0, 0) => return String::new(),
        (0, _) => "Its group",
        _ => "Everyone on this machine",
    };
    format!("\n# {who} can read the file of {key}: chmod go-r, unless a container needs it this way.")
}

/// Variables that look as if they had an effect, but have none.
fn remarks(remarks: &Remarks) -> String {
    let misspelt = remarks.misspelt.iter().map(|remark| format!("\n# Warning: {remark}."));
    let proxies =
        remarks.proxies.iter().map(|name| format!("\n# {name} is set but not used: Sentinel connects directly."));
    misspelt.chain(proxies).collect()
}
