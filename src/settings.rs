//! Settings: what every knob is, where its value comes from, and what it may be.
//!
//! Flags beat the environment, which beats the settings file, which beats `config/base.toml` (compiled in). Nothing
//! starts with a setting that is unknown or out of range. For a command beside a daemon, what the daemon was told comes
//! right above the file. `Settings` are what was said; they resolve into `Resolved`, which is what the actors take.

mod address;
mod base;
mod confidence_reference;
mod curve;
pub mod daemon_address;
mod distance;
mod flags;
mod last_start;
mod layers;
mod market;
mod old_journal;
mod origins;
pub mod protection;
mod purpose;
mod resolved;
mod secret;
mod sections;
mod sources;
mod state_directory;
mod validate;
mod variables;

pub use distance::Distance;
pub(crate) use flags::SettingsArgs;
pub use last_start::LastStart;
pub use old_journal::OldJournal;
pub use origins::Remarks;
pub use protection::Protection;
pub use purpose::{Daemon, Gateway, Purpose, VerifyGateway, VerifyMarket, VerifyModel};
pub use resolved::Resolved;
pub use secret::Secret;
pub use sections::*;
pub use sources::Sources;
pub use state_directory::make as make_state_directory;

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
    pub fn load(sources: &Sources) -> Result<Resolved, SettingsError> {
        Self::load_for(sources)
    }

    /// Loads all layers and checks the result for what it is to be used for.
    ///
    /// # Errors
    /// Names every key that is unknown, of the wrong type, out of range, or missing for this purpose.
    pub fn load_for<P: Purpose>(sources: &Sources) -> Result<Resolved<P>, SettingsError> {
        layers::merge(sources)?.resolve(sources)
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
        let journal = layers::merge(sources)?.journal.located(&sources.environment);
        match journal.old().filter(|_| !journal.path.exists()) {
            Some(old) => Err(Problem::new("journal.path", old.message()).into()),
            None => Ok(journal.path),
        }
    }
}

#[cfg(test)]
mod tests;
