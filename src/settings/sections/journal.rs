//! `[journal]`: where decisions and orders are kept, and for how long.

use crate::settings::place::{self, OldJournal};
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
    /// As named, else in [`Journal::place`], else in the working folder.
    pub path: PathBuf,
    /// The machine's one place for what must not depend on the working folder; `None` if the environment names none.
    pub place: Option<PathBuf>,
    /// Whether no setting named the path.
    pub is_default: bool,
    /// How long decisions are kept.
    pub keep: Duration,
    /// Whether the bar that is newest when the journal is made counts as ordered.
    pub waits_for_new_bar: bool,
}

impl JournalSettings {
    /// Where this environment has it.
    pub fn placed(&self, environment: &HashMap<String, String>) -> Journal {
        let place = place::state_directory(environment);
        let named = self.path.clone().filter(|path| !path.as_os_str().is_empty());
        Journal {
            is_default: named.is_none(),
            path: named.unwrap_or_else(|| place::journal(place.as_deref())),
            place,
            keep: Duration::from_secs(86_400 * u64::from(self.keep_days)),
            waits_for_new_bar: self.new == NewJournal::Wait,
        }
    }
}

impl Journal {
    /// A journal of an earlier version in the working folder, where nobody looks any more unless a setting names it.
    pub fn old(&self) -> Option<OldJournal> {
        let folder = std::env::current_dir().ok().filter(|_| self.is_default)?;
        OldJournal::find(&folder, &self.path)
    }
}

/// What a journal that knows nothing of the account means for the bar that is newest then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NewJournal {
    /// It may be ordered.
    Trade,
    /// It counts as ordered; the next one is the first that may be.
    Wait,
}
