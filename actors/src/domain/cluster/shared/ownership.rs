//! The shards of a member, as a machine around [`Member`]: claim what the plan says, take over the claims without an outcome, warm
//! up, own; and when the plan says otherwise drain at a cycle's border, settle, release. A lost lease loses all of it at once.

use super::{
    OrderClaim, View,
    key::{self, Span},
    member::Member,
    planner::Planner,
    records::{Claim, Owner, Value},
    settlement::Settlement,
    shards::Shard,
    transaction::{Answer, Change, Compare, Entry, Request, Transaction},
};
use crate::domain::{cluster::LOOK_PERIOD, guard::Suppression, order::Outcome};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How far a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is ours, and the claims without an outcome are being marked as unknown.
    Taking,
    /// The caller reads bars from the market, and says when it has them.
    Warming,
    /// Its symbols may be ordered.
    Owned,
    /// No order begins any more; those on their way get their outcome.
    Draining,
    /// It is being given back.
    Releasing,
}

#[derive(Debug, Clone)]
struct Held {
    epoch: i64,
    phase: Phase,
    /// The claims without an outcome when it became ours, as they were read.
    unknown: Vec<Entry>,
    /// Those that are not marked yet.
    unmarked: VecDeque<Settlement>,
}

/// What is asked for now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pending {
    Member,
    Plan,
    Mark(Shard),
    Release(Shard, i64),
    Claim(Shard),
}

/// The machine. One request at a time: [`Ownership::ask`], then [`Ownership::told`] or [`Ownership::failed`]. Times are boottime
/// unless they are called wall.
#[derive(Debug, Clone)]
pub struct Ownership {
    member: Member,
    planner: Planner,
    /// The member's epoch under which these shards are held.
    membership: Option<i64>,
    held: BTreeMap<Shard, Held>,
    pending: Option<Pending>,
    /// After a failure.
    rests_until: Duration,
}

impl Ownership {
    /// A member that owns nothing yet.
    pub fn new(member: Member) -> Self {
        Self {
            member,
            planner: Planner::default(),
            membership: None,
            held: BTreeMap::new(),
            pending: None,
            rests_until: Duration::ZERO,
        }
    }

    /// The member.
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// See [`Member::note_revision`].
    pub fn note_revision(&mut self, revision: i64) {
        self.member.note_revision(revision);
    }

    /// How far a shard is, and its epoch; `None` if it is not ours.
    pub fn shard(&self, shard: Shard) -> Option<(Phase, i64)> {
        self.held.get(&shard).map(|held| (held.phase, held.epoch))
    }

    /// The claims without an outcome that were taken over with a shard, as they were read. Their outcomes are unknown to everybody;
    /// they may be of this very process, before it lost its lease.
    pub fn unknown(&self, shard: Shard) -> impl Iterator<Item = &Claim> {
        let held = self.held.get(&shard).into_iter();
        held.flat_map(|held| &held.unknown).filter_map(|entry| match &entry.value {
            Some(Value::Claim(claim)) => Some(&**claim),
            _ => None,
        })
    }

    /// The epoch under which an order of this bar may be claimed at `now`.
    ///
    /// # Errors
    /// The reason for which it may not.
    pub fn epoch_for(&self, now: Duration, symbol: &str, bar_close_time: i64) -> Result<i64, Suppression> {
        let held = self.held.get(&Shard::of(symbol)).filter(|held| held.phase == Phase::Owned);
        let is_later = self.member.bars_after().is_none_or(|until| bar_close_time > until);
        let is_fit = self.member.view().differs_from(self.member.name()).is_none();
        held.filter(|_| is_later && is_fit && self.member.is_trusted_at(now))
            .map(|held| held.epoch)
            .ok_or(Suppression::NotHolder)
    }

    /// Why a claim may not be sent at `now`, if so. It may if its shard is still ours under the same epoch, the lease is trusted,
    /// it was read back, and it is young. Asked right before the sending, with nothing in between.
    pub fn objection(&self, now: Duration, order: &OrderClaim) -> Option<Suppression> {
        let claim = order.claim();
        let held = self.held.get(&Shard::of(&claim.order.symbol));
        let is_ours = held.is_some_and(|held| held.epoch == claim.epoch);
        if !is_ours || !self.member.is_trusted_at(now) {
            return Some(Suppression::NotHolder);
        }
        (!order.is_fresh_at(now)).then_some(Suppression::ClaimLate)
    }

