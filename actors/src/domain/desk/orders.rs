//! One signal's orders: the guards that need the journal or the gateway, the closes that come first, and the order.

use super::{Desk, Fate, GatewayPort, Ledger};
use crate::domain::{
    guard::{Pace, Suppression, exposure_objection, loss_objection, pace_objection},
    journal::{JournalError, OrderStep},
    order::{Order, Outcome},
    position::{Opposite, Position, Positions},
};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

impl Desk {
    /// Sends the one order of its bar, and before it the closes that [`Opposite::CloseThenOpen`] asks for, which are
    /// added to `closes` with their fates. Each: `intent` on disk, `sending` on disk, send, outcome on disk.
    ///
    /// # Errors
    /// The reason for which the order itself was not sent.
    pub async fn place<L: Ledger, G: GatewayPort>(
        &mut self,
        order: &Order,
        ledger: &L,
        gateway: &mut G,
        closes: &mut Vec<(Order, Fate)>,
    ) -> Result<Fate, Suppression> {
        let (Some(stock), Some(history)) = (&self.stock, &self.history) else { return Err(Suppression::Journal) };
        if history.has_ordered(&order.symbol, order.bar_close_time) {
            return Err(Suppression::AlreadyOrdered);
        }
        if self.is_cycle_unresolved || stock.unresolved.contains(&order.symbol) {
            return Err(Suppression::Unresolved);
        }
        refuse(gateway.objection())?;
        refuse(pace_objection(&self.pace(order), &self.rules.limits))?;
        let loss = self.loss(ledger, gateway).await;
        // A question that the stop of the daemon cut short says nothing about the account.
        refuse(gateway.objection().filter(|reason| *reason == Suppression::Shutdown))?;
        refuse(loss)?;
        let (open, tickets_before) = self.open_positions(order, ledger, gateway).await?;
        let (same, opposite): (Vec<_>, Vec<_>) = open.into_iter().partition(|position| position.side == order.side);
        refuse(exposure_objection(same.len(), opposite.len(), &self.rules.limits))?;
        let mut tickets_before = tickets_before;
        if self.rules.limits.opposite == Opposite::CloseThenOpen {
            if opposite.iter().any(|position| position.ticket <= 0) {
                // The journal knows no ticket by which it could be closed.
                return Err(Suppression::Opposite);
            }
            for position in opposite {
                let close = order.closing(&position, gateway.close_order_id(order, position.ticket));
                let ran = self.run(&close, tickets_before.clone(), ledger, gateway).await;
                // Asked for once before, for this bar, and it is still open.
                let fate = ran.map_err(|reason| match reason {
                    Suppression::AlreadyOrdered => Suppression::Opposite,
                    reason => reason,
                })?;
                let is_closed = matches!(fate.outcome, Outcome::Filled { .. });
                closes.push((close, fate));
                if !is_closed {
                    return Err(Suppression::Opposite);
                }
                if let Some(tickets) = &mut tickets_before {
                    tickets.retain(|ticket| *ticket != position.ticket);
                }
            }
        }
        self.run(order, tickets_before, ledger, gateway).await
    }

    fn pace(&self, order: &Order) -> Pace {
        let (Some(stock), Some(history)) = (&self.stock, &self.history) else { return Pace::default() };
        let now = stock.taken_at;
        let within = |period: Duration| {
            let recent = history.orders.iter().rev().take_while(|at| now.saturating_sub(**at) < period).count();
            u32::try_from(recent).unwrap_or(u32::MAX)
        };
        Pace {
            failures_in_a_row: stock.failures_in_a_row,
            last_hour: within(HOUR),
            last_day: within(DAY),
            since_last: history.newest_at.get(&order.symbol).map(|at| now.saturating_sub(*at)),
        }
    }

    async fn loss<L: Ledger, G: GatewayPort>(&mut self, ledger: &L, gateway: &mut G) -> Option<Suppression> {
        if self.rules.limits.loss_pct_per_day_max <= 0.0 {
            return None;
        }
        if let Some(verdict) = self.loss {
            return verdict;
        }
        let equity = gateway.equity().await;
        let first = match equity {
            Some(equity) => ledger.first_equity(equity).await.ok(),
            None => None,
        };
        let verdict = loss_objection(first, equity, &self.rules.limits);
        self.loss = Some(verdict);
        verdict
    }

