//! Claims whose outcome became known later, or that a member left which is gone: once a cycle, if there are any.

use super::{Claims, OpenClaim};
use crate::{
    domain::{
        cluster::{
            Authority,
            shared::{AGE_MAX, Claim, ClaimedOrder, Entry, Settlement, Span, Transaction, Value, key},
        },
        guard::Suppression,
        journal::{JournalError, OrderStep},
        order::Outcome,
        order_manager::{OrderJournal, OrderManager},
        order_state::OrderState,
        reconcile::Unproven,
    },
    signal_sender::JournalActorHandle,
};
use tracing::{error, info, warn};
use uuid::Uuid;

/// etcd takes at most 128 operations in a transaction.
const READ_AT_ONCE: usize = 50;

impl Claims {
    /// Writes to the journal what the owners before left without an outcome, as orders of unknown outcome. Only after that may the
    /// shards' symbols be ordered.
    ///
    /// # Errors
    /// The journal cannot be written; it is tried again in the next cycle.
    pub(in crate::signal_sender) async fn take_over(
        &mut self,
        manager: &mut OrderManager,
        order_journal: &JournalActorHandle,
    ) -> Result<(), JournalError> {
        // No order is on its way between two cycles: what says so was cut off by a panic.
        self.open.iter_mut().for_each(|it| it.is_on_its_way = false);
        let (_, instance) = self.config.cell.names();
        let mut taken = Ok(());
        for inheritance in self.config.cell.inheritances() {
            // This very process knows what became of its own.
            let others = inheritance.claims.iter().filter(|claim| claim.instance != instance);
            // One that cannot be written keeps its own shard waiting, and no other.
            match self.inherit(others, manager, order_journal).await {
                Ok(()) => self.config.cell.noted(&inheritance),
                Err(error) => taken = taken.and(Err(error)),
            }
        }
        taken
    }

    async fn inherit(
        &mut self,
        claims: impl Iterator<Item = &Claim>,
        manager: &mut OrderManager,
        order_journal: &JournalActorHandle,
    ) -> Result<(), JournalError> {
        for claim in claims {
            let id = claim.order.client_order_id;
            order_journal.write(vec![OrderStep::TakenOver(Box::new(claim.clone()))]).await?;
            self.watch(claim);
            manager.expect_unresolved(id, self.clock.moment().monotonic + AGE_MAX);
            let known = order_journal.outcomes(vec![(id, claim.epoch)]).await?;
            if let Some((_, outcome)) = known.first().filter(|(_, it)| !matches!(it, Outcome::Unknown { .. })) {
                let outcome = outcome.as_str();
                info!(stage = "send", symbol = claim.order.symbol, client_order_id = %id, outcome,
                    "the order had no outcome in etcd; the journal knows it");
                continue;
            }
            warn!(
                stage = "send", error = "unknown", symbol = claim.order.symbol, client_order_id = %id, member = claim.member,
                "the order was claimed by a member that is gone, and may or may not have been executed; it is not sent again"
            );
        }
        Ok(())
    }

    /// Watches the claims without a final outcome that earlier runs of this member left, whoever owns their shards now: what became
    /// of them may be known to nobody but this journal. Once in each membership, because nobody can add one under an older name.
    pub(in crate::signal_sender) async fn find_own(&mut self) {
        let membership = self.config.cell.standing().and_then(|standing| standing.epoch);
        if membership.is_none() || membership == self.read_own_in {
            return;
        }
        let reads = vec![Span::folder(key::OPEN)];
        let Ok(done) = self.transact(Transaction { reads, ..Transaction::default() }).await else { return };
        let (member, _) = self.config.cell.names();
        for entry in done.span(0) {
            if let Some(Value::Claim(claim)) = &entry.value
                && claim.member == member
            {
                self.watch(claim);
            }
        }
        self.read_own_in = membership;
    }

    /// Compares the orders of unknown outcome with their claims: if somebody else knew better, the journal learns it. Answers
    /// whether etcd was asked successfully; if not, nothing may be proven by open positions.
    pub(in crate::signal_sender) async fn compare(
        &mut self,
        unproven: &[Unproven],
        order_journal: &JournalActorHandle,
    ) -> bool {
        let watched = self.unsettled();
        let watched: Vec<_> = watched.map(|it| (it.claim.order.client_order_id, it.claim.order.key())).collect();
        let others = unproven.iter().filter(|order| watched.iter().all(|(id, _)| *id != order.id));
        let wanted: Vec<_> = watched.iter().cloned().chain(others.map(|order| (order.id, key_of(order)))).collect();
        for some in wanted.chunks(READ_AT_ONCE) {
            let reads = some.iter().map(|(_, key)| Span::one(key)).collect();
            let Ok(done) = self.transact(Transaction { reads, ..Transaction::default() }).await else { return false };
            for (index, (id, _)) in some.iter().enumerate() {
                self.compared(*id, done.one(index), order_journal).await;
            }
        }
        self.publish();
        true
    }

