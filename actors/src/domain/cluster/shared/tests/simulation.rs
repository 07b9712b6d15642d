//! Three daemons of one account share five symbols, in seeded random worlds: pauses, partitions, lost and late requests and
//! answers, kills, clean restarts, leases that etcd ends early, clocks that run apart. Then five minutes without faults: the bars that a clock left alone which was two minutes ahead are over by then.

use super::{
    daemon::{Daemon, Task},
    world::{Delivered, QUIET_FROM_MS, STEP_MS, STEPS, SYMBOLS, Tally, World},
    *,
};
use crate::domain::{cluster::tests::chance::seeds, order::Outcome};
use std::collections::BTreeSet;

#[test]
fn every_order_is_sent_once_within_the_limits() {
    let mut total = Tally::default();
    for seed in 0..seeds() {
        let mut world = World::new(seed);
        let mut owned = BTreeSet::new();
        for step in 0..STEPS {
            world.step(step * STEP_MS);
            check_trust(&world, step * STEP_MS);
            // A shard may just be moving.
            if step + 150 > STEPS {
                owned.extend(Shard::all().filter(|shard| is_owned(&world, *shard, step * STEP_MS)));
            }
            if step % 50 == 0 {
                check_counts(&world);
            }
        }
        check_counts(&world);
        check_limits(&world);
        check_outcomes(&world);
        check_unknown(&world);
        check_life(&world, &owned);
        total.sent += world.tally.sent;
        total.taken_over += world.tally.taken_over;
        total.not_sent += world.tally.not_sent;
        total.never_made += world.tally.never_made;
        total.proven += world.tally.proven;
        for (reason, count) in world.tally.refused {
            *total.refused.entry(reason).or_default() += count;
        }
    }
    // Otherwise the worlds are too kind.
    let seeds = seeds();
    assert!(total.sent > 10 * seeds && total.proven > seeds, "{total:?}");
    assert!(total.taken_over > seeds / 4 && total.not_sent > seeds / 4 && total.never_made > seeds / 10, "{total:?}");
}

fn state(world: &World) -> AccountState {
    match world.etcd.keys.get(key::STATE).and_then(|entry| entry.value.clone()) {
        Some(Value::State(state)) => *state,
        _ => AccountState::default(),
    }
}

fn claims(world: &World, folder: &str) -> Vec<Claim> {
    let entries = world.etcd.read(&Span::folder(folder)).into_iter();
    entries
        .map(|entry| match entry.value {
            Some(Value::Claim(claim)) => *claim,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A lease is trusted for ten seconds after the sending of a keep-alive, by a clock that may be slower by 3 %.
fn check_trust(world: &World, now_ms: u64) {
    for daemon in &world.daemons {
        let is_trusted = daemon.ownership.member().is_trusted_at(daemon.clock(now_ms));
        let age = now_ms - daemon.kept_ms;
        assert!(!is_trusted || age * 97 <= 1_000_000, "seed {}, {now_ms} ms: trusted after {age} ms", world.seed);
    }
}

/// The state counts what is there.
fn check_counts(world: &World) {
    let (seed, state) = (world.seed, state(world));
    let open = claims(world, "open/");
    let unknown = open.iter().filter(|claim| claim.outcome.is_some()).count();
    assert_eq!(state.unknown as usize, unknown, "seed {seed}");
    assert_eq!(state.in_flight as usize, open.len() - unknown, "seed {seed}");
    let all = claims(world, "orders/");
    let orders = all.iter().filter(|claim| claim.order.closes.is_none()).count();
    assert_eq!(state.orders.values().sum::<u32>() as usize, orders, "seed {seed}");
    assert_eq!(all.iter().filter(|claim| !claim.is_final()).count(), open.len(), "seed {seed}");
}

fn check_limits(world: &World) {
    let (seed, limits) = (world.seed, world.limits);
    let claimed = claims(world, "orders/").iter().filter(|claim| claim.order.closes.is_none()).count();
    for max in [limits.orders_per_hour_max, limits.orders_per_day_max] {
        assert!(
            max == 0 || claimed == max as usize,
            "seed {seed}: {claimed} orders were claimed, and {max} are allowed"
        );
    }
    if limits.failures_in_a_row_max > 0 {
        let failed = world.delivered.values().filter(|it| it.claim.order.closes.is_none()).count();
        assert!(failed <= limits.failures_in_a_row_max as usize, "seed {seed}: {failed} orders in a row failed");
    }
}

/// What etcd says of an order is what the gateway got.
fn check_outcomes(world: &World) {
    let seed = world.seed;
    let all = claims(world, "orders/");
    for claim in &all {
        let key = claim.order.key();
        let delivered = world.delivered.get(&key);
        let is_executed = delivered.is_some_and(|it| it.is_executed);
        match &claim.outcome {
            Some(Outcome::Filled { .. }) => assert!(is_executed, "seed {seed}: {key} was not executed"),
            Some(Outcome::Rejected { .. }) => assert!(!is_executed, "seed {seed}: {key} was executed"),
            Some(Outcome::NotSent { .. }) => assert!(delivered.is_none(), "seed {seed}: {key} was sent"),
            Some(Outcome::Unknown { .. }) | None => {}
        }
    }
    for (key, Delivered { claim, .. }) in &world.delivered {
        let known = all.iter().find(|it| it.order.key() == *key);
        assert!(known.is_some_and(|it| it.nonce == claim.nonce), "seed {seed}: {key} was sent without a claim");
    }
}

/// Whatever has no final outcome is known to a living daemon.
fn check_unknown(world: &World) {
    let knows = |daemon: &Daemon, claim: &Claim| {
        let is_task = match &daemon.task {
            Some(Task::Claiming(task)) => task.claim().nonce == claim.nonce,
            Some(Task::Sent(task, ..)) => task.nonce == claim.nonce,
            None => false,
        };
        is_task
            || daemon.settling.iter().any(|it| it.nonce() == claim.nonce)
            || daemon.unknown.iter().any(|(_, it)| it.nonce == claim.nonce)
    };
    for claim in claims(world, "open/") {
        let seed = world.seed;
        assert!(world.daemons.iter().any(|daemon| knows(daemon, &claim)), "seed {seed}: nobody knows {claim:?}");
    }
}

fn is_owned(world: &World, shard: Shard, now_ms: u64) -> bool {
    world.daemons.iter().any(|daemon| {
        let is_owned = matches!(daemon.ownership.shard(shard), Some((Phase::Owned, _)));
        is_owned && daemon.ownership.member().is_trusted_at(daemon.clock(now_ms))
    })
}

/// Without faults every shard is owned, and orders flow.
fn check_life(world: &World, owned: &BTreeSet<Shard>) {
    let seed = world.seed;
    assert_eq!(owned.len(), SHARDS, "seed {seed}: only these are owned: {owned:?}");
    if seed % 4 == 3 {
        for symbol in SYMBOLS {
            let sent = world.delivered.values().filter(|it| it.claim.order.symbol == symbol);
            let newest = sent.map(|it| it.claim.order.bar_close_time).max();
            let quiet = WALL + (QUIET_FROM_MS / 1_000) as i64 + 60;
            assert!(newest.is_some_and(|newest| newest >= quiet), "seed {seed}: {symbol} is not ordered: {newest:?}");
        }
    }
}
