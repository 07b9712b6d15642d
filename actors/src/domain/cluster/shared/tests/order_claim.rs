//! The claim of an order, step by step, against an etcd in memory.

use super::*;
use crate::domain::{
    cluster::tests::fake_etcd::FakeEtcd,
    guard::{Limits, Suppression},
    order::Outcome,
};

const BAR: i64 = WALL - 60;

/// An etcd in which this process owns the shard of EURUSD, and its epoch.
fn owned() -> (FakeEtcd, i64) {
    let mut etcd = FakeEtcd::default();
    etcd.keys.insert("other".into(), entry());
    let epoch = own(&mut etcd);
    (etcd, epoch)
}

fn entry() -> Entry {
    Entry { key: "other".into(), create_revision: 1, mod_revision: 1, lease: 0, value: None }
}

/// Makes somebody the owner anew.
fn own(etcd: &mut FakeEtcd) -> i64 {
    let shard = key::shard(Shard::of("EURUSD"));
    let owner = Value::Owner(Owner { member: "m".into(), instance: "i".into() });
    for change in [Change::Delete(Span::one(&shard)), Change::put(shard, owner)] {
        etcd.transact(&Transaction { changes: vec![change], ..Transaction::default() });
    }
    etcd.revision
}

fn order_claim(epoch: i64, order: ClaimedOrder, nonce: u128) -> OrderClaim {
    let claim = Claim {
        member: "m".into(),
        instance: "i".into(),
        epoch,
        nonce: Uuid::from_u128(nonce),
        order,
        tickets_before: Some(vec![4]),
        dialect: Some("v43".into()),
        account_mode: None,
        at_ms: 0,
        last_order_ms: None,
        outcome: None,
    };
    OrderClaim::new(claim, Limits { orders_per_hour_max: 2, ..Limits::default() }, None)
}

fn order(epoch: i64, nonce: u128) -> OrderClaim {
    order_claim(epoch, claimed_order("EURUSD", BAR, None), nonce)
}

fn step(claim: &mut OrderClaim, etcd: &mut FakeEtcd, now: Duration) {
    let transaction = claim.ask(now, WALL * 1_000);
    let done = etcd.transact(&transaction).unwrap();
    claim.told(now, WALL * 1_000, &done);
}

fn run(claim: &mut OrderClaim, etcd: &mut FakeEtcd) -> Verdict {
    for _ in 0..2 {
        if claim.verdict() == Verdict::Open {
            step(claim, etcd, s(10));
        }
    }
    claim.verdict()
}

fn settle(mut settlement: Settlement, etcd: &mut FakeEtcd) -> Settled {
    for _ in 0..4 {
        let done = etcd.transact(&settlement.ask()).unwrap();
        settlement.told(&done);
    }
    settlement.ended().unwrap().clone()
}

fn filled() -> Outcome {
    Outcome::Filled { ticket: 7, price: None, volume: None }
}

#[test]
fn a_claim_is_made_once_and_sent_within_two_seconds() {
    let (mut etcd, epoch) = owned();
    let mut first = order(epoch, 1);
    assert_eq!(run(&mut first, &mut etcd), Verdict::Made);
    assert!(first.is_fresh_at(s(12) - Duration::from_nanos(1)) && !first.is_fresh_at(s(12)));
    assert_eq!(run(&mut order(epoch, 2), &mut etcd), Verdict::Refused(Suppression::OrderedElsewhere));
    let next = claimed_order("EURUSD", BAR + 60, None);
    let verdict = run(&mut order_claim(epoch, next.clone(), 3), &mut etcd);
    assert_eq!(verdict, Verdict::Refused(Suppression::Unresolved), "the outcome of the first one is not known");
    assert_eq!(settle(Settlement::new(first.claim(), filled(), true), &mut etcd), Settled::Written);
    assert_eq!(run(&mut order_claim(epoch, next, 3), &mut etcd), Verdict::Made);
    let older = claimed_order("EURUSD", BAR - 60, None);
    let verdict = run(&mut order_claim(epoch, older, 4), &mut etcd);
    assert_eq!(verdict, Verdict::Refused(Suppression::OrderedElsewhere), "bars never go back");
}

