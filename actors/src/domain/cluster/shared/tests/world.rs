//! The simulated world: three daemons, one etcd, a network that loses and delays, and a gateway that writes down what it gets.

use super::{
    super::transaction::{Answer, Request},
    daemon::{Daemon, MEMBERSHIP, ORDERS, Task},
    *,
};
use crate::domain::{
    cluster::tests::{chance::Chance, fake_etcd::FakeEtcd},
    guard::{Limits, Suppression},
    order::Outcome,
};
use std::collections::{HashMap, HashSet};

pub const STEP_MS: u64 = 100;
pub const QUIET_FROM_MS: u64 = 150_000;
pub const STEPS: u64 = 4_500;
pub const BAR_S: i64 = 20;
pub const SYMBOLS: [&str; 5] = ["EURUSD", "USDJPY", "GBPUSD", "XAUUSD", "BTCUSD"];

/// A request on its way: it may reach etcd long after its daemon gave it up.
struct Message {
    of: usize,
    on: usize,
    number: u64,
    request: Request,
    sent_at: u64,
    arrives_at: u64,
    answer: Option<(u64, Answer)>,
}

/// What a gateway got.
pub struct Delivered {
    pub claim: Claim,
    pub is_executed: bool,
}

/// What happened, so that a test can see that it was worth its time.
#[derive(Debug, Default)]
pub struct Tally {
    pub sent: u64,
    pub taken_over: u64,
    pub not_sent: u64,
    pub never_made: u64,
    pub proven: u64,
    pub refused: HashMap<Suppression, u64>,
}

