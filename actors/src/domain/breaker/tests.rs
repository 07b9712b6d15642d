//! When a breaker opens, half-opens and closes.

use super::*;

const PAUSE: Duration = Duration::from_secs(60);

/// A breaker that has just opened, and the time.
fn opened() -> (Breaker, Instant) {
    let (mut breaker, now) = (Breaker::new(BreakerPolicy { failures: 3, pause: PAUSE }), Instant::now());
    for _ in 0..2 {
        breaker.failed(now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }
    breaker.failed(now);
    assert_eq!(breaker.state(now), BreakerState::Open);
    (breaker, now)
}

#[test]
fn it_half_opens_when_the_pause_is_over_and_not_before() {
    let (breaker, now) = opened();
    assert_eq!(breaker.state(now + PAUSE - Duration::from_nanos(1)), BreakerState::Open);
    assert_eq!(breaker.state(now + PAUSE), BreakerState::HalfOpen);
}

#[test]
fn one_success_closes_it_and_forgets_the_failures() {
    let (mut breaker, now) = opened();
    breaker.succeeded();
    assert_eq!(breaker.state(now), BreakerState::Closed);
    breaker.failed(now);
    breaker.failed(now);
    assert_eq!(breaker.state(now), BreakerState::Closed, "it takes three in a row again");
}

#[test]
fn one_failure_opens_a_half_open_one_for_another_pause() {
    let (mut breaker, now) = opened();
    let later = now + PAUSE;
    breaker.failed(later);
    assert_eq!(breaker.state(later + PAUSE - Duration::from_nanos(1)), BreakerState::Open);
    assert_eq!(breaker.state(later + PAUSE), BreakerState::HalfOpen);
}

#[test]
fn what_is_wrong_with_a_request_neither_opens_it_nor_makes_failures_forgotten() {
    let (mut breaker, now) = (Breaker::new(BreakerPolicy { failures: 3, pause: PAUSE }), Instant::now());
    (0..100).for_each(|_| breaker.refused(now));
    assert_eq!(breaker.state(now), BreakerState::Closed);
    breaker.failed(now);
    breaker.failed(now);
    breaker.refused(now);
    breaker.failed(now);
    assert_eq!(breaker.state(now), BreakerState::Open);
    breaker.refused(now);
    assert_eq!(breaker.state(now), BreakerState::Open, "a call from before");
}

#[test]
fn only_many_refusals_in_a_row_close_a_half_open_one() {
    let (mut breaker, now) = opened();
    let later = now + PAUSE;
    breaker.refused(later);
    breaker.refused(later);
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    breaker.failed(later);
    assert_eq!(breaker.state(later), BreakerState::Open, "a failure opens it all the same");
    let again = later + PAUSE;
    breaker.refused(again);
    breaker.refused(again);
    assert_eq!(breaker.state(again), BreakerState::HalfOpen, "they are counted anew");
    breaker.refused(again);
    assert_eq!(breaker.state(again), BreakerState::Closed);
}

#[test]
fn calls_that_end_while_it_is_open_do_not_stretch_the_pause() {
    let (mut breaker, now) = opened();
    breaker.failed(now + PAUSE / 2);
    assert_eq!(breaker.state(now + PAUSE), BreakerState::HalfOpen);
}

#[test]
fn only_failures_in_a_row_open_it() {
    let now = Instant::now();
    let mut breaker = Breaker::new(BreakerPolicy { failures: 2, pause: PAUSE });
    let mut off = Breaker::new(BreakerPolicy { failures: 0, pause: PAUSE });
    for _ in 0..100 {
        breaker.failed(now);
        breaker.succeeded();
        off.failed(now);
    }
    assert_eq!((breaker.state(now), off.state(now)), (BreakerState::Closed, BreakerState::Closed));
}
