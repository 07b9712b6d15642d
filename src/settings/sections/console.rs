//! `[console]`: whether the console is served, where, and who may halt and resume.

use crate::{net, settings::variables::split_names};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// `[console]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config/base.toml documents every key.
pub struct ConsoleSettings {
    pub enabled: bool,
    pub bind: String,
    pub port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_config_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "names")]
    pub operators: Vec<String>,
    #[serde(default, deserialize_with = "names")]
    pub hosts: Vec<String>,
}

impl ConsoleSettings {
    /// Whether only programs of this machine can reach it.
    pub fn is_on_loopback(&self) -> bool {
        net::is_loopback(&self.bind)
    }
}

/// A list, or as a variable has it: names with commas between them.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of names")]
    enum Names {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Names::deserialize(deserializer)? {
        Names::List(names) => names,
        Names::Text(text) => split_names(&text),
    })
}
