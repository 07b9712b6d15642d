//! Settings: what every knob is, where its value comes from, and what it may be.
//!
//! Flags beat the environment, which beats the settings file, which beats `config/base.toml` (compiled in). Nothing
//! starts with a setting that is unknown or out of range. For a command beside a daemon, what the daemon was told comes
//! right above the file.

pub mod address;
mod curve;
mod layers;
mod market;
mod origins;
mod place;
mod reference;
mod sections;
mod told;
mod validate;
mod values;

pub use layers::Sources;
pub use origins::Remarks;
pub use place::{OldJournal, make as make_place};
pub use sections::*;
pub use told::Told;
pub use validate::Purpose;
pub use values::{Distance, Secret};

use crate::http::Protection;
use sentinel_actors::adapters::gateway;
use sha2::{Digest, Sha256};
use std::{fmt, path::PathBuf};

/// What is wrong with the settings: each key, what it may be, and never a secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Problem>);

/// One key that cannot stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, or the file or flag that is at fault.
    pub key: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Problem {
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl From<Problem> for SettingsError {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", problem.key, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

/// The one setting that takes a flag, so that nobody trades by a file that was copied.
const LIVE: &str = "trading.live";
const WEB_CONFIG: &str = "metrics.web_config_file";

impl Settings {
    /// Loads all layers and checks that the daemon can run with the result.
    ///
    /// # Errors
    /// Names every key that is unknown, of the wrong type or out of range.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        Self::load_for(Purpose::Daemon, sources)
    }

    /// Loads all layers and checks the result for what it is to be used for.
    ///
    /// # Errors
    /// Names every key that is unknown, of the wrong type, out of range, or missing for this purpose.
    pub fn load_for(purpose: Purpose, sources: &Sources) -> Result<Self, SettingsError> {
        let mut settings = layers::merge(sources)?;
        let mut problems = validate::problems(&settings, purpose);
        let is_asked = sources.flags.iter().any(|(key, value)| *key == LIVE && value == "true")
            || sources.told.as_ref().is_some_and(Told::is_live_asked);
        if purpose == Purpose::Daemon && settings.trading.live && !is_asked {
            let message = "a file or the environment alone does not switch live mode on: start with --live";
            problems.insert(0, Problem::new(LIVE, message));
        }
        if settings.market.calendar == market::AUTO {
            settings.market.calendar = settings.auto_calendar().into();
        }
        match market::calendar(&settings.market) {
            Ok(hours) => settings.market.hours = hours.into(),
            Err(problem) => problems.push(problem),
        }
        match curve::keys(&settings.gateway, gateway::curve::is_available()) {
            Ok(keys) => settings.gateway.curve = keys,
            Err(more) => problems.extend(more),
        }
        match reference::reference(&settings.model) {
            Ok(reference) => settings.model.reference = reference,
            Err(problem) => problems.push(problem),
        }
        match settings.metrics.web_config_file.as_deref().map(Protection::load).transpose() {
            Ok(protection) => settings.metrics.protection = protection,
            Err(faults) => problems.extend(faults.into_iter().map(|fault| Problem::new(WEB_CONFIG, fault))),
        }
        settings.remarks = origins::remarks(&sources.environment);
        let origins = origins::Origins::of(sources);
        let problems: Vec<_> = problems.into_iter().map(|problem| origins.without_values(problem)).collect();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError(problems)) }
    }

    /// The calendar that `auto` is for these symbols.
    pub fn auto_calendar(&self) -> &'static str {
        market::auto(self.symbols.are_forex())
    }

    /// Loads all layers as they are, for what has to work although some setting would be refused: a halt.
    ///
    /// # Errors
    /// Names a key that is unknown or of the wrong type.
    pub fn load_unchecked(sources: &Sources) -> Result<Self, SettingsError> {
        layers::merge(sources)
    }

    /// Where the journal is, for a command that works beside a daemon and needs none of the daemon's other settings.
    ///
    /// # Errors
    /// Names every key that is unknown or of the wrong type; and a journal that an earlier version left in the working
    /// folder, if there is none in the journal's place.
    pub fn journal_path(sources: &Sources) -> Result<PathBuf, SettingsError> {
        let journal = layers::merge(sources)?.journal;
        match journal.old().filter(|_| !journal.path.exists()) {
            Some(old) => Err(Problem::new("journal.path", old.words()).into()),
            None => Ok(journal.path),
        }
    }

    /// The effective settings as TOML, every symbol written out, every secret redacted.
    ///
    /// # Errors
    /// When a value has no TOML form; none of ours.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&Self { symbols: self.symbols.resolved(&self.trading), ..self.clone() })
    }

    /// `sentinel_config_hash`: the first 48 bits of the SHA-256 of [`Settings::to_toml`], which a float holds exactly.
    /// No secret is in it, so that a rotated one changes nothing, and nobody can try secrets against it.
    ///
    /// # Errors
    /// As [`Settings::to_toml`].
    pub fn hash(&self) -> Result<u64, toml::ser::Error> {
        let digest = Sha256::digest(self.to_toml()?);
        Ok(digest.iter().take(6).fold(0, |hash, byte| hash << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests;
