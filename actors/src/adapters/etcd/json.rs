//! The answers of etcd's JSON gateway. Every field may be missing.

use crate::domain::cluster::Record;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de};

/// Bytes as the gateway takes them.
pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Header {
    #[serde(default, deserialize_with = "number")]
    pub(super) revision: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Granted {
    #[serde(default, rename = "ID", deserialize_with = "number")]
    pub(super) id: Option<i64>,
    #[serde(default, rename = "TTL", deserialize_with = "number")]
    pub(super) ttl: Option<i64>,
    #[serde(default)]
    pub(super) error: Option<String>,
}

/// A stream's answers are wrapped one by one.
#[derive(Debug, Deserialize)]
pub(super) struct KeepAliveLine {
    #[serde(default)]
    pub(super) result: Option<Granted>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    #[serde(default)]
    pub(super) header: Option<Header>,
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    pub(super) responses: Vec<Response>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub(super) response_range: Option<Range>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    pub(super) kvs: Vec<KeyValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyValue {
    #[serde(default, deserialize_with = "number")]
    pub(super) create_revision: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub(super) mod_revision: Option<i64>,
    #[serde(default, deserialize_with = "number")]
    pub(super) lease: Option<i64>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
}

impl KeyValue {
    /// The record; `None` if it is not one of ours.
    pub(super) fn record(&self) -> Option<Record> {
        serde_json::from_slice(&self.bytes()?).ok()
    }

    /// The whole name of the key.
    pub(super) fn key(&self) -> Option<String> {
        String::from_utf8(STANDARD.decode(&self.key).ok()?).ok()
    }

    /// The value.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.value).ok()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    pub(super) token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) leader: Option<String>,
    #[serde(default, rename = "dbSize", deserialize_with = "number")]
    pub(super) data_bytes: Option<i64>,
    #[serde(default, rename = "dbSizeQuota", deserialize_with = "number")]
    pub(super) quota_bytes: Option<i64>,
    #[serde(default)]
    pub(super) errors: Vec<String>,
}

/// The answer of the list of members; what is in them does not matter.
#[derive(Debug, Deserialize)]
pub(super) struct Nodes {
    #[serde(default)]
    pub(super) members: Vec<de::IgnoredAny>,
}

/// A 64-bit number, which is text in the gateway's JSON; a plain one is read, too.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(i64),
    }
    match Option::<Either>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Either::Number(number)) => Ok(Some(number)),
        Some(Either::Text(text)) => text.parse().map(Some).map_err(de::Error::custom),
    }
}
