//! The desk's ledger is the Journal actor: every step is a message whose answer means that it is on disk.

use crate::{
    domain::{
        desk::Ledger,
        journal::{JournalError, OrderStep, Stock},
    },
    messages::{TakeStock, WriteStep},
};
use actix::{MailboxError, Recipient};

/// How the SignalSender reaches the Journal.
#[derive(Debug, Clone)]
pub struct JournalLedger {
    /// Says what stands.
    pub stock: Recipient<TakeStock>,
    /// Writes a step.
    pub write: Recipient<WriteStep>,
}

impl Ledger for JournalLedger {
    async fn take_stock(&self, must_write: bool) -> Result<Stock, JournalError> {
        self.stock.send(TakeStock { must_write }).await.unwrap_or_else(no_answer)
    }

    async fn write(&self, step: OrderStep) -> Result<(), JournalError> {
        self.write.send(WriteStep(step)).await.unwrap_or_else(no_answer)
    }
}

fn no_answer<T>(error: MailboxError) -> Result<T, JournalError> {
    Err(JournalError::Failed(format!("the Journal does not answer: {error}")))
}
