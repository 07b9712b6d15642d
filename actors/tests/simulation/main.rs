//! A seeded simulation of the decide, journal, send core: faults, kills between any two steps, one daemon after the
//! other on one journal, and people who interfere. Every promise is checked at every step; see `invariants.rs`.
//!
//! `SENTINEL_SIM_SEEDS=10000 cargo test -p sentinel-actors --test simulation` runs so many seeds;
//! `SENTINEL_SIM_SEED=123` runs that one and prints its steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics
#![allow(clippy::print_stdout)] // its figures
#![allow(missing_docs)]

mod broker;
mod daemon;
mod gateway;
mod gateway_session;
mod invariants;
mod order_journal;
mod person;
mod plan;
mod reply;
mod rng;
mod world;

use daemon::daemon;
use rng::Rng;
use sentinel_actors::domain::order_manager::Rules;
use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::pin,
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};
use world::{Counts, Shared, Trace, World};

/// Seeds of a quick run.
const SEEDS: u64 = 300;

/// What a run that means anything must have seen.
const SEEN: [&str; 56] = [
    "kills",
    "stops",
    "gateway restarts",
    "orders arrived",
    "closes arrived",
    "signatures expired",
    "became sending",
    "standing taken beside the model",
    "became filled",
    "became rejected",
    "became not_sent",
    "became unknown",
    "proven: filled",
    "proven: rejected",
    "proven: closed",
    "journal: not written",
    "journal: answer lost",
    "resolved by a person",
    "marked closed by a person",
    "closed by hand",
    "traded by hand",
    "traded at last",
    "machine sleeps",
    "process stops",
    "lists unreadable",
    "names of another spelling",
    "filled in part",
    "instruments renamed",
    "contradiction: id",
    "contradiction: return code",
    "contradiction: no ticket",
    "contradiction: no volume",
    "contradiction: symbol",
    "contradiction: larger volume",
    "contradiction: refused with a ticket",
    "contradiction: refused with a volume",
    "suppressed: below_threshold",
    "suppressed: already_ordered",
    "suppressed: stale_bar",
    "suppressed: market_closed",
    "suppressed: unresolved",
    "suppressed: halted",
    "suppressed: order_limit",
    "suppressed: cooldown",
    "suppressed: position_limit",
    "suppressed: loss_limit",
    "suppressed: volume_limit",
    "suppressed: failures",
    "suppressed: opposite",
    "suppressed: handshake",
    "suppressed: breaker",
    "suppressed: clock_step",
    "suppressed: stale_decision",
    "suppressed: positions",
    "suppressed: journal",
    "suppressed: shutdown",
];

/// Polls a daemon step by step, with all that may happen in between; `None` if it was killed.
fn drive(world: &Shared, path: &Path, model: &'static str, cycles: u64) -> Option<u64> {
    let mut life = pin!(daemon(world.clone(), path.to_owned(), model, cycles));
    loop {
        if let Poll::Ready(filled) = life.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(filled);
        }
        let mut world = world.borrow_mut();
        // Mid-order is where a kill hurts most.
        let crash = world.plan.crash * if world.gateway.is_waited_for() { 8.0 } else { 1.0 };
        let person = world.plan.person;
        if world.fails(crash) {
            world.say("KILLED");
            world.count("kills");
            world.close_socket();
            return None;
        }
        if world.fails(person) {
            world.person_acts(path);
        }
        if !world.is_stopping && world.fails(0.003) {
            world.say("is told to stop");
            world.count("stops");
            world.is_stopping = true;
        }
        let pause = world.plan.pause * if world.gateway.is_waited_for() { 8.0 } else { 1.0 };
        if world.fails(pause) {
            world.stands_still();
        }
        // The next thing that happens is the gateway's or the daemon's.
        let next = world.gateway.next_ms().map_or(world.wake_at_ms, |next| next.min(world.wake_at_ms));
        world.now_ms = world.now_ms.max(next);
        world.run_gateway();
    }
}

