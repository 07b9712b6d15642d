//! The machine step by step. `simulation` runs several of them against one etcd, with everything that can fail.

pub(super) mod chance;
pub(super) mod fake_etcd;
mod simulation;

use super::*;
use crate::domain::cluster::guard::Guard;

pub(super) const TERMS: Terms = Terms { lease: Duration::from_secs(15), keepalive: Duration::from_secs(5) };
pub(super) const WALL: i64 = 1_800_000_000;

pub(super) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn record(instance: &str, journal: &str) -> Record {
    Record {
        instance: instance.into(),
        member: format!("{instance}-name"),
        host: "inf".into(),
        pid: 17,
        version: "0.1.0".into(),
        journal: journal.into(),
        since: WALL,
        at: WALL,
        trust_ms: 10_000,
        bars_after: None,
        before: None,
        released: false,
        newest_order: None,
    }
}

fn stored(record: Record, revision: i64, lease: i64) -> Stored {
    Stored { create_revision: revision, mod_revision: revision, lease, record: Some(record) }
}

fn guard() -> Guard {
    Guard::new(record("me", "mine"), TERMS)
}

/// From a look at `last` at `at` to the claim, which etcd grants.
fn claim(guard: &mut Guard, at: Duration, last: Option<Stored>) -> Record {
    assert_eq!(guard.ask(at, WALL), Ask::Look);
    guard.told(at, WALL, EtcdAnswer::Seen(Seen { claim: None, last }));
    assert_eq!(guard.ask(at, WALL), Ask::Grant { ttl: s(15) });
    guard.told(at, WALL, EtcdAnswer::Granted { lease: 7, ttl: s(15) });
    let Ask::Claim { lease: 7, record, .. } = guard.ask(at, WALL) else { panic!("it claims") };
    guard.told(at, WALL, EtcdAnswer::Done { revision: 40 });
    record
}

/// A claim of the same journal, whose former process gave it back: it is trusted at once.
fn holding(at: Duration) -> Guard {
    let mut guard = guard();
    let before = Record { released: true, ..record("before", "mine") };
    claim(&mut guard, at, Some(stored(before, 30, 0)));
    assert!(guard.standing(at).may_send_at(at));
    guard
}

#[test]
fn a_claim_is_trusted_for_ten_of_fifteen_seconds() {
    let guard = holding(s(100));
    let standing = guard.standing(s(100));
    assert!(standing.may_send_at(s(110) - Duration::from_nanos(1)) && !standing.may_send_at(s(110)));
    assert_eq!(standing.trouble, None);
    let late = guard.standing(s(111)).trouble.unwrap();
    assert!(late.contains("not kept alive in time"), "{late}");
}

#[test]
fn trust_counts_from_the_sending_of_a_keep_alive_that_was_answered() {
    let mut guard = holding(s(100));
    assert_eq!(guard.ask(s(105), WALL), Ask::KeepAlive { lease: 7 });
    guard.told(s(108), WALL, EtcdAnswer::KeptAlive(Some(s(15))));
    assert!(!guard.standing(s(108)).may_send_at(s(110)), "the other half of the round is missing");
    assert!(matches!(guard.ask(s(108), WALL), Ask::Beat { epoch: 40, .. }));
    guard.told(s(109), WALL, EtcdAnswer::Done { revision: 41 });
    let standing = guard.standing(s(109));
    assert!(standing.may_send_at(s(114)) && !standing.may_send_at(s(115)), "{standing:?}");
    assert_eq!(guard.due_at(), s(110), "the next one is five seconds after the last was sent");
}

#[test]
fn a_keep_alive_without_an_answer_extends_nothing() {
    let mut guard = holding(s(100));
    for at in [105, 107, 109] {
        guard.ask(s(at), WALL);
        guard.failed(s(at) + s(1), "no complete answer".into());
        assert_eq!(guard.due_at(), s(at) + s(2));
    }
    let standing = guard.standing(s(109));
    assert!(standing.may_send_at(s(109)) && !standing.may_send_at(s(110)) && !standing.is_etcd_up);
    // The lease may still be there: then the same claim is trusted again.
    guard.ask(s(112), WALL);
    guard.told(s(112), WALL, EtcdAnswer::KeptAlive(Some(s(15))));
    guard.ask(s(112), WALL);
    guard.told(s(112), WALL, EtcdAnswer::Done { revision: 41 });
    assert!(guard.standing(s(112)).may_send_at(s(121)));
}

