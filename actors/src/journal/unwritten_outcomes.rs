//! What happened to orders and could not be written: it counts as unknown, and is kept on disk beside the journal until it can.

use super::Journal;
use crate::{
    adapters::journal::Store,
    domain::journal::{OrderStep, UnresolvedOrder},
};
use tracing::{error, warn};

/// A step that happened and is not in the journal.
#[derive(Debug)]
pub(super) struct Owed {
    pub(super) step: OrderStep,
    /// Whether it is on disk all the same, beside the journal.
    pub(super) is_kept: bool,
    /// Whether it was said that it is not.
    is_said: bool,
}

impl Journal {
    /// Remembers a step that could not be written, and keeps it on disk beside the journal: the process may not live to
    /// write it later.
    pub(super) fn owe(&mut self, step: &OrderStep) {
        if !matches!(step, OrderStep::Outcome(..) | OrderStep::GivenUp(..)) {
            return;
        }
        if self.unwritten.iter().all(|owed| owed.step != *step) {
            self.unwritten.push(Owed { step: step.clone(), is_kept: false, is_said: false });
        }
        self.keep();
    }

    /// Writes beside the journal what is not there yet.
    pub(super) fn keep(&mut self) {
        let now = self.config.clock.now();
        for owed in self.unwritten.iter_mut().filter(|owed| !owed.is_kept) {
            let client_order_id = owed.step.id();
            match Store::keep(&self.config.path, &owed.step, now) {
                Ok(is_kept) => {
                    owed.is_kept = is_kept;
                    warn!(
                        stage = "journal", %client_order_id,
                        "the order's outcome is saved next to the journal, and will be written to it as soon as possible, \
                         at the latest after a restart"
                    );
                }
                Err(error) if !std::mem::replace(&mut owed.is_said, true) => {
                    error!(
                        stage = "journal", error = "journal", %client_order_id,
                        "cannot save the order's outcome, neither in the journal nor next to it: {error}"
                    );
                }
                Err(_) => {}
            }
        }
    }
}

/// An order whose outcome is not written counts as one of unknown outcome. One that never left does not.
pub(super) fn unresolved_by(step: &OrderStep) -> Option<UnresolvedOrder> {
    match step {
        OrderStep::Outcome(order, _) => {
            Some(UnresolvedOrder { id: order.client_order_id, symbol: order.symbol.clone() })
        }
        _ => None,
    }
}
