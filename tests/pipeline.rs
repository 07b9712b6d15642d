//! The Scheduler and the cycle with scripted stages and a simulated clock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "helpers/stubs.rs"]
mod stubs;

use actix::Actor;
use sentinel_actors::{
    cycle::Stages,
    domain::{
        cycle_outcome::SymbolFailure,
        decision::Action,
        guard::Suppression,
        instrument::Symbol,
        journal::Reason,
        names::{ActorName, DropReason, Step},
    },
    messages::Event,
    scheduler::{Drain, Notice},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use stubs::{Astray, Harness, Mortal, Script, settle};
use tokio::sync::Notify;

const MINUTE: Duration = Duration::from_secs(60);

#[actix_rt::test]
async fn a_cycle_runs_at_start_and_at_every_second_58() {
    let harness = Harness::start(Script::default()).await;
    assert_eq!(harness.counts(), (1, 0, 0));
    harness.clock.advance(Duration::from_secs(57)).await;
    assert_eq!(harness.counts(), (1, 0, 0));
    harness.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(harness.counts(), (2, 0, 0));
    for _ in 0..5 {
        harness.clock.advance(MINUTE).await;
    }
    assert_eq!(harness.counts(), (7, 0, 0));
}

#[actix_rt::test]
async fn a_tick_during_a_cycle_is_skipped_and_counted() {
    let gate = Arc::new(Notify::new());
    let script = Script { fetch_waits_for: Some(gate.clone()), ..Script::default() };
    let harness = Harness::start(script).await;
    harness.clock.advance(Duration::from_secs(58)).await;
    harness.clock.advance(MINUTE).await;
    assert_eq!(harness.counts(), (0, 0, 2));
    gate.notify_one();
    settle().await;
    assert_eq!(harness.counts(), (1, 0, 2), "the long cycle counts once");
}

#[actix_rt::test]
async fn missed_ticks_are_counted_and_only_one_cycle_follows() {
    let harness = Harness::start(Script::default()).await;
    harness.clock.advance(Duration::from_secs(58 + 5 * 60)).await;
    assert_eq!(harness.counts(), (2, 0, 5));
    harness.clock.advance(MINUTE).await;
    assert_eq!(harness.counts(), (3, 0, 5));
}

#[actix_rt::test]
async fn a_clock_set_back_does_not_delay_cycles() {
    let harness = Harness::start(Script::default()).await;
    harness.clock.advance(Duration::from_secs(58)).await;
    harness.clock.set_back(60 * MINUTE).await;
    harness.clock.advance(MINUTE).await;
    assert_eq!(harness.counts().0, 3);
}

/// How many orders were passed on, and how many clock steps were reported.
fn sent_and_steps(harness: &Harness) -> (usize, usize) {
    let events = harness.script.events.lock().unwrap();
    let steps = events.iter().filter(|event| matches!(event, Event::ClockStepped)).count();
    (harness.script.sent.lock().unwrap().len(), steps)
}

#[actix_rt::test]
async fn after_a_clock_step_one_cycle_sends_no_orders() {
    let harness = Harness::start(Script::default()).await;
    assert_eq!(sent_and_steps(&harness), (2, 0));
    harness.clock.set_back(Duration::from_secs(2)).await;
    harness.clock.advance(MINUTE).await;
    assert_eq!(
        (harness.counts(), sent_and_steps(&harness)),
        ((2, 0, 0), (2, 1)),
        "decided, without orders, not failed"
    );
    harness.clock.advance(MINUTE).await;
    assert_eq!(sent_and_steps(&harness), (4, 1), "the next cycle trades again");
    harness.clock.set_forward(Duration::from_secs(2)).await;
    harness.clock.advance(Duration::from_secs(58)).await;
    assert_eq!(sent_and_steps(&harness), (4, 2));
    harness.clock.set_forward(Duration::from_millis(1_999)).await;
    harness.clock.advance(MINUTE).await;
    assert_eq!(sent_and_steps(&harness), (6, 2), "less than 2 s is not a step");
}

/// The reasons of the newest decision.
fn suppressed(harness: &Harness) -> Vec<Suppression> {
    let events = harness.script.events.lock().unwrap();
    let newest = events.iter().rev().find_map(|event| match event {
        Event::SignalsDecided { suppressed, .. } => Some(suppressed.clone()),
        _ => None,
    });
    newest.unwrap()
}

#[actix_rt::test]
async fn the_kill_switch_stops_orders_immediately() {
    let gate = Arc::new(Notify::new());
    let harness = Harness::start(Script { fetch_waits_for: Some(gate.clone()), ..Script::default() }).await;
    // In the middle of the first cycle.
    harness.script.is_halted.store(true, Ordering::Relaxed);
    gate.notify_one();
    settle().await;
    assert!(harness.script.sent.lock().unwrap().is_empty());
    assert_eq!((harness.counts(), suppressed(&harness)), ((1, 0, 0), vec![Suppression::Halted; 2]), "not a failure");
    harness.script.is_halted.store(false, Ordering::Relaxed);
    gate.notify_one();
    harness.clock.advance(Duration::from_secs(58)).await;
    assert_eq!(harness.script.sent.lock().unwrap().len(), 2);
}

#[actix_rt::test]
async fn an_order_above_the_volume_limit_is_not_sent() {
    let at_the_limit = Harness::start(Script { volume_max: 0.01, ..Script::default() }).await;
    assert_eq!(at_the_limit.script.sent.lock().unwrap().len(), 2);
    let above = Harness::start(Script { volume_max: 0.009, ..Script::default() }).await;
    assert!(above.script.sent.lock().unwrap().is_empty());
    assert_eq!(suppressed(&above), vec![Suppression::VolumeLimit; 2]);
}

#[actix_rt::test]
async fn one_symbols_failure_does_not_affect_another() {
    let harness = Harness::start(Script { failing_symbol: Some("EURUSD"), ..Script::default() }).await;
    assert_eq!(harness.counts(), (1, 0, 0), "the cycle has not failed with one of two");
    let sent = harness.script.sent.lock().unwrap();
    assert_eq!(sent.iter().map(|signal| signal.instrument.symbol.as_str()).collect::<Vec<_>>(), ["GBPUSD"]);
}

#[actix_rt::test]
async fn no_orders_are_sent_on_a_stale_bar() {
    let at_the_limit = Harness::start(Script { market_now_offset_s: 10_800, ..Script::default() }).await;
    assert_eq!(at_the_limit.script.sent.lock().unwrap().len(), 2);
    let stale = Harness::start(Script { market_now_offset_s: 10_801, ..Script::default() }).await;
    assert!(stale.script.sent.lock().unwrap().is_empty());
    assert_eq!(stale.counts(), (1, 0, 0), "a quiet market is not a failure");
}

#[actix_rt::test]
async fn the_account_is_asked_for_after_the_orders_of_every_cycle() {
    let looked = |harness: &Harness| harness.script.looked.lock().unwrap().clone();
    assert_eq!(looked(&Harness::start(Script::default()).await), [2], "both orders came first");
    let halted = Harness::start(Script { is_halted: Arc::new(true.into()), ..Script::default() }).await;
    assert_eq!(looked(&halted), [0], "without an order, too");
}

#[actix_rt::test]
async fn orders_are_prepared_in_parallel_with_the_model() {
    let prepared = |harness: &Harness| *harness.script.prepared.lock().unwrap();
    assert_eq!(prepared(&Harness::start(Script::default()).await), 1, "once for all symbols");
    let stale = Harness::start(Script { market_now_offset_s: 10_801, ..Script::default() }).await;
    let halted = Harness::start(Script { is_halted: Arc::new(true.into()), ..Script::default() }).await;
    let above = Harness::start(Script { volume_max: 0.009, ..Script::default() }).await;
    assert_eq!([&stale, &halted, &above].map(prepared), [0; 3]);
}

#[actix_rt::test]
async fn the_last_bar_of_the_week_closes_with_the_market() {
    // 2026-01-16, a Friday: New York's 17:00 is 22:00 UTC.
    let last_open_hour = 1_768_597_200;
    let open = Harness::start(Script { bar_open_time: last_open_hour - 3_600, ..Script::default() }).await;
    assert_eq!(open.script.sent.lock().unwrap().len(), 2, "at 21:00 UTC the market is open");
    let closed = Harness::start(Script { bar_open_time: last_open_hour, ..Script::default() }).await;
    assert!(closed.script.sent.lock().unwrap().is_empty(), "at 22:00 UTC it is closed");
    assert_eq!(closed.counts(), (1, 0, 0), "a closed market is not a failure");
    let events = closed.script.events.lock().unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::CycleGuarded { is_market_open: false })));
    let reasons = events.iter().find_map(|event| match event {
        Event::SignalsDecided { suppressed, .. } => Some(suppressed.clone()),
        _ => None,
    });
    assert_eq!(reasons, Some(vec![Suppression::MarketClosed; 2]), "still decided and counted");
}

