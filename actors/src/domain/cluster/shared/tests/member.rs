//! The membership, step by step, against an etcd in memory.

use super::{
    super::transaction::{Answer, Request},
    *,
};
use crate::domain::cluster::{Terms, tests::fake_etcd::FakeEtcd};

/// One request and its answer, at this second on all clocks. Returns the request.
fn step(member: &mut Member, etcd: &mut FakeEtcd, at: u64) -> Request {
    let request = member.ask(s(at), WALL + at as i64);
    match etcd.answer(&request, at * 1_000) {
        Some(answer) => member.told(s(at), WALL + at as i64, &answer),
        None => member.failed(s(at), "no answer".into()),
    }
    request
}

fn joined(name: &str, etcd: &mut FakeEtcd, at: u64) -> Member {
    let mut member = Member::new(member_record(name, &format!("{name}-{at}")), TERMS);
    for _ in 0..3 {
        step(&mut member, etcd, at);
    }
    member
}

#[test]
fn trust_is_ten_of_fifteen_seconds_from_the_sending() {
    let mut etcd = FakeEtcd::default();
    let mut member = joined("m", &mut etcd, 100);
    assert!(member.epoch().is_some() && !member.is_trusted_at(s(100)), "another one may have been there");
    // Nobody ever was: the longest lease must end.
    for at in (105..170).step_by(5) {
        let keep = member.ask(s(at), WALL);
        assert!(matches!(keep, Request::KeepAlive { .. }));
        let answer = etcd.answer(&keep, at * 1_000).unwrap();
        member.told(s(at + 1), WALL, &answer);
        step(&mut member, &mut etcd, at + 1);
        assert_eq!(member.due_at(), s(at + 3), "a look after two seconds");
    }
    assert!(member.is_trusted_at(s(174)) && !member.is_trusted_at(s(175)), "sent at 165");
}

