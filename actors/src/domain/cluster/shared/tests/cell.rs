//! The cell: what its threads may do at which moment, with an etcd in memory.

use super::*;
use crate::domain::{
    clock::Clock,
    cluster::{Authority, tests::fake_etcd::FakeEtcd},
    guard::Suppression,
    instrument::Symbol,
    order::Outcome,
};
use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Milliseconds of both clocks.
#[derive(Clone, Default)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_secs(WALL as u64) + Duration::from_millis(self.ms())
    }

    fn boottime(&self) -> Duration {
        Duration::from_millis(self.ms())
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

struct World {
    clock: TestClock,
    etcd: FakeEtcd,
}

impl World {
    /// Somebody was there before, so that nobody has to wait for a minute.
    fn new() -> Self {
        let mut etcd = FakeEtcd::default();
        let before = member_record("before", "before").record;
        let before = Record { journal: JOURNAL.into(), released: true, ..before };
        let changes = vec![Change::put(key::LAST, Value::Record(Box::new(before)))];
        etcd.transact(&Transaction { changes, ..Transaction::default() });
        Self { clock: TestClock::default(), etcd }
    }

    fn cell(&self, name: &str) -> MemberCell {
        let member = Member::new(member_record(name, &format!("process of {name}")), TERMS);
        MemberCell::new(Ownership::new(member), Arc::new(self.clock.clone()))
    }

    /// Lets these go on for so long; what etcd says is lost on the way to those that are `cut`.
    fn run(&mut self, seconds: u64, cells: &[&MemberCell], cut: bool) {
        for _ in 0..seconds * 10 {
            self.clock.0.fetch_add(100, Ordering::Relaxed);
            self.etcd.expire(self.clock.ms());
            for cell in cells.iter().filter(|cell| cell.due_in().is_zero()) {
                let request = cell.ask();
                let answer = if cut { None } else { self.etcd.answer(&request, self.clock.ms()) };
                cell.told(answer.as_ref().ok_or_else(|| "no answer".to_owned()));
            }
        }
    }
}

fn owned(cell: &MemberCell) -> usize {
    cell.held().iter().filter(|(_, phase)| *phase == Phase::Owned).count()
}

/// A cycle whose bars come, and whose inheritance is written.
fn cycle(cell: &MemberCell) -> Share {
    let share = cell.begin_cycle();
    cell.inheritances().iter().for_each(|inheritance| cell.noted(inheritance));
    cell.fetched(&share);
    share
}

#[test]
fn a_shard_is_ordered_after_its_bars_and_its_inheritance() {
    let mut world = World::new();
    let (cell, symbol) = (world.cell("m1"), Symbol::new("EURUSD"));
    assert!(cell.begin_cycle() == Share::default() && !cell.may_send(), "before etcd has answered");
    world.run(20, &[&cell], false);
    assert_eq!((owned(&cell), cell.held().len()), (0, SHARDS));
    // Bars without the journal, and the journal without bars, are not enough.
    cell.fetched(&cell.begin_cycle());
    assert_eq!((owned(&cell), cell.epoch_for(&symbol, WALL + 60)), (0, Err(Suppression::NotHolder)));
    cell.inheritances().iter().for_each(|inheritance| cell.noted(inheritance));
    assert!(owned(&cell) == 0 && cell.inheritances().is_empty());
    assert!(cell.begin_cycle().has(&symbol), "it is decided, so that its bars are there");
    cycle(&cell);
    assert_eq!(owned(&cell), SHARDS);
    assert_eq!(cell.epoch_for(&symbol, WALL + 60).ok(), cell.epoch(&symbol));
    assert!(cell.may_send() && cell.standing().unwrap().trouble.is_none());
}

#[test]
fn a_halt_in_etcd_is_known_to_every_member() {
    let mut world = World::new();
    let cell = world.cell("m1");
    world.run(20, &[&cell], false);
    assert_eq!(cell.membership().unwrap().halt, None);
    let halted = AccountState::default().halted("alice on inf\n".into(), "news".into(), WALL);
    let put = |value| Transaction { changes: vec![Change::put(key::STATE, value)], ..Transaction::default() };
    world.etcd.transact(&put(Value::State(Box::new(halted))));
    world.run(3, &[&cell], false);
    let said = "halted in etcd for all members by alice on inf: news; `sentinel cluster resume` ends it";
    assert_eq!(cell.membership().unwrap().halt.as_deref(), Some(said));
    // What a later version wrote stops orders, too.
    world.etcd.keys.get_mut(key::STATE).unwrap().value = None;
    world.run(3, &[&cell], false);
    assert!(cell.membership().unwrap().halt.unwrap().contains("cannot be read"));
}

#[test]
fn a_member_with_other_settings_orders_nothing() {
    let mut world = World::new();
    let (first, third) = (world.cell("m1"), world.cell("m3"));
    let other = |name: &str| {
        let me = MemberRecord { settings: "others".into(), ..member_record(name, name) };
        MemberCell::new(Ownership::new(Member::new(me, TERMS)), Arc::new(world.clock.clone()))
    };
    let (second, fourth) = (other("m2"), other("m4"));
    world.run(20, &[&first], false);
    cycle(&first);
    world.run(90, &[&first, &second], false);
    cycle(&first);
    world.run(90, &[&first, &second, &third], false);
    cycle(&first);
    cycle(&third);
    world.run(90, &[&first, &second, &third], false);
    cycle(&third);
    assert_eq!((owned(&first), second.held().len(), owned(&third)), (SHARDS / 2, 0, SHARDS / 2));
    let trouble = second.standing().unwrap().trouble.unwrap();
    assert!(!second.may_send() && second.is_member() && trouble.contains("are not those of m1"), "{trouble}");
    assert!(first.may_send() && first.standing().unwrap().trouble.is_none());
    // The second is the oldest now, and still takes nothing from who trades.
    world.run(60, &[&second, &third], false);
    cycle(&third);
    assert_eq!((owned(&third), second.held().len(), second.may_send()), (SHARDS, 0, false));
    // A change one by one: when nobody with the old settings is left, the new ones count.
    world.run(60, &[&second, &fourth], false);
    for cell in [&second, &fourth] {
        cycle(cell);
    }
    assert!(second.may_send() && fourth.may_send() && owned(&second) + owned(&fourth) == SHARDS);
}

#[test]
fn an_answer_from_an_earlier_time_is_not_believed() {
    let mut world = World::new();
    let cell = world.cell("m1");
    world.run(20, &[&cell], false);
    let (copy, asked_on) = (world.etcd.clone(), cell.revision());
    world.run(20, &[&cell], false);
    // Two requests at the same time may be answered in any order.
    assert!(cell.note_revision(asked_on, asked_on) && cell.revision() > asked_on);
    assert!(!cell.note_revision(cell.revision(), asked_on), "no claim is made by what it says");
    world.etcd.set_back_to(&copy, world.clock.ms());
    world.run(3, &[&cell], false);
    assert!(!cell.may_send() && cell.revision() >= asked_on, "{cell:?}");
    assert!(cell.membership().unwrap().halt.unwrap().contains("set back"));
    assert!(cell.note_revision(cell.revision(), cell.revision()), "from now on by the new count");
}

#[test]
fn a_shard_that_is_not_ordered_has_no_owner() {
    let mut world = World::new();
    let cell = world.cell("m1");
    let shown = |cell: &MemberCell| cell.membership().unwrap().shards.iter().filter(|(_, is_ours)| *is_ours).count();
    world.run(20, &[&cell], false);
    assert_eq!((shown(&cell), cell.held().len()), (0, SHARDS), "its journal and its bars are not there yet");
    cycle(&cell);
    assert_eq!(shown(&cell), SHARDS);
}

#[test]
fn without_etcd_it_decides_on_and_may_not_send() {
    let mut world = World::new();
    let (cell, symbol) = (world.cell("m1"), Symbol::new("EURUSD"));
    world.run(20, &[&cell], false);
    cycle(&cell);
    world.run(11, &[&cell], true);
    assert!(cell.begin_cycle().has(&symbol) && !cell.may_send());
    assert!((cell.remaining().is_zero(), cell.epoch(&symbol)) == (true, None));
    let standing = cell.standing().unwrap();
    assert!(!standing.is_etcd_up && standing.trouble.unwrap().contains("etcd does not answer"));
    assert!(cell.membership().unwrap().shards.iter().all(|(_, is_ours)| !is_ours));
    // Its lease has ended meanwhile: all is taken anew, bars as well.
    world.run(30, &[&cell], false);
    assert_eq!((owned(&cell), cell.held().len()), (0, SHARDS));
}

#[test]
fn a_busy_shard_moves_when_its_outcome_is_in_etcd() {
    let mut world = World::new();
    let (first, second) = (world.cell("m1"), world.cell("m2"));
    world.run(20, &[&first], false);
    cycle(&first);
    let all: BTreeSet<_> = Shard::all().collect();
    first.set_open(all, 1);
    world.run(90, &[&first, &second], false);
    cycle(&first);
    world.run(5, &[&first, &second], false);
    assert!(second.held().is_empty() && first.membership().unwrap().members == 2);
    let draining = first.held().iter().filter(|(_, phase)| *phase == Phase::Draining).count();
    assert_eq!((draining, first.membership().unwrap().rebalances), (SHARDS / 2, 1));
    first.set_open(BTreeSet::new(), 0);
    cycle(&first);
    world.run(5, &[&first, &second], false);
    assert_eq!((first.held().len(), second.held().len()), (SHARDS / 2, SHARDS / 2));
}

#[test]
fn what_a_dead_member_claimed_is_inherited() {
    let mut world = World::new();
    let (first, second) = (world.cell("m1"), world.cell("m2"));
    world.run(20, &[&first], false);
    cycle(&first);
    let symbol = Symbol::new("EURUSD");
    let epoch = first.epoch_for(&symbol, WALL + 60).unwrap();
    let mut claim = claim_of(&first, epoch);
    while claim.verdict() == Verdict::Open {
        let done = world.etcd.transact(&claim.ask(world.clock.boottime(), WALL * 1_000)).unwrap();
        claim.told(world.clock.boottime(), WALL * 1_000, &done);
    }
    assert_eq!(first.objection(&claim), None);
    world.run(60, &[&second], false);
    assert_eq!(first.objection(&claim), Some(Suppression::NotHolder), "its trust is over");
    let inheritances = second.inheritances();
    let claims: Vec<_> = inheritances.iter().flat_map(|it| &it.claims).collect();
    assert_eq!((inheritances.len(), claims.len()), (SHARDS, 1));
    assert_eq!((claims[0].nonce, claims[0].member.as_str()), (claim.claim().nonce, "m1"));
    let Some(Value::Claim(written)) = world.etcd.keys[&claim.claim().order.key()].value.clone() else { panic!() };
    assert!(matches!(written.outcome, Some(Outcome::Unknown { .. })));
}

fn claim_of(cell: &MemberCell, epoch: i64) -> OrderClaim {
    let (member, instance) = cell.names();
    let claim = Claim {
        member,
        instance,
        epoch,
        nonce: Uuid::from_u128(7),
        order: claimed_order("EURUSD", WALL, None),
        tickets_before: None,
        dialect: None,
        account_mode: None,
        at_ms: 0,
        last_order_ms: None,
        outcome: None,
    };
    OrderClaim::new(claim, crate::domain::guard::Limits::default(), None)
}

#[test]
fn who_is_in_the_way_is_named() {
    let mut world = World::new();
    let (first, namesake) = (world.cell("m1"), world.cell("m1"));
    // Another process.
    let other = Member::new(member_record("m1", "another"), TERMS);
    let namesake_of = MemberCell::new(Ownership::new(other), Arc::new(world.clock.clone()));
    world.run(20, &[&first], false);
    assert!(first.rival().is_none() && namesake.rival().is_none());
    world.run(1, &[&first, &namesake_of], false);
    let seen = namesake_of.rival().unwrap();
    world.run(6, &[&first, &namesake_of], false);
    let again = namesake_of.rival().unwrap();
    assert!(!seen.is_guard && seen.epoch == again.epoch && seen.written != again.written, "it lives");
    assert!(again.in_words().starts_with("m1 on host") && !namesake_of.is_member());
    assert_eq!(again.lease(), s(15));
    // It leaves, and its place is free.
    let (request, lease) = first.leave().unwrap();
    assert!(!first.may_send() && first.leave().is_none());
    for request in [request, Request::Revoke { lease }] {
        world.etcd.answer(&request, world.clock.ms());
    }
    world.run(20, &[&namesake_of], false);
    assert!(namesake_of.is_member() && namesake_of.rival().is_none());
}
