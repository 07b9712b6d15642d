//! The orderly end: no new cycle, no lost outcome, and then the account is given back.

use super::Application;
use crate::daemon::shutdown::{Drained, judge};
use sentinel_actors::{
    messages::{Flush, FlushUnwritten, ReleaseClaim},
    scheduler::Drain,
};
use std::time::Duration;

/// How long the disk may take for the last writes.
pub(super) const FLUSH_DEADLINE: Duration = Duration::from_millis(1_500);
/// How long giving back the account may take; after that the claim ends with its lease.
pub(super) const RELEASE_DEADLINE: Duration = Duration::from_secs(3);

impl Application {
    /// Starts no new cycle, waits for an order that was already sent, then ends HTTP and the threads.
    pub(super) async fn drain(self) -> Drained {
        self.shutdown.cancel();
        let is_drained = tokio::time::timeout(self.drain_deadline, self.scheduler.send(Drain)).await;
        if is_drained.is_err() {
            tracing::error!("a cycle did not end in time; an order in flight may have been executed");
        }
        let orders = tokio::time::timeout(FLUSH_DEADLINE, self.flush_unwritten.send(FlushUnwritten)).await;
        let orders = orders.ok().and_then(Result::ok);
        let is_written = orders.is_some_and(|orders| orders.is_written);
        // Before the journal, whose last connection has to be the Journal's.
        self.console.close().await;
        // Closed only now, when every order's outcome and the last cycle's decisions are in it.
        let flushed = tokio::time::timeout(FLUSH_DEADLINE, self.journal.send(Flush)).await;
        let drained = judge(flushed.ok().and_then(Result::ok), is_written);
        if let Some(guardian) = &self.guardian {
            // An order that may still be on its way keeps the account: the claim then ends with its lease.
            if matches!(is_drained, Ok(Ok(_))) {
                let is_settled = orders.is_some_and(|orders| orders.is_settled) && !drained.is_outcome_lost;
                let _ = tokio::time::timeout(RELEASE_DEADLINE, guardian.send(ReleaseClaim { is_settled })).await;
            } else {
                tracing::warn!(
                    "the account was not released in etcd, because a cycle did not finish; the lease will expire"
                );
            }
        }
        // After the journal, which offers it the last cycle's bars.
        if let Some(archivist) = self.archivist
            && tokio::time::timeout(FLUSH_DEADLINE, archivist.close()).await.is_err()
        {
            tracing::warn!("the bar archive was not closed in time; the newest bars may be missing in it");
        }
        self.port.close().await;
        self.metrics.arbiter.stop();
        if self.metrics.arbiter.join().is_err() {
            tracing::error!("the metrics thread panicked");
        }
        drained
    }
}
