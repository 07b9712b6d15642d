//! A daemon of the simulation: its shards, its cycles, its orders. Its clocks run apart from the true time.

use super::{
    super::transaction::{Answer, Request},
    *,
};
use crate::domain::{guard::Limits, order::Outcome};
use std::collections::{HashSet, VecDeque};

/// Which of the two connections to etcd: one keeps the membership, so that no order ever waits for it.
pub const MEMBERSHIP: usize = 0;
pub const ORDERS: usize = 1;
const CYCLE: Duration = Duration::from_secs(5);
/// Of each connection. A lost answer to a claim leaves time to read it back.
const GIVES_UP_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_millis(700)];
/// As `reconcile::SETTLES_AFTER`.
const PROVES_AFTER: Duration = Duration::from_secs(7);

/// An order on its way.
pub enum Task {
    Claiming(Box<OrderClaim>),
    /// Sent; the gateway answers then (true time).
    Sent(Box<Claim>, u64, Outcome),
}

pub struct Daemon {
    pub name: String,
    pub ownership: Ownership,
    pub limits: Limits,
    rate: u64,
    offset: u64,
    pub wall_off: i64,
    pub paused_until: u64,
    pub down_until: u64,
    pub cut_until: u64,
    /// The same for the connection that keeps the membership.
    pub mute_until: u64,
    /// When the keep-alive was sent that was answered last, true time.
    pub kept_ms: u64,
    /// The open request of each connection: its number, and when it gives up, by its own clock.
    pub open: [Option<(u64, Duration)>; 2],
    due_at: Duration,
    next_cycle_at: Duration,
    warm_at: Duration,
    /// What is left of this cycle: a close comes before its order.
    queue: VecDeque<ClaimedOrder>,
    tried: HashSet<Key>,
    pub task: Option<Task>,
    pub settling: VecDeque<Settlement>,
    /// Of unknown outcome, and since when.
    pub unknown: Vec<(Duration, Claim)>,
}

impl Daemon {
    pub fn new(name: &str, instance: &str, limits: Limits, (rate, offset, wall_off): (u64, u64, i64)) -> Self {
        Self {
            name: name.into(),
            ownership: Ownership::new(Member::new(member_record(name, instance), TERMS)),
            limits,
            rate,
            offset,
            wall_off,
            paused_until: 0,
            down_until: 0,
            cut_until: 0,
            mute_until: 0,
            kept_ms: 0,
            open: [None, None],
            due_at: Duration::ZERO,
            next_cycle_at: Duration::ZERO,
            warm_at: Duration::ZERO,
            queue: VecDeque::new(),
            tried: HashSet::new(),
            task: None,
            settling: VecDeque::new(),
            unknown: Vec::new(),
        }
    }

    /// The process ends and another one begins, which knows nothing of it.
    pub fn restarted(&self, instance: &str) -> Self {
        Self::new(&self.name, instance, self.limits, (self.rate, self.offset, self.wall_off))
    }

    pub fn clock(&self, now_ms: u64) -> Duration {
        Duration::from_millis(self.offset + now_ms * self.rate / 1_000)
    }

    pub fn wall_ms(&self, now_ms: u64) -> i64 {
        (WALL + self.wall_off) * 1_000 + now_ms as i64
    }

    /// The next request on a connection, if one is due.
    pub fn ask(&mut self, on: usize, now_ms: u64) -> Option<Request> {
        let (now, wall_ms) = (self.clock(now_ms), self.wall_ms(now_ms));
        if self.open[on].is_some() {
            return None;
        }
        let request = match (on, &mut self.task) {
            (MEMBERSHIP, _) => (now >= self.due_at).then(|| self.ownership.ask(now, wall_ms.div_euclid(1_000)))?,
            (_, Some(Task::Claiming(claim))) if claim.verdict() == Verdict::Open => {
                Request::Transact(claim.ask(now, wall_ms))
            }
            _ => Request::Transact(self.settling.front()?.ask()),
        };
        Some(request)
    }

    pub fn sent(&mut self, on: usize, number: u64, now_ms: u64) {
        self.open[on] = Some((number, self.clock(now_ms) + GIVES_UP_AFTER[on]));
    }

    /// Whether the open request of a connection is given up.
    pub fn gives_up(&self, on: usize, now_ms: u64) -> bool {
        self.open[on].is_some_and(|(_, at)| self.clock(now_ms) >= at)
    }

