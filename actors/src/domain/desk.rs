//! The core of trading: which order may go out, and what is on disk before and after it does.
//!
//! No clock, disk or socket of its own: the [`Ledger`] and the [`GatewayPort`] are given, by the SignalSender or by a
//! test that lets them fail between any two steps.

use crate::domain::{
    guard::Suppression,
    journal::{JournalError, OrderStep, Stock},
    order::{Order, Outcome},
};
use std::time::Duration;

/// The journal, as the desk needs it. Every answer of `Ok` means: on disk.
pub trait Ledger {
    /// Settles what an earlier run left open, then says what stands. With `must_write` it answers `Ok` only if a
    /// write went through.
    fn take_stock(&self, must_write: bool) -> impl Future<Output = Result<Stock, JournalError>>;

    /// Writes a step.
    fn write(&self, step: OrderStep) -> impl Future<Output = Result<(), JournalError>>;
}

/// The way to the gateway.
pub trait GatewayPort {
    /// Whether nothing new may be sent any more.
    fn is_stopping(&self) -> bool;

    /// Sends the order, once, and waits for its reply.
    ///
    /// # Errors
    /// The reason for which nothing of it left; the order must not arrive later either.
    fn exchange(&mut self, order: &Order) -> impl Future<Output = Result<Fate, Suppression>>;
}

/// What became of an order, and how long the gateway took if it answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// What the reply proves.
    pub outcome: Outcome,
    /// From connecting to the reply; present for any readable reply to this order.
    pub send_latency: Option<Duration>,
    /// From the completed send to the reply; present as `send_latency` is.
    pub gateway_roundtrip: Option<Duration>,
}

impl Fate {
    /// A fate without a readable reply.
    pub const fn without_reply(outcome: Outcome) -> Self {
        Self { outcome, send_latency: None, gateway_roundtrip: None }
    }
}

/// Places orders, one at a time, and remembers what the journal still has to be told.
#[derive(Debug, Default)]
pub struct Desk {
    /// What stands, as of this cycle's begin and the orders since; `None` while the journal is broken.
    stock: Option<Stock>,
    /// Whether the journal failed and no write has gone through since.
    is_broken: bool,
    /// Steps that happened and could not be written. Until they are, nothing is sent.
    debts: Vec<OrderStep>,
    /// Whether an order of this cycle has an unknown fate.
    is_cycle_unresolved: bool,
}

impl Desk {
    /// Whether the journal has to be told something yet.
    pub fn has_debts(&self) -> bool {
        !self.debts.is_empty()
    }

    /// Begins a cycle's orders: writes what is still owed, and takes stock.
    ///
    /// # Errors
    /// When the journal is broken. Every order of this cycle is then [`Suppression::Journal`].
    pub async fn begin<L: Ledger>(&mut self, ledger: &L) -> Result<(), JournalError> {
        self.is_cycle_unresolved = false;
        self.stock = None;
        let stock = self.pay(ledger).await;
        self.is_broken = stock.is_err();
        self.stock = Some(stock?);
        Ok(())
    }

    async fn pay<L: Ledger>(&mut self, ledger: &L) -> Result<Stock, JournalError> {
        while let Some(debt) = self.debts.first() {
            match ledger.write(debt.clone()).await {
                Err(error) if error.is_broken() => return Err(error),
                // Any other refusal is the disk's word against memory, and the disk is what a restart would believe.
                Ok(()) | Err(_) => drop(self.debts.remove(0)),
            }
        }
        ledger.take_stock(self.is_broken).await
    }

    /// Sends the one order of its bar: `intent` on disk, `sending` on disk, send, outcome on disk.
    ///
    /// # Errors
    /// The reason for which nothing was sent.
    pub async fn place<L: Ledger, G: GatewayPort>(
        &mut self,
        order: &Order,
        ledger: &L,
        gateway: &mut G,
    ) -> Result<Fate, Suppression> {
        let Some(stock) = &mut self.stock else { return Err(Suppression::Journal) };
        if stock.has_ordered(&order.symbol, order.bar_close_time) {
            return Err(Suppression::AlreadyOrdered);
        }
        if self.is_cycle_unresolved || stock.unresolved.contains(&order.symbol) {
            return Err(Suppression::Unresolved);
        }
        if gateway.is_stopping() {
            return Err(Suppression::Shutdown);
        }
        // Noted before anything is sent: whatever happens from here on, this bar is not ordered again.
        stock.newest_ordered.insert(order.symbol.clone(), order.bar_close_time);
        let id = order.client_order_id;
        for step in [OrderStep::Intent(Box::new(order.clone())), OrderStep::Sending(id)] {
            match ledger.write(step).await {
                Ok(()) => {}
                Err(JournalError::Exists) => return Err(Suppression::AlreadyOrdered),
                Err(_) => {
                    // Whether it is on disk is not known; that nothing was sent is.
                    self.owe(OrderStep::GivenUp(id, "the journal could not be written"));
                    return Err(Suppression::Journal);
                }
            }
        }
        match gateway.exchange(order).await {
            Ok(fate) => {
                if matches!(fate.outcome, Outcome::Unknown { .. }) {
                    self.is_cycle_unresolved = true;
                    if let Some(stock) = &mut self.stock {
                        stock.unresolved.insert(order.symbol.clone());
                    }
                }
                self.settle(ledger, OrderStep::Outcome(Box::new(order.clone()), fate.outcome.clone())).await;
                Ok(fate)
            }
            Err(reason) => {
                self.settle(ledger, OrderStep::GivenUp(id, reason.as_str())).await;
                Err(reason)
            }
        }
    }

    async fn settle<L: Ledger>(&mut self, ledger: &L, step: OrderStep) {
        if ledger.write(step.clone()).await.is_err() {
            self.owe(step);
        }
    }

    /// Nothing is sent before this is written: without it a restart would not know.
    fn owe(&mut self, step: OrderStep) {
        self.debts.push(step);
        self.stock = None;
        self.is_broken = true;
    }
}

#[cfg(test)]
mod tests;
