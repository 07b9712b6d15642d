//! Every verdict at its limits.

use super::*;
use crate::domain::{
    build_info::BuildInfo, cycle_outcome::SymbolFailure, instrument::Symbol, journal::UnresolvedOrder,
};

const MINUTE: Duration = Duration::from_secs(60);
const START: Duration = Duration::from_secs(1_500_000_000);

fn at(seconds: u64) -> Duration {
    START + Duration::from_secs(seconds)
}

fn state() -> State {
    let build = BuildInfo { version: "0.1.0".into(), revision: "abc1234".into(), rustc: "1.85.0".into() };
    State::new(build, false, MINUTE, START)
}

/// All actors have started and answer; one cycle ended `finished_at` seconds after the start.
fn after_cycle(finished_at: u64, failed: bool) -> State {
    let mut state = state();
    state.actors = [ActorState { started: true, up: true, answered: Some(true) }; ActorName::ALL.len()];
    let cycle = CycleState { cycle_id: 7, finished_at: at(finished_at), duration: MINUTE, failed };
    state.last_cycle = Some(cycle);
    state.last_cycle_success_at = (!failed).then_some(cycle.finished_at);
    state
}

fn assess(state: &State, seconds: u64) -> Health {
    state.assess(at(seconds), Duration::from_secs(seconds))
}

#[test]
fn before_the_first_cycle_it_is_well_but_neither_ready_nor_started() {
    let health = assess(&state(), 1);
    assert_eq!((health.status, health.ready, health.started), (Status::Ok, false, false));
    assert_eq!(
        health.not_started_because.as_deref(),
        Some("not started: scheduler, fetcher, feature_builder, predictor, signal_sender, journal, metrics")
    );
    assert!(health.stages.iter().all(|(_, stage)| stage.last_outcome == "none yet" && !stage.up));
}

#[test]
fn it_says_how_often_a_cycle_is_due() {
    assert_eq!(assess(&state(), 1).period_seconds, 60.0);
    let half = State { period: Duration::from_millis(500), ..state() };
    let shown = serde_json::to_value(assess(&half, 1)).unwrap();
    assert_eq!(shown["period_seconds"], 0.5);
}

#[test]
fn a_first_cycle_has_three_periods_to_end() {
    assert_eq!(assess(&state(), 180).status, Status::Ok);
    assert_eq!(assess(&state(), 181).status, Status::Fail);
}

#[test]
fn no_finished_cycle_for_more_than_three_periods_is_a_failure() {
    let state = after_cycle(100, true);
    assert_eq!(assess(&state, 280).status, Status::Degraded, "a cycle that failed is a cycle");
    assert_eq!(assess(&state, 281).status, Status::Fail);
}

#[test]
fn a_success_makes_it_ready_for_three_periods() {
    let state = after_cycle(100, false);
    let health = assess(&state, 280);
    assert_eq!((health.status, health.ready, health.started), (Status::Ok, true, true));
    let health = assess(&state, 281);
    assert!(!health.ready);
    assert_eq!(health.not_ready_because.as_deref(), Some("the last successful cycle ended 3 min 1 s ago"));
}

#[test]
fn a_failed_cycle_degrades_it_and_names_the_faults() {
    let mut state = after_cycle(100, true);
    state.last_cycle_success_at = Some(at(40));
    state.steps[Step::Fetch as usize].last_faults = Some(vec!["timeout", "429"]);
    state.steps[Step::Predict as usize].last_faults = Some(vec![]);
    let health = assess(&state, 110);
    assert_eq!((health.status, health.ready), (Status::Degraded, true));
    assert_eq!(health.checks[2].detail, "cycle 7 failed; fetch: timeout, 429");
}

fn fails(symbol: &str, step: Step, kind: &'static str) -> SymbolFailure {
    SymbolFailure { symbol: Symbol::new(symbol), step, kind }
}

fn check<'a>(health: &'a Health, name: &str) -> &'a HealthCheck {
    health.checks.iter().find(|check| check.name == name).unwrap()
}