/// One seed's run, from the first daemon to the last.
fn run(seed: u64, trace: &Trace) -> Counts {
    let folder = if Path::new("/dev/shm").is_dir() { tempfile::tempdir_in("/dev/shm") } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    let path = folder.path().join("journal.db");
    let world: Shared = Rc::new(RefCell::new(World::new(Rng::new(seed), trace.clone())));
    let lives = world.borrow().plan.lives;
    for _ in 0..lives {
        let (model, cycles) = {
            let mut world = world.borrow_mut();
            world.is_stopping = false;
            world.invariants.life_ends();
            // Another machine, or the same one with its clock set right meanwhile.
            world.skew_ms = i64::try_from(world.rng.below(3_800)).unwrap() - 1_900;
            let longest = *world.rng.pick(&[500, 3_000, 60_000]);
            world.now_ms += world.rng.between(100, longest);
            world.say("STARTS");
            let dialects = world.plan.dialects.clone();
            world.dialect = *world.rng.pick(&dialects);
            if world.rng.chance(0.2) {
                world.rename();
            }
            (*world.rng.pick(&["baseline", "baseline", "other"]), world.rng.between(2, 25))
        };
        drive(&world, &path, model, cycles);
    }
    settle(&world, &path);
    world.borrow().counts.clone()
}

/// The faults end. One more daemon starts, and what arrived has an outcome; people settle the rest, and it trades again.
fn settle(world: &Shared, path: &Path) {
    {
        let mut world = world.borrow_mut();
        world.say("CALM");
        (world.is_calm, world.is_stopping, world.is_halted) = (true, false, false);
        // Past every gateway's delays and every limit.
        world.now_ms += 7_200_000;
        world.run_gateway();
    }
    world.borrow_mut().invariants.life_ends();
    drive(world, path, "baseline", 0);
    {
        let mut world = world.borrow_mut();
        world.check_end();
        while world.invariants.rows().iter().any(|row| !row.state.is_settled()) {
            world.resolve(path);
        }
        world.now_ms += 2 * 86_400_000;
        let decision_age_max = world.plan.rules.decision_age_max;
        world.plan.rules = Rules { decision_age_max, ..Rules::default() };
        world.plan.volume_max = 0.0;
        world.invariants.limits_end();
    }
    let filled = drive(world, path, "baseline", 1);
    assert_eq!(filled, Some(3), "with all settled and no limit every symbol trades again");
    world.borrow().check_end();
    world.borrow_mut().count("traded at last");
}

/// Runs a seed; a failure says how to see it again.
fn attempt(seed: u64, is_shown: bool) -> Result<(Counts, u64), String> {
    let trace = Trace::default();
    let ran = catch_unwind(AssertUnwindSafe(|| run(seed, &trace)));
    if is_shown {
        println!("{}", trace.text());
    }
    ran.map(|counts| (counts, trace.digest())).map_err(|cause| {
        let said = cause.downcast_ref::<String>().cloned();
        let said = said.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        let replay = format!("SENTINEL_SIM_SEED={seed} cargo test -p sentinel-actors --test simulation");
        format!("last steps of seed {seed}:\n{}\nseed {seed}: {said}\nagain with: {replay}", trace.text())
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

#[test]
fn no_order_goes_twice_and_every_outcome_is_reported() {
    if let Some(seed) = number("SENTINEL_SIM_SEED") {
        if let Err(failure) = attempt(seed, true) {
            panic!("{failure}");
        }
        return;
    }
    let seeds = number("SENTINEL_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, is_over, results) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new((Counts::new(), None)));
    let work = || {
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return;
            }
            let ran = attempt(seed, false);
            let (counts, failure) = &mut *results.lock().unwrap();
            match ran {
                Ok((more, _)) => more.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n),
                Err(text) => {
                    failure.get_or_insert(text);
                    is_over.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (counts, failure) = results.into_inner().unwrap();
    if let Some(failure) = failure {
        panic!("{failure}");
    }
    println!("{seeds} seeds");
    for (what, count) in &counts {
        println!("{count:>9} {what}");
    }
    let unseen: Vec<_> = SEEN.iter().filter(|what| !counts.contains_key(**what)).collect();
    assert!(seeds < SEEDS || unseen.is_empty(), "nothing of this happened: {unseen:?}");
}

#[test]
fn a_seed_replays_step_by_step() {
    for seed in 0..5 {
        let (first, again) = (attempt(seed, false).unwrap(), attempt(seed, false).unwrap());
        assert_eq!(first, again, "seed {seed}");
    }
}