#[test]
fn an_outcome_waits_for_a_claim_that_cannot_be_read() {
    let (mut etcd, epoch) = owned();
    let mut claim = order(epoch, 1);
    assert_eq!(run(&mut claim, &mut etcd), Verdict::Made);
    let key = claim.claim().order.key();
    let readable = etcd.keys[&key].value.clone();
    for mut settlement in [Settlement::new(claim.claim(), filled(), true), claim.given_up("halted").unwrap()] {
        // A later version, which owns the shard now, has rewritten it.
        etcd.keys.get_mut(&key).unwrap().value = None;
        for _ in 0..3 {
            let done = etcd.transact(&settlement.ask()).unwrap();
            settlement.told(&done);
            assert!(settlement.ended().is_none() && settlement.is_reading() && settlement.is_unreadable());
        }
        etcd.keys.get_mut(&key).unwrap().value.clone_from(&readable);
        assert_eq!(settle(settlement.clone(), &mut etcd.clone()), Settled::Written);
    }
}

#[test]
fn a_lost_answer_is_read_back_by_its_nonce() {
    let (mut etcd, epoch) = owned();
    let mut claim = order(epoch, 1);
    step(&mut claim, &mut etcd, s(10));
    etcd.transact(&claim.ask(s(10), WALL * 1_000));
    claim.failed(s(11));
    assert_eq!(claim.verdict(), Verdict::Open);
    step(&mut claim, &mut etcd, s(11));
    assert!(claim.verdict() == Verdict::Made && claim.is_fresh_at(s(11)) && !claim.is_fresh_at(s(12)));
    // Too late to send it: nothing was sent, and it says so.
    assert_eq!(settle(claim.given_up("not_holder").unwrap(), &mut etcd), Settled::Written);
    let Some(Value::Claim(written)) = etcd.keys[&claim.claim().order.key()].value.clone() else {
        panic!("it is there")
    };
    assert!(matches!(written.outcome, Some(Outcome::NotSent { .. })));
    assert!(etcd.read(&Span::folder("open/")).is_empty());
}

#[test]
fn only_its_own_nonce_makes_a_claim_ours() {
    let (mut etcd, epoch) = owned();
    let mut claim = order(epoch, 1);
    step(&mut claim, &mut etcd, s(10));
    // This attempt never arrives, and another one of the same owner does.
    claim.ask(s(10), WALL * 1_000);
    claim.failed(s(10));
    assert_eq!(run(&mut order(epoch, 2), &mut etcd), Verdict::Made);
    step(&mut claim, &mut etcd, s(11));
    assert_eq!(claim.verdict(), Verdict::Refused(Suppression::OrderedElsewhere));
    assert!(!claim.is_fresh_at(s(11)));
}

#[test]
fn a_newer_bar_in_between_refuses_a_claim() {
    for has_closed in [false, true] {
        let (mut etcd, epoch) = owned();
        if has_closed {
            let mut close = order_claim(epoch, claimed_order("EURUSD", BAR, Some(4)), 9);
            assert_eq!(run(&mut close, &mut etcd), Verdict::Made);
            settle(Settlement::new(close.claim(), filled(), true), &mut etcd);
        }
        let mut claim = order(epoch, 1);
        step(&mut claim, &mut etcd, s(10));
        assert!(claim.is_ready() && !claim.is_attempted());
        // Nothing else of what the claim is based on changes.
        let (newer, revision) = (key::order("EURUSD", BAR + 60, None), etcd.revision + 1);
        let newer_entry = Entry { key: newer.clone(), create_revision: revision, mod_revision: revision, ..entry() };
        etcd.keys.insert(newer, newer_entry);
        step(&mut claim, &mut etcd, s(10));
        assert_eq!(claim.verdict(), Verdict::Refused(Suppression::OrderedElsewhere), "after a close: {has_closed}");
        assert!(!etcd.keys.contains_key(&claim.claim().order.key()));
    }
}

