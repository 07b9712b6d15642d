//! What the threads of a member share: the Guardian drives the machines, the cycle asks what to decide, the SignalSender what to
//! send, the MetricsActor how it is. Nobody waits for the network here.

use super::{Answer, Claim, OrderClaim, Ownership, Phase, Request, Rival, Shard};
use crate::domain::{
    clock::Clock,
    cluster::{Authority, Membership, Standing},
    guard::Suppression,
    instrument::Symbol,
    sanitize::one_line,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What a member does in one cycle: the shards that it decides, each with its epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share(BTreeMap<Shard, i64>);

impl Share {
    /// Whether a symbol is in it.
    pub fn has(&self, symbol: &Symbol) -> bool {
        self.0.contains_key(&Shard::of(symbol.as_str()))
    }
}

/// A shard that was taken over, and the claims in it whose outcome nobody wrote down.
#[derive(Debug, Clone, PartialEq)]
pub struct Inheritance {
    /// The shard.
    pub shard: Shard,
    /// The epoch under which it is ours.
    pub epoch: i64,
    /// The claims, as they were read.
    pub claims: Vec<Claim>,
}

#[derive(Debug)]
struct State {
    ownership: Ownership,
    /// Why the last request had no usable answer; at first, that there was none.
    fault: Option<String>,
    was_asked: bool,
    is_leaving: bool,
    /// Shards with an order on its way, or an outcome that is not in etcd yet.
    busy: BTreeSet<Shard>,
    claims_open: usize,
    /// Shards whose inheritance is in the journal, by epoch.
    noted: BTreeMap<Shard, i64>,
    plan_revision: Option<i64>,
    rebalances: u64,
}

/// The cell. Cheap to clone.
#[derive(Clone)]
pub struct MemberCell {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for MemberCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemberCell").field(&self.lock().ownership.member().name()).finish()
    }
}

