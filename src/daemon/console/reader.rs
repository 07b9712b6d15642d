//! The thread that reads the journal and the bar archive. It starts with the first question and ends, with its connections,
//! when nobody has asked for a while. Neither a cycle nor the Journal ever waits for it.

use super::facts::Facts;
use rusqlite::InterruptHandle;
use sentinel_actors::adapters::{
    archive::Archive,
    journal::{ConsoleReader, READ_MAX, ReadError},
};
use std::{
    cell::Cell,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How often it is checked whether the running question takes too long.
const TICK: Duration = Duration::from_millis(50);
/// Questions that may wait; for one more the answer is "busy".
const WAITING_MAX: usize = 32;
/// How long a question may take, waiting included.
const DEADLINE: Duration = Duration::from_secs(1);
/// The thread ends after this time without a question.
const IDLE: Duration = Duration::from_secs(60);
/// Enough for SQLite; the default would be 2 MiB of address space.
const STACK_BYTES: usize = 512 * 1024;

type Question = Box<dyn FnOnce(&mut Files) + Send>;

/// The way to the thread. Belongs to the server's thread.
pub(super) struct Reader {
    facts: Arc<Facts>,
    thread: ReaderThread,
    running: Arc<Mutex<Running>>,
    asked: Cell<u64>,
}

/// The thread itself; clones are the same one. The daemon ends it before the Journal closes the file: the last connection to
/// go empties the write-ahead log, and only the Journal's may.
#[derive(Clone, Default)]
pub(super) struct ReaderThread(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    questions: Option<SyncSender<Question>>,
    handle: Option<JoinHandle<()>>,
    is_closed: bool,
}

impl ReaderThread {
    /// Ends it, and waits for that: at most as long as a question may take.
    pub fn close(&self) {
        let handle = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (state.is_closed, state.questions) = (true, None);
            state.handle.take()
        };
        // A panic in it was said when it happened.
        let _ = handle.map(JoinHandle::join);
    }
}

/// The question that is being answered.
#[derive(Default)]
struct Running {
    number: u64,
    since: Option<Instant>,
    journal: Option<InterruptHandle>,
    archive: Option<InterruptHandle>,
}

/// Ends a question if nobody waits for it any more, such as when its client has gone.
struct Waiting {
    number: u64,
    running: Arc<Mutex<Running>>,
}

/// The open files.
pub(super) struct Files {
    facts: Arc<Facts>,
    journal: Option<ConsoleReader>,
    archive: Option<Archive>,
    running: Arc<Mutex<Running>>,
}