#[test]
fn an_attempt_that_was_given_up_can_never_be_made() {
    let (mut etcd, epoch) = owned();
    let mut claim = order(epoch, 1);
    step(&mut claim, &mut etcd, s(10));
    let late = claim.ask(s(10), WALL * 1_000);
    claim.failed(s(12));
    assert_eq!(claim.verdict(), Verdict::Refused(Suppression::ClaimLate));
    assert_eq!(settle(claim.given_up("not_holder").unwrap(), &mut etcd), Settled::NeverMade);
    assert!(!etcd.transact(&late).unwrap().is_made);
    // Of a claim that was never tried there is nothing to settle.
    let mut untried = order(epoch, 2);
    untried.ask(s(10), WALL * 1_000);
    untried.failed(s(12));
    assert!(untried.given_up("not_holder").is_none());
}

#[test]
fn another_members_order_is_counted_before_ours() {
    let (mut etcd, epoch) = owned();
    for (others, verdict) in [(1, Verdict::Made), (2, Verdict::Refused(Suppression::OrderLimit))] {
        let bar = claimed_order("EURUSD", BAR + others, None);
        let mut claim = order_claim(epoch, bar, others as u128);
        step(&mut claim, &mut etcd, s(10));
        let mut state = AccountState::default();
        for _ in 0..others {
            state = state.claimed(&Attempt { wall_ms: WALL * 1_000, ..Attempt::default() });
        }
        let change = Change::put(key::STATE, Value::State(Box::new(state)));
        etcd.transact(&Transaction { changes: vec![change], ..Transaction::default() });
        step(&mut claim, &mut etcd, s(10));
        if claim.verdict() == Verdict::Open {
            step(&mut claim, &mut etcd, s(10));
        }
        assert_eq!(claim.verdict(), verdict);
        if verdict == Verdict::Made {
            settle(Settlement::new(claim.claim(), filled(), true), &mut etcd);
        }
    }
}

#[test]
fn a_bar_belongs_to_one_epoch() {
    let (mut etcd, epoch) = owned();
    let close = claimed_order("EURUSD", BAR, Some(4));
    let mut first = order_claim(epoch, close, 1);
    assert_eq!(run(&mut first, &mut etcd), Verdict::Made);
    settle(Settlement::new(first.claim(), filled(), true), &mut etcd);
    let mut late = order(epoch, 2);
    step(&mut late, &mut etcd, s(10));
    let new_epoch = own(&mut etcd);
    step(&mut late, &mut etcd, s(10));
    assert_eq!(late.verdict(), Verdict::Refused(Suppression::NotHolder));
    assert_eq!(run(&mut order(new_epoch, 3), &mut etcd), Verdict::Refused(Suppression::OrderedElsewhere));
    // The owner that closed something for a bar may order it.
    let close = claimed_order("EURUSD", BAR + 60, Some(5));
    let mut second = order_claim(new_epoch, close, 4);
    assert_eq!(run(&mut second, &mut etcd), Verdict::Made);
    settle(Settlement::new(second.claim(), filled(), true), &mut etcd);
    let after = claimed_order("EURUSD", BAR + 60, None);
    assert_eq!(run(&mut order_claim(new_epoch, after, 5), &mut etcd), Verdict::Made);
}

#[test]
fn claims_are_kept_for_seven_days() {
    let (mut etcd, epoch) = owned();
    let limits_apart = [0, KEPT_FOR_S, KEPT_FOR_S + 1];
    for (number, later) in limits_apart.into_iter().enumerate() {
        let order = claimed_order("EURUSD", BAR + later, None);
        let mut claim = order_claim(epoch, order, number as u128);
        claim = OrderClaim::new(claim.claim().clone(), Limits::default(), None);
        assert_eq!(run(&mut claim, &mut etcd), Verdict::Made);
        settle(Settlement::new(claim.claim(), filled(), true), &mut etcd);
        let is_there = etcd.keys.contains_key(&key::order("EURUSD", BAR, None));
        assert_eq!(is_there, number < 2, "{later}");
    }
}

