//! How many requests are on their way right now: plain atomics, because a message per request would grow with
//! the number of symbols. Adapters count, the MetricsActor reads when it makes its text.

use super::Endpoint;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Shared counts of requests sent and not yet answered; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Inflight(Arc<[AtomicI64; 3]>);

impl Inflight {
    /// Counts a request until the guard is dropped, however it ends.
    pub fn enter(&self, endpoint: Endpoint) -> InflightGuard {
        self.0[endpoint as usize].fetch_add(1, Ordering::Relaxed);
        InflightGuard { counts: self.clone(), endpoint }
    }

    /// Requests under way to `endpoint`.
    pub fn get(&self, endpoint: Endpoint) -> i64 {
        self.0[endpoint as usize].load(Ordering::Relaxed)
    }
}

/// One request under way.
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
