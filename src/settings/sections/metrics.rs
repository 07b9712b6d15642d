//! `[metrics]`: the HTTP side.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MetricsSettings {
    pub enabled: bool,
    pub bind: String,
    pub port: u16,
    pub connections_max: usize,
    pub header_deadline_ms: u64,
    pub connection_deadline_ms: u64,
    pub ask_deadline_ms: u64,
    pub bind_retry_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_config_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<PathBuf>,
}