#[actix_rt::test]
async fn every_symbol_of_every_cycle_is_recorded_with_its_reason() {
    let record = |harness: &Harness, index: usize| harness.script.recorded.lock().unwrap()[index].clone();
    let failing = Harness::start(Script { failing_symbol: Some("EURUSD"), ..Script::default() }).await;
    let (failed, decided) = (record(&failing, 0), record(&failing, 1));
    assert_eq!(failed.reason, Some(Reason::Failed { stage: "fetch", kind: "timeout" }));
    assert_eq!((failed.bar_close_time, failed.action), (None, None));
    assert_eq!((failed.failure_detail.as_deref(), failed.market_now), (Some("as scripted"), Some(3_600)));
    assert_eq!((decided.market_now, decided.threshold), (Some(3_600), 0.6));
    assert_eq!(decided.reason, Some(Reason::Suppressed("dry_run")));
    assert_eq!((decided.bar_close_time, decided.action), (Some(3_600), Some(Action::Buy)));
    assert!(decided.window.is_some() && decided.features.is_some() && decided.prediction.is_some());

    let stale = Harness::start(Script { market_now_offset_s: 10_801, ..Script::default() }).await;
    assert_eq!(record(&stale, 0).reason, Some(Reason::Suppressed("stale_bar")));
    let panicking = Harness::start(Script { predict_panics: true, ..Script::default() }).await;
    assert_eq!(record(&panicking, 1).reason, Some(Reason::Failed { stage: "predict", kind: "panic" }));
    assert_eq!(panicking.script.recorded.lock().unwrap().len(), 2);
}

