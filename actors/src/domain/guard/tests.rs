//! Each rule at its boundary, and their order.

use super::*;

const FINE: Circumstances = Circumstances {
    is_halted: false,
    has_clock_stepped: false,
    is_market_open: true,
    is_bar_stale: false,
    volume: 0.02,
    volume_max: 0.0,
};

/// These are the listed reasons from the first to the last of them, in their order and without a gap.
fn are_listed(reasons: &[Option<Suppression>]) {
    let begin = Suppression::ALL.iter().position(|known| Some(*known) == reasons[0]).unwrap();
    let listed: Vec<_> = Suppression::ALL[begin..].iter().take(reasons.len()).copied().map(Some).collect();
    assert_eq!(reasons, listed);
}

#[test]
fn rules_before_an_order_object_in_the_listed_order() {
    let all = Circumstances {
        is_halted: true,
        has_clock_stepped: true,
        is_market_open: false,
        is_bar_stale: true,
        volume: 2.0,
        volume_max: 1.0,
    };
    let resumed = Circumstances { is_halted: false, ..all };
    let steady = Circumstances { has_clock_stepped: false, ..resumed };
    let open = Circumstances { is_market_open: true, ..steady };
    let fresh = Circumstances { is_bar_stale: false, ..open };
    are_listed(&[all, resumed, steady, open, fresh].map(|around| objection(&around)));
    assert_eq!(objection(&Circumstances { volume: 1.0, ..fresh }), None);
}

#[test]
fn obstacles_object_in_the_listed_order() {
    let all = Obstacles {
        is_halted: true,
        is_stopping: true,
        is_not_holder: true,
        bars_after: Some(60),
        lacks_handshake: true,
        is_breaker_open: true,
    };
    assert_eq!(all.objection(60), Some(Suppression::Halted));
    let resumed = Obstacles { is_halted: false, ..all };
    let running = Obstacles { is_stopping: false, ..resumed };
    let holder = Obstacles { is_not_holder: false, ..running };
    let later = Obstacles { bars_after: Some(59), ..holder };
    let answered = Obstacles { lacks_handshake: false, ..later };
    are_listed(&[resumed, running, holder, later, answered].map(|obstacles| obstacles.objection(60)));
    assert_eq!(Obstacles { is_breaker_open: false, ..answered }.objection(60), None);
}

#[test]
fn a_halt_beats_every_other_reason() {
    let all = Circumstances {
        is_halted: true,
        has_clock_stepped: true,
        is_market_open: false,
        is_bar_stale: true,
        volume: 2.0,
        volume_max: 1.0,
    };
    assert_eq!(objection(&all), Some(Suppression::Halted));
}

#[test]
fn an_order_at_the_volume_limit_passes_and_one_above_it_does_not() {
    assert_eq!(objection(&Circumstances { volume_max: 0.02, ..FINE }), None);
    let limit = Circumstances { volume_max: 0.01, ..FINE };
    assert_eq!(objection(&limit), Some(Suppression::VolumeLimit));
    assert_eq!(objection(&Circumstances { volume: 100.0, ..FINE }), None, "0 is no limit");
}

#[test]
fn a_closed_market_is_a_better_reason_than_an_old_bar() {
    assert_eq!(objection(&FINE), None);
    assert_eq!(objection(&Circumstances { is_bar_stale: true, ..FINE }), Some(Suppression::StaleBar));
    let closed = Circumstances { is_market_open: false, is_bar_stale: true, ..FINE };
    assert_eq!(objection(&closed), Some(Suppression::MarketClosed));
}

#[test]
fn after_a_clock_step_no_other_rule_about_time_is_believed() {
    let stepped = Circumstances { has_clock_stepped: true, is_market_open: false, ..FINE };
    assert_eq!(objection(&stepped), Some(Suppression::ClockStep));
}

#[test]
fn a_bar_is_stale_only_past_its_limit() {
    assert!(!is_stale(1_000, 1_000 + 10_800, 10_800));
    assert!(is_stale(1_000, 1_000 + 10_801, 10_800));
    assert!(!is_stale(1_000, 900, 10_800), "a close in the future is no age");
}

fn pace() -> Pace {
    Pace { failures_in_a_row: 2, last_hour: 3, last_day: 5, since_last: Some(Duration::from_secs(60)) }
}

#[test]
fn every_limit_of_pace_holds_at_its_boundary() {
    let off = Limits::default();
    assert_eq!(pace_objection(&pace(), &off), None, "0 is off");
    for (limits, reason) in [
        (Limits { failures_in_a_row_max: 2, ..off }, Suppression::Failures),
        (Limits { orders_per_hour_max: 3, ..off }, Suppression::OrderLimit),
        (Limits { orders_per_day_max: 5, ..off }, Suppression::OrderLimit),
        (Limits { cooldown: Duration::from_nanos(60_000_000_001), ..off }, Suppression::Cooldown),
    ] {
        assert_eq!(pace_objection(&pace(), &limits), Some(reason));
    }
    for limits in [
        Limits { failures_in_a_row_max: 3, ..off },
        Limits { orders_per_hour_max: 4, ..off },
        Limits { orders_per_day_max: 6, ..off },
        Limits { cooldown: Duration::from_secs(60), ..off },
    ] {
        assert_eq!(pace_objection(&pace(), &limits), None);
    }
    let first = Pace { since_last: None, ..pace() };
    assert_eq!(pace_objection(&first, &Limits { cooldown: Duration::from_secs(3_600), ..off }), None);
}

#[test]
fn the_days_loss_holds_at_its_boundary_and_an_equity_nobody_tells_is_lost() {
    let limits = Limits { loss_pct_per_day_max: 5.0, ..Limits::default() };
    let loss = |first, now| loss_objection(first, now, &limits);
    assert_eq!(loss(Some(1_000.0), Some(950.01)), None);
    assert_eq!(loss(Some(1_000.0), Some(950.0)), Some(Suppression::LossLimit));
    assert_eq!(loss(Some(1_000.0), Some(1_200.0)), None, "a gain is no loss");
    for (first, now) in [(None, Some(1.0)), (Some(1.0), None), (Some(0.0), Some(0.0)), (Some(f64::NAN), Some(1.0))] {
        assert_eq!(loss(first, now), Some(Suppression::LossLimit), "{first:?} {now:?}");
        assert_eq!(loss_objection(first, now, &Limits::default()), None, "0 is off");
    }
}

#[test]
fn positions_stop_both_directions_as_the_settings_say() {
    let one = Limits { positions_max: 1, ..Limits::default() };
    assert_eq!(exposure_objection(0, 7, &one), None, "an opposite signal opens");
    assert_eq!(exposure_objection(1, 0, &one), Some(Suppression::PositionLimit));
    assert_eq!(exposure_objection(1, 0, &Limits { positions_max: 2, ..one }), None);
    assert_eq!(exposure_objection(9, 0, &Limits { positions_max: 0, ..one }), None, "0 is off");
    let skip = Limits { opposite: Opposite::Skip, ..one };
    assert_eq!(exposure_objection(0, 1, &skip), Some(Suppression::Opposite));
    assert_eq!(exposure_objection(0, 0, &skip), None);
    assert_eq!(exposure_objection(0, 1, &Limits { opposite: Opposite::CloseThenOpen, ..one }), None);
}