#[test]
fn a_shorter_lease_than_asked_for_is_trusted_for_less() {
    let mut guard = holding(s(100));
    guard.ask(s(104), WALL);
    guard.told(s(104), WALL, EtcdAnswer::KeptAlive(Some(s(12))));
    guard.ask(s(104), WALL);
    guard.told(s(104), WALL, EtcdAnswer::Done { revision: 41 });
    assert!(guard.standing(s(104)).may_send_at(s(110)) && !guard.standing(s(104)).may_send_at(s(111)));
}

#[test]
fn a_lost_lease_or_another_claim_ends_it_at_once() {
    let mut lost = holding(s(100));
    lost.ask(s(105), WALL);
    lost.told(s(105), WALL, EtcdAnswer::KeptAlive(None));
    assert!(!lost.standing(s(105)).may_send_at(s(105)) && !lost.is_holder());
    assert_eq!(lost.ask(s(105), WALL), Ask::Look, "only a new transaction brings it back");

    let mut other = holding(s(100));
    other.ask(s(105), WALL);
    other.told(s(105), WALL, EtcdAnswer::KeptAlive(Some(s(15))));
    other.ask(s(105), WALL);
    let seen = Seen { claim: Some(stored(record("other", "theirs"), 50, 9)), last: None };
    other.told(s(105), WALL, EtcdAnswer::Refused(seen));
    let standing = other.standing(s(105));
    assert!(!standing.may_send_at(s(105)));
    assert!(standing.trouble.unwrap().contains("other-name on host inf (pid 17, version 0.1.0)"));
    assert_eq!(other.ask(s(105), WALL), Ask::Revoke { lease: 7 });
}

#[test]
fn a_lost_answer_to_a_claim_is_found_again() {
    let mut guard = guard();
    guard.ask(s(100), WALL);
    let before = Record { released: true, ..record("before", "mine") };
    guard.told(s(100), WALL, EtcdAnswer::Seen(Seen { claim: None, last: Some(stored(before, 30, 0)) }));
    guard.ask(s(100), WALL);
    guard.told(s(100), WALL, EtcdAnswer::Granted { lease: 7, ttl: s(15) });
    let first = guard.ask(s(100), WALL);
    guard.failed(s(102), "no complete answer".into());
    assert_eq!(guard.ask(s(103), WALL), first, "the same lease and the same condition");
    let mine = stored(record("me", "mine"), 44, 7);
    guard.told(s(103), WALL, EtcdAnswer::Refused(Seen { claim: Some(mine.clone()), last: Some(mine) }));
    assert!(guard.is_holder() && guard.standing(s(103)).may_send_at(s(103)));
    assert!(matches!(guard.ask(s(104), WALL), Ask::KeepAlive { lease: 7 }));
}

#[test]
fn a_beat_whose_answer_was_lost_is_written_again() {
    let mut guard = holding(s(100));
    let renewed = |guard: &mut Guard, at| {
        assert_eq!(guard.ask(at, WALL), Ask::KeepAlive { lease: 7 });
        guard.told(at, WALL, EtcdAnswer::KeptAlive(Some(s(15))));
        let Ask::Beat { epoch: 40, last_revision, .. } = guard.ask(at, WALL) else { panic!("it beats") };
        last_revision
    };
    assert_eq!(renewed(&mut guard, s(105)), 40);
    guard.failed(s(107), "no complete answer".into());
    assert_eq!(renewed(&mut guard, s(108)), 40, "whether the first one arrived is not known");
    let mine = |revision| Some(Stored { mod_revision: revision, ..stored(record("me", "mine"), 40, 7) });
    guard.told(s(108), WALL, EtcdAnswer::Refused(Seen { claim: mine(40), last: mine(44) }));
    assert!(guard.is_holder() && !guard.standing(s(108)).may_send_at(s(110)), "nothing is trusted for longer yet");
    assert!(matches!(guard.ask(s(108), WALL), Ask::Beat { epoch: 40, last_revision: 44, .. }));
    guard.told(s(108), WALL, EtcdAnswer::Done { revision: 45 });
    assert!(guard.standing(s(108)).may_send_at(s(117)));
}

