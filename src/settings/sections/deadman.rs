//! `[deadman]`: pings for an outside service.

use crate::settings::secret::Secret;
use sentinel_actors::adapters::deadman::UrlSource;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[deadman]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DeadmanSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    pub every_s: u64,
    pub deadline_ms: u64,
}

impl DeadmanSettings {
    /// Where the URL comes from; `None` if it is not set.
    pub fn source(&self) -> Option<UrlSource> {
        match (&self.url, &self.url_file) {
            (Some(url), _) => Some(UrlSource::Value(url.expose().to_owned())),
            (None, Some(path)) => Some(UrlSource::File(path.clone())),
            (None, None) => None,
        }
    }
}
