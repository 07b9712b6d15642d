//! `[cluster]`: the claim on the account in etcd, which keeps a daemon on another machine from trading it.

use super::gateway::PlaintextSetting;
use sentinel_actors::domain::cluster::Terms;
use serde::{Deserialize, Deserializer, Serialize};
use std::{path::PathBuf, time::Duration};

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config/base.toml documents every key.
pub struct ClusterSettings {
    pub mode: ClusterMode,
    #[serde(default, deserialize_with = "list")]
    pub endpoints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    pub plaintext: PlaintextSetting,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    pub prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    pub lease_s: u64,
    pub keepalive_s: u64,
    pub weight: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub region: String,
    pub trial: TrialSetting,
}

/// Whether a person knows that the shared mode is a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrialSetting {
    /// It is not used.
    Refused,
    /// It is used, with money that may be lost.
    Accepted,
}

/// How several machines share an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterMode {
    /// Nobody is asked.
    Off,
    /// One daemon holds the account; no other one sends orders for it.
    Guard,
    /// Several daemons share the account's symbols.
    Shared,
}

impl ClusterSettings {
    /// How long the claim lasts.
    pub const fn terms(&self) -> Terms {
        Terms { lease: Duration::from_secs(self.lease_s), keepalive: Duration::from_secs(self.keepalive_s) }
    }
}

/// A list, or its items separated by commas, as a variable has them.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be a list of URLs")]
    enum Either {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::List(list) => list,
        Either::Text(text) => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        }
    })
}