pub struct World {
    pub seed: u64,
    pub chance: Chance,
    pub etcd: FakeEtcd,
    pub daemons: Vec<Daemon>,
    pub limits: Limits,
    messages: Vec<Message>,
    numbers: u64,
    /// By the key of the claim.
    pub delivered: HashMap<Key, Delivered>,
    /// Of which a new owner has proven that they were not executed.
    never: HashSet<Key>,
    /// Who sent something of a bar: process and epoch.
    senders: HashMap<(String, i64), (String, i64)>,
    /// When a claim was asked for first, true time, by its nonce.
    attempted: HashMap<Uuid, u64>,
    pub tally: Tally,
    /// Whether the gateway refuses everything.
    refuses: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let limits = match seed % 4 {
            0 => Limits { orders_per_hour_max: 10, ..Limits::default() },
            1 => Limits { orders_per_day_max: 12, ..Limits::default() },
            2 => Limits { failures_in_a_row_max: 3, ..Limits::default() },
            _ => Limits::default(),
        };
        let apart = if chance.once_in(2) { 2 } else { 120 };
        let daemons = (0..3_u64).map(|index| {
            let clocks =
                (970 + chance.below(61), chance.below(1_000_000), chance.below(2 * apart + 1) as i64 - apart as i64);
            Daemon::new(&format!("m{index}"), &format!("i{index}"), limits, clocks)
        });
        // Somebody was there before; otherwise the first minute is lost.
        let before = Record { journal: JOURNAL.into(), ..member_record("before", "before").record };
        let mut etcd = FakeEtcd::default();
        let changes = vec![Change::put(key::LAST, Value::Record(Box::new(before)))];
        etcd.transact(&Transaction { changes, ..Transaction::default() });
        Self {
            daemons: daemons.collect(),
            seed,
            chance,
            etcd,
            limits,
            messages: Vec::new(),
            numbers: 1_000,
            delivered: HashMap::new(),
            never: HashSet::new(),
            senders: HashMap::new(),
            attempted: HashMap::new(),
            tally: Tally::default(),
            refuses: seed % 4 == 2,
        }
    }

    pub fn step(&mut self, now_ms: u64) {
        match now_ms {
            ..QUIET_FROM_MS => self.faults(now_ms),
            QUIET_FROM_MS => self.daemons.iter_mut().for_each(|daemon| {
                (daemon.paused_until, daemon.down_until, daemon.cut_until, daemon.mute_until) = (0, 0, 0, 0);
            }),
            _ => {}
        }
        self.etcd.expire(now_ms);
        self.arrive(now_ms);
        for of in 0..self.daemons.len() {
            let daemon = &self.daemons[of];
            if daemon.paused_until > now_ms || daemon.down_until > now_ms {
                continue;
            }
            for on in [MEMBERSHIP, ORDERS] {
                self.deliver(of, on, now_ms);
            }
            self.trade(of, now_ms);
            for on in [MEMBERSHIP, ORDERS] {
                if let Some(request) = self.daemons[of].ask(on, now_ms) {
                    let number = self.send(of, on, request, now_ms);
                    self.daemons[of].sent(on, number, now_ms);
                }
            }
        }
        self.messages.retain(|it| it.answer.as_ref().is_none_or(|(at, _)| *at > 0 && at + 60_000 > now_ms));
    }

    fn faults(&mut self, now_ms: u64) {
        for of in 0..self.daemons.len() {
            // Often in the middle of an order, and for about as long as it may be sent or as a lease lives.
            if self.chance.once_in(if self.daemons[of].task.is_some() { 60 } else { 400 }) {
                let length = if self.chance.once_in(2) { 3_000 } else { 25_000 };
                self.daemons[of].paused_until = now_ms + self.chance.below(length);
            }
            if self.chance.once_in(if self.daemons[of].task.is_some() { 60 } else { 400 }) {
                self.daemons[of].cut_until = now_ms + self.chance.below(30_000);
            }
            if self.chance.once_in(400) {
                self.daemons[of].mute_until = now_ms + self.chance.below(30_000);
            }
            if self.chance.once_in(if self.daemons[of].task.is_some() { 150 } else { 800 }) {
                self.numbers += 1;
                let mut fresh = self.daemons[of].restarted(&format!("i{}", self.numbers));
                fresh.down_until = now_ms + self.chance.below(20_000);
                if self.chance.once_in(2)
                    && let Some((request, _)) = self.leave(of, now_ms)
                {
                    self.send(of, MEMBERSHIP, request, now_ms);
                }
                self.daemons[of] = fresh;
            }
        }
        if self.chance.once_in(700) {
            self.etcd.leases.clear();
        }
    }

    fn leave(&mut self, of: usize, now_ms: u64) -> Option<(Request, i64)> {
        let daemon = &mut self.daemons[of];
        let (now, wall_ms) = (daemon.clock(now_ms), daemon.wall_ms(now_ms));
        daemon.ownership.leave(now, wall_ms.div_euclid(1_000))
    }

    fn send(&mut self, of: usize, on: usize, request: Request, now_ms: u64) -> u64 {
        self.numbers += 1;
        let is_quiet = now_ms >= QUIET_FROM_MS;
        if let Some(claim) = claimed_in(&request) {
            self.attempted.entry(claim.nonce).or_insert(now_ms);
        }
        let daemon = &self.daemons[of];
        let is_cut = daemon.cut_until > now_ms || (on == MEMBERSHIP && daemon.mute_until > now_ms);
        if is_quiet || (!is_cut && !self.chance.once_in(30)) {
            let is_slow = !is_quiet && self.chance.once_in(if claimed_in(&request).is_some() { 4 } else { 15 });
            let late = if is_slow { self.chance.below(20_000) } else { self.chance.below(100) };
            let arrives_at = now_ms + late;
            self.messages.push(Message {
                of,
                on,
                number: self.numbers,
                request,
                sent_at: now_ms,
                arrives_at,
                answer: None,
            });
        }
        self.numbers
    }

    fn arrive(&mut self, now_ms: u64) {
        let is_due = |it: &&mut Message| it.answer.is_none() && it.arrives_at <= now_ms;
        let mut arrived: Vec<_> = self.messages.iter_mut().filter(is_due).collect();
        arrived.sort_by_key(|it| it.arrives_at);
        for message in arrived {
            let answer = self.etcd.answer(&message.request, now_ms);
            if let (Some(claim), Some(Answer::Done(Done { is_made: true, .. }))) =
                (claimed_in(&message.request), &answer)
            {
                check_made(self.seed, &self.etcd, claim);
            }
            let is_quiet = now_ms >= QUIET_FROM_MS;
            let is_lost = !is_quiet && (self.daemons[message.of].cut_until > now_ms || self.chance.once_in(20));
            // Some answers are late, but not too late to be taken.
            let slow = if is_quiet || !self.chance.once_in(15) { 100 } else { 2_000 };
            let delay = self.chance.below(slow);
            message.answer = match answer.filter(|_| !is_lost) {
                Some(answer) => Some((now_ms + delay, answer)),
                // Never: it is forgotten.
                None => Some((0, Answer::Revoked)),
            };
        }
    }

    fn deliver(&mut self, of: usize, on: usize, now_ms: u64) {
        let Some((number, _)) = self.daemons[of].open[on] else { return };
        let is_it = |it: &Message| {
            let is_answered = it.answer.as_ref().is_some_and(|(at, _)| (1..=now_ms).contains(at));
            (it.of, it.on, it.number) == (of, on, number) && is_answered
        };
        if let Some(index) = self.messages.iter().position(is_it) {
            let Message { answer, sent_at, .. } = self.messages.remove(index);
            let answer = answer.map(|(_, answer)| answer);
            if matches!(answer, Some(Answer::Granted { .. } | Answer::KeptAlive(Some(_)))) {
                self.daemons[of].kept_ms = sent_at;
            }
            self.daemons[of].told(on, now_ms, answer);
        } else if self.daemons[of].gives_up(on, now_ms) {
            self.daemons[of].told(on, now_ms, None);
        }
    }

    /// What a daemon does about its orders, between two requests.
    fn trade(&mut self, of: usize, now_ms: u64) {
        self.settled(of);
        self.prove(of, now_ms);
        match self.daemons[of].task.take() {
            Some(Task::Claiming(claim)) => self.claimed(of, claim, now_ms),
            Some(Task::Sent(claim, at, outcome)) if at <= now_ms => self.answered(of, *claim, outcome, now_ms),
            task => self.daemons[of].task = task,
        }
        let bar = (WALL + (now_ms / 1_000) as i64).div_euclid(BAR_S) * BAR_S;
        // The same on all of them: what a close is for is open at the broker.
        let closes_first = (bar / BAR_S + self.seed as i64) % 2 == 0;
        self.numbers += 1;
        let nonce = Uuid::from_u128(u128::from(self.numbers));
        self.daemons[of].cycle(now_ms, &SYMBOLS, (bar, closes_first), nonce);
    }

    fn settled(&mut self, of: usize) {
        let settling = &mut self.daemons[of].settling;
        let Some(ended) = settling.front().and_then(|it| it.ended().cloned()) else { return };
        settling.pop_front();
        if ended == Settled::NeverMade {
            self.tally.never_made += 1;
        }
    }

    fn claimed(&mut self, of: usize, claim: Box<OrderClaim>, now_ms: u64) {
        let daemon = &mut self.daemons[of];
        let reason = match claim.verdict() {
            Verdict::Open => {
                daemon.task = Some(Task::Claiming(claim));
                return;
            }
            Verdict::Made if daemon.ownership.objection(daemon.clock(now_ms), &claim).is_none() => {
                self.gateway(of, claim.claim().clone(), now_ms);
                return;
            }
            Verdict::Made => Suppression::NotHolder,
            Verdict::Refused(reason) => reason,
        };
        *self.tally.refused.entry(reason).or_default() += 1;
        daemon.drop_order_after(&claim.claim().order);
        if let Some(settlement) = claim.given_up(reason.as_str()) {
            self.tally.not_sent += 1;
            daemon.settling.push_back(settlement);
        }
    }

    /// The order leaves the daemon.
    fn gateway(&mut self, of: usize, claim: Claim, now_ms: u64) {
        let (seed, key) = (self.seed, claim.order.key());
        assert!(!self.never.contains(&key), "seed {seed}, {now_ms} ms: {key} was proven never to be executed");
        let sender = (claim.instance.clone(), claim.epoch);
        let bar = (claim.order.symbol.clone(), claim.order.bar_close_time);
        let known = self.senders.entry(bar).or_insert_with(|| sender.clone());
        assert_eq!(*known, sender, "seed {seed}, {now_ms} ms: two owners send {key}");
        // Its clock may be slower by 3 %.
        let (age, trust) = (now_ms - self.attempted[&claim.nonce], now_ms - self.daemons[of].kept_ms);
        assert!(age * 97 <= 200_000, "seed {seed}, {now_ms} ms: {key} is sent {age} ms after it was claimed");
        assert!(trust * 97 <= 1_000_000, "seed {seed}, {now_ms} ms: {key} is sent {trust} ms after a keep-alive");
        let (outcome, is_executed) = match self.chance.below(8) {
            _ if self.refuses => (Outcome::Rejected { reason: "no".into() }, false),
            0 => (Outcome::Rejected { reason: "no".into() }, false),
            chance @ 1..=2 => (Outcome::Unknown { reason: "no reply".into() }, chance == 1),
            _ => (Outcome::Filled { ticket: 7, price: None, volume: None }, true),
        };
        let twice = self.delivered.insert(key.clone(), Delivered { claim: claim.clone(), is_executed });
        assert!(twice.is_none(), "seed {seed}, {now_ms} ms: {key} is sent twice");
        self.tally.sent += 1;
        let at = now_ms + self.chance.below(if now_ms < QUIET_FROM_MS { 2_500 } else { 500 });
        self.daemons[of].task = Some(Task::Sent(Box::new(claim), at, outcome));
    }

    fn answered(&mut self, of: usize, claim: Claim, outcome: Outcome, now_ms: u64) {
        let daemon = &mut self.daemons[of];
        if !matches!(outcome, Outcome::Filled { .. }) {
            daemon.drop_order_after(&claim.order);
        }
        if matches!(outcome, Outcome::Unknown { .. }) {
            daemon.unknown.push((daemon.clock(now_ms), claim.clone()));
        }
        daemon.settling.push_back(Settlement::new(&claim, outcome, true));
    }

    /// The open positions say whether an order was executed.
    fn prove(&mut self, of: usize, now_ms: u64) {
        for claim in self.daemons[of].provable(now_ms) {
            let key = claim.order.key();
            let outcome = match self.delivered.get(&key) {
                Some(Delivered { is_executed: true, .. }) => Outcome::Filled { ticket: 7, price: None, volume: None },
                _ => {
                    self.never.insert(key);
                    Outcome::Rejected { reason: "no new position".into() }
                }
            };
            if claim.instance != self.daemons[of].ownership.member().instance() {
                self.tally.taken_over += 1;
            }
            self.tally.proven += 1;
            self.daemons[of].settling.push_back(Settlement::new(&claim, outcome, true));
        }
    }
}

