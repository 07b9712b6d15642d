//! Fills of bars made by hand, with known answers; and that costs only ever lower a result.

use super::*;
use chrono::DateTime;

const POINT: f64 = 1e-5;
const FREE: Costs = Costs { spread: 0.0, slippage: 0.0, commission_side: 0.0, swap_long: 0.0, swap_short: 0.0 };

fn bar(open: f64, high: f64, low: f64, close: f64) -> Bar {
    Bar { open_time: 0, open, high, low, close, volume: 0.0 }
}

fn exits(stop_loss: Option<f64>, take_profit: Option<f64>) -> Exits {
    Exits { stop_loss, take_profit, horizon_bars: 3, digits: 5 }
}

/// Bars that go nowhere, then this one.
fn ends_with(last: Bar) -> [Bar; 3] {
    let calm = bar(1.1, 1.1005, 1.0995, 1.1);
    [calm, last, calm]
}

fn found(side: Side, bars: &[Bar], exits: &Exits) -> (usize, f64, ExitReason, bool) {
    let Exit { bar, price, reason, is_ambiguous } = exit(side, 1.1, bars, exits).unwrap();
    (bar, (price * 1e5).round() / 1e5, reason, is_ambiguous)
}

#[test]
fn without_stops_it_ends_at_the_horizons_close() {
    let bars = [bar(1.1, 1.2, 1.0, 1.15), bar(1.15, 1.2, 1.1, 1.12), bar(1.12, 1.13, 1.11, 1.125)];
    for side in [Side::Buy, Side::Sell] {
        assert_eq!(found(side, &bars, &exits(None, None)), (2, 1.125, ExitReason::Horizon, false));
        assert_eq!(exit(side, 1.1, &bars[..2], &exits(None, None)), None, "its end is not known yet");
    }
}

#[test]
fn each_stop_ends_it_at_its_level() {
    let both = exits(Some(0.002), Some(0.003));
    let (rise, fall) = (bar(1.1, 1.1031, 1.0999, 1.103), bar(1.1, 1.1001, 1.0969, 1.097));
    assert_eq!(found(Side::Buy, &ends_with(rise), &both), (1, 1.103, ExitReason::TakeProfit, false));
    assert_eq!(found(Side::Buy, &ends_with(fall), &both), (1, 1.098, ExitReason::StopLoss, false));
    assert_eq!(found(Side::Sell, &ends_with(rise), &both), (1, 1.102, ExitReason::StopLoss, false));
    assert_eq!(found(Side::Sell, &ends_with(fall), &both), (1, 1.097, ExitReason::TakeProfit, false));
}

#[test]
fn a_touch_to_the_point_is_enough_and_less_is_not() {
    let both = exits(Some(0.002), Some(0.003));
    let touch = bar(1.1, 1.103, 1.0999, 1.1);
    assert_eq!(found(Side::Buy, &ends_with(touch), &both).2, ExitReason::TakeProfit);
    let less = bar(1.1, 1.10299, 1.09801, 1.1);
    assert_eq!(found(Side::Buy, &ends_with(less), &both).2, ExitReason::Horizon);
}

#[test]
fn a_bar_with_both_stops_is_a_loss_and_counted() {
    let wide = bar(1.1, 1.11, 1.09, 1.1);
    let both = exits(Some(0.002), Some(0.003));
    assert_eq!(found(Side::Buy, &ends_with(wide), &both), (1, 1.098, ExitReason::StopLoss, true));
    assert_eq!(found(Side::Sell, &ends_with(wide), &both), (1, 1.102, ExitReason::StopLoss, true));
    assert!(!found(Side::Buy, &ends_with(wide), &exits(Some(0.002), None)).3, "with one stop nothing is ambiguous");
}

#[test]
fn a_gap_through_the_stop_loss_fills_at_the_open() {
    let both = exits(Some(0.002), Some(0.003));
    let down = bar(1.095, 1.11, 1.094, 1.1);
    assert_eq!(found(Side::Buy, &ends_with(down), &both), (1, 1.095, ExitReason::StopLoss, false));
    let up = bar(1.105, 1.106, 1.09, 1.1);
    assert_eq!(found(Side::Sell, &ends_with(up), &both), (1, 1.105, ExitReason::StopLoss, false));
}

#[test]
fn a_gap_through_the_take_profit_brings_no_more_than_it() {
    let both = exits(Some(0.002), Some(0.003));
    let up = bar(1.105, 1.106, 1.09, 1.1);
    assert_eq!(found(Side::Buy, &ends_with(up), &both), (1, 1.103, ExitReason::TakeProfit, false));
    // The entry itself is beyond it: entered and left at the open.
    assert_eq!(found(Side::Buy, &[up], &both), (0, 1.105, ExitReason::TakeProfit, false));
}