    /// The answer to the open request of a connection; `None` if there was none.
    pub fn told(&mut self, on: usize, now_ms: u64, answer: Option<Answer>) {
        let (now, wall_ms) = (self.clock(now_ms), self.wall_ms(now_ms));
        self.open[on] = None;
        if on == MEMBERSHIP {
            match answer {
                Some(answer) => self.ownership.told(now, wall_ms.div_euclid(1_000), &answer),
                None => self.ownership.failed(now, "no answer".into()),
            }
            self.due_at = self.ownership.due_at(now);
            return;
        }
        let done = match answer {
            Some(Answer::Done(done)) => Some(done),
            _ => None,
        };
        match (&mut self.task, done) {
            (Some(Task::Claiming(claim)), Some(done)) if claim.verdict() == Verdict::Open => {
                claim.told(now, wall_ms, &done);
            }
            (Some(Task::Claiming(claim)), None) if claim.verdict() == Verdict::Open => claim.failed(now),
            (_, done) => {
                let Some(settlement) = self.settling.front_mut() else { return };
                match done {
                    Some(done) => settlement.told(&done),
                    None => settlement.failed(),
                }
            }
        }
    }

    /// Between two requests: warms up, begins and ends cycles. `bar`: the newest closed one of these symbols. `nonce`: a new one.
    pub fn cycle(&mut self, now_ms: u64, symbols: &[&str], (bar, closes_first): (i64, bool), nonce: Uuid) {
        let now = self.clock(now_ms);
        self.warm(now);
        if self.task.is_some() {
            return;
        }
        if self.queue.is_empty() && now >= self.next_cycle_at {
            self.next_cycle_at = now + CYCLE;
            let busy: HashSet<Shard> = self.settling.iter().map(Settlement::shard).collect();
            self.ownership.at_border(|shard| !busy.contains(&shard));
            self.due_at = self.ownership.due_at(now);
            for symbol in symbols {
                let closes = closes_first.then(|| claimed_order(symbol, bar, Some(7)));
                self.queue.extend(closes.into_iter().chain([claimed_order(symbol, bar, None)]));
            }
        }
        // An outcome is in etcd before the next order.
        if !self.settling.is_empty() {
            return;
        }
        while let Some(order) = self.queue.pop_front() {
            let epoch = self.ownership.epoch_for(now, &order.symbol, order.bar_close_time);
            if let Ok(epoch) = epoch
                && self.tried.insert(order.key())
            {
                let claim = Claim {
                    member: self.name.clone(),
                    instance: self.ownership.member().instance().into(),
                    epoch,
                    nonce,
                    order,
                    tickets_before: None,
                    dialect: None,
                    account_mode: None,
                    at_ms: 0,
                    last_order_ms: None,
                    outcome: None,
                };
                self.task = Some(Task::Claiming(Box::new(OrderClaim::new(claim, self.limits, None))));
                return;
            }
        }
    }

    fn warm(&mut self, now: Duration) {
        let warming: Vec<_> =
            Shard::all().filter(|shard| matches!(self.ownership.shard(*shard), Some((Phase::Warming, _)))).collect();
        if warming.is_empty() {
            self.warm_at = now + Duration::from_millis(500);
        } else if now >= self.warm_at {
            for shard in warming {
                let claims: Vec<_> = self.ownership.unknown(shard).cloned().collect();
                self.unknown.retain(|(_, claim)| Shard::of(&claim.order.symbol) != shard);
                self.unknown.extend(claims.into_iter().map(|claim| (now, claim)));
                self.ownership.warmed(shard);
            }
        }
    }

    /// A close that was not filled stops the order after it.
    pub fn drop_order_after(&mut self, close: &ClaimedOrder) {
        if close.closes.is_some() && self.queue.front().is_some_and(|next| next.symbol == close.symbol) {
            self.queue.pop_front();
        }
    }

    /// Claims of unknown outcome that may be proven now, because their shard is ours and enough time has passed.
    pub fn provable(&mut self, now_ms: u64) -> Vec<Claim> {
        let now = self.clock(now_ms);
        let ownership = &self.ownership;
        let is_due = |(since, claim): &(Duration, Claim)| {
            let phase = ownership.shard(Shard::of(&claim.order.symbol)).map(|(phase, _)| phase);
            phase == Some(Phase::Owned) && now >= *since + PROVES_AFTER
        };
        let (due, rest) = std::mem::take(&mut self.unknown).into_iter().partition(is_due);
        self.unknown = rest;
        due.into_iter().map(|(_, claim): (Duration, Claim)| claim).collect()
    }
}