fn state(etcd: &FakeEtcd) -> AccountState {
    match etcd.keys[key::STATE].value.clone() {
        Some(Value::State(state)) => *state,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_finds_nothing_in_etcd_halts_the_account() {
    let mut etcd = FakeEtcd::default();
    let mut member = joined("m", &mut etcd, 100);
    let halt = state(&etcd).halt.unwrap();
    assert!(member.epoch().is_some() && halt.who == "m" && halt.reason.contains("etcd lost its data"), "{halt:?}");
    assert!(member.view().halt().unwrap().contains("sentinel cluster resume"), "it is said at once");
    let resume = |etcd: &mut FakeEtcd| {
        let resumed = state(etcd).resumed(state(etcd).generation).unwrap();
        let changes = vec![Change::put(key::STATE, Value::State(Box::new(resumed)))];
        etcd.transact(&Transaction { changes, ..Transaction::default() });
    };
    resume(&mut etcd);
    joined("other", &mut etcd, 101);
    assert_eq!(state(&etcd).halt, None, "it finds the first one");
    // All is lost while both live, and one of them has written the day's equity before it looks again.
    etcd.keys.clear();
    let kept = AccountState::default().with_equity(WALL * 1_000, 500.0);
    let changes = vec![Change::put(key::STATE, Value::State(Box::new(kept.clone())))];
    etcd.transact(&Transaction { changes, ..Transaction::default() });
    for _ in 0..6 {
        step(&mut member, &mut etcd, 106);
    }
    assert!(member.epoch().is_some() && state(&etcd).halt.is_some(), "the same process knows no better");
    assert_eq!(state(&etcd).day, kept.day);
}

#[test]
fn a_member_begins_anew_when_etcd_goes_back() {
    for has_more in [false, true] {
        let mut etcd = FakeEtcd::default();
        let mut member = joined("m", &mut etcd, 100);
        let resumed = state(&etcd).resumed(state(&etcd).generation).unwrap();
        let changes = vec![Change::put(key::STATE, Value::State(Box::new(resumed)))];
        etcd.transact(&Transaction { changes, ..Transaction::default() });
        let copy = etcd.clone();
        for at in [105, 110, 115] {
            step(&mut member, &mut etcd, at);
            step(&mut member, &mut etcd, at);
        }
        assert!(member.epoch().is_some() && member.bars_after().unwrap() < WALL + 200);
        etcd.set_back_to(&copy, 200_000);
        if has_more {
            // Some backups are restored with higher revisions; `last` is as old as it was.
            etcd.revision += 1_000_000;
        }
        // Its lease and its key are there, as they were: it looks before it writes.
        assert!(matches!(step(&mut member, &mut etcd, 200), Request::Transact(it) if it.changes.is_empty()));
        assert!(member.epoch().is_none() && !member.is_trusted_at(s(200)));
        assert!(member.trouble().unwrap().contains("set back to an earlier time"));
        for _ in 0..4 {
            step(&mut member, &mut etcd, 201);
        }
        assert!(member.epoch().is_some() && member.trust().0 >= s(260), "{:?}", member.trust());
        assert!(member.bars_after().unwrap() > WALL + 260, "others may have ordered what etcd has forgotten");
        assert!(state(&etcd).halt.unwrap().reason.contains("set back"), "a person has to look");
    }
}

#[test]
fn a_guard_waits_for_the_longest_lease_of_members() {
    let mut etcd = FakeEtcd::default();
    let trust = |etcd: &FakeEtcd| match etcd.keys[key::LAST].value.clone() {
        Some(Value::Record(record)) => record.trust_ms,
        other => panic!("{other:?}"),
    };
    let long = Terms { lease: s(60), ..TERMS };
    let mut first = Member::new(member_record("long", "long"), long);
    for _ in 0..3 {
        step(&mut first, &mut etcd, 100);
    }
    assert_eq!((first.epoch().is_some(), trust(&etcd)), (true, 55_000));
    // All leases end early, and the first one is cut off: it trusts its own for 55 s.
    etcd.leases.clear();
    let mut second = joined("short", &mut etcd, 102);
    for at in [107, 107, 112, 112] {
        step(&mut second, &mut etcd, at);
    }
    assert!(second.epoch().is_some() && trust(&etcd) == 55_000);
    let mut later = joined("later", &mut etcd, 900);
    step(&mut later, &mut etcd, 905);
    step(&mut later, &mut etcd, 905);
    assert_eq!(trust(&etcd), 10_000, "its trust is over");
}

#[test]
fn a_persons_halt_outlasts_a_deleted_last() {
    let mut etcd = FakeEtcd::default();
    let halted = AccountState::default().halted("alice".into(), "restore".into(), WALL);
    let changes = vec![Change::put(key::STATE, Value::State(Box::new(halted.clone())))];
    etcd.transact(&Transaction { changes, ..Transaction::default() });
    assert!(joined("m", &mut etcd, 100).epoch().is_some());
    assert_eq!(state(&etcd), halted);
}

#[test]
fn a_second_one_of_a_living_name_is_refused() {
    let mut etcd = FakeEtcd::default();
    joined("m", &mut etcd, 100);
    let mut second = joined("m", &mut etcd, 105);
    assert!(second.epoch().is_none() && second.trouble().unwrap().contains("another live daemon"));
    for _ in 0..3 {
        step(&mut second, &mut etcd, 116);
    }
    assert!(second.epoch().is_some(), "its lease has ended");
    let Some(Value::Member(record)) = second.view().member("m").unwrap().value.clone() else { panic!("it is there") };
    assert!(record.has_flapped);
}

#[test]
fn a_guard_keeps_members_away_and_they_keep_it_away() {
    let mut etcd = FakeEtcd::default();
    let guard = member_record("g", "g").record;
    let claim = crate::domain::cluster::Ask::Claim { lease: 0, last_revision: 0, record: guard };
    assert!(matches!(etcd.answer_guard(claim.clone(), 1), Some(crate::domain::cluster::EtcdAnswer::Done { .. })));
    let member = joined("m", &mut etcd, 100);
    assert!(member.epoch().is_none() && member.trouble().unwrap().contains("g on host inf"));

    let mut etcd = FakeEtcd::default();
    let member = joined("m", &mut etcd, 100);
    assert!(member.epoch().is_some());
    let last = etcd.keys[key::LAST].mod_revision;
    let crate::domain::cluster::Ask::Claim { lease, record, .. } = claim else { unreachable!() };
    let claim = crate::domain::cluster::Ask::Claim { lease, last_revision: last, record };
    let Some(crate::domain::cluster::EtcdAnswer::Refused(seen)) = etcd.answer_guard(claim, 100_000) else {
        panic!("it is refused")
    };
    assert_eq!(seen.claim.unwrap().record.unwrap().member, "m", "the guard says who is there");
}

#[test]
fn a_guard_in_between_keeps_a_member_out() {
    let mut etcd = FakeEtcd::default();
    let mut member = Member::new(member_record("m", "m"), TERMS);
    for _ in 0..2 {
        step(&mut member, &mut etcd, 100);
    }
    // The claim alone: nothing else tells that somebody is there.
    let claim = Value::Record(Box::new(member_record("g", "g").record));
    etcd.transact(&Transaction { changes: vec![Change::put(key::CLAIM, claim)], ..Transaction::default() });
    assert!(matches!(step(&mut member, &mut etcd, 100), Request::Transact(_)));
    assert!(member.epoch().is_none() && etcd.read(&Span::folder(key::MEMBERS)).is_empty());
}

#[test]
fn a_member_without_its_key_owns_nothing() {
    let mut etcd = FakeEtcd::default();
    let mut member = joined("m", &mut etcd, 100);
    etcd.leases.clear();
    step(&mut member, &mut etcd, 102);
    assert!(member.epoch().is_none() && !member.is_trusted_at(s(102)));
    for _ in 0..4 {
        step(&mut member, &mut etcd, 103);
    }
    assert!(member.epoch().is_some(), "it registers again");
}

#[test]
fn the_first_member_leaves_bars_until_now_alone() {
    let mut etcd = FakeEtcd::default();
    let first = joined("a", &mut etcd, 100);
    assert_eq!(joined("b", &mut etcd, 105).bars_after(), first.bars_after(), "the first one is there");
    // Both are gone. Since then somebody may have ordered who asks nobody, with any journal.
    let later = joined("a", &mut etcd, 400);
    assert!(later.bars_after().unwrap() > WALL + 400, "{:?}", later.bars_after());
    assert_eq!(joined("b", &mut etcd, 405).bars_after(), later.bars_after());
}

#[test]
fn who_relies_on_members_needs_them_until_it_registers() {
    let mut etcd = FakeEtcd::default();
    joined("a", &mut etcd, 100);
    let mut second = Member::new(member_record("b", "b"), TERMS);
    for _ in 0..2 {
        step(&mut second, &mut etcd, 101);
    }
    etcd.keys.remove(&key::member("a"));
    step(&mut second, &mut etcd, 101);
    assert!(second.epoch().is_none());
}

#[test]
fn a_member_unseen_for_a_day_is_forgotten() {
    let mut etcd = FakeEtcd::default();
    let mut old = joined("old", &mut etcd, 100);
    let (leave, lease) = old.leave(WALL + 110).unwrap();
    assert!(matches!(etcd.answer(&leave, 110_000), Some(Answer::Done(done)) if done.is_made));
    etcd.answer(&Request::Revoke { lease }, 110_000);
    let back = joined("old", &mut etcd, 115);
    let Some(Value::Member(record)) = back.view().member("old").unwrap().value.clone() else { panic!("it is there") };
    assert!(!record.has_flapped);
    for (later, is_there) in [(86_400, true), (86_520, false)] {
        let mut other = joined(&format!("other-{later}"), &mut etcd, later);
        step(&mut other, &mut etcd, later + 5);
        step(&mut other, &mut etcd, later + 5);
        assert_eq!(etcd.keys.contains_key(&key::seen("old")), is_there, "{later}");
    }
}
