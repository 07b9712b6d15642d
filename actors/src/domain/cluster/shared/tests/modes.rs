//! Daemons that begin again now in guard mode, now in shared mode, with everything that can fail: a guard and a member never may
//! send at the same true time, and neither orders a bar that the other may have ordered.

use super::{
    super::transaction::{Answer, Request},
    *,
};
use crate::domain::cluster::{
    Ask, EtcdAnswer, Guard,
    tests::{
        chance::{Chance, seeds},
        fake_etcd::FakeEtcd,
    },
};

const STEP_MS: u64 = 100;
const STEPS: u64 = 3_000;

enum Machine {
    Guard(Box<Guard>),
    Member(Box<Member>),
}

enum Asked {
    Guard(Ask),
    Member(Request),
}

enum Answered {
    Guard(Box<EtcdAnswer>),
    Member(Answer),
}

struct Daemon {
    machine: Machine,
    rate: u64,
    wall_off: i64,
    paused_until: u64,
    cut_until: u64,
    down_until: u64,
    /// The open request: when it arrives, and when it is given up by the daemon's clock.
    open: Option<(Option<(u64, Answered)>, Duration)>,
}

impl Daemon {
    fn clock(&self, now_ms: u64) -> Duration {
        Duration::from_millis(1_000_000 + now_ms * self.rate / 1_000)
    }

    fn wall(&self, now_ms: u64) -> i64 {
        WALL + (now_ms / 1_000) as i64 + self.wall_off
    }

    fn step(&mut self, etcd: &mut FakeEtcd, late: &mut Vec<(u64, Asked)>, chance: &mut Chance, now_ms: u64) {
        let (now, wall) = (self.clock(now_ms), self.wall(now_ms));
        match self.open.take() {
            Some((Some((at, answer)), _)) if at <= now_ms => match (&mut self.machine, answer) {
                (Machine::Guard(guard), Answered::Guard(answer)) => guard.told(now, wall, *answer),
                (Machine::Member(member), Answered::Member(answer)) => member.told(now, wall, &answer),
                _ => unreachable!("a request and its answer are of one kind"),
            },
            Some((_, gives_up_at)) if gives_up_at <= now => match &mut self.machine {
                Machine::Guard(guard) => guard.failed(now, "no answer".into()),
                Machine::Member(member) => member.failed(now, "no answer".into()),
            },
            open => self.open = open,
        }
        let due_at = match &self.machine {
            Machine::Guard(guard) => guard.due_at(),
            Machine::Member(member) => member.due_at(),
        };
        if self.open.is_some() || now < due_at {
            return;
        }
        let asked = match &mut self.machine {
            Machine::Guard(guard) => Asked::Guard(guard.ask(now, wall)),
            Machine::Member(member) => Asked::Member(member.ask(now, wall)),
        };
        let is_lost = self.cut_until > now_ms || chance.once_in(30);
        let answer = if is_lost {
            None
        } else if chance.once_in(20) {
            late.push((now_ms + chance.below(20_000), asked));
            None
        } else {
            let answer = perform(etcd, &asked, now_ms).filter(|_| !chance.once_in(20));
            answer.map(|answer| (now_ms + chance.below(300), answer))
        };
        self.open = Some((answer, now + s(2)));
    }

    fn may_send(&self, now_ms: u64) -> bool {
        let now = self.clock(now_ms);
        self.down_until <= now_ms
            && match &self.machine {
                Machine::Guard(guard) => guard.may_send_at(now),
                Machine::Member(member) => member.is_trusted_at(now),
            }
    }
}

fn perform(etcd: &mut FakeEtcd, asked: &Asked, now_ms: u64) -> Option<Answered> {
    match asked {
        Asked::Guard(ask) => etcd.answer_guard(ask.clone(), now_ms).map(|answer| Answered::Guard(Box::new(answer))),
        Asked::Member(request) => etcd.answer(request, now_ms).map(Answered::Member),
    }
}

fn machine(index: usize, instance: u64, is_guard: bool) -> Machine {
    let (name, instance) = (format!("m{index}"), format!("i{instance}"));
    let member = member_record(&name, &instance);
    match is_guard {
        true => Machine::Guard(Box::new(Guard::new(Record { journal: format!("of {name}"), ..member.record }, TERMS))),
        false => Machine::Member(Box::new(Member::new(member, TERMS))),
    }
}

#[test]
fn a_guard_and_a_member_never_both_send() {
    let (mut guarded, mut shared) = (0_u64, 0_u64);
    for seed in 0..seeds() {
        let (mut chance, mut etcd, mut late) = (Chance::new(seed), FakeEtcd::default(), Vec::new());
        let mut daemons: Vec<_> = (0..3)
            .map(|index| Daemon {
                machine: machine(index, index as u64, index == 0),
                rate: 970 + chance.below(61),
                wall_off: chance.below(11) as i64 - 5,
                paused_until: 0,
                cut_until: 0,
                down_until: 0,
                open: None,
            })
            .collect();
        // The newest bar that was ordered in each mode, by the clock of who did it.
        let mut newest = [i64::MIN; 2];
        for now_ms in (0..STEPS).map(|step| step * STEP_MS) {
            etcd.expire(now_ms);
            for (_, asked) in late.extract_if(.., |(at, _): &mut (u64, Asked)| *at <= now_ms) {
                perform(&mut etcd, &asked, now_ms);
            }
            if chance.once_in(500) {
                etcd.leases.clear();
            }
            for (index, daemon) in daemons.iter_mut().enumerate() {
                if chance.once_in(300) {
                    daemon.paused_until = now_ms + chance.below(20_000);
                }
                if chance.once_in(300) {
                    daemon.cut_until = now_ms + chance.below(25_000);
                }
                if chance.once_in(400) {
                    daemon.down_until = now_ms + chance.below(20_000);
                    daemon.machine = machine(index, 100 + 3 * now_ms + index as u64, chance.once_in(3));
                    daemon.open = None;
                }
                if daemon.down_until <= now_ms && daemon.paused_until <= now_ms {
                    daemon.step(&mut etcd, &mut late, &mut chance, now_ms);
                }
            }
            let senders: Vec<_> = daemons.iter().filter(|daemon| daemon.may_send(now_ms)).collect();
            let guards = senders.iter().filter(|it| matches!(it.machine, Machine::Guard(_))).count();
            assert!(guards == 0 || senders.len() == 1, "seed {seed}, {now_ms} ms");
            guarded += guards as u64;
            shared += (senders.len() - guards) as u64;
            for sender in senders {
                let (mode, floor) = match &sender.machine {
                    Machine::Guard(guard) => (0, guard.bars_after()),
                    Machine::Member(member) => (1, member.bars_after()),
                };
                let other = newest[1 - mode];
                let is_left = other == i64::MIN || floor.is_some_and(|floor| floor >= other);
                assert!(is_left, "seed {seed}, {now_ms} ms: mode {mode} may order {other} again: {floor:?}");
                newest[mode] = newest[mode].max(sender.wall(now_ms));
            }
        }
    }
    let least = seeds() * STEPS / 20;
    assert!(guarded > least && shared > least, "{guarded} {shared}");
}
