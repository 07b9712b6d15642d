//! Where values come from: base.toml, `--config`, the environment, flags; later beats earlier.

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
    if let Some(names) = sources.picked_symbols().or_else(|| sources.last_start.as_ref()?.symbols.clone()) {
        settings.symbols = pick(&settings.symbols, &names);
    }
    Ok(settings)
}

/// A secret in the environment beats a file with one that a settings file names, and the other way round.
fn only_the_latest_secret(settings: &mut Settings, sources: &Sources) {
    let says = |name: &str| sources.environment.get(name).is_some_and(|value| !value.is_empty());
    let last_start =
        |key: &str| sources.last_start.as_ref().is_some_and(|last_start| last_start.variables.contains_key(key));
    let (data, deadman) = (&mut settings.data, &mut settings.deadman);
    deadman.url = deadman.url.take().filter(|url| !url.expose().trim().is_empty());
    let token = says("EODHD_API_TOKEN") || says("SENTINEL__DATA__API_TOKEN");
    let token_file = says("EODHD_API_TOKEN_FILE") || says("SENTINEL__DATA__API_TOKEN_FILE");
    let token_file = token_file || !token && last_start("data.api_token_file");
    keep_one((&mut data.api_token, token), (&mut data.api_token_file, token_file));
    let url = says("SENTINEL__DEADMAN__URL");
    let url_file = says("SENTINEL__DEADMAN__URL_FILE") || !url && last_start("deadman.url_file");
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