    /// The caller has the bars of this shard's symbols from the market, and has taken note of [`Self::unknown`].
    pub fn warmed(&mut self, shard: Shard) {
        if let Some(held) = self.held.get_mut(&shard).filter(|held| held.phase == Phase::Warming) {
            held.phase = Phase::Owned;
        }
    }

    /// A cycle is over, and no other one has begun. `is_settled`: whether no order of a shard is on its way, and all outcomes that
    /// are known are in etcd. An outcome that nobody knows keeps no shard; the next owner takes it over.
    pub fn at_border(&mut self, is_settled: impl Fn(Shard) -> bool) {
        let plan = self.member.view().plan();
        for (shard, held) in &mut self.held {
            let is_wanted = plan.owner(*shard) == Some(self.member.name());
            held.phase = match held.phase {
                Phase::Draining if is_wanted => Phase::Owned,
                Phase::Owned | Phase::Draining if !is_wanted && is_settled(*shard) => Phase::Releasing,
                Phase::Owned if !is_wanted => Phase::Draining,
                Phase::Taking | Phase::Warming if !is_wanted => Phase::Releasing,
                phase => phase,
            };
        }
    }

    /// When the next request is due.
    pub fn due_at(&self, now: Duration) -> Duration {
        let own = self.next(now).map(|_| self.rests_until.max(now));
        own.map_or(self.member.due_at(), |own| own.min(self.member.due_at()))
    }

    /// The next request, sent at `now`, which is `wall_s` in unix seconds.
    pub fn ask(&mut self, now: Duration, wall_s: i64) -> Request {
        let next = if now >= self.rests_until { self.next(now) } else { None };
        let pending = next.filter(|_| now < self.member.due_at()).unwrap_or(Pending::Member);
        self.pending = Some(pending.clone());
        let Some((epoch, lease)) = self.member.epoch() else { return self.member.ask(now, wall_s) };
        let transaction = match pending {
            Pending::Member => return self.member.ask(now, wall_s),
            Pending::Plan => self.planner.proposal(now, (self.member.name(), epoch), self.member.view()),
            Pending::Mark(shard) => self.held.get(&shard).and_then(|held| held.unmarked.front()).map(Settlement::ask),
            Pending::Release(shard, epoch) => Some(release(shard, epoch)),
            Pending::Claim(shard) => Some(self.claim(shard, (epoch, lease))),
        };
        // `next` has just said that there is something to ask.
        Request::Transact(transaction.unwrap_or_default())
    }

    /// The last request had no usable answer at `now`. It may have been carried out.
    pub fn failed(&mut self, now: Duration, fault: String) {
        match self.pending.take() {
            Some(Pending::Member) | None => self.member.failed(now, fault),
            Some(pending) => {
                self.rests_until = now + LOOK_PERIOD;
                if let Pending::Mark(shard) = pending
                    && let Some(settlement) = self.unmarked(shard)
                {
                    settlement.failed();
                }
            }
        }
        self.follow(now);
    }

    /// etcd's answer to the last request at `now`, which is `wall_s` in unix seconds.
    pub fn told(&mut self, now: Duration, wall_s: i64, answer: &Answer) {
        match (self.pending.take(), answer) {
            (Some(Pending::Member) | None, _) => self.member.told(now, wall_s, answer),
            (Some(Pending::Mark(shard)), Answer::Done(done)) => {
                if let Some(settlement) = self.unmarked(shard) {
                    settlement.told(done);
                    if settlement.is_reading() {
                        // The state cannot be read; it is not asked for all the time.
                        self.rests_until = now + LOOK_PERIOD;
                    }
                }
                self.marked(shard);
            }
            (Some(Pending::Claim(shard)), Answer::Done(done)) => {
                self.member.saw(now, done);
                self.claimed(shard, done.read.last().map_or(&[], Vec::as_slice));
            }
            (Some(Pending::Plan | Pending::Release(..)), Answer::Done(done)) => self.member.saw(now, done),
            (Some(_), _) => self.rests_until = now + LOOK_PERIOD,
        }
        self.follow(now);
    }