impl Waiting {
    /// Ends the question if it is the running one, and has been for this long.
    fn interrupt_after(&self, most: Duration) {
        let running = lock(&self.running);
        let is_over = running.number == self.number && running.since.is_some_and(|since| since.elapsed() >= most);
        // One that does nothing at the moment is not harmed.
        for file in running.journal.iter().chain(&running.archive).filter(|_| is_over) {
            file.interrupt();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.interrupt_after(Duration::ZERO);
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// Starts nothing yet.
    pub fn new(facts: Arc<Facts>, thread: ReaderThread) -> Self {
        Self { facts, thread, running: Arc::default(), asked: Cell::new(0) }
    }

    /// Asks the journal.
    pub async fn journal<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut ConsoleReader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        self.ask(move |files| {
            let journal = match &mut files.journal {
                Some(journal) => journal,
                none => {
                    let opened = none.insert(ConsoleReader::open(&files.facts.journal)?);
                    lock(&files.running).journal = Some(opened.interrupter());
                    opened
                }
            };
            let answer = question(journal);
            if matches!(answer, Err(ReadError::Failed(_))) {
                // A fresh connection is the one state that is known.
                lock(&files.running).journal = None;
                files.journal = None;
            }
            answer
        })
        .await
    }

    /// Asks the bar archive; `None` if there is no file yet.
    pub async fn archive<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Archive) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Option<T>, ReadError> {
        self.ask(move |files| {
            let Some(path) = files.facts.archive.as_deref().filter(|path| path.exists()) else { return Ok(None) };
            let archive = match &mut files.archive {
                Some(archive) => archive,
                none => {
                    let opened = none.insert(open(path)?);
                    lock(&files.running).archive = Some(opened.interrupter());
                    opened
                }
            };
            let answer = question(archive).map_err(ReadError::of);
            if matches!(answer, Err(ReadError::Failed(_))) {
                lock(&files.running).archive = None;
                files.archive = None;
            }
            answer.map(Some)
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Files) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let number = self.asked.get() + 1;
        self.asked.set(number);
        let (reply, mut answer) = oneshot::channel();
        self.send(Box::new(move |files| {
            // Nobody waits for it any more.
            if reply.is_closed() {
                return;
            }
            (lock(&files.running).number, lock(&files.running).since) = (number, Some(Instant::now()));
            let answer = question(files);
            lock(&files.running).since = None;
            let _ = reply.send(answer);
        }))?;
        let waiting = Waiting { number, running: self.running.clone() };
        let end = tokio::time::Instant::now() + DEADLINE;
        while tokio::time::Instant::now() < end {
            match tokio::time::timeout(TICK, &mut answer).await {
                Ok(answer) => return answer.unwrap_or(Err(ReadError::Busy)),
                Err(_) => waiting.interrupt_after(READ_MAX),
            }
        }
        Err(ReadError::Busy)
    }

    /// Gives the question to the thread, which is started if there is none.
    fn send(&self, question: Question) -> Result<(), ReadError> {
        let mut state = self.thread.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err(ReadError::Failed("the daemon is stopping".into()));
        }
        let question = match &state.questions {
            None => question,
            Some(running) => match running.try_send(question) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(ReadError::Busy),
                Err(TrySendError::Disconnected(question)) => question,
            },
        };
        let (questions, asked) = sync_channel(WAITING_MAX);
        let files = Files { facts: self.facts.clone(), journal: None, archive: None, running: self.running.clone() };
        let failed = |error: std::io::Error| ReadError::Failed(format!("no thread for the console: {error}"));
        let thread_builder = thread::Builder::new().name("console".into()).stack_size(STACK_BYTES);
        let handle = thread_builder.spawn(move || run(files, &asked)).map_err(failed)?;
        let sent = questions.try_send(question).map_err(|_| ReadError::Busy);
        (state.questions, state.handle) = (Some(questions), Some(handle));
        sent
    }
}

/// Answers until nobody asks.
fn run(mut files: Files, asked: &Receiver<Question>) {
    loop {
        match asked.recv_timeout(IDLE) {
            Ok(question) => question(&mut files),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // Before their connections go.
                let mut running = lock(&files.running);
                (running.journal, running.archive) = (None, None);
                return;
            }
        }
    }
}

fn open(path: &Path) -> Result<Archive, ReadError> {
    Archive::open_in_daemon(path).map_err(|error| ReadError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::console::tests::facts_in;

    #[actix::test]
    async fn a_read_of_the_archive_is_ended_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let facts = Arc::new(facts_in(folder.path()));
        let path = facts.archive.clone().unwrap();
        drop(Archive::open(&path).unwrap());
        let many = "INSERT INTO series (id, symbol, interval) VALUES (1, 'EURUSD', '1h'); INSERT INTO sources VALUES (1, 'x');
                    WITH RECURSIVE it (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM it WHERE n < 5000)
                    INSERT INTO bars (series, open_time, revision, first_cycle_id, source, open, high, low, close, volume)
                    SELECT 1, n * 3600, 0, n, 1, 1, 1, 1, 1, 1 FROM it;";
        rusqlite::Connection::open(&path).unwrap().execute_batch(many).unwrap();
        let thread = ReaderThread::default();
        let reader = Reader::new(facts, thread.clone());
        let begun = Instant::now();
        // Reads one time after the other, far longer than a question may take.
        let answer = reader.archive(move |archive| {
            while begun.elapsed() < Duration::from_secs(5) {
                archive.newest("EURUSD", sentinel_actors::domain::interval::Interval::OneHour, i64::MAX, 5_000)?;
            }
            Ok(())
        });
        assert_eq!((answer.await, begun.elapsed() < DEADLINE), (Err(ReadError::Busy), true));
        let next = reader.archive(|archive| archive.series());
        assert_eq!(next.await.unwrap().map(|series| series.len()), Some(1), "the thread is free again");
        thread.close();
    }
}
