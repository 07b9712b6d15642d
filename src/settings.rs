//! Every setting: its type, its allowed values, and where its value comes from.
//!
//! Flags override the environment, which overrides the settings file, which overrides `config/base.toml` (compiled in). Nothing
//! starts with a setting that is unknown or out of range. For the commands other than `run`, the flags and variables of the
//! daemon's last start override the file. `Settings` are the values as given; they resolve into `Resolved`, which the actors use.

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
mod own_target;
pub mod protection;
mod purpose;
mod recorded;
mod resolved;
mod secret;
mod sections;
mod sources;
mod state_directory;
mod validate;
mod variables;

pub use distance::Distance;
pub(crate) use flags::{BarsArgs, SettingsArgs};
pub use last_start::LastStart;
pub use market::CalendarSource;
pub use old_journal::OldJournal;
pub use origins::Remarks;
pub use protection::Protection;
pub use purpose::{Cluster, Daemon, Gateway, Purpose, VerifyGateway, VerifyMarket, VerifyModel};
pub use recorded::{Recorded, RecordedSymbol};
pub use resolved::{Resolved, ResolvedSymbol};
pub use secret::Secret;
pub use sections::*;
pub use sources::Sources;
pub use state_directory::{make as make_state_directory, studies as studies_path};

use std::{fmt, path::PathBuf};

/// What is wrong with the settings: each key with its allowed values, and never the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Problem>);

/// One invalid key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, or the file or flag that is invalid.
    pub key: String,
    /// What is wrong, and what to do.
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

/// The one setting that needs a flag, so that a copied file does not start trading.
const LIVE: &str = "trading.live";
const WEB_CONFIG: &str = "metrics.web_config_file";
const CONSOLE_WEB_CONFIG: &str = "console.web_config_file";

impl Settings {
    /// Loads all layers and checks that the daemon can run with the result.
    ///
    /// # Errors
    /// Names every key that is unknown, of the wrong type or out of range.
    pub fn load(sources: &Sources) -> Result<Resolved, SettingsError> {
        Self::load_for(sources)
    }

    /// Loads all layers and checks the result for a purpose.
    ///
    /// # Errors
    /// Names every key that is unknown, of the wrong type, out of range, or missing for this purpose.
    pub fn load_for<P: Purpose>(sources: &Sources) -> Result<Resolved<P>, SettingsError> {
        layers::merge(sources)?.resolve(sources)
    }

    /// Loads all layers without checks, for commands that must work with invalid settings: a halt.
    ///
    /// # Errors
    /// Names a key that is unknown or of the wrong type.
    pub fn load_unchecked(sources: &Sources) -> Result<Self, SettingsError> {
        layers::merge(sources)
    }

    /// The path of the journal, for a command that needs no other setting of the daemon.
    ///
    /// # Errors
    /// Names every key that is unknown or of the wrong type; and a journal that an earlier version left in the working folder,
    /// if there is none at this path.
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
