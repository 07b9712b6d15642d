//! What the account's limits count.

use super::*;
use crate::domain::{
    guard::{Limits, Suppression},
    order::Outcome,
};

fn at(wall_s: i64) -> Attempt {
    Attempt { wall_ms: wall_s * 1_000, ..Attempt::default() }
}

fn filled() -> Outcome {
    Outcome::Filled { ticket: 7, price: None, volume: None }
}

fn unknown() -> Outcome {
    Outcome::Unknown { reason: "no reply".into() }
}

#[test]
fn an_order_counts_for_an_hour_and_not_much_longer() {
    let limits = Limits { orders_per_hour_max: 2, ..Limits::default() };
    let state = AccountState::default().claimed(&at(WALL)).settled(None, &filled(), false, true);
    assert_eq!(state.objection(&at(WALL), &limits), None);
    let state = state.claimed(&at(WALL + 1)).settled(None, &filled(), false, true);
    for (later, objection) in [
        (0, Some(Suppression::OrderLimit)),
        (3_600, Some(Suppression::OrderLimit)),
        (3_604, Some(Suppression::OrderLimit)), // clocks may differ
        (3_666, None),
        // A clock that is behind counts all of them.
        (-86_400, Some(Suppression::OrderLimit)),
    ] {
        assert_eq!(state.objection(&at(WALL + later), &limits), objection, "{later}");
    }
    let day = Limits { orders_per_day_max: 2, ..Limits::default() };
    assert_eq!(state.objection(&at(WALL + 86_400), &day), Some(Suppression::OrderLimit));
    assert_eq!(state.objection(&at(WALL + 86_466), &day), None);
}

#[test]
fn a_wrong_clock_makes_nobody_forget() {
    let limits = Limits { orders_per_hour_max: 2, ..Limits::default() };
    let state = AccountState::default().claimed(&at(WALL)).claimed(&at(WALL + 400 * 86_400));
    assert_eq!(state.objection(&at(WALL), &limits), Some(Suppression::OrderLimit));
    let mut many = AccountState::default();
    for minute in 0..2_000 {
        many = many.claimed(&at(WALL + minute * 60));
    }
    assert_eq!((many.orders.len(), many.in_flight), (1_500, 2_000));
}

#[test]
fn a_close_counts_nowhere_but_is_refused_like_its_order() {
    let limits = Limits { orders_per_hour_max: 1, ..Limits::default() };
    let close = Attempt { is_close: true, ..at(WALL) };
    let state = AccountState::default().claimed(&close);
    assert_eq!(state.objection(&close, &limits), None);
    let rejected = Outcome::Rejected { reason: "no".into() };
    assert_eq!(state.settled(None, &rejected, true, true), AccountState::default());
    assert_eq!(state.claimed(&at(WALL)).objection(&close, &limits), Some(Suppression::OrderLimit));
}

#[test]
fn orders_in_flight_count_as_failures_until_they_are_known() {
    let limits = Limits { failures_in_a_row_max: 2, ..Limits::default() };
    let one = AccountState::default().claimed(&at(WALL));
    let two = one.claimed(&at(WALL));
    assert_eq!(one.objection(&at(WALL), &limits), None);
    assert_eq!(two.objection(&at(WALL), &limits), Some(Suppression::Failures));
    assert_eq!(two.settled(None, &filled(), false, true).objection(&at(WALL), &limits), None);
    let not_sent = Outcome::NotSent { reason: "not_holder".into() };
    assert_eq!(two.settled(None, &not_sent, false, false).failures_in_a_row, 0, "it says nothing about the gateway");
    let failed = two.settled(None, &unknown(), false, true);
    assert_eq!((failed.in_flight, failed.unknown, failed.failures_in_a_row), (1, 1, 1));
    let proven = failed.settled(Some(&unknown()), &filled(), false, true);
    assert_eq!((proven.in_flight, proven.unknown, proven.failures_in_a_row), (1, 0, 0), "a late fill is a fill");
    let rejected = Outcome::Rejected { reason: "no money".into() };
    assert_eq!(failed.settled(Some(&unknown()), &rejected, false, true).failures_in_a_row, 1, "it counts once");
    assert_eq!(failed.settled(Some(&unknown()), &filled(), true, true).failures_in_a_row, 1, "a close is none");
}

#[test]
fn the_day_has_one_first_equity() {
    let limits = Limits { loss_pct_per_day_max: 2.0, ..Limits::default() };
    let equity = |wall_s, equity| Attempt { equity: Some(equity), ..at(wall_s) };
    let midnight = WALL.div_euclid(86_400) * 86_400;
    let state = AccountState::default().with_equity(midnight * 1_000, 1_000.0);
    let loss = |state: &AccountState, attempt| state.objection(&attempt, &limits) == Some(Suppression::LossLimit);
    assert!(!loss(&state, equity(midnight + 9, 981.0)) && loss(&state, equity(midnight + 9, 980.0)));
    assert!(loss(&state, at(midnight + 9)) && loss(&state, equity(midnight + 9, f64::NAN)), "not known");
    // The next day begins with the first equity of any member, and a clock that is behind does not bring the last one back.
    let next = state.claimed(&equity(midnight + 86_400, 900.0));
    assert_eq!(next.day.unwrap().first_equity, 900.0);
    assert_eq!(next.claimed(&equity(midnight + 86_399, 800.0)).day, next.day);
}

#[test]
fn cooldown_and_halt_hold_over_all_members() {
    let limits = Limits { cooldown: s(60), ..Limits::default() };
    let state = AccountState::default();
    let last = |ago| Attempt { last_order_ms: Some((WALL - ago) * 1_000), ..at(WALL) };
    assert_eq!(state.objection(&last(59), &limits), Some(Suppression::Cooldown));
    assert_eq!(state.objection(&last(60), &limits), None);
    let halted = state.halted("alice".into(), "news".into(), WALL);
    let twice = halted.halted("bob".into(), "too".into(), WALL);
    assert_eq!(twice.objection(&at(WALL), &limits), Some(Suppression::Halted));
    assert_eq!(twice.resumed(1), None, "the halt that was named is not this one");
    assert_eq!(twice.resumed(2).unwrap().objection(&at(WALL), &limits), None);
}

#[test]
fn a_state_of_a_later_format_cannot_be_read() {
    let mut written = serde_json::to_value(AccountState::default()).unwrap();
    let read = |value: &serde_json::Value| serde_json::from_value::<AccountState>(value.clone());
    assert_eq!(read(&written).unwrap(), AccountState::default());
    written["format"] = 1.into();
    assert!(read(&written).is_err(), "its new fields would be lost with the next claim");
    // Before there were formats.
    written.as_object_mut().unwrap().remove("format");
    assert_eq!(read(&written).unwrap(), AccountState::default());
}
