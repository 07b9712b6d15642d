//! The Journal: the one writer of the journal's file, on a thread of its own because every write waits for the disk.
//! The SignalSender asks it before and after each order, the cycle tells it every decision.
//!
//! Messages are handled one after the other, so the answer to any of them means that all before it are on disk.

mod opened;
mod paper;
mod record;
mod requests;
#[cfg(test)]
mod tests;
mod unwritten_outcomes;
mod windows;

use crate::{
    adapters::{
        archive::Queue,
        journal::{DaemonLock, FileId, Identity, Keep, OpenError, OpenOrders, Pruned, Store},
    },
    domain::{
        clock::Clock,
        instrument::{InstrumentKey, Symbol},
        journal::{AccountSnapshot, JournalError, OrderStep, Version},
        names::{ActorName, DropReason},
        order::Outcome,
    },
    messages::{Event, Flush, Flushed, NotePress, Ping, Settled, Telemetry},
};
use actix::{Actor, Addr, Handler, SyncArbiter, SyncContext};
pub use opened::Opened;
use paper::Paper;
pub use paper::PaperConfig;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::{error, info};
use unwritten_outcomes::{Owed, unresolved_by};
pub use windows::Horizons;
use windows::Windows;

/// How often old rows are pruned.
const PRUNE_PERIOD: Duration = Duration::from_secs(86_400);

/// What the Journal needs to know.
#[derive(Clone)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Age at which decisions are forgotten, and settled orders if it is not too short for them.
    pub keep: Duration,
    /// The daemon's part of an order's identity.
    pub identity: Identity,
    /// Whether bars from before an account's first order by this journal count as ordered.
    pub waits_for_new_bar: bool,
    /// What decisions are made with.
    pub version: Arc<Version>,
    /// Which outcomes are kept.
    pub horizons: Horizons,
    /// The broker's names of the configured symbols.
    pub names: Arc<[(InstrumentKey, Symbol)]>,
    /// The way to the bar archive, if there is one.
    pub archive: Option<Queue>,
    /// The account on paper, if there is one.
    pub paper: Option<Arc<PaperConfig>>,
    /// Wall clock of every row.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happened.
    pub metrics: Telemetry,
}

/// The actor.
pub struct Journal {
    config: Config,
    lock: Option<DaemonLock>,
    store: Option<Store>,
    /// After [`Flush`] nothing is written any more.
    is_closed: bool,
    /// Whether the last write went through; `None` before the first.
    is_writable: Option<bool>,
    /// Writes that failed since the last event.
    write_failures: u64,
    /// Orders of unknown outcome and how many have no answer yet, as last read.
    open: OpenOrders,
    /// The file that was opened first: another one in its place is not the journal.
    file: Option<FileId>,
    /// Outcomes of orders that could not be written: as good as unknown until they are.
    unwritten: Vec<Owed>,
    pruned_at: Option<Duration>,
    windows: Windows,
    paper: Paper,
    /// What the gateway reported of the account in this cycle, and when, wall clock since the unix epoch.
    account: Vec<(Duration, AccountSnapshot)>,
    /// Whether the last fault of profit and loss was said.
    is_money_fault_said: bool,
}

impl Journal {
    /// Starts the one thread.
    pub fn start(config: Config, opened: Opened) -> Addr<Self> {
        // The factory may be called again if the thread's actor ends; the file is opened afresh then.
        let first = Mutex::new(Some(opened));
        SyncArbiter::start(1, move || {
            let opened = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            Self::new(config.clone(), opened)
        })
    }

    fn new(config: Config, opened: Option<Opened>) -> Self {
        let (lock, store) = opened.map_or((None, None), |opened| (opened.lock, opened.store));
        Self {
            config,
            is_writable: Some(store.is_some()),
            lock,
            store,
            is_closed: false,
            write_failures: 0,
            open: OpenOrders::default(),
            file: None,
            unwritten: Vec::new(),
            pruned_at: None,
            windows: Windows::default(),
            paper: Paper::default(),
            account: Vec::new(),
            is_money_fault_said: false,
        }
    }

