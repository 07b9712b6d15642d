//! What became of orders while the journal could not be written: one JSON line each in `<journal>.unwritten`, on disk
//! before anything else happens, read back into the journal by the next that can write it, and removed then.

use super::{
    files,
    order_moves::{DAEMON, Details, advance},
};
use crate::domain::{
    journal::{JournalError, OrderStep},
    order::Outcome,
    order_state::OrderState,
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
    time::Duration,
};
use tracing::{error, warn};
use uuid::Uuid;

/// What a person reads in the order's life.
const READ_BACK: &str = "kept beside the journal, which could not be written then";
/// That nothing of an order left, whichever state that makes of it.
const GIVEN_UP: &str = "given_up";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnwrittenOutcome {
    order: String,
    /// A state's word, or [`GIVEN_UP`].
    #[serde(rename = "fate")] // as earlier versions wrote it
    state: String,
    /// Unix milliseconds.
    at_ms: u64,
    ticket: Option<i64>,
    price: Option<f64>,
    volume: Option<f64>,
    reason: Option<String>,
}

impl UnwrittenOutcome {
    /// `None` for a step that needs no keeping: without it a restart is as careful as it has to be.
    fn of(step: &OrderStep, now: Duration) -> Option<Self> {
        let empty = Self {
            order: step.id().to_string(),
            state: GIVEN_UP.into(),
            at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            ticket: None,
            price: None,
            volume: None,
            reason: None,
        };
        match step {
            OrderStep::Outcome(_, outcome) => {
                let state = OrderState::of(outcome).as_str().to_owned();
                Some(match outcome {
                    Outcome::Filled { ticket, price, volume } => {
                        Self { state, ticket: Some(*ticket), price: *price, volume: *volume, ..empty }
                    }
                    Outcome::Rejected { reason } | Outcome::NotSent { reason } | Outcome::Unknown { reason } => {
                        Self { state, reason: Some(reason.to_string()), ..empty }
                    }
                })
            }
            OrderStep::GivenUp(_, reason) => Some(Self { reason: Some((*reason).to_owned()), ..empty }),
            OrderStep::Intent { .. }
            | OrderStep::Sending(..)
            | OrderStep::Proven(..)
            | OrderStep::TakenOver(_)
            | OrderStep::Reported(..) => None,
        }
    }

    fn apply(&self, transaction: &Connection) -> Result<(), Refused> {
        let id: Uuid = self.order.parse().map_err(|_| Refused::Line("its id is none".into()))?;
        let state = match self.state.as_str() {
            GIVEN_UP => None,
            word => Some(word.parse::<OrderState>().map_err(|why| Refused::Line(format!("{word} {why}")))?),
        };
        let reason = self.reason.as_deref();
        let details = Details { ticket: self.ticket, price: self.price, filled_volume: self.volume, reason };
        let next = |from: OrderState| state.unwrap_or_else(|| from.after_giving_up());
        let note = reason.map_or_else(|| READ_BACK.to_owned(), |reason| format!("{reason} ({READ_BACK})"));
        match advance(transaction, id, next, &details, (DAEMON, Some(&note)), Duration::from_millis(self.at_ms)) {
            // Its intent never got into the journal.
            Err(JournalError::NoSuchOrder(_)) if state.is_none() => Ok(()),
            Err(error) if error.is_broken() => Err(Refused::Journal(error)),
            Err(error) => Err(Refused::Line(error.to_string())),
            Ok(()) => Ok(()),
        }
    }
}

/// Why a line is not in the journal.
enum Refused {
    /// The line is at fault, for this reason.
    Line(String),
    /// The journal is.
    Journal(JournalError),
}

/// Keeps a step's outcome. Answers whether it is one that needs keeping; if so it is on disk.
///
/// # Errors
/// The file cannot be written; nothing half is left in it.
pub(super) fn keep(path: &Path, step: &OrderStep, now: Duration) -> io::Result<bool> {
    let Some(line) = UnwrittenOutcome::of(step, now) else { return Ok(false) };
    append(path, &[serde_json::to_string(&line).map_err(io::Error::other)?])?;
    Ok(true)
}

fn append(path: &Path, lines: &[String]) -> io::Result<()> {
    let mut file = files::private().append(true).create(true).open(path)?;
    let length = file.metadata()?.len();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        // Half a line would be in the way of the next.
        file.set_len(length)?;
        return Err(error);
    }
    // The file's name has to be on disk, too.
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// What is kept, to be written with the rest of a transaction.
pub(super) struct Kept {
    lines: Vec<String>,
}

/// What became of it.
#[derive(Default)]
pub(super) struct Taken {
    written: Vec<String>,
    refused: Vec<(String, String)>,
}

impl Kept {
    /// Reads the file; nothing if there is none.
    ///
    /// # Errors
    /// [`JournalError::Failed`] if it is there and cannot be read: an order's outcome may be in it.
    pub(super) fn read(path: &Path) -> Result<Self, JournalError> {
        match fs::read(path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                Ok(Self { lines: text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect() })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self { lines: Vec::new() }),
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Writes every line that can be written. A line that is in the journal already changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Failed`] of the journal.
    pub(super) fn write(&self, transaction: &Connection) -> Result<Taken, JournalError> {
        let mut taken = Taken::default();
        for text in &self.lines {
            let parsed =
                serde_json::from_str::<UnwrittenOutcome>(text).map_err(|error| Refused::Line(error.to_string()));
            match parsed.and_then(|line| line.apply(transaction)) {
                Ok(()) => taken.written.push(text.clone()),
                Err(Refused::Line(why)) => taken.refused.push((text.clone(), why)),
                Err(Refused::Journal(error)) => return Err(error),
            }
        }
        Ok(taken)
    }
}

impl Taken {
    /// After the transaction: removes the file, says what was in it, and lays aside what no order of the journal fits.
    ///
    /// # Errors
    /// [`JournalError::Failed`] if the file cannot be removed or laid aside.
    pub(super) fn done(self, path: &Path) -> Result<(), JournalError> {
        if self.written.is_empty() && self.refused.is_empty() {
            return Ok(());
        }
        let aside = files::beside(path, ".refused");
        if !self.refused.is_empty() {
            let lines: Vec<String> = self.refused.iter().map(|(line, _)| line.clone()).collect();
            append(&aside, &lines).map_err(|error| failed(&aside, &error))?;
        }
        fs::remove_file(path).map_err(|error| failed(path, &error))?;
        for line in &self.written {
            warn!(
                stage = "journal",
                line, "the outcome of an order, kept beside the journal, has been written to the journal"
            );
        }
        for (line, why) in &self.refused {
            error!(
                stage = "journal", error = "refused", line, aside = %aside.display(),
                "the outcome of an order, kept beside the journal, does not fit it: {why}. Look at the account"
            );
        }
        Ok(())
    }
}

fn failed(path: &Path, error: &io::Error) -> JournalError {
    JournalError::Failed(format!("what was kept beside the journal, {}: {error}", path.display()))
}
