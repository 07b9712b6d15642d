//! `[archive]`: whether the bars that decisions were made from are kept, where, and for how long.

use super::Journal;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Its name beside the journal.
const FILE: &str = "bars.db";

/// `[archive]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config/base.toml documents every key.
pub struct ArchiveSettings {
    pub enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    pub keep_days: u32,
}

/// The archive, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// As set, else `bars.db` in the journal's folder.
    pub path: PathBuf,
    /// How long bars are kept; zero for all.
    pub keep: Duration,
}

impl ArchiveSettings {
    /// Where it is for this journal; `None` if no bars are kept.
    pub fn located(&self, journal: &Journal) -> Option<Archive> {
        let named = self.path.clone().filter(|path| !path.as_os_str().is_empty());
        self.enabled.then(|| Archive {
            path: named.unwrap_or_else(|| journal.path.with_file_name(FILE)),
            keep: Duration::from_secs(86_400 * u64::from(self.keep_days)),
        })
    }
}
