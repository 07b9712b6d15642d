//! The journal's file when the daemon starts: before the actor has its thread.

use crate::{
    adapters::journal::{DaemonLock, Identity, OpenError, OrderRow, Store},
    domain::{
        drift::{CONFIDENCES, FirstConfidence},
        instrument::{InstrumentKey, Symbol},
        journal::StandingQuestion,
        profit::{Figures, PaperFigures},
    },
};
use std::{path::Path, time::Duration};
use tracing::{error, warn};

/// The file of a daemon that starts: locked, and open unless it could not be for now.
#[derive(Debug)]
pub struct Opened {
    pub(super) lock: Option<DaemonLock>,
    pub(super) store: Option<Store>,
}

impl Opened {
    /// Locks and opens the journal, and settles what the last daemon left open. A disk error is no reason to stop: the
    /// daemon then runs without sending anything, says so, and tries again with every write.
    ///
    /// # Errors
    /// Another daemon uses it, or the file is not a journal that this version can read.
    pub fn at(path: &Path, identity: &Identity, now: Duration) -> Result<Self, OpenError> {
        let opened = DaemonLock::acquire(path).and_then(|lock| Ok((lock, Store::open(path)?)));
        match opened {
            Ok((lock, mut store)) => {
                if let Err(error) = store.read_standing(identity, StandingQuestion::default(), now) {
                    warn!(error = error.kind(), "the journal: {error}");
                }
                Ok(Self { lock: Some(lock), store: Some(store) })
            }
            Err(error) if error.may_pass() => {
                error!(error = "journal", "{error}; no order is sent until it can be written");
                Ok(Self { lock: None, store: None })
            }
            Err(error) => Err(error),
        }
    }

    /// Orders of unknown outcome that the daemon before left behind, oldest first; none if the file cannot be read, which
    /// was said when it was opened.
    pub fn unresolved(&self) -> Vec<OrderRow> {
        self.store.as_ref().and_then(|store| store.orders(true).ok()).unwrap_or_default()
    }

    /// Whether the outcome of every order is known; `false` if the file cannot be read.
    pub fn is_settled(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.orders(true).is_ok_and(|orders| orders.is_empty()))
    }

    /// What is known of the account's money; `None` if the file cannot be read.
    pub fn money(&self, account: &str, names: &[(InstrumentKey, Symbol)], now: Duration) -> Option<Figures> {
        let read = self.store.as_ref()?.money(account, names, now);
        read.inspect_err(|error| {
            warn!(stage = "journal", error = error.kind(), "profit and loss is not shown, it cannot be read: {error}");
        })
        .ok()
    }

    /// What was realised on paper today (UTC); `None` if the file cannot be read.
    pub fn paper_figures(&self, account: &str, now: Duration) -> Option<PaperFigures> {
        self.store.as_ref()?.paper_figures(account, now).ok()
    }

    /// The confidences from which drift goes on; none if the file cannot be read.
    pub fn confidences(&self, model: &str, symbols: &[Symbol]) -> Vec<FirstConfidence> {
        let read = self.store.as_ref().map(|store| store.confidences(model, symbols, CONFIDENCES));
        read.unwrap_or(Ok(Vec::new())).unwrap_or_else(|error| {
            warn!(
                stage = "journal",
                error = error.kind(),
                "drift restarts from zero: earlier confidences cannot be read: {error}"
            );
            Vec::new()
        })
    }
}
