//! One life of a daemon: the decide, journal, send core, called as the cycle and the SignalSender call it.

use crate::{
    gateway_session::{ACCOUNT, GatewaySession, HandshakeGate},
    order_journal::SimOrderJournal,
    plan::Dialect,
    world::{Shared, step, until_ms},
};
use sentinel_actors::{
    adapters::journal::Identity,
    domain::{
        breaker::Breaker,
        decision::{Prediction, decide},
        exposure::KnownNames,
        guard::{Circumstances, Suppression, is_stale, objection},
        instrument::Instrument,
        journal::StandingQuestion,
        order::{Order, Side, client_order_id},
        order_manager::{OrderJournal, OrderManager, OrderResult, Rules},
    },
};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Least that the settings allow.
const KEEP: Duration = Duration::from_secs(86_400);

/// Runs so many cycles, or until it is told to stop; answers how many orders were filled.
pub async fn daemon(world: Shared, path: PathBuf, model: &'static str, cycles: u64) -> u64 {
    let identity = Identity {
        account: ACCOUNT.into(),
        model: model.into(),
        dialect: world.borrow().dialect.name(),
        account_mode: world.borrow().plan.rules.account_mode,
    };
    let order_journal = SimOrderJournal::open(&world, &path, identity);
    // As the daemon does when it opens the file, and like it without a word if that fails.
    let _ = order_journal.read_standing(StandingQuestion::default()).await;
    let (rules, policy) = (world.borrow().plan.rules, world.borrow().plan.breaker);
    let proving_dialect = (world.borrow().dialect == Dialect::V43).then_some("v43");
    let rules = Rules { proving_dialect, ..rules };
    let began = (Instant::now(), world.borrow().monotonic());
    let mut manager = OrderManager::new(rules, KnownNames::new(&world.borrow().plan.instruments, &[]));
    let mut gate = HandshakeGate { is_open: false, breaker: Breaker::new(policy), began, model };
    let mut filled = 0;
    for number in 0..cycles {
        let (until, prunes) = {
            let mut world = world.borrow_mut();
            {
                // The first comes at once.
                let cycle_ms = if number == 0 { 2_000 } else { world.plan.cycle_ms };
                (world.now_ms + world.rng.between(cycle_ms / 2, cycle_ms), world.rng.chance(0.2))
            }
        };
        until_ms(&world, until).await;
        if prunes {
            order_journal.prune(KEEP).await;
        }
        filled += cycle(&world, &order_journal, &mut manager, &mut gate).await;
        if world.borrow().is_stopping {
            break;
        }
    }
    filled
}

async fn cycle(
    world: &Shared,
    order_journal: &SimOrderJournal,
    manager: &mut OrderManager,
    gate: &mut HandshakeGate,
) -> u64 {
    let wall = {
        let mut world = world.borrow_mut();
        world.invariants.cycle_begins();
        world.say("a cycle");
        world.wall()
    };
    let mut session = GatewaySession { world: world.clone(), gate, is_gateway_absent: false };
    session.try_open().await;
    manager.reconcile(order_journal, &mut session, wall).await;
    // The next line of the cycle may try again.
    session.is_gateway_absent = false;
    let instruments = world.borrow().plan.instruments.clone();
    let begun_at = world.borrow().moment();
    let begun_ms = world.borrow().now_ms;
    // What stands may be asked for beside the model; the moment is that of the question.
    let prepares = world.borrow_mut().rng.chance(0.7);
    if prepares {
        world.borrow_mut().count("standing taken beside the model");
        manager.prepare(order_journal, begun_at).await;
    }
    // It may be stopped, or its machine sleep, while it waits for the model.
    step(world, "asks the model").await;
    let now = world.borrow().moment();
    let mut orders = Vec::new();
    for instrument in &instruments {
        match signal(world, instrument, session.gate.model, now.wall, begun_at.has_stepped_at(now)) {
            Ok(Some(order)) => orders.push(order),
            Ok(None) => {}
            Err(reason) => suppressed(world, reason),
        }
    }
    world.borrow_mut().begun(&orders, begun_ms);
    if !orders.is_empty() {
        let now = world.borrow().moment();
        let _ = manager.begin(order_journal, now).await;
    }
    let mut filled = 0;
    for order in orders {
        let mut closes = Vec::new();
        match manager.place(&order, begun_at, (order_journal, &mut session), &mut closes).await {
            Ok(OrderResult { outcome, .. }) => filled += u64::from(outcome.as_str() == "filled"),
            Err(reason) => suppressed(world, reason),
        }
    }
    filled
}

fn suppressed(world: &Shared, reason: Suppression) {
    world.borrow_mut().say(reason.as_str());
    world.borrow_mut().count(&format!("suppressed: {}", reason.as_str()));
}

/// What a model says and the rules make of it.
fn signal(
    world: &Shared,
    instrument: &Instrument,
    model: &str,
    wall: Duration,
    has_clock_stepped: bool,
) -> Result<Option<Order>, Suppression> {
    let mut world = world.borrow_mut();
    let bar_s = world.plan.bar_s;
    // Now and then the market repeats itself.
    let bars_ago = if world.fails(0.1) { world.rng.below(3) } else { 0 };
    let bar_close_time = (wall.as_secs() / bar_s).saturating_sub(bars_ago) * bar_s;
    let wall_s = i64::try_from(wall.as_secs()).unwrap();
    let (first, rest) = (world.rng.unit(), world.rng.unit());
    let (buy, hold) = if world.is_calm { (0.9, 0.05) } else { (first, (1.0 - first) * rest) };
    let prediction = Prediction::parse([1.0 - buy - hold, hold, buy]).unwrap();
    let decision = decide(&prediction, instrument.threshold);
    if decision.is_below_threshold() {
        return Err(Suppression::BelowThreshold);
    }
    let Some(side) = Side::from_action(decision.action) else { return Ok(None) };
    let bar_close_time = i64::try_from(bar_close_time).unwrap();
    let around = Circumstances {
        is_halted: world.is_halted,
        has_clock_stepped: has_clock_stepped || world.fails(0.02),
        is_market_open: !world.fails(0.02),
        is_bar_stale: is_stale(bar_close_time, wall_s, i64::try_from(2 * bar_s).unwrap()),
        volume: instrument.volume,
        volume_max: world.plan.volume_max,
    };
    if let Some(reason) = objection(&around) {
        return Err(reason);
    }
    let id = client_order_id(ACCOUNT, &instrument.symbol, model, bar_close_time);
    Ok(Some(Order::new(id, instrument, side, decision.confidence, 1.1, bar_close_time).unwrap()))
}
