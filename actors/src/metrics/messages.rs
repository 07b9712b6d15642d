//! HTTP's requests to the MetricsActor.

use super::health::Health;
use crate::adapters::prometheus::Format;
use actix::Message;
use bytes::Bytes;

/// HTTP -> MetricsActor: the exposition, at most a second old.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Exposition")]
pub struct GetMetrics {
    /// In this format.
    pub format: Format,
    /// Also compressed.
    pub is_gzipped: bool,
}

/// A text of metrics. Clones share its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposition {
    /// Its format.
    pub format: Format,
    /// The text without compression.
    pub text: Bytes,
    /// The text as gzip, if that was requested.
    pub gzip: Option<Bytes>,
}

/// HTTP -> MetricsActor: the daemon's health.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Health")]
pub struct GetHealth;
