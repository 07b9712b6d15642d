//! `[journal]`: where decisions and orders are kept, and for how long.

use crate::settings::{old_journal::OldJournal, state_directory};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, path::PathBuf, time::Duration};

/// `[journal]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct JournalSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    pub keep_days: u32,
    pub new: NewJournal,
}

/// The journal, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// As set, else in [`Journal::state_directory`], else in the working folder.
    pub path: PathBuf,
    /// The machine's directory for what must not depend on the working folder; `None` if the environment names none.
    pub state_directory: Option<PathBuf>,
    /// Whether no setting has the path.
    pub is_default: bool,
    /// How long decisions are kept.
    pub keep: Duration,
    /// Whether the bar that is newest when the journal is created counts as ordered.
    pub waits_for_new_bar: bool,
}

impl JournalSettings {
    /// Where this environment has it.
    pub fn located(&self, environment: &HashMap<String, String>) -> Journal {
        let state_directory = state_directory::find(environment);
        let named = self.path.clone().filter(|path| !path.as_os_str().is_empty());
        Journal {
            is_default: named.is_none(),
            path: named.unwrap_or_else(|| state_directory::journal(state_directory.as_deref())),
            state_directory,
            keep: Duration::from_secs(86_400 * u64::from(self.keep_days)),
            waits_for_new_bar: self.new == NewJournal::Wait,
        }
    }
}

impl Journal {
    /// A journal that an earlier version left in the working folder, where this one does not look unless a setting says so.
    pub fn old(&self) -> Option<OldJournal> {
        let folder = std::env::current_dir().ok().filter(|_| self.is_default)?;
        OldJournal::find(&folder, &self.path)
    }
}

/// What happens to the newest bar when the journal knows nothing of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewJournal {
    /// It may be ordered.
    Trade,
    /// It counts as ordered; only the next one may be ordered.
    Wait,
}
