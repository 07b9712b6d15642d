//! The order manager's journal is the Journal actor: a write is a message, and its answer means that the step is on disk.

use crate::{
    adapters::fail_points::reach,
    domain::{
        exposure::Fill,
        journal::{History, JournalError, OrderStep, Standing, StandingQuestion},
        order::Outcome,
        order_manager::OrderJournal,
    },
    messages::{NoteAccount, NoteEquity, ReadFills, ReadHistory, ReadOutcomes, ReadStanding, WriteSteps},
};
use actix::{MailboxError, Recipient};
use uuid::Uuid;

/// How the SignalSender reaches the Journal.
#[derive(Debug, Clone)]
pub struct JournalActorHandle {
    /// Reads the state.
    pub standing: Recipient<ReadStanding>,
    /// Reads earlier orders.
    pub history: Recipient<ReadHistory>,
    /// Reads fills that count as open.
    pub fills: Recipient<ReadFills>,
    /// Reads the outcomes of orders.
    pub outcomes: Recipient<ReadOutcomes>,
    /// Records the day's first equity.
    pub equity: Recipient<NoteEquity>,
    /// Keeps what the gateway reported of the account.
    pub account: Recipient<NoteAccount>,
    /// Writes an order's steps.
    pub write: Recipient<WriteSteps>,
}

impl OrderJournal for JournalActorHandle {
    async fn read_standing(&self, question: StandingQuestion) -> Result<Standing, JournalError> {
        self.standing.send(ReadStanding(question)).await.unwrap_or_else(no_answer)
    }

    async fn history(&self) -> Result<History, JournalError> {
        self.history.send(ReadHistory).await.unwrap_or_else(no_answer)
    }

    async fn fills(&self, tickets: &[i64]) -> Result<Vec<Fill>, JournalError> {
        self.fills.send(ReadFills(tickets.to_vec())).await.unwrap_or_else(no_answer)
    }

    async fn first_equity(&self, equity: f64) -> Result<f64, JournalError> {
        self.equity.send(NoteEquity(equity)).await.unwrap_or_else(no_answer)
    }

    async fn write(&self, steps: Vec<OrderStep>) -> Result<(), JournalError> {
        // The place between the intent and its `sending` is in the store.
        let (before, after) = match steps[..] {
            [OrderStep::Intent { .. }, ..] => ("intent.before", "sending.after"),
            _ => ("outcome.before", "outcome.after"),
        };
        reach(before);
        let written = self.write.send(WriteSteps(steps)).await.unwrap_or_else(no_answer);
        reach(after);
        written
    }
}

impl JournalActorHandle {
    /// What is known of the outcomes of these orders, each with its claim's epoch; nothing of one that is on its way.
    pub(super) async fn outcomes(&self, orders: Vec<(Uuid, i64)>) -> Result<Vec<(Uuid, Outcome)>, JournalError> {
        self.outcomes.send(ReadOutcomes(orders)).await.unwrap_or_else(no_answer)
    }
}

fn no_answer<T>(error: MailboxError) -> Result<T, JournalError> {
    Err(JournalError::Failed(format!("the Journal does not answer: {error}")))
}