#[actix_rt::test]
async fn an_answer_about_another_symbol_sends_no_order() {
    let answers: [(&[&str], &[&str], u64); 5] = [
        (&["EURUSD", "XAUUSD"], &["EURUSD"], 1),
        (&["GBPUSD", "EURUSD"], &[], 2),
        (&["GBPUSD"], &[], 1),
        (&["EURUSD"], &["EURUSD"], 0),
        (&["EURUSD", "GBPUSD", "GBPUSD"], &["EURUSD", "GBPUSD"], 1),
    ];
    for (about, traded, strays) in answers {
        let model = Astray(about).start().recipient();
        let harness = Harness::start_with(Script::default(), 0, |stages| Stages { predict: model, ..stages }).await;
        let sent = harness.script.sent.lock().unwrap();
        let sent: Vec<_> = sent.iter().map(|signal| signal.instrument.symbol.as_str()).collect();
        assert_eq!(sent, traded, "answers about {about:?}");
        assert_eq!(harness.telemetry.backlog().dropped(ActorName::Scheduler, DropReason::Invalid), strays, "{about:?}");
        let recorded = harness.script.recorded.lock().unwrap();
        let unanswered =
            recorded.iter().filter(|it| it.reason == Some(Reason::Failed { stage: "predict", kind: "no_answer" }));
        assert_eq!(unanswered.count(), 2 - traded.len(), "{about:?}");
    }
}

