//! Merges the layers: base.toml, `--config`, the environment, flags; a later one overrides an earlier one.

use super::{
    Problem, Settings, SettingsError,
    base::{BASE, is_setting},
    origins::Origins,
    sections::{Symbol, Symbols},
    sources::{FILE_VARIABLE, Sources},
    variables::{OLD_NAMES, PREFIX, SYMBOLS, key_of},
};
use config::{Config, ConfigError, File, FileFormat};
use std::{collections::HashMap, fs, path::Path};

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
    for (key, value) in
        sources.last_start.iter().flat_map(|last_start| last_start.variables.iter().chain(&last_start.flags))
    {
        // Another version may have other settings.
        if is_setting(key) {
            builder = builder.set_override(key, value.as_str()).map_err(|error| failed(&error))?;
        }
    }
    for (name, key) in OLD_NAMES {
        if let Some(value) = environment.get(name).filter(|value| !value.is_empty()) {
            builder = builder.set_override(key, value.as_str()).map_err(|error| failed(&error))?;
        }
    }
    // Without `try_parsing`, which would turn a token 00123 into the number 123.
    let named: HashMap<String, String> =
        environment.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect();
    for (name, value) in &named {
        let no_setting =
            || Problem::new(name.as_str(), "is not a setting: use SENTINEL__SECTION__KEY, see config/base.toml");
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
    if let Some(names) = sources.picked_symbols().or_else(|| sources.last_start.as_ref()?.symbols.clone()) {
        settings.symbols = pick(&settings.symbols, &names);
    }
    Ok(settings)
}

/// A secret in the environment overrides the file with it that a settings file names, and vice versa.
fn only_the_latest_secret(settings: &mut Settings, sources: &Sources) {
    let is_set = |name: &str| sources.environment.get(name).is_some_and(|value| !value.is_empty());
    let was_set =
        |key: &str| sources.last_start.as_ref().is_some_and(|last_start| last_start.variables.contains_key(key));
    let (data, deadman) = (&mut settings.data, &mut settings.deadman);
    deadman.url = deadman.url.take().filter(|url| !url.expose().trim().is_empty());
    let token = is_set("EODHD_API_TOKEN") || is_set("SENTINEL__DATA__API_TOKEN");
    let token_file = is_set("EODHD_API_TOKEN_FILE") || is_set("SENTINEL__DATA__API_TOKEN_FILE");
    let token_file = token_file || !token && was_set("data.api_token_file");
    keep_one((&mut data.api_token, token), (&mut data.api_token_file, token_file));
    let url = is_set("SENTINEL__DEADMAN__URL");
    let url_file = is_set("SENTINEL__DEADMAN__URL_FILE") || !url && was_set("deadman.url_file");
    keep_one((&mut deadman.url, url), (&mut deadman.url_file, url_file));
}

/// Keeps, of two settings for the same thing, the one that a variable sets; both, if variables set both or none.
fn keep_one<A, B>((one, is_one_set): (&mut Option<A>, bool), (other, is_other_set): (&mut Option<B>, bool)) {
    match (is_one_set, is_other_set) {
        (true, false) => *other = None,
        (false, true) => *one = None,
        _ => {}
    }
}

/// The symbols with these names: their tables if the file has them, otherwise only the names.
fn pick(symbols: &Symbols, names: &[String]) -> Symbols {
    let table = |name: &String| symbols.0.iter().find(|symbol| symbol.name == *name).cloned();
    Symbols(names.iter().map(|name| table(name).unwrap_or_else(|| Symbol::named(name))).collect())
}

/// Reads a settings file. Parse errors have our own text, because the library's would quote the line, even if it has a token.
fn read(path: &Path, environment: &HashMap<String, String>) -> Result<String, SettingsError> {
    let is_by_variable = environment.get(FILE_VARIABLE).is_some_and(|name| Path::new(name) == path);
    let problem = |message: String| match is_by_variable {
        true => SettingsError::from(Problem::new(FILE_VARIABLE, format!("the file in this variable: {message}"))),
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
    // The library repeats the key at the end, and uses the names of Rust's types.
    let message = text.split(" for key `").next().unwrap_or_default();
    let plain = |text: &str| PLAIN_TYPES.iter().fold(text.to_owned(), |text, (rust, plain)| text.replace(rust, plain));
    // It also quotes the value; only the rule at the end does not.
    let Some((name, value)) = origins.set_below(&key) else { return Problem::new(key, plain(message)).into() };
    let rule = match message.rsplit_once(", expected ") {
        Some((_, rule)) if !value.contains(", expected ") => format!("expected {}", plain(rule)),
        None if !message.contains(value) => message.to_owned(),
        _ => "is not allowed for this setting, see config/base.toml".to_owned(),
    };
    let is_address = ["tcp://", "udp://"].iter().any(|scheme| value.starts_with(scheme));
    let hint = if is_address {
        "; its value looks like one that an orchestrator sets for a service of this name: rename the service, or set the \
         SENTINEL__ variable, which overrides it"
    } else {
        ""
    };
    Problem::new(key, format!("{rule} (set by the variable {name}{hint})")).into()
}

/// Replaces bytes that are not UTF-8.
const NOT_TEXT: char = char::REPLACEMENT_CHARACTER;

/// The library's names of types, and plain words for them.
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
