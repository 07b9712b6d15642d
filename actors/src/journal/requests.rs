//! What the SignalSender asks of the Journal before and after orders.

use super::Journal;
use crate::{
    domain::{
        exposure::Fill,
        journal::{History, JournalError, Standing, StandingQuestion},
        names::{ActorName, DropReason},
        order::Outcome,
    },
    messages::{NoteAccount, NoteEquity, ReadFills, ReadHistory, ReadOutcomes, ReadStanding, WriteSteps},
};
use actix::Handler;
use tracing::warn;
use uuid::Uuid;

impl Handler<ReadStanding> for Journal {
    type Result = Result<Standing, JournalError>;

    fn handle(&mut self, ReadStanding(question): ReadStanding, _: &mut Self::Context) -> Self::Result {
        let must_write = question.must_write || self.is_writable != Some(true);
        let question = StandingQuestion { must_write, ..question };
        let standing =
            self.with_store(|store, config| store.read_standing(&config.identity, question, config.clock.now()))?;
        self.wrote();
        Ok(standing)
    }
}

impl Handler<ReadHistory> for Journal {
    type Result = Result<History, JournalError>;

    fn handle(&mut self, _: ReadHistory, _: &mut Self::Context) -> Self::Result {
        let history = self.with_store(|store, config| store.history(&config.identity, config.clock.now()))?;
        if history.is_new {
            warn!(
                stage = "journal", account = self.config.identity.account, path = %self.config.path.display(),
                "the journal has no record of this account, so earlier orders are unknown; {}",
                if self.config.waits_for_new_bar {
                    "the bars that have closed by now count as ordered"
                } else {
                    "the newest bar may be ordered again (set journal.new = \"wait\" to skip that bar)"
                }
            );
        }
        Ok(history)
    }
}

impl Handler<ReadFills> for Journal {
    type Result = Result<Vec<Fill>, JournalError>;

    fn handle(&mut self, ReadFills(tickets): ReadFills, _: &mut Self::Context) -> Self::Result {
        self.with_store(|store, config| store.fills(&config.identity, &tickets))
    }
}

impl Handler<ReadOutcomes> for Journal {
    type Result = Result<Vec<(Uuid, Outcome)>, JournalError>;

    fn handle(&mut self, ReadOutcomes(orders): ReadOutcomes, _: &mut Self::Context) -> Self::Result {
        self.with_store(|store, _| store.outcomes_of(&orders))
    }
}

impl Handler<NoteEquity> for Journal {
    type Result = Result<f64, JournalError>;

    fn handle(&mut self, NoteEquity(equity): NoteEquity, _: &mut Self::Context) -> Self::Result {
        self.with_store(|store, config| store.first_equity(&config.identity, equity, config.clock.now()))
    }
}

impl Handler<NoteAccount> for Journal {
    type Result = ();

    fn handle(&mut self, NoteAccount(told): NoteAccount, _: &mut Self::Context) {
        // Written with the cycle's decisions: it is not worth a wait for the disk of its own.
        self.account.push((self.config.clock.now(), told));
    }
}

impl Handler<WriteSteps> for Journal {
    type Result = Result<(), JournalError>;

    fn handle(&mut self, WriteSteps(steps): WriteSteps, _: &mut Self::Context) -> Self::Result {
        let done = self.with_store(|store, config| store.order_steps(&steps, &config.identity, config.clock.now()));
        for step in &steps {
            match &done {
                Err(error) if error.is_broken() => self.owe(step),
                // Written, or the disk and the OrderManager disagree; the OrderManager is right.
                _ => self.unwritten.retain(|owed| owed.step.id() != step.id()),
            }
        }
        match (&done, steps.first()) {
            (Ok(()), _) => self.wrote(),
            (Err(error), Some(step)) if !error.is_broken() && *error != JournalError::Exists => {
                // It must be reported.
                self.config.metrics.dropped(ActorName::Journal, DropReason::Invalid, 1);
                warn!(stage = "journal", error = error.kind(), client_order_id = %step.id(), "{error}");
            }
            (Err(_), _) => {}
        }
        self.report();
        done
    }
}