#[test]
fn a_degraded_cycle_is_a_success_that_names_who_failed() {
    let mut state = after_cycle(100, false);
    state.symbols = 50;
    state.failures = (7, vec![fails("XX0USD", Step::Fetch, "404"), fails("GBPUSD", Step::Send, "unknown")]);
    let health = assess(&state, 280);
    assert_eq!((health.status, health.ready), (Status::Degraded, true));
    let cycle = health.last_cycle.as_ref().unwrap();
    assert_eq!((cycle.failed, cycle.outcome), (false, "degraded"));
    let named = "cycle 7 degraded: 2 of 50 symbols failed: XX0USD (fetch: 404), GBPUSD (send: unknown)";
    assert_eq!(check(&health, "last_cycle").detail, named);

    state.failures.1 = (0..12).map(|i| fails(&format!("S{i}"), Step::Fetch, "404")).collect();
    let many = assess(&state, 280);
    let detail = &check(&many, "last_cycle").detail;
    assert!(detail.contains("12 of 50") && detail.ends_with("S9 (fetch: 404) and 2 more"), "{detail}");
    state.failures.0 = 6;
    assert_eq!(assess(&state, 280).status, Status::Ok, "of another cycle");
}

#[test]
fn a_failed_cycle_names_who_failed() {
    let mut state = after_cycle(100, true);
    state.symbols = 1;
    state.failures = (7, vec![fails("EURUSD", Step::Fetch, "404")]);
    state.steps[Step::Fetch as usize].last_faults = Some(vec!["404"]);
    let health = assess(&state, 110);
    assert_eq!((health.last_cycle.as_ref().unwrap().outcome, health.ready), ("failed", false));
    let expected = "cycle 7 failed; fetch: 404; 1 of 1 symbols failed: EURUSD (fetch: 404)";
    assert_eq!(check(&health, "last_cycle").detail, expected);
}

#[test]
fn a_stop_that_cannot_be_built_needs_a_look_in_live_and_dry_run() {
    let mut state = after_cycle(100, false);
    assert_eq!(check(&assess(&state, 101), "stops").status, Status::Ok);
    state.bad_stops = vec![(Symbol::new("USDJPY"), "the stop-loss at a distance of 0.002".into())];
    for live in [false, true] {
        state.live = live;
        let health = assess(&state, 101);
        assert_eq!((health.status, health.ready), (Status::Degraded, true));
        let detail = &check(&health, "stops").detail;
        assert!(detail.contains("bad_stop") && detail.contains("USDJPY: the stop-loss at"), "{detail}");
    }
}

#[test]
fn a_first_cycle_that_failed_is_started_but_not_ready() {
    let health = assess(&after_cycle(1, true), 2);
    assert_eq!((health.started, health.ready), (true, false));
    assert_eq!(health.not_ready_because.as_deref(), Some("no cycle has succeeded yet"));
}

#[test]
fn an_actor_that_does_not_answer_is_a_failure() {
    let mut state = after_cycle(100, false);
    state.actors[ActorName::Predictor as usize].answered = Some(false);
    let health = assess(&state, 101);
    assert_eq!((health.status, health.ready), (Status::Fail, false));
    assert_eq!(health.checks[0].detail, "no answer from predictor");
}

#[test]
fn an_actor_that_was_never_asked_is_not_ready_and_no_failure() {
    let mut state = after_cycle(100, false);
    state.actors[ActorName::Fetcher as usize].answered = None;
    let health = assess(&state, 101);
    assert_eq!((health.status, health.ready), (Status::Ok, false));
}

#[test]
fn a_closed_market_is_well_and_asks_for_no_successful_cycle() {
    let mut state = after_cycle(100, false);
    state.is_market_open = Some(false);
    let health = assess(&state, 281);
    assert!(health.ready, "{:?}", health.not_ready_because);
    assert_eq!((health.checks[3].name, health.checks[3].status), ("market", Status::Ok));
    state.last_cycle_success_at = None;
    assert!(assess(&state, 101).ready);
    state.actors[ActorName::Fetcher as usize].answered = Some(false);
    assert!(!assess(&state, 101).ready, "an actor still has to answer");
    state = after_cycle(100, false);
    state.is_market_open = Some(true);
    assert!(!assess(&state, 281).ready);
}