    /// What is open of the order's instrument, by the gateway or else by the journal, and the tickets that the gateway
    /// knows of.
    async fn open_positions<L: Ledger, G: GatewayPort>(
        &mut self,
        order: &Order,
        ledger: &L,
        gateway: &mut G,
    ) -> Result<(Vec<Position>, Option<Vec<i64>>), Suppression> {
        let limits = &self.rules.limits;
        let is_limited = limits.positions_max > 0 || limits.opposite != Opposite::Open;
        if !is_limited && !self.rules.wants_proof {
            return Ok((Vec::new(), None));
        }
        refuse(self.unanswered)?;
        let positions = match &self.positions {
            Some(positions) => positions,
            None => match gateway.positions().await {
                Ok(positions) => self.positions.insert(positions),
                Err(reason) => {
                    // Not asked again for the cycle's other orders: each would wait as long.
                    self.unanswered = Some(reason);
                    return Err(reason);
                }
            },
        };
        let is_gateway_there = *positions != Positions::NoGateway;
        match positions.of(order) {
            Some(open) => {
                let tickets = open.iter().map(|position| position.ticket).collect();
                Ok((open, Some(tickets)))
            }
            None if is_limited && is_gateway_there => match ledger.fills(&order.symbol).await {
                Ok(fills) => Ok((fills, None)),
                Err(_) => Err(Suppression::Journal),
            },
            None => Ok((Vec::new(), None)),
        }
    }

    /// One order's life, from intent to outcome.
    async fn run<L: Ledger, G: GatewayPort>(
        &mut self,
        order: &Order,
        tickets_before: Option<Vec<i64>>,
        ledger: &L,
        gateway: &mut G,
    ) -> Result<Fate, Suppression> {
        // Asked before every order: a halt, a stop or an open breaker may have come since the last.
        refuse(gateway.objection())?;
        if self.stock.is_none() {
            // The outcome of a close before it is still owed.
            return Err(Suppression::Journal);
        }
        self.note(order);
        let id = order.client_order_id;
        for step in [OrderStep::Intent { order: Box::new(order.clone()), tickets_before }, OrderStep::Sending(id)] {
            match ledger.write(step).await {
                Ok(()) => {}
                Err(JournalError::Exists) => return Err(Suppression::AlreadyOrdered),
                Err(_) => {
                    // Whether it is on disk is not known; that nothing was sent is. What was ordered is read again.
                    self.history = None;
                    self.owe(OrderStep::GivenUp(id, "the journal could not be written"));
                    return Err(Suppression::Journal);
                }
            }
        }
        // And once more: the writes may have waited for a slow disk.
        let sent = match gateway.objection() {
            Some(reason) => Err(reason),
            None => gateway.exchange(order).await,
        };
        match sent {
            Ok(fate) => {
                self.count(order, &fate.outcome, gateway.monotonic());
                self.settle(ledger, OrderStep::Outcome(Box::new(order.clone()), fate.outcome.clone())).await;
                Ok(fate)
            }
            Err(reason) => {
                // As the next cycle will read it in the journal.
                self.count(order, &Outcome::NotSent { reason: reason.as_str().into() }, gateway.monotonic());
                self.settle(ledger, OrderStep::GivenUp(id, reason.as_str())).await;
                Err(reason)
            }
        }
    }

    /// Before anything is sent: whatever happens from here on, this bar is not ordered again.
    fn note(&mut self, order: &Order) {
        let (Some(stock), Some(history)) = (&self.stock, &mut self.history) else { return };
        if order.closes.is_none() {
            history.newest_ordered.insert(order.symbol.clone(), order.bar_close_time);
            let now = stock.taken_at;
            history.newest_at.insert(order.symbol.clone(), now);
            history.orders.push_back(now);
            // More than the larger limit need not be remembered.
            let limits = &self.rules.limits;
            let wanted = limits.orders_per_hour_max.max(limits.orders_per_day_max);
            while history.orders.len() > usize::try_from(wanted).unwrap_or(usize::MAX) {
                history.orders.pop_front();
            }
        }
    }

    /// What an outcome means for the cycle's other orders.
    fn count(&mut self, order: &Order, outcome: &Outcome, monotonic: Duration) {
        let Some(stock) = &mut self.stock else { return };
        if matches!(outcome, Outcome::Unknown { .. }) {
            self.is_cycle_unresolved = true;
            self.may_be_unresolved = true;
            self.unknown_since.insert(order.client_order_id, monotonic);
            stock.unresolved.insert(order.symbol.clone());
        }
        if order.closes.is_none() {
            let is_filled = matches!(outcome, Outcome::Filled { .. });
            stock.failures_in_a_row = if is_filled { 0 } else { stock.failures_in_a_row + 1 };
        }
    }
}

fn refuse(objection: Option<Suppression>) -> Result<(), Suppression> {
    objection.map_or(Ok(()), Err)
}
