//! How a cycle asks a stage: given up at shutdown, and told apart whether the stage panicked or is gone.

use crate::domain::names::{ActorName, Step};
use actix::{Message, Recipient};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Why a cycle ends early.
pub(super) enum Cut {
    Shutdown,
    Panicked(Step),
    Gone(ActorName),
}

/// What `work` gives, and how long it took.
pub(super) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (work.await, began.elapsed())
}

/// Gives `work` up when the daemon stops.
pub(super) async fn until<T>(
    shutdown: &CancellationToken,
    work: impl Future<Output = Result<T, Cut>>,
) -> Result<T, Cut> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(Cut::Shutdown),
        result = work => result,
    }
}

/// Asks a stage. No answer is a panic in it if it still lives, and otherwise the end of the daemon.
pub(super) async fn ask<M>(stage: &Recipient<M>, message: M, step: Step) -> Result<M::Result, Cut>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    stage.send(message).await.map_err(|_| if stage.connected() { Cut::Panicked(step) } else { Cut::Gone(step.actor()) })
}