#[test]
fn the_first_bar_counts_as_the_later_ones_do() {
    let both = exits(Some(0.002), Some(0.003));
    let fall = bar(1.1, 1.1001, 1.0969, 1.097);
    assert_eq!(found(Side::Buy, &[fall], &both).0, 0);
}

#[test]
fn fills_are_half_a_spread_and_the_slippage_worse() {
    let costs = Costs { spread: 10.0, slippage: 2.0, commission_side: 3.5, ..FREE };
    let near = |price: f64, wanted: f64| assert!((price - wanted).abs() < 1e-12, "{price} is not {wanted}");
    near(entry_price(Side::Buy, 1.1, &costs, POINT), 1.10007);
    near(exit_price(Side::Buy, 1.1, &costs, POINT), 1.09993);
    near(entry_price(Side::Sell, 1.1, &costs, POINT), 1.09993);
    let bought = entry_price(Side::Buy, 1.1, &costs, POINT);
    let net = net_points(Side::Buy, bought, exit_price(Side::Buy, 1.102, &costs, POINT), 0, &costs, POINT);
    assert!((net - (200.0 - costs.round_trip())).abs() < 1e-6, "{net}");
    assert_eq!(costs.round_trip(), 21.0);
}

#[test]
fn swap_is_by_side_and_night() {
    let costs = Costs { swap_long: -6.0, swap_short: 1.5, ..FREE };
    let net = |side, nights| (net_points(side, 1.1, 1.1, nights, &costs, POINT) * 1e6).round() / 1e6;
    assert_eq!((net(Side::Buy, 3), net(Side::Sell, 3), net(Side::Buy, 0)), (-18.0, 4.5, 0.0));
}

#[test]
fn nights_are_new_yorks_with_wednesday_three_times() {
    let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp();
    let nights = Nights::new(at("2026-03-01T00:00:00Z"), at("2026-03-31T00:00:00Z"), TripleDay::Wed);
    let held = |from: &str, to: &str| nights.before(at(to)) - nights.until(at(from));
    // A week has 7, two of them on Wednesday for the weekend. In March 2026 New York changes its clocks on the 8th.
    assert_eq!(held("2026-03-02T12:00:00Z", "2026-03-09T12:00:00Z"), 7);
    assert_eq!(held("2026-03-04T21:59:59Z", "2026-03-04T22:00:01Z"), 3, "17:00 is 22:00 UTC in winter");
    assert_eq!(held("2026-03-11T20:59:59Z", "2026-03-11T21:00:01Z"), 3, "and 21:00 UTC in summer");
    assert_eq!(held("2026-03-06T23:00:00Z", "2026-03-08T23:00:00Z"), 0, "no night from Friday evening to Sunday");
    assert_eq!(held("2026-03-03T22:00:00Z", "2026-03-04T22:00:00Z"), 0, "opened at 17:00, closed before the next");
    let friday = Nights::new(at("2026-03-01T00:00:00Z"), at("2026-03-31T00:00:00Z"), TripleDay::Fri);
    assert_eq!(friday.until(at("2026-03-06T22:00:00Z")) - friday.before(at("2026-03-06T22:00:00Z")), 3);
}

#[test]
fn higher_costs_only_ever_lower_a_result() {
    // A small generator with a fixed start, so that the test is the same everywhere.
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    for _ in 0..20_000 {
        let mut price = 1.1;
        let bars: Vec<Bar> = (0..6)
            .map(|_| {
                let open = price + (random() - 0.5) * 0.001;
                price = open + (random() - 0.5) * 0.004;
                bar(open, open.max(price) + random() * 0.001, open.min(price) - random() * 0.001, price)
            })
            .collect();
        let stop = |random: f64| (random > 0.3).then_some(0.0005 + random * 0.002);
        let exits = Exits {
            stop_loss: stop(random()),
            take_profit: stop(random()),
            horizon_bars: 1 + (random() * 5.0) as usize,
            digits: 5,
        };
        let side = if random() < 0.5 { Side::Buy } else { Side::Sell };
        let end = exit(side, 1.1, &bars, &exits).unwrap();
        let nights = (random() * 4.0) as u32;
        let mut costs = FREE;
        let net = |costs: &Costs| {
            let entry = entry_price(side, bars[0].open, costs, POINT);
            net_points(side, entry, exit_price(side, end.price, costs, POINT), nights, costs, POINT)
        };
        let mut before = net(&costs);
        let gross = direction(side) * (end.price - bars[0].open) / POINT;
        assert!((before - gross).abs() < 1e-6, "free of costs the prices are all");
        for step in 0..5 {
            let more = 0.1 + random() * 10.0;
            match step {
                0 => costs.spread += more,
                1 => costs.slippage += more,
                2 => costs.commission_side += more,
                3 => costs.swap_long -= more,
                _ => costs.swap_short -= more,
            }
            let after = net(&costs);
            assert!(after <= before, "{costs:?}: {after} above {before}");
            before = after;
        }
    }
}
