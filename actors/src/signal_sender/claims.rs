//! Orders in etcd (`cluster.mode = "shared"`): each is claimed before it is sent, and its outcome is written there; so are those of
//! orders that a member left which is gone. A connection of its own, so that no order waits for the membership.

mod follow_up;
#[cfg(test)]
mod tests;

use crate::{
    adapters::etcd::{self, Etcd},
    domain::{
        clock::Clock,
        cluster::shared::{
            Answer, Claim, ClaimedOrder, Done, Edit, MemberCell, OrderClaim, Request, Settled, Settlement, Shard,
            Transaction, Verdict, Wish,
        },
        guard::{Limits, Suppression},
        order::{Order, Outcome},
        position::AccountMode,
    },
    messages::{Event, Telemetry},
};
use std::{
    collections::BTreeSet,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

/// How long one request has, so that a claim whose answer is lost can still be read back within its two seconds.
pub const PATIENCE: Duration = Duration::from_millis(700);
/// How long outcomes may take to be written before the next order, and in a cycle without one.
const SETTLING_MAX: Duration = Duration::from_secs(2);

/// What claims need to know.
#[derive(Debug, Clone)]
pub struct ClaimsConfig {
    /// Where etcd is, and which account.
    pub etcd: etcd::Config,
    /// What this member owns.
    pub cell: MemberCell,
    /// The account's limits, which are compared in etcd.
    pub limits: Limits,
    /// How the broker books orders, for who has to prove an outcome.
    pub account_mode: AccountMode,
    /// The gateway's dialect, for the same.
    pub dialect: &'static str,
}

/// A claim that has no final outcome in etcd, as far as is known.
#[derive(Debug)]
struct OpenClaim {
    claim: Claim,
    /// Its outcome, until that is in etcd. `None`: nobody knows one, or the order is on its way.
    settlement: Option<Settlement>,
    /// Whether this process is about to send it, or has sent it and waits.
    is_on_its_way: bool,
}

impl OpenClaim {
    fn shard(&self) -> Shard {
        Shard::of(&self.claim.order.symbol)
    }
}

/// The claims of this member.
pub(super) struct Claims {
    config: ClaimsConfig,
    etcd: Etcd,
    clock: Arc<dyn Clock>,
    metrics: Telemetry,
    open: Vec<OpenClaim>,
    /// The membership, by its epoch, in which the claims of earlier runs of this member were read.
    read_own_in: Option<i64>,
    /// Why etcd did not answer, as last logged; it is logged again only if it changes.
    trouble: String,
    /// Orders about which something was logged that stays so.
    said: BTreeSet<Uuid>,
    /// Orders of which this journal and etcd have outcomes that cannot both be true. They stay open, and nothing more is done about
    /// them: a person has to look.
    disputed: BTreeSet<Uuid>,
}

impl Claims {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// See [`Etcd::new`].
    pub(super) fn new(config: ClaimsConfig, clock: Arc<dyn Clock>, metrics: Telemetry) -> io::Result<Self> {
        let etcd = Etcd::new(config.etcd.clone())?;
        Ok(Self {
            config,
            etcd,
            clock,
            metrics,
            open: Vec::new(),
            read_own_in: None,
            trouble: String::new(),
            said: BTreeSet::new(),
            disputed: BTreeSet::new(),
        })
    }

    /// Reads whether an order may be claimed. Nothing is written, here or in etcd.
    pub(super) async fn prepare(
        &mut self,
        order: &Order,
        tickets_before: Option<&[i64]>,
        equity: Option<f64>,
    ) -> Result<OrderClaim, Suppression> {
        // An outcome is in etcd before the next order: the limits count on it.
        if !self.settle().await {
            return Err(Suppression::NotHolder);
        }
        let epoch = self.config.cell.epoch_for(&order.symbol, order.bar_close_time)?;
        let (member, instance) = self.config.cell.names();
        let claim = Claim {
            member,
            instance,
            epoch,
            nonce: Uuid::new_v4(),
            order: ClaimedOrder::from(order),
            tickets_before: tickets_before.map(<[i64]>::to_vec),
            dialect: Some(self.config.dialect.into()),
            account_mode: Some(self.config.account_mode),
            at_ms: 0,
            last_order_ms: None,
            outcome: None,
        };
        let mut claim = OrderClaim::new(claim, self.config.limits, equity);
        while claim.verdict() == Verdict::Open && !claim.is_ready() {
            self.step(&mut claim).await;
        }
        match claim.verdict() {
            Verdict::Refused(reason) => {
                self.report(reason_result(reason), None);
                Err(reason)
            }
            Verdict::Open | Verdict::Made => Ok(claim),
        }
    }

    /// Claims an order. From now on it has to be ended by [`Claims::ended`] or [`Claims::given_up`].
    ///
    /// # Errors
    /// The reason for which it is not ours. It is given up then.
    pub(super) async fn make(&mut self, claim: &mut OrderClaim) -> Result<(), Suppression> {
        let began = Instant::now();
        // Before the first attempt: whatever happens, it is not forgotten.
        self.open.push(OpenClaim { claim: claim.claim().clone(), settlement: None, is_on_its_way: true });
        self.publish();
        while claim.verdict() == Verdict::Open {
            self.step(claim).await;
        }
        let verdict = claim.verdict();
        let result = if let Verdict::Refused(reason) = verdict { reason_result(reason) } else { "made" };
        self.report(result, Some(began.elapsed()));
        match verdict {
            Verdict::Made => Ok(()),
            Verdict::Refused(reason) => {
                self.given_up(claim, reason);
                Err(reason)
            }
            Verdict::Open => {
                self.given_up(claim, Suppression::ClaimLate);
                Err(Suppression::ClaimLate)
            }
        }
    }

    /// The order was sent, or could not be passed to a gateway: this is its outcome.
    pub(super) fn ended(&mut self, claim: &OrderClaim, outcome: &Outcome) {
        self.end(claim, Some(Settlement::new(claim.claim(), outcome.clone(), true)));
    }

    /// No part of the order was sent, for this reason, and none will be.
    pub(super) fn given_up(&mut self, claim: &OrderClaim, reason: Suppression) {
        self.end(claim, claim.given_up(reason.as_str()));
    }

    fn end(&mut self, claim: &OrderClaim, settlement: Option<Settlement>) {
        let nonce = claim.claim().nonce;
        match settlement {
            None => self.open.retain(|it| it.claim.nonce != nonce),
            Some(settlement) => {
                if let Some(open) = self.open.iter_mut().find(|it| it.claim.nonce == nonce) {
                    // As it was claimed at last.
                    open.claim = claim.claim().clone();
                    open.settlement = Some(settlement);
                    open.is_on_its_way = false;
                }
            }
        }
        self.publish();
    }

    /// Whether the order of this id has no final outcome in etcd, so that nobody has ordered its symbol since.
    pub(super) fn open_ids(&self) -> Vec<Uuid> {
        let open = self.open.iter().filter(|it| it.settlement.is_none() && !it.is_on_its_way);
        open.map(|it| it.claim.order.client_order_id).collect()
    }

    /// Writes the known outcomes to etcd. Answers whether all of them are there.
    pub(super) async fn settle(&mut self) -> bool {
        let until = Instant::now() + SETTLING_MAX;
        let mut index = 0;
        while index < self.open.len() {
            if self.open[index].settlement.is_none() {
                index += 1;
                continue;
            }
            match self.settle_one(index, until).await {
                None => return false,
                Some(settled) => {
                    if self.settled(index, &settled) {
                        self.open.remove(index);
                    } else {
                        index += 1;
                    }
                    self.publish();
                }
            }
        }
        true
    }

    /// Answers whether nothing is left to do about this claim.
    fn settled(&mut self, index: usize, settled: &Settled) -> bool {
        let open = &mut self.open[index];
        let Some(settlement) = open.settlement.take() else { return false };
        let (id, outcome) = (open.claim.order.client_order_id, settlement.outcome().as_str());
        debug!(client_order_id = %id, outcome, ?settled, "the order's claim is settled in etcd");
        let in_etcd = match settled {
            Settled::NeverMade => {
                if !matches!(settlement.outcome(), Outcome::NotSent { .. }) {
                    error!(
                        stage = "send", error = "cluster", symbol = open.claim.order.symbol, client_order_id = %id, outcome,
                        "the order was sent, and etcd has lost its claim: another member may order the same bar; look at the account"
                    );
                }
                return true;
            }
            Settled::Written => settlement.outcome(),
            Settled::Otherwise(other) => other,
        };
        let is_final = !matches!(in_etcd, Outcome::Unknown { .. });
        if contradict(in_etcd, settlement.outcome()) {
            error!(
                stage = "send", error = "cluster", symbol = open.claim.order.symbol, client_order_id = %id, outcome,
                in_etcd = in_etcd.as_str(),
                "this member and etcd disagree about the outcome of the order: look at the account"
            );
            self.disputed.insert(id);
            return false;
        }
        is_final
    }

    async fn settle_one(&mut self, index: usize, until: Instant) -> Option<Settled> {
        loop {
            let settlement = self.open[index].settlement.as_ref()?;
            if let Some(settled) = settlement.ended() {
                return Some(settled.clone());
            }
            if Instant::now() >= until {
                return None;
            }
            let transaction = settlement.ask();
            let done = self.transact(transaction).await;
            let settlement = self.open[index].settlement.as_mut()?;
            match done {
                Ok(done) => settlement.told(&done),
                Err(()) => {
                    settlement.failed();
                    return None;
                }
            }
            if settlement.is_reading() {
                // The state or the claim cannot be read; it is not asked for all the time.
                if settlement.is_unreadable() {
                    let id = self.open[index].claim.order.client_order_id;
                    self.say_unreadable(id);
                }
                return None;
            }
        }
    }

    /// Says once that a claim cannot be read.
    fn say_unreadable(&mut self, id: Uuid) {
        if self.said.insert(id) {
            error!(
                stage = "send", error = "cluster", client_order_id = %id,
                "the order's claim in etcd cannot be read: a later version wrote it. Its symbol waits until this machine has that version"
            );
        }
    }

    /// Notes the account's equity in etcd if it is the day's first. Answers whether it is known to be there.
    pub(super) async fn note_equity(&mut self, equity: f64) -> bool {
        let wall_ms = self.wall_ms();
        let mut edit = Edit::new(Wish::Equity { wall_ms, equity });
        let until = Instant::now() + SETTLING_MAX;
        while edit.ended().is_none() && Instant::now() < until {
            match self.transact(edit.ask()).await {
                Ok(done) => edit.told(&done),
                Err(()) => return false,
            }
            if edit.is_reading() {
                return false;
            }
        }
        edit.ended().is_some()
    }

    /// The next request of a claim.
    async fn step(&mut self, claim: &mut OrderClaim) {
        let transaction = claim.ask(self.clock.boottime(), self.wall_ms());
        let done = self.transact(transaction).await;
        let now = self.clock.boottime();
        match done {
            Ok(done) => claim.told(now, self.wall_ms(), &done),
            Err(()) => claim.failed(now),
        }
    }

    /// Asks etcd; a failure is logged here, and again only if it changes.
    async fn transact(&mut self, transaction: Transaction) -> Result<Done, ()> {
        let asked_on = self.config.cell.revision();
        let fault = match self.etcd.perform_shared(&Request::Transact(transaction)).await {
            Ok(Answer::Done(done)) if !self.config.cell.note_revision(asked_on, done.revision) => {
                "etcd has forgotten what this member has seen there: it was set back to an earlier time".to_owned()
            }
            Ok(Answer::Done(done)) => {
                if !std::mem::take(&mut self.trouble).is_empty() {
                    info!(stage = "send", "etcd answers again about claims of orders");
                }
                return Ok(done);
            }
            Ok(_) => "etcd answered something else than was asked".to_owned(),
            Err(error) => error.to_string(),
        };
        if self.trouble != fault {
            let open = self.open.len();
            warn!(
                stage = "send",
                error = "cluster",
                open,
                "orders cannot be claimed, and outcomes not be written in etcd: {fault}"
            );
            self.trouble = fault;
        }
        Err(())
    }

    /// Tells the others of this process which shards may not move, and how many claims are open.
    fn publish(&self) {
        let is_busy = |it: &&OpenClaim| it.is_on_its_way || it.settlement.is_some();
        let busy: BTreeSet<_> = self.open.iter().filter(is_busy).map(OpenClaim::shard).collect();
        self.config.cell.set_open(busy, self.open.len());
    }

    fn report(&self, result: &'static str, took: Option<Duration>) {
        self.metrics.report(Event::OrderClaimed { result, took });
    }

    fn wall_ms(&self) -> i64 {
        i64::try_from(self.clock.now().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Whether two outcomes cannot both be true. That an order was rejected and that it was never sent say the same of the account.
fn contradict(one: &Outcome, other: &Outcome) -> bool {
    let executed = |outcome: &Outcome| match outcome {
        Outcome::Filled { .. } => Some(true),
        Outcome::Rejected { .. } | Outcome::NotSent { .. } => Some(false),
        Outcome::Unknown { .. } => None,
    };
    matches!((executed(one), executed(other)), (Some(one), Some(other)) if one != other)
}

/// The label of a claim that was refused.
fn reason_result(reason: Suppression) -> &'static str {
    if reason == Suppression::ClaimLate { "late" } else { "refused" }
}