#[actix_rt::test]
async fn one_failed_symbol_of_two_degrades_the_cycle() {
    let mut harness =
        Harness::start_with(Script { failing_symbol: Some("EURUSD"), ..Script::default() }, 1, |stages| stages).await;
    assert_eq!(harness.counts(), (1, 0, 0), "half of them is not more than half");
    assert_eq!(harness.notices.recv().await, Some(Notice::CyclesEnded { failed: 0, degraded: 1 }));
    let events = harness.script.events.lock().unwrap();
    let failures = events.iter().find_map(|event| match event {
        Event::SymbolsEnded { failures, .. } => Some(failures.clone()),
        _ => None,
    });
    let expected = SymbolFailure { symbol: Symbol::new("EURUSD"), step: Step::Fetch, kind: "timeout" };
    assert_eq!(failures, Some(vec![expected]));
    let ended = events.iter().position(|event| matches!(event, Event::SymbolsEnded { .. })).unwrap();
    let finished = events.iter().position(|event| matches!(event, Event::CycleFinished { .. })).unwrap();
    assert!(ended < finished, "the failures are reported before the end");
}

#[actix_rt::test]
async fn a_panicking_stage_fails_its_cycle_and_is_counted() {
    let mut harness = Harness::start(Script { predict_panics: true, ..Script::default() }).await;
    harness.clock.advance(Duration::from_secs(58)).await;
    assert_eq!(harness.counts(), (2, 2, 0));
    assert!(harness.script.sent.lock().unwrap().is_empty());
    assert!(harness.notices.try_recv().is_err(), "the actor still answers, so the daemon continues");
}

#[actix_rt::test]
async fn a_stopped_stage_is_fatal() {
    let mortal = Mortal.start();
    let mut harness =
        Harness::start_with(Script::default(), 0, |stages| Stages { build: mortal.recipient(), ..stages }).await;
    settle().await;
    let notice = tokio::time::timeout(Duration::from_secs(5), harness.notices.recv()).await.unwrap();
    assert_eq!(notice, Some(Notice::StageGone(ActorName::FeatureBuilder)));
    let recorded = harness.script.recorded.lock().unwrap();
    assert_eq!(
        recorded[0].reason,
        Some(Reason::Failed { stage: "features", kind: "gone" }),
        "the last cycle is recorded, too"
    );
}

#[actix_rt::test]
async fn no_cycle_starts_after_the_configured_number() {
    let mut harness = Harness::start_with(Script::default(), 2, |stages| stages).await;
    for _ in 0..4 {
        harness.clock.advance(MINUTE).await;
    }
    assert_eq!(harness.counts(), (2, 0, 0));
    assert_eq!(harness.notices.recv().await, Some(Notice::CyclesEnded { failed: 0, degraded: 0 }));
    assert!(harness.script.events.lock().unwrap().iter().any(|event| matches!(event, Event::CyclesEnded)));
}

#[actix_rt::test]
async fn shutdown_cancels_a_fetch_and_starts_no_cycle() {
    let script = Script { fetch_waits_for: Some(Arc::new(Notify::new())), ..Script::default() };
    let harness = Harness::start(script).await;
    harness.shutdown.cancel();
    let drained = tokio::time::timeout(Duration::from_secs(1), harness.scheduler.send(Drain)).await;
    assert!(matches!(drained, Ok(Ok(()))));
    harness.clock.advance(MINUTE).await;
    assert_eq!(harness.counts(), (1, 0, 0), "a cancelled cycle has ended, not failed");
    assert_eq!(harness.telemetry.backlog().dropped(ActorName::Scheduler, DropReason::Stale), 1, "a tick after the end");
    assert!(harness.script.sent.lock().unwrap().is_empty());
}