#[test]
fn the_trust_of_the_holder_before_runs_out_first() {
    let mut guard = guard();
    claim(&mut guard, s(100), Some(stored(record("before", "mine"), 30, 0)));
    let standing = guard.standing(s(100));
    assert_eq!(standing.from, s(111), "ten seconds and a tenth for its clock, since its record was first seen");
    assert!(!standing.may_send_at(s(105)));
    assert!(standing.trouble.unwrap().contains("for another 12 s"));

    // Seen long ago, and not changed since: it has stopped.
    let mut waiting = self::guard();
    let last = stored(record("before", "mine"), 30, 0);
    let claimed = Seen { claim: Some(stored(record("before", "mine"), 30, 3)), last: Some(last.clone()) };
    waiting.ask(s(80), WALL);
    waiting.told(s(80), WALL, EtcdAnswer::Seen(claimed));
    claim(&mut waiting, s(100), Some(last));
    assert!(waiting.standing(s(100)).may_send_at(s(100)));
}

#[test]
fn an_account_nobody_ever_held_is_waited_for_too() {
    let mut guard = guard();
    claim(&mut guard, s(100), None);
    // etcd may have lost its data, and another daemon, with the longest lease, still trust its claim and order bars.
    let standing = guard.standing(s(100));
    assert_eq!((standing.from, standing.bars_after), (s(160) + Duration::from_millis(500), Some(WALL + 60 + 6)));
}

#[test]
fn a_holder_whose_etcd_lost_its_data_takes_it_again_at_once() {
    for (at, from, bars_after) in [(105, s(105), None), (112, s(172) + Duration::from_millis(500), Some(WALL + 66))] {
        let mut guard = holding(s(100));
        guard.ask(s(at), WALL);
        guard.told(s(at), WALL, EtcdAnswer::KeptAlive(None));
        claim(&mut guard, s(at), None);
        let standing = guard.standing(s(at));
        assert_eq!((standing.from, standing.bars_after), (from, bars_after), "lost at {at} s");
    }
}

/// Keeps the claim alive at this time, with a version of `last` that etcd wrote.
fn renewed(guard: &mut Guard, at: Duration, revision: i64) {
    guard.ask(at, WALL);
    guard.told(at, WALL, EtcdAnswer::KeptAlive(Some(s(15))));
    guard.ask(at, WALL);
    guard.told(at, WALL, EtcdAnswer::Done { revision });
}

#[test]
fn an_etcd_that_goes_back_in_time_has_forgotten_holders() {
    // Its own stale claim is there again, with `last` of then. Who held the account meanwhile may have ordered, and trusts its claim.
    let own = |revision| Some(stored(record("me", "mine"), revision, 0));
    let from = s(190) + Duration::from_millis(500);
    for (last, at, expected) in [
        (own(45), s(130), (from, Some(WALL + 60 + 6))),
        (own(45), s(114), (s(174) + Duration::from_millis(500), Some(WALL + 60 + 6))),
        (own(50), s(130), (s(130), None)),
        (Some(stored(record("older", "mine"), 20, 0)), s(130), (from, Some(WALL + 60 + 6))),
        (Some(stored(Record { released: true, ..record("x", "y") }, 20, 0)), s(130), (from, Some(WALL + 60 + 6))),
    ] {
        let mut guard = holding(s(100));
        renewed(&mut guard, s(105), 50);
        guard.ask(at, WALL);
        guard.told(at, WALL, EtcdAnswer::KeptAlive(None));
        claim(&mut guard, at, last.clone());
        let standing = guard.standing(at);
        assert_eq!((standing.from, standing.bars_after), expected, "{last:?} at {at:?}");
    }
}

