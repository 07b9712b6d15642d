//! Mode, kill switch, clock and account: values that do not need a cycle, and values that only the gateway reports.

use super::*;
use crate::domain::guard::KillSwitch;
use std::sync::atomic::AtomicBool;

#[derive(Debug, Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl KillSwitch for Switch {
    fn is_halted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn is_there(text: &str, family: &str) -> bool {
    text.lines().any(|line| line.contains(family))
}

#[actix::test]
async fn the_mode_is_what_the_daemon_was_started_in() {
    for live in [true, false] {
        let (actor, ..) = start_with(|config| config.live = live);
        assert_eq!(value(&text(&actor).await, "sentinel_live"), f64::from(u8::from(live)));
    }
}

#[actix::test]
async fn a_halt_is_seen_within_a_second_without_any_cycle_and_in_dry_run() {
    let switch = Switch::default();
    let (actor, clock, ..) = start_with(|config| {
        config.live = false;
        config.kill_switch = Arc::new(switch.clone());
    });
    let check = async || {
        let health = actor.send(GetHealth).await.unwrap();
        health.checks.into_iter().find(|check| check.name == "kill_switch").unwrap().status
    };
    for is_halted in [false, true, false] {
        switch.0.store(is_halted, Ordering::Relaxed);
        clock.advance(1);
        assert_eq!(value(&text(&actor).await, "sentinel_halted"), f64::from(u8::from(is_halted)));
        assert_eq!(check().await, if is_halted { Status::Degraded } else { Status::Ok });
    }
}

#[actix::test]
async fn a_daemon_that_starts_halted_says_so_in_its_first_text() {
    let switch = Switch(Arc::new(true.into()));
    let (actor, ..) = start_with(|config| config.kill_switch = Arc::new(switch));
    assert_eq!(value(&text(&actor).await, "sentinel_halted"), 1.0);
}

#[actix::test]
async fn the_time_is_the_wall_clocks_when_the_text_was_made() {
    let (actor, clock, ..) = start();
    assert_eq!(value(&text(&actor).await, "sentinel_time_seconds"), START as f64);
    clock.advance(7_200);
    assert_eq!(value(&text(&actor).await, "sentinel_time_seconds"), (START + 7_200) as f64);
}

#[actix::test]
async fn the_account_is_absent_until_the_gateway_tells_it() {
    let (actor, ..) = start();
    let (equity, positions) = ("sentinel_account_equity", "sentinel_positions_open");
    let first = text(&actor).await;
    assert!(!is_there(&first, equity) && !is_there(&first, positions));
    actor.do_send(Event::EquityTold(Some(10_000.25)));
    actor.do_send(Event::PositionsTold(Some(0)));
    let told = text(&actor).await;
    assert_eq!((value(&told, equity), value(&told, positions)), (10_000.25, 0.0));
    actor.do_send(Event::EquityTold(None));
    actor.do_send(Event::PositionsTold(None));
    let untold = text(&actor).await;
    assert!(!is_there(&untold, equity) && !is_there(&untold, positions));
}

#[actix::test]
async fn a_gateway_that_is_lost_takes_the_account_with_it() {
    let (actor, ..) = start();
    actor.do_send(Event::EquityTold(Some(10_000.25)));
    actor.do_send(Event::PositionsTold(Some(3)));
    actor.do_send(Event::GatewayChecked { trouble: None });
    assert_eq!(value(&text(&actor).await, "sentinel_positions_open"), 3.0);
    actor.do_send(Event::GatewayChecked { trouble: Some("no gateway".into()) });
    let lost = text(&actor).await;
    assert!(!is_there(&lost, "sentinel_account_equity") && !is_there(&lost, "sentinel_positions_open"));
}

#[actix::test]
async fn an_order_that_may_have_changed_what_is_open_makes_the_list_old() {
    let filled = Outcome::Filled { ticket: 7, price: Some(1.1), volume: None };
    let unknown = Outcome::Unknown { reason: "no reply".into() };
    let refused = Outcome::Rejected { reason: "no money".into() };
    for (outcome, is_old) in [(filled, true), (unknown, true), (refused, false)] {
        let (actor, ..) = start();
        actor.do_send(Event::PositionsTold(Some(3)));
        actor.do_send(Event::SignalsHandled { reports: vec![ordered(Side::Buy, outcome.clone(), Some(2))] });
        assert_eq!(is_there(&text(&actor).await, "sentinel_positions_open"), !is_old, "{outcome:?}");
    }
}
