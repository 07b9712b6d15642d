//! The Archivist: writes the windows of each cycle into the bar archive, on a thread of its own. The Journal offers them after
//! a cycle; nobody waits for it, and no error in it stops trading or the journal.
//!
//! It is a plain thread and no actor: it is asked nothing, and a daemon without it still trades.

#[cfg(test)]
mod tests;

use crate::{
    adapters::archive::{Archive, ArchiveError, NotTaken, Queue, Work, Written, queue},
    domain::{bar::Bar, clock::Clock, instrument::Symbol, interval::Interval},
    messages::{Event, Telemetry},
};
use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

/// Enough for SQLite and a window; of a thread's usual 2 MiB nearly all would be for nothing.
const STACK_BYTES: usize = 512 * 1_024;
/// How often old bars are pruned.
const PRUNE_PERIOD: Duration = Duration::from_secs(86_400);
/// How often what failed is tried again, if nothing new comes before.
const RETRY_PERIOD: Duration = Duration::from_secs(10);
/// Cycles that are kept for that. Of more, the oldest go: their bars come with the later ones.
const BACKLOG_MAX: usize = 8;
/// How often a queue that is full is offered the last work again.
const CLOSE_PERIOD: Duration = Duration::from_millis(20);

/// What the Archivist needs to know.
#[derive(Clone)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Age at which bars are forgotten; zero keeps all.
    pub keep: Duration,
    /// Length of a bar.
    pub interval: Interval,
    /// Where the bars are from: the provider's host.
    pub source: String,
    /// For the age of bars.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happened.
    pub metrics: Telemetry,
}

/// The running thread, as the Application holds it.
#[derive(Debug)]
pub struct Archivist {
    queue: Queue,
}

impl Archivist {
    /// Starts the thread. The file is opened with the first cycle.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(config: Config) -> io::Result<Self> {
        let (queue, work) = queue();
        let writer = Writer { config, archive: None, backlog: VecDeque::new(), is_failing: false, pruned_at: None };
        thread::Builder::new().name("archive".into()).stack_size(STACK_BYTES).spawn(move || writer.run(&work))?;
        Ok(Self { queue })
    }

    /// The way to it.
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Waits until all that was offered is written and the file is closed. The caller must set a time limit: a disk may hang.
    pub async fn close(self) {
        let (done, mut closed) = oneshot::channel();
        let mut work = Some(done);
        while let Some(done) = work.take() {
            match self.queue.offer(Work::Close(done)) {
                Ok(()) => break,
                Err(NotTaken::Ended) => return,
                // The channel to answer on went with it.
                Err(NotTaken::Full) => {
                    tokio::time::sleep(CLOSE_PERIOD).await;
                    let (done, again) = oneshot::channel();
                    (work, closed) = (Some(done), again);
                }
            }
        }
        let _ = closed.await;
    }
}

/// What a cycle had.
type Windows = Vec<(Symbol, Arc<[Bar]>)>;

/// The thread's part.
struct Writer {
    config: Config,
    /// Open unless the last use of it failed.
    archive: Option<Archive>,
    /// Cycles that are not written yet, the oldest first: each keeps its own number.
    backlog: VecDeque<(u64, Windows)>,
    /// Whether the last write failed: it is said once.
    is_failing: bool,
    pruned_at: Option<Duration>,
}

impl Writer {
    fn run(mut self, work: &Receiver<Work>) {
        loop {
            let next = match self.backlog.is_empty() {
                true => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => work.recv_timeout(RETRY_PERIOD),
            };
            match next {
                Ok(Work::Cycle { cycle_id, windows }) => {
                    self.backlog.push_back((cycle_id, windows));
                    let spare = self.backlog.len().saturating_sub(BACKLOG_MAX);
                    self.backlog.drain(..spare);
                    self.write_backlog();
                }
                Err(RecvTimeoutError::Timeout) => self.write_backlog(),
                Ok(Work::Close(done)) => {
                    self.write_backlog();
                    self.archive = None;
                    // Who asked may have given up.
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes as much of the backlog as can be written.
    fn write_backlog(&mut self) {
        while let Some((cycle_id, windows)) = self.backlog.pop_front() {
            match self.guarded(|writer| writer.write(cycle_id, &windows)) {
                Some(Ok(written)) => self.wrote(written),
                Some(Err(error)) => {
                    self.failed(&error.to_string());
                    self.backlog.push_front((cycle_id, windows));
                    return;
                }
                // Not tried again: it would panic again.
                None => self.failed("the archive's thread panicked; see the line before"),
            }
        }
    }

    /// `None` if it panicked. Uncaught, a panic would end the thread, and all later bars would be lost.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(|| work(self))).ok()
    }

    fn wrote(&mut self, Written { revisions, .. }: Written) {
        if std::mem::replace(&mut self.is_failing, false) {
            info!(stage = "archive", "the bar archive can be written again");
        }
        if !revisions.is_empty() {
            self.config.metrics.report(Event::BarsArchived { failures: 0, revisions });
        }
        if self.guarded(Self::prune_if_due).is_none() {
            // A fresh connection is the one state that is known.
            self.archive = None;
            warn!(
                stage = "archive",
                error = "archive",
                "old bars cannot be forgotten: the archive's thread panicked; see the line before"
            );
        }
    }

    fn write(&mut self, cycle_id: u64, windows: &[(Symbol, Arc<[Bar]>)]) -> Result<Written, ArchiveError> {
        let Config { path, interval, source, .. } = &self.config;
        let archive = match &mut self.archive {
            Some(archive) => archive,
            none => none.insert(Archive::open(path)?),
        };
        archive.write_cycle(cycle_id, (*interval, source), windows).map_err(|error| Archive::failure(path, &error))
    }

    fn failed(&mut self, detail: &str) {
        // A fresh connection is the one state that is known.
        self.archive = None;
        self.config.metrics.report(Event::BarsArchived { failures: 1, revisions: Vec::new() });
        if !std::mem::replace(&mut self.is_failing, true) {
            error!(
                stage = "archive",
                error = "archive",
                "{detail}; trading and the journal continue. Decisions are recorded, but `sentinel replay` cannot repeat those \
                 whose bars are not archived. A damaged file can be moved away: a new one is made"
            );
        }
    }

    fn prune_if_due(&mut self) {
        let (now, keep) = (self.config.clock.now(), self.config.keep);
        let is_due = self.pruned_at.is_none_or(|at| now.saturating_sub(at) >= PRUNE_PERIOD);
        if keep.is_zero() || !is_due {
            return;
        }
        self.pruned_at = Some(now);
        let Some(archive) = &mut self.archive else { return };
        match archive.prune(now, keep) {
            Ok(0) => {}
            Ok(rows) => info!(rows, "deleted old bars from the archive"),
            Err(error) => warn!(stage = "archive", error = "archive", "old bars cannot be deleted: {error}"),
        }
    }
}
