//! The queue of the archive's thread: bounded, and a sender never waits.

use crate::domain::{bar::Bar, instrument::Symbol};
use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};
use tokio::sync::oneshot;

/// How many cycles may wait for a slow disk. Each holds windows that are in memory anyway.
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

/// Why work was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// The queue is full.
    Full,
    /// The thread has ended: nothing will ever be taken.
    Ended,
}

/// The sender's end.
#[derive(Debug, Clone)]
pub struct Queue(SyncSender<Work>);

/// Both ends.
pub fn queue() -> (Queue, Receiver<Work>) {
    let (sender, receiver) = sync_channel(CYCLES_MAX);
    (Queue(sender), receiver)
}

impl Queue {
    /// Puts work into the queue if there is room. Never waits.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn offer(&self, work: Work) -> Result<(), NotTaken> {
        self.0.try_send(work).map_err(|refused| match refused {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Disconnected(_) => NotTaken::Ended,
        })
    }
}
