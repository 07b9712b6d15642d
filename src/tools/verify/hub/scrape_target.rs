//! A target as Prometheus tells it, and what the daemon behind it said when it was asked.

use super::config;
use crate::tools::probe::Exposition;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::time::Duration;

/// Two scrapes of a job whose interval is not known.
pub(super) const WAIT: Duration = Duration::from_secs(30);

/// A target as Prometheus tells it.
#[derive(Debug, Clone)]
pub(super) struct Target(pub(super) Value);

impl Target {
    /// A label as its series have it; empty if it is not set.
    pub(super) fn label(&self, name: &str) -> &str {
        self.0["labels"][name].as_str().unwrap_or_default()
    }

    /// What selects its series.
    pub(super) fn selector(&self) -> String {
        format!("{{job={:?},instance={:?}}}", self.label("job"), self.label("instance"))
    }

    /// What is scraped.
    pub(super) fn url(&self) -> &str {
        self.0["scrapeUrl"].as_str().unwrap_or_default()
    }

    /// Time between two scrapes.
    pub(super) fn interval(&self) -> Duration {
        config::duration(self.0["scrapeInterval"].as_str().unwrap_or_default()).unwrap_or(WAIT / 2)
    }

    /// When it was scraped last.
    pub(super) fn scraped_at(&self) -> Option<DateTime<Utc>> {
        self.0["lastScrape"].as_str()?.parse().ok()
    }

    pub(super) fn health(&self) -> &str {
        self.0["health"].as_str().unwrap_or_default()
    }
}

/// What the daemon itself said, and when it was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) page: Option<&'a Exposition>,
    pub(super) at: DateTime<Utc>,
}