#[test]
fn a_holder_says_that_etcd_went_back() {
    let mut guard = holding(s(100));
    renewed(&mut guard, s(105), 50);
    guard.ask(s(110), WALL);
    guard.told(s(110), WALL, EtcdAnswer::KeptAlive(Some(s(15))));
    guard.ask(s(110), WALL);
    let claim = Some(stored(record("me", "mine"), 40, 7));
    guard.told(s(110), WALL, EtcdAnswer::Refused(Seen { claim: claim.clone(), last: claim }));
    let standing = guard.standing(s(110));
    assert!(!standing.is_holder && standing.trouble.unwrap().contains("set back to an earlier time"));
}

#[test]
fn bars_far_in_the_future_are_a_trouble() {
    for (after, is_trouble) in [(WALL + 600, false), (WALL + 601, true), (i64::MAX, true)] {
        let mut guard = guard();
        let before = Record { released: true, bars_after: Some(after), ..record("before", "mine") };
        claim(&mut guard, s(100), Some(stored(before, 30, 0)));
        let trouble = guard.standing(s(100)).trouble;
        assert_eq!(trouble.is_some_and(|it| it.contains("set the clocks")), is_trouble, "{after}");
    }
}

#[test]
fn an_order_of_unknown_outcome_is_not_given_back() {
    let mut guard = holding(s(100));
    let Some((Ask::Release { record, .. }, 7)) = guard.release(s(100), WALL, false) else { panic!("it holds it") };
    assert!(!record.released);
}

#[test]
fn bars_that_another_journal_may_have_ordered_are_not_ordered() {
    let mut guard = guard();
    let released = Record { released: true, ..record("before", "theirs") };
    let written = claim(&mut guard, s(100), Some(stored(released, 30, 0)));
    let floor = Some(WALL + 6);
    assert_eq!((written.bars_after, guard.standing(s(100)).bars_after), (floor, floor));
    // A restart with the same journal must not forget it.
    let mut again = self::guard();
    let mine = Record { released: true, ..written };
    claim(&mut again, s(200), Some(stored(mine, 60, 0)));
    assert_eq!(again.standing(s(200)).bars_after, floor);
    // Nobody has returned it: it may send until its trust is over, and so may it order bars.
    let mut dead = self::guard();
    claim(&mut dead, s(100), Some(stored(record("before", "theirs"), 30, 0)));
    assert_eq!(dead.standing(s(100)).bars_after, Some(WALL + 11 + 6));
    // Its clock was two minutes ahead of this one, and so were the bars that it took for closed.
    let ahead = Record { at: WALL + 120, ..record("before", "theirs") };
    let mut behind = self::guard();
    let written = claim(&mut behind, s(100), Some(stored(ahead, 30, 0)));
    assert_eq!(behind.standing(s(100)).bars_after, Some(WALL + 120 + 10 + 6));
    // What the one before was told holds for the next one, too.
    let mut third = Guard::new(record("third", "another"), TERMS);
    claim(&mut third, s(100), Some(stored(Record { released: true, ..written }, 60, 0)));
    assert_eq!(third.standing(s(100)).bars_after, Some(WALL + 120 + 10 + 6));
    // A record that cannot be read may be of any journal, with any lease.
    let mut unreadable = self::guard();
    claim(&mut unreadable, s(100), Some(Stored { record: None, ..stored(record("x", "x"), 30, 0) }));
    assert_eq!(unreadable.standing(s(100)).from, s(166));
    assert_eq!(unreadable.standing(s(100)).bars_after, Some(WALL + 66 + 6));
}

