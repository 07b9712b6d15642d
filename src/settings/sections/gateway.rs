//! `[gateway]`: where orders go, in which dialect, and how the connection is protected.

use super::parsed;
use crate::net::authority;
use sentinel_actors::{adapters::gateway::DialectKind, domain::position::AccountMode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;

/// `[gateway]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct GatewaySettings {
    pub host: String,
    pub port: u16,
    #[serde(default, deserialize_with = "parsed_dialect", serialize_with = "dialect_text")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<DialectKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    pub deadline_ms: u64,
    pub account_poll_s: u64,
    pub magic: i64,
    pub comment: String,
    pub i_checked_it_by_hand: bool,
    pub account_mode: AccountMode,
    #[serde(default)]
    pub other_names: Vec<String>,
    pub plaintext: PlaintextSetting,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve_server_key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve_public_key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve_secret_key_file: Option<PathBuf>,
}

/// Whether orders may be sent to another machine in plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaintextSetting {
    /// No.
    Refused,
    /// Yes: a person confirms that this network is trusted.
    Accepted,
}

impl GatewaySettings {
    /// `tcp://host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        format!("tcp://{}", authority(&self.host, self.port))
    }
}

fn parsed_dialect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DialectKind>, D::Error> {
    parsed(deserializer).map(Some)
}

#[allow(clippy::ref_option)] // serde's signature
fn dialect_text<S: Serializer>(dialect: &Option<DialectKind>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dialect.map_or("", DialectKind::as_str))
}
