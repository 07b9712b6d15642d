//! One signal's orders: the rules that need the journal or the gateway, the closes before the order, and the order.

use super::{GatewayPort, OrderJournal, OrderManager, OrderResult};
use crate::domain::{
    clock::{Expiry, Moment},
    exposure::Exposure,
    guard::{Pace, Suppression, exposure_objection, loss_objection, pace_objection},
    journal::{JournalError, OrderStep},
    order::{Order, Outcome},
    position::{Opposite, Position, Positions},
};
use std::time::Duration;

impl OrderManager {
    /// Sends the order of its bar, and before it the closes for [`Opposite::CloseThenOpen`], which are added to `closes` with
    /// their outcomes. For each: `intent` and `sending` on disk, send, outcome on disk.
    ///
    /// # Errors
    /// The reason for which the order itself was not sent.
    pub async fn place<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order: &Order,
        begun_at: Moment,
        (order_journal, gateway): (&L, &mut G),
        closes: &mut Vec<(Order, OrderResult)>,
    ) -> Result<OrderResult, Suppression> {
        self.refuse_by_journal(order)?;
        refuse(gateway.obstacles().objection(order.bar_close_time))?;
        refuse(pace_objection(&self.pace(order), &self.rules.limits))?;
        let loss = self.loss(order_journal, gateway).await;
        // A query that was interrupted by shutdown says nothing about the account.
        let obstacles = gateway.obstacles();
        refuse(obstacles.objection(order.bar_close_time).filter(|_| obstacles.is_stopping))?;
        refuse(loss)?;
        let exposure = self.exposure(order, order_journal, gateway).await?;
        let other = order.side.opposite();
        refuse(exposure_objection(exposure.count(order.side), exposure.count(other), &self.rules.limits))?;
        let expiry = Expiry { begun_at, age_max: self.rules.decision_age_max };
        let mut tickets = exposure.tickets.clone();
        if self.rules.limits.opposite == Opposite::CloseThenOpen {
            let opposite: Vec<_> = exposure.positions.into_iter().filter(|it| it.side == other).collect();
            let is_doubtful = exposure.doubts.iter().any(|doubt| doubt.position.side == other);
            // The journal has no ticket with which to close it, or it is unknown to what it belongs.
            if is_doubtful || opposite.iter().any(|position| position.ticket <= 0) {
                return Err(Suppression::Opposite);
            }
            for position in opposite {
                self.close(order, &position, expiry, &mut tickets, (order_journal, gateway), closes).await?;
            }
        }
        self.run(order, expiry, tickets, order_journal, gateway).await
    }

    /// Checks the rules that only need the journal.
    fn refuse_by_journal(&self, order: &Order) -> Result<(), Suppression> {
        let (Some(standing), Some(history)) = (&self.standing, &self.history) else { return Err(Suppression::Journal) };
        let keys = order.keys();
        let is_from_before = self.rules.waits_for_new_bar && history.is_from_before(order.bar_close_time);
        if history.has_ordered(&keys, order.bar_close_time) || is_from_before {
            return Err(Suppression::AlreadyOrdered);
        }
        if self.is_cycle_unresolved || keys.iter().any(|key| standing.unresolved.contains(key)) {
            return Err(Suppression::Unresolved);
        }
        Ok(())
    }

    /// Closes an opposite position before `order`, and removes it from the order's `tickets`.
    async fn close<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order: &Order,
        position: &Position,
        expiry: Expiry,
        tickets: &mut Option<Vec<i64>>,
        (order_journal, gateway): (&L, &mut G),
        closes: &mut Vec<(Order, OrderResult)>,
    ) -> Result<(), Suppression> {
        let close = order.closing(position, gateway.close_order_id(order, position.ticket));
        let ran = self.run(&close, expiry, tickets.clone(), order_journal, gateway).await;
        // The close was already requested for this bar, and the position is still open.
        let answer = ran.map_err(|reason| match reason {
            Suppression::AlreadyOrdered => Suppression::Opposite,
            reason => reason,
        })?;
        let is_closed = matches!(answer.outcome, Outcome::Filled { .. });
        closes.push((close, answer));
        if !is_closed {
            return Err(Suppression::Opposite);
        }
        if let Some(tickets) = tickets {
            tickets.retain(|ticket| *ticket != position.ticket);
        }
        Ok(())
    }

    fn pace(&self, order: &Order) -> Pace {
        let (Some(standing), Some(history)) = (&self.standing, &self.history) else { return Pace::default() };
        history.pace(&order.keys(), standing.taken_at, standing.failures_in_a_row)
    }

    async fn loss<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order_journal: &L,
        gateway: &mut G,
    ) -> Option<Suppression> {
        if self.rules.limits.loss_pct_per_day_max <= 0.0 {
            return None;
        }
        if let Some(verdict) = self.loss {
            return verdict;
        }
        let equity = gateway.equity().await;
        let first = match equity {
            Some(equity) => order_journal.first_equity(equity).await.ok(),
            None => None,
        };
        let verdict = loss_objection(first, equity, &self.rules.limits);
        self.loss = Some(verdict);
        verdict
    }

    /// The open positions of the order's instrument, from the gateway or else from the journal.
    async fn exposure<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order: &Order,
        order_journal: &L,
        gateway: &mut G,
    ) -> Result<Exposure, Suppression> {
        let limits = &self.rules.limits;
        let is_limited = limits.positions_max > 0 || limits.opposite != Opposite::Open;
        if !is_limited && self.rules.proving_dialect.is_none() {
            return Ok(Exposure::default());
        }
        self.read_positions(gateway).await?;
        self.read_fills(is_limited, order_journal).await?;
        let fills = self.fills.as_deref().unwrap_or_default();
        match &self.positions {
            Some(Positions::Known(all)) => {
                let exposure = Exposure::listed(order, all, &self.names, fills);
                if self.fills.is_some() {
                    // Known now; not read again as long as they are listed under these names.
                    self.named = self.names.settled(all, fills).collect();
                }
                self.doubts.get_or_insert_default().extend(exposure.doubts.iter().cloned());
                Ok(exposure)
            }
            Some(Positions::Untold) => {
                self.doubts.get_or_insert_default();
                Ok(Exposure::by_journal(order, fills))
            }
            // In this case nothing is sent, whatever is open.
            Some(Positions::NoGateway) | None => Ok(Exposure::default()),
        }
    }

    /// Queries all open positions from the gateway, once per cycle. If that fails, it is not tried again for the cycle's
    /// other orders, because each try would wait as long.
    async fn read_positions<G: GatewayPort>(&mut self, gateway: &mut G) -> Result<(), Suppression> {
        refuse(self.unanswered)?;
        if self.positions.is_none() {
            match gateway.positions().await {
                Ok(positions) => self.positions = Some(positions),
                Err(reason) => {
                    self.unanswered = Some(reason);
                    return Err(reason);
                }
            }
        }
        Ok(())
    }

    /// Reads our fills from the journal if they are needed to interpret the positions. `is_limited`: a limit on positions
    /// needs them.
    async fn read_fills<L: OrderJournal>(&mut self, is_limited: bool, order_journal: &L) -> Result<(), Suppression> {
        let (needs_fills, tickets) = match &self.positions {
            Some(Positions::Known(all)) => {
                let is_settled = |it: &Position| self.names.explain(it) && self.named.contains(&(it.ticket, it.key()));
                (!all.iter().all(is_settled), all.iter().map(|position| position.ticket).collect())
            }
            Some(Positions::Untold) => (is_limited, Vec::new()),
            Some(Positions::NoGateway) | None => (false, Vec::new()),
        };
        if needs_fills && self.fills.is_none() {
            self.fills = Some(order_journal.fills(&tickets).await.map_err(|_| Suppression::Journal)?);
        }
        Ok(())
    }

    /// Executes one order, from intent to outcome.
    async fn run<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order: &Order,
        expiry: Expiry,
        tickets_before: Option<Vec<i64>>,
        order_journal: &L,
        gateway: &mut G,
    ) -> Result<OrderResult, Suppression> {
        // Checked before every order: a halt, a shutdown or an open breaker may have come since the last one.
        let too_old = |gateway: &G| expiry.is_over(gateway.now()).then_some(Suppression::StaleDecision);
        let objects = |gateway: &G| gateway.obstacles().objection(order.bar_close_time).or(too_old(gateway));
        refuse(objects(gateway))?;
        if self.standing.is_none() {
            // The outcome of a previous close is still unwritten.
            return Err(Suppression::Journal);
        }
        // Before anything is written: a bar that may not be claimed is not used up, and may be ordered later.
        gateway.prepare_claim(order, tickets_before.as_deref()).await?;
        self.note(order);
        let (id, epoch) = (order.client_order_id, gateway.epoch(&order.symbol));
        let intent = OrderStep::Intent { order: Box::new(order.clone()), tickets_before };
        // In one transaction, because nothing happens between the two steps.
        match order_journal.write(vec![intent, OrderStep::Sending(id, epoch)]).await {
            Ok(()) => {}
            Err(JournalError::Exists) => return Err(Suppression::AlreadyOrdered),
            Err(_) => {
                // It is unknown whether the steps are on disk, but nothing was sent. Earlier orders are read again.
                self.history = None;
                self.owe(OrderStep::GivenUp(id, "the journal could not be written"));
                return Err(Suppression::Journal);
            }
        }
        // Checked again: the write may have waited for a slow disk, or the process may have been suspended. The claim must be the
        // one that the journal names.
        let sent = match objects(gateway) {
            Some(reason) => Err(reason),
            None => gateway.exchange(order, expiry, epoch).await,
        };
        // The open positions may have changed.
        self.fills = None;
        let done = self.end(order, sent, order_journal, gateway.now().monotonic).await;
        gateway.settle_claim().await;
        done
    }

    /// Takes what came of an order: in memory, and in the journal.
    async fn end<L: OrderJournal>(
        &mut self,
        order: &Order,
        sent: Result<OrderResult, Suppression>,
        order_journal: &L,
        now: Duration,
    ) -> Result<OrderResult, Suppression> {
        match sent {
            Ok(answer) => {
                self.count(order, &answer.outcome, now);
                self.settle(order_journal, OrderStep::Outcome(Box::new(order.clone()), answer.outcome.clone())).await;
                Ok(answer)
            }
            Err(reason) => {
                // The next cycle will read the same from the journal.
                if !reason.is_about_claim() {
                    self.count(order, &Outcome::NotSent { reason: reason.as_str().into() }, now);
                }
                self.settle(order_journal, OrderStep::GivenUp(order.client_order_id, reason.as_str())).await;
                Err(reason)
            }
        }
    }

    /// Called before anything is sent: from now on this bar is not ordered again, whatever happens.
    fn note(&mut self, order: &Order) {
        let (Some(standing), Some(history)) = (&self.standing, &mut self.history) else { return };
        if order.closes.is_none() {
            let now = standing.taken_at;
            history.note(order.keys(), order.bar_close_time, now);
            history.orders.push_back(now);
            // More orders than the larger limit are not needed. The earliest is removed; it can be at any place, because the
            // clock may have been set back.
            let limits = &self.rules.limits;
            let wanted = usize::try_from(limits.orders_per_hour_max.max(limits.orders_per_day_max));
            while history.orders.len() > wanted.unwrap_or(usize::MAX)
                && let Some((earliest, _)) = history.orders.iter().enumerate().min_by_key(|(_, at)| **at)
            {
                history.orders.remove(earliest);
            }
        }
    }

    /// Updates the state for the cycle's other orders after an outcome.
    fn count(&mut self, order: &Order, outcome: &Outcome, monotonic: Duration) {
        if let (Outcome::Filled { ticket, .. }, None) = (outcome, order.closes) {
            self.named.insert((*ticket, order.instrument()));
        }
        let Some(standing) = &mut self.standing else { return };
        if matches!(outcome, Outcome::Unknown { .. }) {
            self.is_cycle_unresolved = true;
            self.may_be_unresolved = true;
            self.unknown_since.insert(order.client_order_id, monotonic);
            standing.unresolved.extend(order.keys());
        }
        if order.closes.is_none() {
            let is_filled = matches!(outcome, Outcome::Filled { .. });
            standing.failures_in_a_row = if is_filled { 0 } else { standing.failures_in_a_row + 1 };
        }
    }
}

fn refuse(objection: Option<Suppression>) -> Result<(), Suppression> {
    objection.map_or(Ok(()), Err)
}
