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

/// Each of these is checked before the next one.
fn are_in_order(reasons: &[Option<Suppression>]) {
    let place = |reason: &Option<Suppression>| Suppression::ALL.iter().position(|known| Some(*known) == *reason);
    let places: Vec<_> = reasons.iter().map(|reason| place(reason).unwrap()).collect();
    assert!(places.is_sorted(), "{reasons:?}");
}

#[test]
fn reasons_are_listed_in_the_order_in_which_they_are_asked() {
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
    are_in_order(&[all, resumed, steady, open, fresh].map(|around| objection(&around)));
    let limits = Limits {
        failures_in_a_row_max: 1,
        orders_per_hour_max: 1,
        cooldown: Duration::from_secs(3_600),
        positions_max: 1,
        loss_pct_per_day_max: 1.0,
        opposite: Opposite::Skip,
        ..Limits::default()
    };
    let filled = Pace { failures_in_a_row: 0, ..pace() };
    let rare = Pace { last_hour: 0, ..filled };
    let [failed, fast, soon] = [pace(), filled, rare].map(|pace| pace_objection(&pace, &limits));
    let lost = loss_objection(None, None, &limits);
    let [beside, full] = [1, 0].map(|opposite| exposure_objection(1, opposite, &limits));
    are_in_order(&[failed, fast, soon, lost, Some(Suppression::Positions), beside, full]);
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
