//! Where values come from: base.toml, `--config`, the environment, flags; later beats earlier.

use super::{
    Problem, Settings, SettingsError,
    origins::Origins,
    place,
    sections::{Symbol, Symbols},
};
use config::{Config, ConfigError, File, FileFormat};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

const BASE: &str = include_str!("../../config/base.toml");
pub(super) const PREFIX: &str = "SENTINEL__";

/// The environment names of the daemon this one replaces, and their keys.
pub(super) const OLD_NAMES: [(&str, &str); 7] = [
    ("METRICS_PORT", "metrics.port"),
    ("HUB_HOST", "model.host"),
    ("HUB_PORT", "model.port"),
    ("GTW_HOST", "gateway.host"),
    ("GTW_PORT", "gateway.port"),
    ("EODHD_API_TOKEN", "data.api_token"),
    ("EODHD_API_TOKEN_FILE", "data.api_token_file"),
];

/// Everything a run's settings are made from, so that a test can make its own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// The process's environment.
    pub environment: HashMap<String, String>,
    /// Keys given as flags, as text.
    pub flags: Vec<(&'static str, String)>,
    /// `--symbol`, if given: the names, which pick their tables from the file.
    pub symbols: Option<Vec<String>>,
}

/// Merges the layers into typed settings.
pub(super) fn merge(sources: &Sources) -> Result<Settings, SettingsError> {
    let mut environment = sources.environment.clone();
    let is_ours = |name: &str| name.starts_with(PREFIX) || OLD_NAMES.iter().any(|(old, _)| *old == name);
    if let Some((name, _)) = environment.iter().find(|(name, value)| is_ours(name) && value.contains(NOT_TEXT)) {
        return Err(Problem::new(name.as_str(), "is not UTF-8 text").into());
    }
    let by_environment = environment.remove(&format!("{PREFIX}SYMBOLS")).filter(|names| !names.is_empty());
    let mut builder = Config::builder().add_source(File::from_str(BASE, FileFormat::Toml));
    if let Some(path) = &sources.file {
        builder = builder.add_source(File::from_str(&read(path)?, FileFormat::Toml));
    }
    for (name, key) in OLD_NAMES {
        if let Some(value) = environment.get(name).filter(|value| !value.is_empty()) {
            builder = builder.set_override(key, value.as_str()).map_err(|error| failed(&error))?;
        }
    }
    // `try_parsing` stays off: it would turn a token 00123 into the number 123.
    let named: HashMap<String, String> =
        environment.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect();
    for (name, value) in &named {
        let no_setting = || Problem::new(name.as_str(), "is no setting: SENTINEL__SECTION__KEY, see config/base.toml");
        let key = key_of(&name[PREFIX.len()..]).ok_or_else(no_setting)?;
        builder = builder.set_override(&key, value.as_str()).map_err(|_| no_setting())?;
    }
    for (key, value) in &sources.flags {
        builder = builder.set_override(*key, value.as_str()).map_err(|error| failed(&error))?;
    }
    let merged = builder.build().map_err(|error| failed(&error))?;
    let typed = |error| typed(&error, &Origins::of(sources));
    let mut settings: Settings = serde_path_to_error::deserialize(merged).map_err(typed)?;
    only_the_latest_token(&mut settings, sources);
    let journal = &mut settings.journal;
    journal.place = place::state_directory(&sources.environment);
    journal.is_default = journal.path.as_os_str().is_empty();
    if journal.is_default {
        journal.path = place::journal(journal.place.as_deref());
    }
    let picked = sources.symbols.clone().or_else(|| by_environment.map(|names| split_names(&names)));
    if let Some(names) = picked {
        settings.symbols = pick(&settings.symbols, &names);
    }
    Ok(settings)
}

/// `DATA__API_TOKEN` as `data.api_token`. Nothing else: the library would take `A__B__C` or `A[0]` without a word.
pub(super) fn key_of(name: &str) -> Option<String> {
    let (section, key) = name.split_once("__")?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (plain(section) && plain(key) && !key.contains("__")).then(|| format!("{section}.{key}").to_lowercase())
}

