//! What HTTP asks the MetricsActor.

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
    /// Compressed as well.
    pub is_gzipped: bool,
}

/// A text of metrics. Clones share its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposition {
    /// What it is in.
    pub format: Format,
    /// As it is.
    pub text: Bytes,
    /// As gzip, if anybody asked for that yet.
    pub gzip: Option<Bytes>,
}

/// HTTP -> MetricsActor: how the daemon is.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Health")]
pub struct GetHealth;
