//! The way to the archive's thread: bounded, and nobody ever waits at it.

use crate::domain::{bar::Bar, instrument::Symbol};
use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, sync_channel},
};
use tokio::sync::oneshot;

/// Cycles that may wait for a slow disk. Each holds windows that are in memory anyway.
const CYCLES_MAX: usize = 32;

/// What the thread is to do.
#[derive(Debug)]
pub enum Work {
    /// Write what is new in a cycle's windows.
    Cycle {
        /// The cycle that had them.
        cycle_id: u64,
        /// Those that changed since they were last offered.
        windows: Vec<(Symbol, Arc<[Bar]>)>,
    },
    /// Close the file, answer, and end.
    Close(oneshot::Sender<()>),
}

/// There was no place: the thread is behind, or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The sender's end.
#[derive(Debug, Clone)]
pub struct Queue(SyncSender<Work>);

/// Both ends.
pub fn queue() -> (Queue, Receiver<Work>) {
    let (sender, receiver) = sync_channel(CYCLES_MAX);
    (Queue(sender), receiver)
}

impl Queue {
    /// Hands work over if there is a place for it. Never waits.
    ///
    /// # Errors
    /// [`Full`].
    pub fn offer(&self, work: Work) -> Result<(), Full> {
        self.0.try_send(work).map_err(|_| Full)
    }
}