#[test]
fn an_older_copy_of_a_journal_is_another_journal() {
    let [old, new] = [1, 2].map(uuid::Uuid::from_u128);
    for (newest, released, after) in [
        (Some(new), true, Some(WALL + 6)),
        (Some(new), false, Some(WALL + 11 + 6)),
        (Some(old), true, None),
        (None, true, None),
    ] {
        let mut guard = guard();
        guard.ordered(old);
        let newest_order = newest.map(|id| id.to_string());
        let before = Record { newest_order, released, ..record("before", "mine") };
        let written = claim(&mut guard, s(100), Some(stored(before, 30, 0)));
        assert_eq!((written.bars_after, written.before.is_some()), (after, !released), "{newest:?}");
        assert_eq!(written.newest_order, Some(old.to_string()));
        // With each keep-alive it says what the journal has by then.
        guard.ordered(new);
        guard.ask(s(105), WALL);
        guard.told(s(105), WALL, EtcdAnswer::KeptAlive(Some(s(15))));
        let Ask::Beat { record, .. } = guard.ask(s(105), WALL) else { panic!("it beats") };
        assert_eq!(record.newest_order, Some(new.to_string()));
    }
}

#[test]
fn a_holder_is_alive_only_if_it_writes() {
    let mut guard = guard();
    let seen = |revision| Seen {
        claim: Some(stored(record("other", "theirs"), 30, 3)),
        last: Some(stored(record("other", "theirs"), revision, 0)),
    };
    for (at, revision, is_alive) in [(1, 30, false), (2, 30, false), (3, 31, true), (4, 31, true)] {
        assert_eq!(guard.ask(s(at), WALL), Ask::Look);
        guard.told(s(at), WALL, EtcdAnswer::Seen(seen(revision)));
        assert_eq!((guard.holder().unwrap().is_alive, guard.due_at()), (is_alive, s(at + 1)));
    }
}

#[test]
fn a_release_sends_nothing_after_it() {
    let mut guard = holding(s(100));
    let Some((Ask::Release { lease: 7, record }, 7)) = guard.release(s(100), WALL + 9, true) else {
        panic!("it holds it")
    };
    assert!(record.released && record.at == WALL + 9);
    assert!(!guard.standing(s(100)).may_send_at(s(100)));
    assert_eq!(guard.release(s(100), WALL, true), None);
}

#[test]
fn a_claim_that_may_have_been_made_is_released_too() {
    for (before, is_settled, released) in [
        (Record { released: true, ..record("before", "theirs") }, true, true),
        (Record { released: true, ..record("before", "theirs") }, false, false),
        // Its trust is not over: this daemon cannot speak for it.
        (record("before", "theirs"), true, false),
    ] {
        let mut guard = guard();
        guard.ask(s(100), WALL);
        guard.told(s(100), WALL, EtcdAnswer::Seen(Seen { claim: None, last: Some(stored(before, 30, 0)) }));
        guard.ask(s(100), WALL);
        guard.told(s(100), WALL, EtcdAnswer::Granted { lease: 7, ttl: s(15) });
        let Ask::Claim { record: claimed, .. } = guard.ask(s(100), WALL) else { panic!("it claims") };
        let Some((Ask::Release { lease: 7, record }, 7)) = guard.release(s(101), WALL + 1, is_settled) else {
            panic!("its answer is missing")
        };
        assert_eq!(record, Record { released, since: WALL + 1, at: WALL + 1, ..claimed });
        assert!(!guard.is_holder() && guard.release(s(101), WALL, true).is_none());
    }
    // Another one was faster; what is left of this one's lease ends, too.
    let mut late = guard();
    late.ask(s(100), WALL);
    late.told(s(100), WALL, EtcdAnswer::Seen(Seen::default()));
    assert!(late.clone().release(s(100), WALL, true).is_none(), "no lease is known yet");
    late.ask(s(100), WALL);
    late.told(s(100), WALL, EtcdAnswer::Granted { lease: 7, ttl: s(15) });
    late.ask(s(100), WALL);
    late.told(s(100), WALL, EtcdAnswer::Refused(Seen::default()));
    assert_eq!(late.release(s(100), WALL, true), Some((Ask::Revoke { lease: 7 }, 7)));
}

