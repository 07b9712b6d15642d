//! A target in Prometheus, and the page of the daemon behind it.

use super::config;
use crate::tools::probe::Exposition;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::time::Duration;

/// Two scrape intervals, if the job's interval is unknown.
pub(super) const WAIT: Duration = Duration::from_secs(30);

/// A target as Prometheus reports it.
#[derive(Debug, Clone)]
pub(super) struct Target(pub(super) Value);

impl Target {
    /// A label of its series; empty if it is not set.
    pub(super) fn label(&self, name: &str) -> &str {
        self.0["labels"][name].as_str().unwrap_or_default()
    }

    /// The selector of its series.
    pub(super) fn selector(&self) -> String {
        format!("{{job={:?},instance={:?}}}", self.label("job"), self.label("instance"))
    }

    /// The scraped URL.
    pub(super) fn url(&self) -> &str {
        self.0["scrapeUrl"].as_str().unwrap_or_default()
    }

    /// Time between two scrapes.
    pub(super) fn interval(&self) -> Duration {
        config::duration(self.0["scrapeInterval"].as_str().unwrap_or_default()).unwrap_or(WAIT / 2)
    }

    /// When it was last scraped.
    pub(super) fn scraped_at(&self) -> Option<DateTime<Utc>> {
        self.0["lastScrape"].as_str()?.parse().ok()
    }

    pub(super) fn health(&self) -> &str {
        self.0["health"].as_str().unwrap_or_default()
    }
}

/// The daemon's own page, and when it was requested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fetched<'a> {
    pub(super) page: Option<&'a Exposition>,
    pub(super) at: DateTime<Utc>,
}
