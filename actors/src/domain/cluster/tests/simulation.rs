//! Three daemons of one account and one etcd, in seeded random worlds: pauses, partitions, lost and late requests and answers,
//! kills, clean restarts, leases that etcd ends early, an etcd that loses its data or goes on with an older copy of it, clocks that
//! run apart, and wall clocks that step. Two never may send at the same true time.

use super::{
    chance::{Chance, seeds},
    fake_etcd::FakeEtcd,
    *,
};
use std::collections::HashMap;

const STEP_MS: u64 = 50;
const STEPS: u64 = 6_000;

/// A request on its way: it may reach etcd long after its daemon gave it up.
struct Request {
    of: usize,
    number: u64,
    ask: Ask,
    arrives_at: u64,
    answer: Option<(u64, EtcdAnswer)>,
}

struct Daemon {
    guard: Guard,
    journal: String,
    /// Its clocks: true milliseconds times this, in thousandths; and how far its wall clock is off.
    rate: u64,
    wall_off: i64,
    /// How far it was set since, seconds.
    step: i64,
    offset: u64,
    paused_until: u64,
    down_until: u64,
    cut_until: u64,
    /// The number of its open request, and when it gives up, by its own clock.
    open: Option<(u64, Duration)>,
    /// The newest version of `last` that etcd told this process of.
    known: i64,
}

impl Daemon {
    fn clock(&self, now_ms: u64) -> Duration {
        Duration::from_millis(self.offset + now_ms * self.rate / 1_000)
    }

    fn wall(&self, now_ms: u64) -> i64 {
        WALL + (now_ms / 1_000) as i64 + self.wall_off + self.step
    }

    fn may_send(&self, now_ms: u64) -> bool {
        self.down_until <= now_ms && self.guard.may_send_at(self.clock(now_ms))
    }
}

struct World {
    chance: Chance,
    etcd: FakeEtcd,
    daemons: Vec<Daemon>,
    requests: Vec<Request>,
    numbers: u64,
    /// Whether its etcd loses its data now and then.
    loses_data: bool,
    /// A copy of etcd's data.
    copy: Option<FakeEtcd>,
    /// When etcd was set back, until somebody holds the account anew. A process that begins meanwhile cannot know what is lost.
    set_back_at: Option<u64>,
    set_back: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        // What an empty etcd has forgotten is also how far the clocks are apart, so that they must agree there.
        let loses_data = chance.once_in(2);
        let apart = if loses_data { 2 } else { 120 };
        let walls = [0, 1].map(|_| chance.below(2 * apart + 1) as i64 - apart as i64);
        let daemons = (0..3_u64).map(|index| {
            // Two machines; on one of them two daemons share a journal.
            let journal = format!("journal-{}", index / 2);
            Daemon {
                guard: Guard::new(record(&format!("i{index}"), &journal), TERMS),
                journal,
                rate: 970 + chance.below(61),
                wall_off: walls[index as usize / 2],
                step: 0,
                offset: chance.below(1_000_000),
                paused_until: 0,
                down_until: 0,
                cut_until: 0,
                open: None,
                known: 0,
            }
        });
        let daemons = daemons.collect();
        Self {
            chance,
            etcd: FakeEtcd::default(),
            daemons,
            requests: Vec::new(),
            numbers: 1_000,
            loses_data,
            copy: None,
            set_back_at: None,
            set_back: 0,
        }
    }

    fn send(&mut self, of: usize, ask: Ask, now_ms: u64) -> u64 {
        self.numbers += 1;
        let is_cut = self.daemons[of].cut_until > now_ms;
        if !is_cut && !self.chance.once_in(40) {
            let late = if self.chance.once_in(25) { self.chance.below(20_000) } else { self.chance.below(120) };
            let arrives_at = now_ms + late;
            self.requests.push(Request { of, number: self.numbers, ask, arrives_at, answer: None });
        }
        self.numbers
    }

    fn faults(&mut self, now_ms: u64) {
        for of in 0..self.daemons.len() {
            if self.chance.once_in(900) {
                self.daemons[of].paused_until = now_ms + self.chance.below(25_000);
            }
            if self.chance.once_in(900) {
                self.daemons[of].cut_until = now_ms + self.chance.below(30_000);
            }
            if self.chance.once_in(1_000) {
                self.daemons[of].step = self.chance.below(5) as i64 - 2;
            }
            let is_killed = self.chance.once_in(2_000);
            let is_stopped = !is_killed && self.chance.once_in(2_000) && self.daemons[of].paused_until <= now_ms;
            if (is_killed || is_stopped) && self.set_back_at.is_none() {
                let (now, wall) = (self.daemons[of].clock(now_ms), self.daemons[of].wall(now_ms));
                if let (true, Some((ask, _))) = (is_stopped, self.daemons[of].guard.release(now, wall, true)) {
                    self.send(of, ask, now_ms);
                }
                self.numbers += 1;
                let down_ms = self.chance.below(20_000);
                let (instance, daemon) = (format!("i{}", self.numbers), &mut self.daemons[of]);
                daemon.guard = Guard::new(record(&instance, &daemon.journal), TERMS);
                (daemon.open, daemon.down_until, daemon.paused_until) = (None, now_ms + down_ms, 0);
                daemon.known = 0;
            }
        }
        if self.chance.once_in(1_500) {
            self.etcd.leases.clear();
        }
        if self.loses_data && self.chance.once_in(3_000) {
            self.etcd = self.etcd.emptied();
            (self.copy, self.set_back_at) = (None, None);
            self.daemons.iter_mut().for_each(|daemon| daemon.known = 0);
        }
        // Here, too, the clocks must agree.
        if self.loses_data && self.copy.is_none() && self.chance.once_in(400) {
            self.copy = Some(self.etcd.clone());
        }
        if self.chance.once_in(400)
            && let Some(copy) = self.copy.take_if(|copy| self.daemons.iter().all(|it| it.known > last_of(copy)))
        {
            self.etcd.set_back_to(&copy, now_ms);
            // What was on its way was lost with the connections.
            self.requests.clear();
            self.set_back_at = Some(now_ms);
            self.set_back += 1;
            self.daemons.iter_mut().for_each(|daemon| daemon.known = 0);
        }
    }

    fn step(&mut self, now_ms: u64) {
        self.faults(now_ms);
        self.etcd.expire(now_ms);
        let mut arrived: Vec<_> = (0..self.requests.len())
            .filter(|&it| self.requests[it].answer.is_none() && self.requests[it].arrives_at <= now_ms)
            .collect();
        arrived.sort_by_key(|&it| self.requests[it].arrives_at);
        for it in arrived {
            let answer = self.etcd.answer_guard(self.requests[it].ask.clone(), now_ms);
            let is_lost = self.daemons[self.requests[it].of].cut_until > now_ms || self.chance.once_in(30);
            let delay = self.chance.below(200);
            self.requests[it].answer = match answer.filter(|_| !is_lost) {
                Some(answer) => Some((now_ms + delay, answer)),
                // Never: it is forgotten below.
                None => Some((0, EtcdAnswer::Revoked)),
            };
        }
        for of in 0..self.daemons.len() {
            let daemon = &mut self.daemons[of];
            if daemon.paused_until > now_ms || daemon.down_until > now_ms {
                continue;
            }
            let (now, wall) = (daemon.clock(now_ms), daemon.wall(now_ms));
            if let Some((number, gives_up_at)) = daemon.open {
                let answered = self.requests.iter().position(|request| {
                    request.of == of
                        && request.number == number
                        && request.answer.as_ref().is_some_and(|(at, _)| (1..=now_ms).contains(at))
                });
                if let Some(it) = answered {
                    daemon.open = None;
                    if let Some((_, answer)) = self.requests.remove(it).answer {
                        daemon.known = daemon.known.max(version_in(&answer));
                        daemon.guard.told(now, wall, answer);
                    }
                } else if now >= gives_up_at {
                    daemon.open = None;
                    daemon.guard.failed(now, "no answer".into());
                }
            }
            if daemon.open.is_none() && now >= daemon.guard.due_at() {
                let ask = daemon.guard.ask(now, wall);
                let number = self.send(of, ask, now_ms);
                self.daemons[of].open = Some((number, now + s(2)));
            }
        }
        self.requests.retain(|it| it.answer.as_ref().is_none_or(|(at, _)| *at > 0 && at + 60_000 > now_ms));
    }
}