#[test]
fn what_a_new_owner_calls_unknown_is_not_sent() {
    let (mut etcd, epoch) = owned();
    let mut claim = order(epoch, 1);
    step(&mut claim, &mut etcd, s(10));
    etcd.transact(&claim.ask(s(10), WALL * 1_000));
    claim.failed(s(11));
    let unknown = Outcome::Unknown { reason: "its owner is gone".into() };
    assert_eq!(settle(Settlement::new(claim.claim(), unknown.clone(), true), &mut etcd), Settled::Written);
    step(&mut claim, &mut etcd, s(11));
    assert_eq!(claim.verdict(), Verdict::Refused(Suppression::NotHolder));
    assert_eq!(settle(Settlement::new(claim.claim(), filled(), true), &mut etcd), Settled::Written);
    let rejected = Outcome::Rejected { reason: "no".into() };
    for other in [rejected, unknown] {
        let late = settle(Settlement::new(claim.claim(), other, true), &mut etcd);
        assert_eq!(late, Settled::Otherwise(filled()), "a final outcome never changes");
    }
}

fn edit(wish: Wish, etcd: &mut FakeEtcd) -> Option<AccountState> {
    let mut edit = Edit::new(wish);
    for _ in 0..3 {
        let done = etcd.transact(&edit.ask()).unwrap();
        edit.told(&done);
    }
    edit.ended().unwrap().cloned()
}

#[test]
fn a_person_ends_failures_in_a_row_without_a_halt() {
    let (mut etcd, epoch) = owned();
    let limited = |nonce| {
        let claim = order(epoch, nonce).claim().clone();
        OrderClaim::new(claim, Limits { failures_in_a_row_max: 5, ..Limits::default() }, None)
    };
    let failed = AccountState { failures_in_a_row: 5, ..AccountState::default() };
    let put = Change::put(key::STATE, Value::State(Box::new(failed)));
    etcd.transact(&Transaction { changes: vec![put], ..Transaction::default() });
    assert_eq!(run(&mut limited(1), &mut etcd), Verdict::Refused(Suppression::Failures));
    assert_eq!(edit(Wish::Resume { generation: 0 }, &mut etcd).unwrap().failures_in_a_row, 0);
    assert_eq!(run(&mut limited(2), &mut etcd), Verdict::Made);
    // A halt that a person did not see stays.
    edit(Wish::Halt { who: "alice".into(), reason: "news".into(), at: WALL }, &mut etcd);
    assert_eq!(edit(Wish::Resume { generation: 0 }, &mut etcd), None);
}

#[test]
fn a_halt_is_ended_by_its_own_generation() {
    let (mut etcd, epoch) = owned();
    let halt = |reason: &str| Wish::Halt { who: "alice".into(), reason: reason.into(), at: WALL };
    let mut begun = order(epoch, 1);
    step(&mut begun, &mut etcd, s(10));
    assert_eq!(edit(halt("news"), &mut etcd).unwrap().generation, 1);
    assert_eq!(edit(halt("news"), &mut etcd).unwrap().generation, 1, "the same request, whose answer was lost");
    assert_eq!(edit(halt("more"), &mut etcd).unwrap().generation, 2);
    step(&mut begun, &mut etcd, s(10));
    assert_eq!(begun.verdict(), Verdict::Refused(Suppression::Halted), "also one that has begun");
    assert_eq!(edit(Wish::Resume { generation: 1 }, &mut etcd), None);
    assert_eq!(edit(Wish::Resume { generation: 2 }, &mut etcd).unwrap().halt, None);
    let equity = edit(Wish::Equity { wall_ms: WALL * 1_000, equity: 5.0 }, &mut etcd).unwrap();
    assert_eq!(equity.day.unwrap().first_equity, 5.0);
    assert_eq!(run(&mut order(epoch, 2), &mut etcd), Verdict::Made);
}

#[test]
fn a_state_that_cannot_be_read_allows_nothing() {
    let (mut etcd, epoch) = owned();
    etcd.keys.insert(key::STATE.into(), Entry { key: key::STATE.into(), ..entry() });
    assert_eq!(run(&mut order(epoch, 1), &mut etcd), Verdict::Refused(Suppression::NotHolder));
}

#[test]
fn a_claim_has_what_a_proof_needs() {
    let (_, epoch) = owned();
    let claim = order(epoch, 1);
    let unproven = claim.claim().unproven(s(77));
    assert_eq!((unproven.tickets_before, unproven.unknown_since), (Some(vec![4]), s(77)));
    let text = serde_json::to_string(claim.claim()).unwrap();
    assert_eq!(&serde_json::from_str::<Claim>(&text).unwrap(), claim.claim());
}
