//! `[model]`: the model server on HUB.

use super::study;
use crate::net::authority;
use sentinel_actors::adapters::mlflow::Tabular;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ModelSettings {
    pub scheme: SchemeSetting,
    pub host: String,
    pub port: u16,
    pub name: String,
    pub tabular: Tabular,
    pub rows_per_request: usize,
    pub deadline_ms: u64,
    pub body_bytes_max: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_reference: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_until: Option<String>,
}

/// The protocol of the model server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemeSetting {
    /// Plaintext: anyone who can answer instead of it decides the orders.
    Http,
    /// TLS; the certificate must be signed by a CA that this machine trusts.
    Https,
}

impl ModelSettings {
    /// `http://host:port`, with brackets around an IPv6 address.
    pub fn base_url(&self) -> String {
        let scheme = match self.scheme {
            SchemeSetting::Http => "http",
            SchemeSetting::Https => "https",
        };
        format!("{scheme}://{}", authority(&self.host, self.port))
    }

    /// Up to when bars are the model's own, unix seconds; `None` if it is not said.
    ///
    /// # Errors
    /// Neither a day nor a moment.
    pub fn trained_until(&self) -> Result<Option<i64>, &'static str> {
        self.trained_until.as_deref().map(study::end_of).transpose()
    }
}
