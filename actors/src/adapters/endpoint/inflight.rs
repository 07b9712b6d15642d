//! The number of open requests per endpoint, in plain atomics, because the number of messages would grow with the number of
//! symbols. Adapters count; the MetricsActor reads when it encodes the metrics.

use super::Endpoint;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Shared counts of requests that were sent and are not answered yet; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Inflight(Arc<[AtomicI64; 3]>);

impl Inflight {
    /// Counts a request until the guard is dropped.
    pub fn enter(&self, endpoint: Endpoint) -> InflightGuard {
        self.0[endpoint as usize].fetch_add(1, Ordering::Relaxed);
        InflightGuard { counts: self.clone(), endpoint }
    }

    /// Number of open requests to `endpoint`.
    pub fn get(&self, endpoint: Endpoint) -> i64 {
        self.0[endpoint as usize].load(Ordering::Relaxed)
    }
}

/// One open request.
#[derive(Debug)]
pub struct InflightGuard {
    counts: Inflight,
    endpoint: Endpoint,
}

impl Drop for InflightGuard {
    fn drop(&mut self) {
        self.counts.0[self.endpoint as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_until_it_ends() {
        let inflight = Inflight::default();
        let guard = inflight.enter(Endpoint::Hub);
        assert_eq!((inflight.get(Endpoint::Hub), inflight.get(Endpoint::Eodhd)), (1, 0));
        drop(guard);
        assert_eq!(inflight.get(Endpoint::Hub), 0);
    }
}
