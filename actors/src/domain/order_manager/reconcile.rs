//! What every cycle does for the orders of earlier ones: unwritten steps, the day's first equity, unknown outcomes.

use super::{GatewayPort, OrderJournal, OrderManager};
use crate::domain::{
    journal::OrderStep,
    reconcile::{Proof, SETTLES_AFTER, Unproven},
};
use std::time::Duration;
use uuid::Uuid;

/// After a failed proof it is tried again after this time, because a user may have changed the open positions.
const PROOF_PAUSE: Duration = Duration::from_secs(60);

impl OrderManager {
    /// The tasks of every cycle, with or without a signal, because the next signal may be days away. Writes unwritten steps,
    /// records the day's first equity, and tries to prove unknown outcomes of orders. Returns what was proven.
    pub async fn reconcile<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order_journal: &L,
        gateway: &mut G,
        now: Duration,
    ) -> Vec<(Unproven, Proof)> {
        // The last cycle may have prepared this without using it.
        self.prepared_at = None;
        let day = now.as_secs() / 86_400;
        let is_equity_due = self.rules.limits.loss_pct_per_day_max > 0.0 && self.equity_day != Some(day);
        if self.unwritten.is_empty() && !self.is_broken && !self.may_be_unresolved && !is_equity_due {
            return Vec::new();
        }
        if self.read_standing(order_journal).await.is_err() {
            // The Journal logs the error, and the steps stay unwritten.
            return Vec::new();
        }
        if is_equity_due
            && gateway.may_ask()
            && let Some(equity) = gateway.equity().await
            && order_journal.first_equity(equity).await.is_ok()
        {
            self.equity_day = Some(day);
        }
        self.settle_unproven(order_journal, gateway).await
    }

    async fn settle_unproven<L: OrderJournal, G: GatewayPort>(
        &mut self,
        order_journal: &L,
        gateway: &mut G,
    ) -> Vec<(Unproven, Proof)> {
        let (Some(standing), Some(dialect)) = (&self.standing, self.rules.proving_dialect) else { return Vec::new() };
        let now = standing.taken_at;
        let is_rested = |id: &Uuid| self.tried_at.get(id).is_none_or(|at| now.saturating_sub(*at) >= PROOF_PAUSE);
        // On both clocks, because the wall clock may have been set meanwhile.
        let monotonic = gateway.now().monotonic;
        let mut has_waited = |id: &Uuid| {
            let since = *self.unknown_since.entry(*id).or_insert(monotonic);
            monotonic.saturating_sub(since) >= SETTLES_AFTER
        };
        // A ticket that is gone is closed, whoever closed it.
        let is_ours = |order: &Unproven| order.closes.is_some() || gateway.is_alone_since(order);
        let due = |order: &&Unproven| {
            has_waited(&order.id) && order.is_provable(now, dialect) && is_rested(&order.id) && is_ours(order)
        };
        let unproven: Vec<_> = standing.unproven.iter().filter(due).cloned().collect();
        if unproven.is_empty() || !gateway.may_ask() {
            return Vec::new();
        }
        let Some(answers) = gateway.positions_twice().await else { return Vec::new() };
        let mut proven = Vec::new();
        for order in unproven {
            // Asked again: the account may have been lost while the gateway was asked, and a position be another daemon's.
            if order.closes.is_none() && !gateway.is_alone_since(&order) {
                continue;
            }
            match order.prove([&answers[0], &answers[1]], &self.names, self.rules.account_mode) {
                Some(proof) if order_journal.write(vec![OrderStep::Proven(order.id, proof)]).await.is_ok() => {
                    proven.push((order, proof))
                }
                _ => drop(self.tried_at.insert(order.id, now)),
            }
        }
        proven
    }
}