/// The names of the sections.
pub(super) fn sections() -> Vec<String> {
    let base = toml::from_str::<toml::Table>(BASE).unwrap_or_default();
    base.into_iter().filter(|(_, value)| value.is_table()).map(|(section, _)| section).collect()
}

/// Whether there is a setting of this key, `section.key`.
pub(super) fn is_setting(key: &str) -> bool {
    let base = Config::builder().add_source(File::from_str(BASE, FileFormat::Toml));
    let Ok(merged) = base.set_override(key, "").and_then(|builder| builder.build()) else { return false };
    merged.try_deserialize::<Settings>().err().is_none_or(|error| !error.to_string().contains("unknown field"))
}

/// A token in the environment beats a token file named in a settings file, and the other way round.
fn only_the_latest_token(settings: &mut Settings, sources: &Sources) {
    let says = |names: [&str; 2]| {
        names.iter().any(|name| sources.environment.get(*name).is_some_and(|value| !value.is_empty()))
    };
    let token = says(["EODHD_API_TOKEN", "SENTINEL__DATA__API_TOKEN"]);
    let file = says(["EODHD_API_TOKEN_FILE", "SENTINEL__DATA__API_TOKEN_FILE"]);
    match (token, file) {
        (true, false) => settings.data.api_token_file = None,
        (false, true) => settings.data.api_token = None,
        _ => {}
    }
}

/// `EURUSD, GBPUSD` as names.
pub(crate) fn split_names(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// The named symbols: their tables where the file has one, otherwise just the name.
fn pick(symbols: &Symbols, names: &[String]) -> Symbols {
    let table = |name: &String| symbols.0.iter().find(|symbol| symbol.name == *name).cloned();
    Symbols(names.iter().map(|name| table(name).unwrap_or_else(|| Symbol::named(name))).collect())
}

/// Reads a settings file; its parse errors are ours, because the library's quote the line, token and all.
fn read(path: &Path) -> Result<String, SettingsError> {
    let problem = |message: String| SettingsError::from(Problem::new(path.display().to_string(), message));
    let text = fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        let offset = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err(problem(format!("line {line} is not valid TOML")));
    }
    Ok(text)
}

fn typed(error: &serde_path_to_error::Error<ConfigError>, origins: &Origins<'_>) -> SettingsError {
    let (text, key) = (error.inner().to_string(), error.path().to_string());
    // The library names the key again at the end, and the types of the language.
    let message = text.split(" for key `").next().unwrap_or_default();
    let plain = |text: &str| PLAIN_TYPES.iter().fold(text.to_owned(), |text, (rust, plain)| text.replace(rust, plain));
    // It also quotes the value, and only the rule at the end is free of it.
    let Some((name, value)) = origins.said_below(&key) else { return Problem::new(key, plain(message)).into() };
    let rule = match message.rsplit_once(", expected ") {
        Some((_, rule)) if !value.contains(", expected ") => format!("expected {}", plain(rule)),
        None if !message.contains(value) => message.to_owned(),
        _ => "is nothing that this setting may be, see config/base.toml".to_owned(),
    };
    let is_address = ["tcp://", "udp://"].iter().any(|scheme| value.starts_with(scheme));
    let hint = if is_address {
        "; what is there looks like what an orchestrator sets for a service of this name: name the service otherwise, or say \
         the SENTINEL__ variable, which is stronger"
    } else {
        ""
    };
    Problem::new(key, format!("{rule} (said by the variable {name}{hint})")).into()
}

/// Stands in a text for bytes that are none.
const NOT_TEXT: char = char::REPLACEMENT_CHARACTER;

/// What the library calls a type, and what a person does.
const PLAIN_TYPES: [(&str, &str); 10] = [
    ("unsigned 64 bit integer", "number"),
    ("signed 64 bit integer", "number"),
    ("64-bit unsigned integer", "number"),
    ("64-bit integer", "number"),
    ("an unsigned 16 bit integer", "a whole number from 0 to 65535"),
    ("an unsigned 32 bit integer", "a whole number, 0 or more"),
    ("an unsigned integer", "a whole number, 0 or more"),
    ("an integer", "a whole number"),
    ("a floating point", "a number"),
    ("a boolean", "true or false"),
];

fn failed(error: &ConfigError) -> SettingsError {
    Problem::new("settings", error.to_string()).into()
}
