//! Orders that another member of a cluster left, and what became of them.

use super::*;
use crate::domain::{
    cluster::shared::{Claim, ClaimedOrder},
    position::AccountMode,
    reconcile::Proof,
};

/// The claim of this order by another member.
fn claim(order: &Order) -> Claim {
    Claim {
        member: "inf-2".into(),
        instance: "its process".into(),
        epoch: 5,
        nonce: Uuid::from_u128(1),
        order: ClaimedOrder::from(order),
        tickets_before: Some(vec![4, 5]),
        dialect: Some("v43".into()),
        account_mode: Some(AccountMode::Netting),
        at_ms: 1_763_812_700_000,
        last_order_ms: None,
        outcome: None,
    }
}

fn take_over(store: &mut Store, claim: &Claim) {
    store.order_step(&OrderStep::TakenOver(Box::new(claim.clone())), &identity(), NOW).unwrap();
}

fn unproven(store: &mut Store) -> Vec<crate::domain::reconcile::Unproven> {
    store.read_standing(&identity(), StandingQuestion::default(), NOW).unwrap().unproven
}

#[test]
fn a_claim_left_behind_is_an_order_of_unknown_outcome() {
    let (disk, order) = (Disk::new(), order("EURUSD", BAR));
    let mut store = disk.open();
    take_over(&mut store, &claim(&order));
    take_over(&mut store, &claim(&order));
    assert_eq!(events(&store, order.client_order_id), [("unknown".to_owned(), "cluster".to_owned())]);
    let found = unproven(&mut store);
    // Its owner may have sent it two seconds later.
    let since = NOW + Duration::from_secs(2);
    assert_eq!(found, [claim(&order).unproven(since)], "with all that a proof needs");
    assert!(!found[0].is_provable(NOW + Duration::from_secs(8), "v43"));
    assert!(found[0].is_provable(NOW + Duration::from_secs(9), "v43"));
    let proven = OrderStep::Proven(order.client_order_id, Proof::Filled { ticket: 6 });
    store.order_step(&proven, &identity(), NOW).unwrap();
    take_over(&mut store, &claim(&order));
    let known = store.outcomes_of(&[(order.client_order_id, 5), (Uuid::from_u128(2), 5)]).unwrap();
    assert_eq!(known, [(order.client_order_id, Outcome::Filled { ticket: 6, price: None, volume: None })]);
}

#[test]
fn what_we_did_not_send_another_may_have_sent() {
    for (outcome, state_then) in [
        (Some(Outcome::NotSent { reason: "claim_late".into() }), OrderState::Unknown),
        (None, OrderState::Unknown),
        (unknown(), OrderState::Unknown),
        (filled(), OrderState::Filled),
        (Some(Outcome::Rejected { reason: "no".into() }), OrderState::Unknown),
    ] {
        let (disk, order) = (Disk::new(), order("EURUSD", BAR));
        let mut store = disk.open();
        steps(&mut store, &order, outcome.clone(), NOW);
        take_over(&mut store, &claim(&order));
        assert_eq!(state(&store, order.client_order_id), state_then, "{outcome:?}");
    }
}

#[test]
fn what_was_not_sent_under_this_very_claim_stays_so() {
    let (disk, order) = (Disk::new(), order("EURUSD", BAR));
    let (mut store, id) = (disk.open(), order.client_order_id);
    let intent = OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None };
    store.order_steps(&[intent, OrderStep::Sending(id, Some(5))], &identity(), NOW).unwrap();
    store.order_step(&OrderStep::GivenUp(id, "claim_late"), &identity(), NOW).unwrap();
    take_over(&mut store, &claim(&order));
    assert_eq!(state(&store, id), OrderState::NotSent, "its restarted daemon owns the shard");
    let not_sent = Outcome::NotSent { reason: "claim_late".into() };
    assert_eq!(store.outcomes_of(&[(id, 5)]).unwrap(), [(id, not_sent)]);
    assert_eq!(store.outcomes_of(&[(id, 6)]).unwrap(), [], "of another member's attempt nothing is known");
    take_over(&mut store, &Claim { epoch: 6, ..claim(&order) });
    assert_eq!(state(&store, id), OrderState::Unknown);
}