#[test]
fn endpoints_that_hang_leave_enough_of_the_trust() {
    let terms = |lease, keepalive| Terms { lease: s(lease), keepalive: s(keepalive) };
    for lease in 8..=60 {
        for keepalive in 1..=(lease - 5) / 2 {
            for endpoints in 1..=9_usize {
                let (terms, hanging) = (terms(lease, keepalive), (endpoints as u32 - 1) / 2);
                let patience = terms.patience(endpoints);
                let left = terms.trust() - terms.keepalive - patience * hanging.max(1);
                assert!(
                    left >= s(1).min(terms.trust() / 4) && patience >= Duration::from_millis(180),
                    "{terms:?} {endpoints}"
                );
            }
        }
    }
    assert_eq!((terms(15, 5).patience(3), terms(8, 1).patience(2)), (s(2), s(1)));
}

#[test]
fn a_holder_that_still_waited_for_the_one_before_does_not_speak_for_it() {
    let mut guard = guard();
    claim(&mut guard, s(100), Some(stored(record("before", "mine"), 30, 0)));
    let Some((Ask::Release { record, .. }, _)) = guard.release(s(105), WALL, true) else { panic!("it holds it") };
    assert!(!record.released);
}

#[test]
fn a_claim_says_under_which_epoch_orders_are_sent() {
    let mut guard = holding(s(100));
    assert_eq!((guard.standing(s(100)).epoch, guard.epoch()), (Some(40), Some(40)));
    guard.ask(s(105), WALL);
    guard.told(s(105), WALL, EtcdAnswer::KeptAlive(None));
    assert_eq!(guard.standing(s(105)).epoch, None, "it is lost");
}

#[test]
fn an_acknowledged_holder_is_reported_no_more() {
    let mut guard = guard();
    let dead = claim(&mut guard, s(100), Some(stored(record("dead", "theirs"), 30, 0)));
    assert_eq!(guard.standing(s(100)).before, dead.before);
    guard.ask(s(105), WALL);
    guard.told(s(105), WALL, EtcdAnswer::KeptAlive(Some(s(15))));
    assert!(matches!(guard.ask(s(105), WALL), Ask::Beat { last_revision: 40, .. }));
    // A person has rewritten this daemon's own record.
    let claimed = Some(Stored { lease: 7, ..stored(dead.clone(), 40, 7) });
    let last = Some(Stored { mod_revision: 41, ..stored(Record { before: None, ..dead }, 40, 0) });
    guard.told(s(105), WALL, EtcdAnswer::Refused(Seen { claim: claimed, last }));
    let Ask::Beat { epoch: 40, last_revision: 41, record } = guard.ask(s(105), WALL) else { panic!("it writes again") };
    assert_eq!(record.before, None);
    guard.told(s(105), WALL, EtcdAnswer::Done { revision: 42 });
    let standing = guard.standing(s(113));
    assert!(standing.may_send_at(s(114)) && standing.before.is_none(), "{standing:?}");
}

#[test]
fn who_did_not_give_the_account_back_is_remembered() {
    let mut guard = guard();
    let dead = claim(&mut guard, s(100), Some(stored(record("dead", "theirs"), 30, 0)));
    assert!(dead.before.as_ref().unwrap().starts_with("dead-name on host inf (pid 17"));
    assert_eq!(guard.before(), dead.before.as_deref());
    // Also if the next one dies, too; and without end they are not kept.
    let mut second = Guard::new(record("second", "another"), TERMS);
    let both = claim(&mut second, s(100), Some(stored(dead.clone(), 60, 0))).before.unwrap();
    assert!(both.starts_with("me-name on host") && both.ends_with(dead.before.as_ref().unwrap()), "{both}");
    let long = Record { before: Some("x".repeat(9_000)), ..record("dead", "theirs") };
    assert_eq!(claim(&mut self::guard(), s(100), Some(stored(long, 30, 0))).before.unwrap().chars().count(), 500);
    // Also by the next ones, and not about a daemon that gave it back or has the same journal.
    let mut next = Guard::new(record("next", "another"), TERMS);
    let written = claim(&mut next, s(100), Some(stored(Record { released: true, ..dead.clone() }, 60, 0)));
    assert_eq!(written.before, dead.before);
    for before in [Record { released: true, ..record("before", "theirs") }, record("before", "mine")] {
        let mut guard = self::guard();
        assert_eq!(claim(&mut guard, s(100), Some(stored(before, 30, 0))).before, None);
    }
}