    async fn compared(&mut self, id: Uuid, entry: Option<&Entry>, order_journal: &JournalActorHandle) {
        if entry.is_some_and(|entry| !matches!(entry.value, Some(Value::Claim(_)))) {
            self.say_unreadable(id);
            return;
        }
        let claim = entry.and_then(|entry| match &entry.value {
            Some(Value::Claim(claim)) if claim.order.client_order_id == id => Some(&**claim),
            _ => None,
        });
        match claim {
            Some(claim) if claim.is_final() => {
                let Some(outcome) = claim.outcome.clone() else { return };
                info!(
                    stage = "send", symbol = claim.order.symbol, client_order_id = %id, outcome = outcome.as_str(),
                    "another member of the cluster knew the outcome of the order"
                );
                match order_journal.write(vec![OrderStep::Reported(id, outcome)]).await {
                    // It is asked again.
                    Err(error) if error.is_broken() => {}
                    // It stays among the claims that are not settled, until a person has looked and starts the daemon again.
                    Err(JournalError::Transition { from, to }) if disagree(from, to) => {
                        error!(
                            stage = "send", error = "cluster", client_order_id = %id, outcome = %from, in_etcd = %to,
                            "this journal and etcd disagree about the outcome of the order: look at the account"
                        );
                        self.disputed.insert(id);
                    }
                    // The journal does not have it, or has another word for the same.
                    Ok(()) | Err(_) => self.open.retain(|it| it.claim.order.client_order_id != id),
                }
            }
            Some(claim) => self.watch(claim),
            // etcd lost its data, or forgot it after a week: a person has to say what became of it.
            None => self.open.retain(|it| it.claim.order.client_order_id != id),
        }
    }

    /// Writes to etcd what the journal has learnt since: by a proof, or from a person.
    pub(in crate::signal_sender) async fn follow(&mut self, order_journal: &JournalActorHandle) {
        let open = self.unsettled();
        let open: Vec<_> = open.map(|it| (it.claim.order.client_order_id, it.claim.epoch)).collect();
        if !open.is_empty() {
            // The Journal logs the error, and the next cycle asks again.
            for (id, outcome) in order_journal.outcomes(open).await.unwrap_or_default() {
                self.learnt(id, outcome);
            }
        }
        self.settle().await;
    }

    fn learnt(&mut self, id: Uuid, outcome: Outcome) {
        let open = self.open.iter_mut().filter(|it| it.settlement.is_none() && !it.is_on_its_way);
        for it in open.filter(|it| it.claim.order.client_order_id == id) {
            let is_news = !matches!(outcome, Outcome::Unknown { .. }) || it.claim.outcome.is_none();
            if is_news {
                it.claim.outcome = Some(outcome.clone());
                it.settlement = Some(Settlement::new(&it.claim, outcome.clone(), is_failure(&outcome)));
            }
        }
        self.publish();
    }

    /// The claims of which nobody knows a final outcome yet, without those that wait for a person.
    fn unsettled(&self) -> impl Iterator<Item = &OpenClaim> {
        let is_disputed = |it: &OpenClaim| self.disputed.contains(&it.claim.order.client_order_id);
        self.open.iter().filter(move |it| it.settlement.is_none() && !it.is_on_its_way && !is_disputed(it))
    }

    fn watch(&mut self, claim: &Claim) {
        if self.open.iter().all(|it| it.claim.nonce != claim.nonce) {
            let claim = claim.clone();
            self.open.push(OpenClaim { claim, settlement: None, is_on_its_way: false });
        }
        self.publish();
    }
}

/// Whether an order cannot have both states: it was filled in one of them only. That it was refused, and that it was never sent, say
/// the same of the account.
fn disagree(from: OrderState, to: OrderState) -> bool {
    from.is_settled() && (from == OrderState::Filled) != (to == OrderState::Filled)
}

/// Whether the gateway is to blame: what a rule gave up at the last moment says nothing about it.
fn is_failure(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::NotSent { reason } if Suppression::named(reason).is_some())
}

/// The key of an order's claim.
fn key_of(order: &Unproven) -> String {
    let claimed = ClaimedOrder {
        client_order_id: order.id,
        symbol: order.symbol.as_str().into(),
        gateway_name: order.gateway_name.clone(),
        closes: order.closes,
        side: order.side,
        volume: order.volume,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.0,
        bar_close_time: order.bar_close_time,
    };
    claimed.key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fill_on_one_side_is_a_disagreement() {
        use OrderState::{Expired, Filled, NotSent, Rejected, Unknown};
        let disagreeing = [(Filled, Rejected), (Rejected, Filled), (NotSent, Filled), (Expired, Filled)];
        for (from, to) in disagreeing {
            assert!(disagree(from, to), "{from} {to}");
        }
        for (from, to) in [(NotSent, Rejected), (Expired, Rejected), (Filled, Filled), (Unknown, Filled)] {
            assert!(!disagree(from, to), "{from} {to}");
        }
    }
}