/// Written under this epoch, then cut off by a kill: unknown after a restart.
fn killed_before_its_claim(store: &mut Store, order: &Order, epoch: i64) {
    let intent = OrderStep::Intent { order: Box::new(order.clone()), tickets_before: Some(vec![1]) };
    let sending = OrderStep::Sending(order.client_order_id, Some(epoch));
    store.order_steps(&[intent, sending], &identity(), NOW).unwrap();
    store.read_standing(&identity(), StandingQuestion::default(), NOW).unwrap();
}

#[test]
fn an_older_attempt_of_unknown_outcome_proves_nothing() {
    let (disk, order) = (Disk::new(), order("EURUSD", BAR));
    let (mut store, id) = (disk.open(), order.client_order_id);
    killed_before_its_claim(&mut store, &order, 4);
    assert_eq!(store.outcomes_of(&[(id, 5)]).unwrap(), [], "another member's attempt may be on its way");
    let later = NOW + Duration::from_secs(60);
    store.order_step(&OrderStep::TakenOver(Box::new(claim(&order))), &identity(), later).unwrap();
    let since = later + Duration::from_secs(2);
    assert_eq!(unproven(&mut store), [claim(&order).unproven(since)], "by its own positions, and not too early");
    let unknown = store.outcomes_of(&[(id, 4), (id, 5), (id, 50)]).unwrap();
    assert!(matches!(unknown[..], [(found, Outcome::Unknown { .. })] if found == id), "{unknown:?}");
}

#[test]
fn a_rejection_of_another_attempt_is_not_reported() {
    let (disk, order) = (Disk::new(), order("EURUSD", BAR));
    let (mut store, id) = (disk.open(), order.client_order_id);
    killed_before_its_claim(&mut store, &order, 4);
    store.resolve(id, Verdict::Rejected, "person:alice", "seen", NOW).unwrap();
    assert_eq!(store.outcomes_of(&[(id, 5)]).unwrap(), []);
    take_over(&mut store, &claim(&order));
    assert_eq!(state(&store, id), OrderState::Unknown);
    store.resolve(id, Verdict::Rejected, "person:alice", "seen again", NOW).unwrap();
    take_over(&mut store, &claim(&order));
    let rejected = Outcome::Rejected { reason: "seen again".into() };
    assert_eq!(store.outcomes_of(&[(id, 5)]).unwrap(), [(id, rejected)], "now it is about this one");
}

#[test]
fn a_journal_says_which_orders_of_an_account_it_has() {
    let (disk, first, second) = (Disk::new(), order("EURUSD", BAR), order("USDJPY", BAR));
    let mut store = disk.open();
    for order in [&first, &second] {
        steps(&mut store, order, filled(), NOW);
    }
    assert_eq!(ids_of_orders(&disk.path(), "demo").unwrap(), [first.client_order_id, second.client_order_id]);
    assert!(ids_of_orders(&disk.path(), "another").unwrap().is_empty());
}

#[test]
fn a_bar_that_two_models_ordered_has_both_orders() {
    let (disk, own) = (Disk::new(), order("EURUSD", BAR));
    let mut store = disk.open();
    steps(&mut store, &own, Some(Outcome::NotSent { reason: "ordered_elsewhere".into() }), NOW);
    let other = Order { client_order_id: Uuid::from_u128(9), ..own.clone() };
    take_over(&mut store, &claim(&other));
    assert_eq!(state(&store, own.client_order_id), OrderState::NotSent);
    assert_eq!(state(&store, other.client_order_id), OrderState::Unknown);
    let row = store.orders(true).unwrap().remove(0);
    assert_eq!(row.model, "baseline of inf-2");
}

#[test]
fn what_its_owner_knew_ends_an_unknown_order() {
    for (outcome, state_then) in [
        (filled().unwrap(), OrderState::Filled),
        (Outcome::NotSent { reason: "halted".into() }, OrderState::Rejected),
        (Outcome::Rejected { reason: "no".into() }, OrderState::Rejected),
        (unknown().unwrap(), OrderState::Unknown),
    ] {
        let (disk, order) = (Disk::new(), order("EURUSD", BAR));
        let mut store = disk.open();
        take_over(&mut store, &claim(&order));
        let reported = OrderStep::Reported(order.client_order_id, outcome.clone());
        store.order_step(&reported, &identity(), NOW).unwrap();
        assert_eq!(state(&store, order.client_order_id), state_then, "{outcome:?}");
    }
}