    /// The open file; opened again if the last use of it failed.
    fn store(&mut self) -> Result<&mut Store, JournalError> {
        let path = &self.config.path;
        let failed = |error: OpenError| JournalError::Failed(error.to_string());
        if self.is_closed {
            return Err(JournalError::Failed("the journal is closed".into()));
        }
        if self.lock.is_none() {
            self.lock = Some(DaemonLock::acquire(path).map_err(failed)?);
        }
        if let Some(file) = self.file
            && FileId::of(path) != Some(file)
        {
            return Err(JournalError::Failed(format!(
                "the journal {} was deleted or replaced while the daemon ran: put it back, or restart if it is gone",
                path.display()
            )));
        }
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(Store::open(path).map_err(failed)?),
        };
        self.file = self.file.or_else(|| FileId::of(path));
        Ok(store)
    }

    /// Uses the file. A panic in it costs this one answer: uncaught, it would end the thread for good.
    fn with_store<T>(
        &mut self,
        work: impl FnOnce(&mut Store, &Config) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let config = self.config.clone();
        let done = catch_unwind(AssertUnwindSafe(|| self.store().and_then(|store| work(store, &config))));
        let done = done.unwrap_or_else(|_| {
            config.metrics.report(Event::ActorRestarted(ActorName::Journal));
            config.metrics.report(Event::ActorStarted(ActorName::Journal));
            Err(JournalError::Failed("the journal panicked; see the line before".into()))
        });
        match &done {
            Err(cause) if cause.is_broken() => {
                // Said once, not with every order and cycle until it works again.
                if self.is_writable != Some(false) {
                    error!(stage = "journal", error = cause.kind(), "{cause}; no order is sent until a write works");
                }
                self.write_failures += 1;
                self.is_writable = Some(false);
                // A fresh connection is the one state that is known.
                self.store = None;
            }
            _ => {}
        }
        done
    }

    fn wrote(&mut self) {
        if self.is_writable == Some(false) {
            info!(stage = "journal", "the journal can be written again");
        }
        self.is_writable = Some(true);
    }

    /// Reports the state of the journal. Also sees what a person settled while the daemon runs.
    fn report(&mut self) {
        // While it cannot be read, what was last known stands: a full disk does not settle an unknown order.
        if let Some(Ok(open)) = self.store.as_mut().map(Store::open_orders) {
            self.open = open;
        }
        let OpenOrders { mut unresolved, pending } = self.open.clone();
        let owed: Vec<_> = self.unwritten.iter().filter_map(|owed| unresolved_by(&owed.step)).collect();
        unresolved.retain(|order| owed.iter().all(|other| other.id != order.id));
        unresolved.extend(owed);
        self.config.metrics.report(Event::JournalChanged {
            is_writable: self.is_writable == Some(true),
            write_failures: std::mem::take(&mut self.write_failures),
            pending,
            unresolved,
        });
    }

    /// Reports the account's money. `fault`: why what was told of it is not written. A fault costs nothing but this report: orders
    /// and decisions do not depend on it, the metrics keep what they know, and the next look counts all since the last one.
    fn count_money(&mut self, fault: Option<&JournalError>) {
        let config = self.config.clone();
        let count = || match fault {
            Some(error) => Err(error.to_string()),
            None => self
                .store()
                .and_then(|store| store.money(&config.identity.account, &config.names, config.clock.now()))
                .map_err(|error| error.to_string()),
        };
        let counted = catch_unwind(AssertUnwindSafe(count));
        match counted.unwrap_or_else(|_| Err("the journal panicked; see the line before".into())) {
            Ok(money) => {
                if std::mem::take(&mut self.is_money_fault_said) {
                    info!(stage = "journal", "profit and loss can be counted again");
                }
                config.metrics.report(Event::MoneyCounted(Box::new(money)));
            }
            Err(why) => {
                config.metrics.dropped(ActorName::Journal, DropReason::Invalid, 1);
                if !std::mem::replace(&mut self.is_money_fault_said, true) {
                    error!(
                        stage = "journal",
                        error = "money",
                        "profit and loss cannot be counted: {why}. It is tried again with every look at the account; orders do \
                         not depend on it"
                    );
                }
            }
        }
    }

    fn prune_if_due(&mut self) {
        let now = self.config.clock.now();
        if self.pruned_at.is_some_and(|at| now.saturating_sub(at) < PRUNE_PERIOD) {
            return;
        }
        self.pruned_at = Some(now);
        // Its fault is said by `with_store`.
        let pruned = self.with_store(|store, config| store.prune(now, Keep::new(config.keep)));
        let Ok(Pruned { rows, paper, others }) = pruned else { return };
        if rows > 0 {
            info!(rows, "deleted old rows from the journal");
        }
        let faults = paper.iter().map(|error| ("paper", error)).chain(others.iter().map(|error| ("journal", error)));
        for (name, error) in faults {
            self.config.metrics.dropped(ActorName::Journal, DropReason::Invalid, 1);
            error!(
                stage = "journal",
                error = name,
                "old rows cannot be deleted: {error}. It is tried again in a day; orders do not depend on it"
            );
        }
    }
}

impl Actor for Journal {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.config.metrics.report(Event::ActorStarted(ActorName::Journal));
        self.report();
    }
}

impl Handler<Settled> for Journal {
    type Result = ();

    /// The mailbox is a queue: what came before is done.
    fn handle(&mut self, _: Settled, _: &mut Self::Context) {}
}

impl Handler<Ping> for Journal {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<NotePress> for Journal {
    type Result = Result<(), JournalError>;

    fn handle(&mut self, NotePress { press, until }: NotePress, _: &mut Self::Context) -> Self::Result {
        if Instant::now() > until {
            return Err(JournalError::Failed("it was asked too late, so nothing is written".into()));
        }
        let done = self.with_store(|store, _| store.note_press(&press));
        if done.is_ok() {
            self.wrote();
        }
        self.report();
        done
    }
}

impl Handler<Flush> for Journal {
    type Result = Flushed;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        self.keep();
        self.is_closed = true;
        self.store = None;
        self.lock = None;
        // Without the others the next start is as careful as it has to be: it takes the order for unknown or expired.
        let is_known = |step: &OrderStep| matches!(step, OrderStep::Outcome(_, outcome) if !matches!(outcome, Outcome::Unknown { .. }));
        let lost = self.unwritten.iter().filter(|owed| !owed.is_kept && is_known(&owed.step));
        let lost = lost.map(|owed| owed.step.clone()).collect();
        Flushed { is_written: self.is_writable == Some(true), lost }
    }
}
