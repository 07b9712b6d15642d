//! Leases: what etcd says about them, and what its silence means.

use super::{
    Etcd, EtcdError,
    json::{Granted, KeepAliveLine},
    requests::is_etcds,
};
use crate::adapters::http::HttpError;
use serde_json::{Value, json};
use std::time::Duration;

impl Etcd {
    /// A new lease, and how long it lives.
    pub(super) async fn grant(&mut self, ttl: Duration) -> Result<(i64, Duration), EtcdError> {
        let granted: Granted = self.call("/v3/lease/grant", &json!({"TTL": ttl.as_secs().to_string()})).await?;
        match (granted.id, granted.ttl) {
            (Some(lease @ 1..), Some(ttl @ 1..)) => Ok((lease, Duration::from_secs(ttl.unsigned_abs()))),
            _ => Err(self.unreadable(granted.error.as_deref().unwrap_or("a lease without an id or a time to live"))),
        }
    }

    /// How long it lives from now on; `None` if it is gone.
    pub(super) async fn keep_alive(&mut self, lease: i64) -> Result<Option<Duration>, EtcdError> {
        let line: KeepAliveLine = self.call("/v3/lease/keepalive", &json!({"ID": lease.to_string()})).await?;
        let Some(kept) = line.result else {
            return Err(self.unreadable("a keep-alive without a result"));
        };
        // Without an answer about this very lease nothing is known; without a time to live it is gone.
        if kept.id != Some(lease) {
            return Err(self.unreadable("a keep-alive of another lease"));
        }
        let ttl = kept.ttl.filter(|ttl| *ttl > 0);
        Ok(ttl.map(|ttl| Duration::from_secs(ttl.unsigned_abs())))
    }

    /// How long it still lives; `None` if it is gone.
    ///
    /// # Errors
    /// There was no usable answer.
    pub async fn lease_left(&mut self, lease: i64) -> Result<Option<Duration>, EtcdError> {
        let left: Granted = self.call("/v3/lease/timetolive", &json!({"ID": lease.to_string()})).await?;
        // Of one that is gone etcd says -1.
        Ok(left.ttl.and_then(|ttl| u64::try_from(ttl).ok()).map(Duration::from_secs))
    }

    /// Ends it. One that is gone has ended.
    pub(super) async fn revoke(&mut self, lease: i64) -> Result<(), EtcdError> {
        match self.call::<Value>("/v3/lease/revoke", &json!({"ID": lease.to_string()})).await {
            Err(EtcdError::Http { error: HttpError::Status { status: 404, body, .. }, .. }) if is_etcds(&body) => {
                Ok(())
            }
            answered => answered.map(drop),
        }
    }
}