impl MemberCell {
    /// Of a member that owns nothing yet.
    pub fn new(ownership: Ownership, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            ownership,
            fault: Some("it was not asked yet".into()),
            was_asked: false,
            is_leaving: false,
            busy: BTreeSet::new(),
            claims_open: 0,
            noted: BTreeMap::new(),
            plan_revision: None,
            rebalances: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), clock }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- for the Guardian ----

    /// How long the next request has time.
    pub fn due_in(&self) -> Duration {
        let state = self.lock();
        let now = self.clock.boottime();
        state.ownership.due_at(now).saturating_sub(now)
    }

    /// The next request, which is sent now.
    pub fn ask(&self) -> Request {
        let mut state = self.lock();
        state.ownership.ask(self.clock.boottime(), self.clock.now_unix())
    }

    /// What came of it: etcd's answer, or why there was none.
    pub fn told(&self, answered: Result<&Answer, String>) {
        let mut state = self.lock();
        let (now, wall_s) = (self.clock.boottime(), self.clock.now_unix());
        state.was_asked = true;
        match answered {
            Ok(answer) => {
                state.fault = None;
                state.ownership.told(now, wall_s, answer);
            }
            Err(fault) => {
                state.fault = Some(fault.clone());
                state.ownership.failed(now, fault);
            }
        }
        state.count_plans();
    }

    /// Leaves: nothing is sent from now on. What to tell etcd, and the lease to end after that; `None` if it is no member.
    pub fn leave(&self) -> Option<(Request, i64)> {
        let mut state = self.lock();
        state.is_leaving = true;
        let (now, wall_s) = (self.clock.boottime(), self.clock.now_unix());
        state.ownership.leave(now, wall_s)
    }

    /// Why the last request had no usable answer.
    pub fn fault(&self) -> Option<String> {
        self.lock().fault.clone()
    }

    /// Whether there was an answer, or a request that had none.
    pub fn was_asked(&self) -> bool {
        self.lock().was_asked
    }

    /// Whether it is a member. It may not be trusted yet, or no longer.
    pub fn is_member(&self) -> bool {
        self.lock().ownership.member().epoch().is_some()
    }

    /// Who keeps it from being one.
    pub fn rival(&self) -> Option<Rival> {
        Rival::of(self.lock().ownership.member())
    }

    /// The shards that it holds, in any phase.
    pub fn held(&self) -> Vec<(Shard, Phase)> {
        let state = self.lock();
        Shard::all().filter_map(|shard| Some((shard, state.ownership.shard(shard)?.0))).collect()
    }

    // ---- for the cycle ----

    /// A cycle begins, and the one before it is over: shards move now. What to decide in it.
    pub fn begin_cycle(&self) -> Share {
        let mut state = self.lock();
        let State { ownership, busy, .. } = &mut *state;
        ownership.at_border(|shard| !busy.contains(&shard));
        let decided = Shard::all().filter_map(|shard| match ownership.shard(shard) {
            Some((Phase::Warming | Phase::Owned, epoch)) => Some((shard, epoch)),
            _ => None,
        });
        Share(decided.collect())
    }

    /// The bars of all its symbols were asked for in this cycle. So those of shards that were taken over are from the market, and
    /// may be ordered if what their owner left is in the journal.
    pub fn fetched(&self, share: &Share) {
        let mut state = self.lock();
        for (shard, epoch) in &share.0 {
            let is_same = state.ownership.shard(*shard).is_some_and(|(_, held)| held == *epoch);
            if is_same && state.noted.get(shard) == Some(epoch) {
                state.ownership.warmed(*shard);
            }
        }
    }

    // ---- for the SignalSender ----

    /// What was taken over and is not in the journal yet.
    pub fn inheritances(&self) -> Vec<Inheritance> {
        let state = self.lock();
        let not_noted = Shard::all().filter_map(|shard| match state.ownership.shard(shard) {
            Some((Phase::Warming, epoch)) if state.noted.get(&shard) != Some(&epoch) => {
                Some(Inheritance { shard, epoch, claims: state.ownership.unknown(shard).cloned().collect() })
            }
            _ => None,
        });
        not_noted.collect()
    }

    /// All of it is in the journal.
    pub fn noted(&self, inheritance: &Inheritance) {
        self.lock().noted.insert(inheritance.shard, inheritance.epoch);
    }

    /// The name of this member, and of its process.
    pub fn names(&self) -> (String, String) {
        let state = self.lock();
        let member = state.ownership.member();
        (member.name().to_owned(), member.instance().to_owned())
    }

    /// See [`Member::revision`](super::Member::revision).
    pub fn revision(&self) -> i64 {
        self.lock().ownership.member().revision()
    }

    /// Another connection was answered at this revision, by an etcd whose newest was `asked_on` when it was asked. Answers whether
    /// etcd knows what was known then; if not, nothing in the answer is believed, and the membership ends with its next look.
    pub fn note_revision(&self, asked_on: i64, revision: i64) -> bool {
        let is_known = revision == 0 || revision >= asked_on;
        if is_known {
            self.lock().ownership.note_revision(revision);
        }
        is_known
    }

    /// The epoch under which an order of this bar may be claimed now.
    ///
    /// # Errors
    /// The reason for which it may not.
    pub fn epoch_for(&self, symbol: &Symbol, bar_close_time: i64) -> Result<i64, Suppression> {
        let state = self.lock();
        // Read after the lock, which may have been waited for.
        state.ownership.epoch_for(self.clock.boottime(), symbol.as_str(), bar_close_time)
    }

    /// See [`Ownership::objection`]. Asked right before the sending.
    pub fn objection(&self, claim: &OrderClaim) -> Option<Suppression> {
        let state = self.lock();
        if state.is_leaving {
            return Some(Suppression::NotHolder);
        }
        state.ownership.objection(self.clock.boottime(), claim)
    }

    /// Which shards have an order on its way or an outcome that is not in etcd yet; and how many claims have no final outcome.
    pub fn set_open(&self, busy: BTreeSet<Shard>, claims_open: usize) {
        let mut state = self.lock();
        (state.busy, state.claims_open) = (busy, claims_open);
    }
}

