//! Where values come from: base.toml, `--config`, the environment, flags; later beats earlier.

use super::{
    LIVE, Problem, Settings, SettingsError,
    origins::Origins,
    sections::{Symbol, Symbols},
    told::Told,
};
use config::{Config, ConfigError, File, FileFormat};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

const BASE: &str = include_str!("../../config/base.toml");
pub(super) const PREFIX: &str = "SENTINEL__";
pub(super) const SYMBOLS: &str = "SENTINEL__SYMBOLS";

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

/// The settings file of a machine that has one.
const DEFAULT_FILE: &str = "/etc/sentinel/production.toml";
/// Names another one.
const FILE_VARIABLE: &str = "SENTINEL_CONFIG";

/// Everything a run's settings are made from, so that a test can make its own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file.
    pub file: Option<PathBuf>,
    /// What a running daemon was told beside its settings file, for the commands that work beside it.
    pub told: Option<Told>,
    /// The process's environment.
    pub environment: HashMap<String, String>,
    /// Keys given as flags, as text.
    pub flags: Vec<(&'static str, String)>,
    /// `--symbol`, if given: the names, which pick their tables from the file.
    pub symbols: Option<Vec<String>>,
}

impl Sources {
    /// Those of a daemon: the file is that of `--config`, else of SENTINEL_CONFIG, else the machine's, if it has one.
    pub fn of_daemon(config: Option<&Path>, environment: HashMap<String, String>) -> Self {
        let machines = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let file = chosen(config, &environment).or_else(machines);
        Self { file, environment, ..Self::default() }
    }

    /// Those of a command beside a daemon: the daemon's own, unless another file is named. `told` is what was found.
    pub fn beside(config: Option<&Path>, environment: HashMap<String, String>, told: Option<Told>) -> Self {
        let file = chosen(config, &environment).or_else(|| told.as_ref()?.config.clone());
        let sources = Self { file, ..Self::of_daemon(config, environment) };
        let is_its_file = |told: &Told| match (&told.config, &sources.file) {
            (Some(its), Some(file)) => {
                its == file || its.canonicalize().is_ok_and(|its| file.canonicalize().is_ok_and(|file| its == file))
            }
            (its, file) => its.is_none() && file.is_none(),
        };
        let told = told.filter(is_its_file);
        Self { told, ..sources }
    }

    /// Whether a flag asks for live mode, of this command or of the daemon beside it.
    pub(super) fn is_live_asked(&self) -> bool {
        self.flags.iter().any(|(key, value)| *key == LIVE && value == "true")
            || self.told.as_ref().is_some_and(Told::is_live_asked)
    }
}

/// The file that somebody named.
fn chosen(config: Option<&Path>, environment: &HashMap<String, String>) -> Option<PathBuf> {
    let variable = environment.get(FILE_VARIABLE).filter(|path| !path.is_empty());
    config.map(Path::to_owned).or_else(|| variable.map(PathBuf::from))
}

/// The keys that variables say; of two for one key the second is stronger.
pub(super) fn by_variables(environment: &HashMap<String, String>) -> Vec<(String, String)> {
    let old = OLD_NAMES.iter().filter_map(|(name, key)| Some(((*key).to_owned(), environment.get(*name)?.clone())));
    let new = environment.iter().filter_map(|(name, value)| Some((key_of(name.strip_prefix(PREFIX)?)?, value.clone())));
    old.chain(new).filter(|(_, value)| !value.is_empty()).collect()
}

/// The names of symbols by flags, else by the environment.
pub(super) fn picked(sources: &Sources) -> Option<Vec<String>> {
    let by_environment = || sources.environment.get(SYMBOLS).filter(|names| !names.is_empty());
    sources.symbols.clone().or_else(|| by_environment().map(|names| split_names(names)))
}

/// Merges the layers into typed settings.
pub(super) fn merge(sources: &Sources) -> Result<Settings, SettingsError> {
    let mut environment = sources.environment.clone();
    let is_ours = |name: &str| name.starts_with(PREFIX) || OLD_NAMES.iter().any(|(old, _)| *old == name);
    if let Some((name, _)) = environment.iter().find(|(name, value)| is_ours(name) && value.contains(NOT_TEXT)) {
        return Err(Problem::new(name.as_str(), "is not UTF-8 text").into());
    }
    environment.remove(SYMBOLS);
    let mut builder = Config::builder().add_source(File::from_str(BASE, FileFormat::Toml));
    if let Some(path) = &sources.file {
        builder = builder.add_source(File::from_str(&read(path, &environment)?, FileFormat::Toml));
    }
    for (key, value) in sources.told.iter().flat_map(|told| told.variables.iter().chain(&told.flags)) {
        // Another version may have had other settings.
        if is_setting(key) {
            builder = builder.set_override(key, value.as_str()).map_err(|error| failed(&error))?;
        }
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
    only_the_latest_secret(&mut settings, sources);
    if let Some(names) = picked(sources).or_else(|| sources.told.as_ref()?.symbols.clone()) {
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

/// A secret in the environment beats a file with one that a settings file names, and the other way round.
fn only_the_latest_secret(settings: &mut Settings, sources: &Sources) {
    let says = |name: &str| sources.environment.get(name).is_some_and(|value| !value.is_empty());
    let told = |key: &str| sources.told.as_ref().is_some_and(|told| told.variables.contains_key(key));
    let (data, deadman) = (&mut settings.data, &mut settings.deadman);
    deadman.url = deadman.url.take().filter(|url| !url.expose().trim().is_empty());
    let token = says("EODHD_API_TOKEN") || says("SENTINEL__DATA__API_TOKEN");
    let token_file = says("EODHD_API_TOKEN_FILE") || says("SENTINEL__DATA__API_TOKEN_FILE");
    let token_file = token_file || !token && told("data.api_token_file");
    keep_one((&mut data.api_token, token), (&mut data.api_token_file, token_file));
    let url = says("SENTINEL__DEADMAN__URL");
    let url_file = says("SENTINEL__DEADMAN__URL_FILE") || !url && told("deadman.url_file");
    keep_one((&mut deadman.url, url), (&mut deadman.url_file, url_file));
}

/// Of two settings for the same thing the one that a variable says; both stay if variables say both or none.
fn keep_one<A, B>((one, is_one_said): (&mut Option<A>, bool), (other, is_other_said): (&mut Option<B>, bool)) {
    match (is_one_said, is_other_said) {
        (true, false) => *other = None,
        (false, true) => *one = None,
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
fn read(path: &Path, environment: &HashMap<String, String>) -> Result<String, SettingsError> {
    let is_by_variable = environment.get(FILE_VARIABLE).is_some_and(|name| Path::new(name) == path);
    let problem = |message: String| match is_by_variable {
        true => SettingsError::from(Problem::new(FILE_VARIABLE, format!("the file that it names: {message}"))),
        false => Problem::new(path.display().to_string(), message).into(),
    };
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