/// The version of `last` there.
fn last_of(etcd: &FakeEtcd) -> i64 {
    etcd.keys.get(crate::domain::cluster::shared::key::LAST).map_or(0, |entry| entry.mod_revision)
}

/// The version of `last` that an answer tells.
fn version_in(answer: &EtcdAnswer) -> i64 {
    match answer {
        EtcdAnswer::Done { revision } => *revision,
        EtcdAnswer::Seen(seen) | EtcdAnswer::Refused(seen) => seen.last.as_ref().map_or(0, |last| last.mod_revision),
        EtcdAnswer::Granted { .. } | EtcdAnswer::KeptAlive(_) | EtcdAnswer::Revoked => 0,
    }
}

#[test]
fn two_never_may_send_at_the_same_time() {
    let (mut held_steps, mut takeovers, mut set_back) = (0_u64, 0_u64, 0_u64);
    let seeds = seeds();
    for seed in 0..seeds {
        let mut world = World::new(seed);
        let mut before: Option<(usize, String)> = None;
        let mut ordered: HashMap<String, i64> = HashMap::new();
        for step in 0..STEPS {
            let now_ms = step * STEP_MS;
            world.step(now_ms);
            let senders: Vec<_> = (0..3).filter(|&of| world.daemons[of].may_send(now_ms)).collect();
            assert!(senders.len() <= 1, "seed {seed}, {now_ms} ms: {senders:?} may send");
            let Some(&of) = senders.first() else { continue };
            held_steps += 1;
            // Not by the trust of before.
            world.set_back_at.take_if(|at| now_ms > *at + 11_000);
            let daemon = &world.daemons[of];
            // Every bar that a daemon with another journal could order is out of bounds for this one.
            let floor = daemon.guard.bars_after();
            for (journal, at) in ordered.iter().filter(|(journal, _)| **journal != daemon.journal) {
                assert!(floor.is_some_and(|floor| floor >= *at), "seed {seed}, {now_ms} ms: {journal} {at} {floor:?}");
            }
            // No daemon orders a bar that closes later than its own clock says.
            let newest = ordered.entry(daemon.journal.clone()).or_insert(i64::MIN);
            *newest = daemon.wall(now_ms).max(*newest);
            let now_by = (of, daemon.journal.clone());
            if before.as_ref().is_some_and(|before| *before != now_by) {
                takeovers += 1;
            }
            before = Some(now_by);
        }
        set_back += world.set_back;
    }
    assert!(held_steps > seeds * STEPS / 5, "the account was held in {held_steps} steps only");
    assert!(takeovers > seeds && set_back > seeds / 4, "only {takeovers} takeovers, {set_back} times set back");
}