#[test]
fn a_halt_needs_a_look_and_is_no_failure() {
    let mut state = after_cycle(100, false);
    state.is_halted = true;
    let health = assess(&state, 101);
    assert_eq!((health.status, health.ready, health.checks[4].name), (Status::Degraded, true, "kill_switch"));
}

#[test]
fn after_the_last_cycle_age_no_longer_counts() {
    let mut state = after_cycle(100, false);
    state.cycles_ended = true;
    let health = assess(&state, 100_000);
    assert_eq!((health.status, health.ready), (Status::Ok, true));

    state.last_cycle = state.last_cycle.map(|cycle| CycleState { failed: true, ..cycle });
    let health = assess(&state, 100_000);
    assert_eq!((health.status, health.ready), (Status::Degraded, false));
}

#[test]
fn a_journal_that_cannot_be_written_stops_live_trading_only() {
    let mut state = after_cycle(100, false);
    state.journal.is_writable = Some(false);
    let health = assess(&state, 101);
    assert_eq!((health.status, health.ready), (Status::Degraded, true));
    state.live = true;
    let health = assess(&state, 101);
    assert_eq!((health.status, health.ready), (Status::Fail, false));
    assert_eq!(health.not_ready_because.as_deref(), Some("the journal cannot be written, so no order is sent"));
}

#[test]
fn an_unknown_order_is_named_until_resolved() {
    let mut state = after_cycle(100, false);
    let order = UnresolvedOrder { id: uuid::Uuid::nil(), symbol: crate::domain::instrument::Symbol::new("EURUSD") };
    state.journal.unresolved = vec![order];
    let health = assess(&state, 101);
    assert_eq!((health.status, health.ready), (Status::Degraded, true));
    let detail = &health.checks.iter().find(|check| check.name == "orders").unwrap().detail;
    assert!(detail.starts_with("1 of unknown outcome") && detail.contains("EURUSD 00000000"), "{detail}");
}

#[test]
fn a_clock_that_stepped_back_makes_no_age() {
    let health = assess(&after_cycle(100, false), 50);
    assert_eq!(health.last_cycle.unwrap().age_seconds, 0.0);
}

#[test]
fn the_stages_are_an_object_in_the_order_of_a_cycle() {
    let mut state = after_cycle(100, false);
    state.steps[0] = StepState { last_faults: Some(vec![]), last_success_at: Some(at(99)) };
    let json = serde_json::to_string(&assess(&state, 101)).unwrap();
    let stages = r#""stages":{"fetch":{"up":true,"last_outcome":"ok","last_success_age_seconds":2.0},"features":{"#;
    assert!(json.contains(stages), "{json}");
    assert!(json.starts_with(r#"{"status":"ok","ready":true,"started":true,"version":"0.1.0","#), "{json}");
}

#[test]
fn durations_read_as_a_person_says_them() {
    let words = |seconds| in_words(Duration::from_secs(seconds));
    assert_eq!([words(59), words(60), words(3_599), words(7_800)], ["59 s", "1 min 0 s", "59 min 59 s", "2 h 10 min"]);
    assert_eq!(in_words(Duration::from_millis(50)), "50 ms");
}

#[test]
fn a_silent_gateway_makes_only_a_live_daemon_unready() {
    let mut state = after_cycle(100, false);
    state.gateway = GatewayState { is_checked: true, trouble: Some("no gateway".into()) };
    assert!(assess(&state, 110).ready, "a dry run needs none");
    state.live = true;
    let health = assess(&state, 110);
    assert_eq!((health.status, health.ready), (Status::Degraded, false));
    assert_eq!(health.not_ready_because.as_deref(), Some("the gateway: no gateway"));
    state.is_market_open = Some(false);
    assert!(!assess(&state, 110).ready, "nor while the market is closed: it will open");
    state.gateway.trouble = None;
    assert!(assess(&state, 110).ready);
}