/// What holds in etcd when a claim was made.
fn check_made(seed: u64, etcd: &FakeEtcd, claim: &Claim) {
    let (symbol, bar) = (&claim.order.symbol, claim.order.bar_close_time);
    let owner = etcd.keys.get(&key::shard(Shard::of(symbol)));
    assert!(owner.is_some_and(|it| it.create_revision == claim.epoch), "seed {seed}: {claim:?} is not by the owner");
    assert_eq!(etcd.read(&key::open_of_symbol(symbol)).len(), 1, "seed {seed}: {claim:?} is beside another one");
    assert!(etcd.read(&key::bars_from(symbol, bar + 1)).is_empty(), "seed {seed}: {claim:?} comes after a newer bar");
    let is_of_epoch = |it: &Entry| matches!(&it.value, Some(Value::Claim(it)) if it.epoch == claim.epoch);
    assert!(etcd.read(&key::bar(symbol, bar)).iter().all(is_of_epoch), "seed {seed}: {claim:?}: a bar of two epochs");
}

/// The order that a request claims.
fn claimed_in(request: &Request) -> Option<&Claim> {
    let Request::Transact(transaction) = request else { return None };
    transaction.changes.iter().find_map(|change| match change {
        Change::Put { value: Value::Claim(claim), .. } if claim.outcome.is_none() => Some(&**claim),
        _ => None,
    })
}