    /// Leaves. What is still owned is lost; a member that drained before owns nothing. See [`Member::leave`].
    pub fn leave(&mut self, now: Duration, wall_s: i64) -> Option<(Request, i64)> {
        let left = self.member.leave(wall_s);
        self.follow(now);
        left
    }

    /// Gives up at once what is not ours any more.
    fn follow(&mut self, now: Duration) {
        let membership = self.member.epoch().map(|(epoch, _)| epoch);
        if membership != self.membership {
            self.held.clear();
            self.membership = membership;
        }
        let view = self.member.view();
        self.held.retain(|shard, held| view.shard(*shard).is_some_and(|entry| entry.create_revision == held.epoch));
        self.planner.note(now, view);
    }

    fn next(&self, now: Duration) -> Option<Pending> {
        let (epoch, lease) = self.member.epoch()?;
        let (view, name) = (self.member.view(), self.member.name());
        if self.planner.proposal(now, (name, epoch), view).is_some() {
            return Some(Pending::Plan);
        }
        let plan = view.plan();
        Shard::all().find_map(|shard| {
            let is_wanted = plan.owner(shard) == Some(name);
            match (self.held.get(&shard), view.shard(shard)) {
                (Some(held), _) if held.phase == Phase::Taking => Some(Pending::Mark(shard)),
                (Some(held), _) if held.phase == Phase::Releasing => Some(Pending::Release(shard, held.epoch)),
                (Some(_), _) => None,
                (None, None) if is_wanted => Some(Pending::Claim(shard)),
                // Ours, but the answer that said so was lost.
                (None, Some(entry)) if entry.lease == lease && is_wanted => Some(Pending::Claim(shard)),
                (None, Some(entry)) if entry.lease == lease => Some(Pending::Release(shard, entry.create_revision)),
                (None, _) => None,
            }
        })
    }

    fn claim(&self, shard: Shard, (epoch, lease): (i64, i64)) -> Transaction {
        let owner = Owner { member: self.member.name().into(), instance: self.member.instance().into() };
        let key = key::shard(shard);
        Transaction {
            compare: vec![Compare::Absent(Span::one(&key)), Compare::Created(key::member(self.member.name()), epoch)],
            changes: vec![Change::Put { key, value: Value::Owner(owner), lease }],
            // The last one in the same transaction: from now on nobody claims an order under an older epoch, so these are all.
            reads: View::spans().into_iter().chain([key::open_of_shard(shard)]).collect(),
        }
    }

    /// Whether the read says that the shard is ours, whatever the transaction said.
    fn claimed(&mut self, shard: Shard, open: &[Entry]) {
        let (Some(entry), Some((_, lease))) = (self.member.view().shard(shard), self.member.epoch()) else { return };
        if entry.lease != lease {
            return;
        }
        let unmarked = open.iter().filter_map(|entry| match &entry.value {
            Some(Value::Claim(claim)) if claim.outcome.is_none() => {
                let reason =
                    format!("{} ({}) lost the shard before its outcome was known", claim.member, claim.instance);
                Some(Settlement::new(claim, Outcome::Unknown { reason }, true))
            }
            _ => None,
        });
        let unmarked = unmarked.collect();
        let held = Held { epoch: entry.create_revision, phase: Phase::Taking, unknown: open.to_vec(), unmarked };
        self.held.insert(shard, held);
        self.marked(shard);
    }

    fn unmarked(&mut self, shard: Shard) -> Option<&mut Settlement> {
        self.held.get_mut(&shard).and_then(|held| held.unmarked.front_mut())
    }

    fn marked(&mut self, shard: Shard) {
        let Some(held) = self.held.get_mut(&shard) else { return };
        if held.unmarked.front().is_some_and(|it| it.ended().is_some()) {
            held.unmarked.pop_front();
        }
        if held.unmarked.is_empty() && held.phase == Phase::Taking {
            held.phase = Phase::Warming;
        }
    }
}

fn release(shard: Shard, epoch: i64) -> Transaction {
    let key = key::shard(shard);
    Transaction {
        changes: vec![Change::Delete(Span::one(&key))],
        compare: vec![Compare::Created(key, epoch)],
        reads: View::spans(),
    }
}