impl State {
    fn may_send_at(&self, now: Duration) -> bool {
        let member = self.ownership.member();
        !self.is_leaving && member.is_trusted_at(now) && member.view().differs_from(member.name()).is_none()
    }

    fn count_plans(&mut self) {
        let revision = self.ownership.member().view().plan_revision();
        // Zero before the first look, and without a plan.
        let known = self.plan_revision.replace(revision).filter(|known| *known > 0);
        if revision > 0 && known.is_some_and(|known| known != revision) {
            self.rebalances += 1;
        }
    }

    fn trouble(&self, now: Duration) -> Option<String> {
        let member = self.ownership.member();
        let (from, until) = member.trust();
        let is_trusted = member.is_trusted_at(now);
        let left = until.saturating_sub(now).as_secs();
        Some(match (&self.fault, member.trouble()) {
            _ if self.is_leaving => "no order is sent: the daemon is stopping".into(),
            (Some(fault), _) if is_trusted => {
                format!("etcd does not answer, and in {left} s no order is sent any more: {fault}")
            }
            (Some(fault), _) => format!("no order is sent, because etcd does not answer: {fault}"),
            (None, Some(trouble)) if !is_trusted => format!("no order is sent: {trouble}"),
            (None, _) if member.epoch().is_none() => {
                "no order is sent: this daemon is no member of the cluster yet".into()
            }
            (None, _) if now < from => {
                let wait = (from - now).as_secs() + 1;
                format!(
                    "no order is sent for another {wait} s, until whoever traded the account before has surely stopped"
                )
            }
            (None, _) if !is_trusted => "no order is sent: the membership was not kept alive in time".into(),
            (None, _) => {
                let settled = one_line(member.view().differs_from(member.name())?);
                format!(
                    "no order is sent: the account's limits, the symbols, the interval or the model of this member are not those of \
                     {settled}, which trades; give all members the same settings"
                )
            }
        })
    }
}

impl Authority for MemberCell {
    fn may_send(&self) -> bool {
        let state = self.lock();
        // Read after the lock, which may have been waited for.
        state.may_send_at(self.clock.boottime())
    }

    fn bars_after(&self) -> Option<i64> {
        self.lock().ownership.member().bars_after()
    }

    fn epoch(&self, symbol: &Symbol) -> Option<i64> {
        let state = self.lock();
        let is_trusted = state.ownership.member().is_trusted_at(self.clock.boottime());
        match state.ownership.shard(Shard::of(symbol.as_str())) {
            Some((Phase::Owned, epoch)) if is_trusted => Some(epoch),
            _ => None,
        }
    }

    fn standing(&self) -> Option<Standing> {
        let (state, now) = (self.lock(), self.clock.boottime());
        let member = state.ownership.member();
        let (from, until) = member.trust();
        Some(Standing {
            from,
            until,
            bars_after: member.bars_after(),
            epoch: member.epoch().map(|(epoch, _)| epoch),
            before: None,
            is_etcd_up: state.fault.is_none(),
            is_holder: member.epoch().is_some(),
            trouble: state.trouble(now),
        })
    }

    fn remaining(&self) -> Duration {
        let (state, now) = (self.lock(), self.clock.boottime());
        let member = state.ownership.member();
        if state.may_send_at(now) { member.trust().1 - now } else { Duration::ZERO }
    }

    fn membership(&self) -> Option<Membership> {
        let (state, now) = (self.lock(), self.clock.boottime());
        let member = state.ownership.member();
        let is_trusted = !state.is_leaving && member.is_trusted_at(now);
        // A shard that is still being taken over, or given back, is ordered by nobody.
        let is_owned = |shard| matches!(state.ownership.shard(shard), Some((Phase::Owned | Phase::Draining, _)));
        let is_ours = |shard: Shard| is_trusted && is_owned(shard);
        Some(Membership {
            members: member.view().members().count(),
            shards: Shard::all().map(|shard| (shard, is_ours(shard))).collect(),
            rebalances: state.rebalances,
            claims_open: state.claims_open,
            halt: member.view().halt(),
        })
    }
}
