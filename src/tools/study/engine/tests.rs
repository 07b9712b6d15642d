//! The study on made-up markets: what a rule does with a signal, what is found, and what is not.

use super::{fixtures::*, *};
use crate::tools::study::statistics::uniformity::against_uniform;
use market::Terms;
use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    decision::Prediction,
    fill::{Costs, ExitReason, Exits, TripleDay},
    interval::Interval,
};
use trades::OppositeRule;

const BUY: [f64; 3] = [0.1, 0.2, 0.7];

const SEEDS: u64 = 200;
const HOURS: usize = 1_500;

/// Closes that these are, each bar opening at the close before.
fn bars(closes: &[f64]) -> Vec<Bar> {
    let bar = |(at, close): (usize, &f64)| {
        let open = if at == 0 { *close } else { closes[at - 1] };
        let (high, low) = (open.max(*close), open.min(*close));
        Bar { open_time: 3_600 * at as i64, open, high, low, close: *close, volume: 0.0 }
    };
    closes.iter().enumerate().map(bar).collect()
}

/// Exit, points and reason of the trades of these signals on a price that rises by 10 points a bar; no costs.
fn traded(policy: Policy, signals: &[(u32, Side)]) -> Vec<(u32, u32, i64, ExitReason)> {
    let closes: Vec<f64> = (0..20).map(|at| 1.1 + f64::from(at) * 1e-4).collect();
    let market = market(bars(&closes), 0.0);
    run(&market, policy, signals)
        .iter()
        .map(|trade| (trade.bar, trade.exit, trade.net.round() as i64, trade.reason))
        .collect()
}

#[test]
fn a_second_signal_of_a_side_waits_for_the_first() {
    let signals = [(0, Side::Buy), (1, Side::Buy), (4, Side::Buy), (15, Side::Buy), (16, Side::Buy)];
    let horizon = ExitReason::Horizon;
    // Entered at the open of bar 1, which is the close of bar 0, and left at the close of bar 4, where the next one begins.
    // What would end after the last bar is no trade.
    assert_eq!(traded(ALONE, &signals), [(0, 4, 40, horizon), (4, 8, 40, horizon), (15, 19, 40, horizon)]);
    let two = traded(Policy { positions_max: 2, ..ALONE }, &signals);
    assert_eq!(two.iter().map(|trade| trade.0).collect::<Vec<_>>(), [0, 1, 4, 15]);
}

#[test]
fn a_signal_of_the_other_side_does_what_the_rule_says() {
    let signals = [(0, Side::Buy), (2, Side::Sell)];
    let (horizon, opposite) = (ExitReason::Horizon, ExitReason::Opposite);
    let with = |opposite| traded(Policy { positions_max: 1, opposite }, &signals);
    assert_eq!(with(OppositeRule::Open), [(0, 4, 40, horizon), (2, 6, -40, horizon)]);
    // Ended at the open of bar 3, which is the close of bar 2.
    assert_eq!(with(OppositeRule::CloseOnly), [(0, 3, 20, opposite)]);
    assert_eq!(with(OppositeRule::CloseThenOpen), [(0, 3, 20, opposite), (2, 6, -40, horizon)]);
    assert_eq!(with(OppositeRule::Skip), [(0, 4, 40, horizon)]);
}

/// Points and end of trades on a price that stands still, so that nights alone are charged: 7 points for a BUY, and a SELL gets 2.
/// Bar 0 opens on a Monday at midnight UTC; nights begin at 22:00.
fn charged(triple_day: TripleDay, horizon_bars: usize, signals: &[(u32, Side)]) -> Vec<(f64, ExitReason)> {
    let mut hours = bars(&[1.1; 200]);
    hours.iter_mut().for_each(|bar| bar.open_time += 1_794_787_200);
    let costs = Costs { swap_long: -7.0, swap_short: 2.0, ..Costs::default() };
    let exits = Exits { stop_loss: None, take_profit: None, horizon_bars, digits: 5 };
    let market = Market::new(hours, Interval::OneHour, &Calendar::always(), Terms { costs, triple_day, exits });
    let policy = Policy { positions_max: 1, opposite: OppositeRule::CloseOnly };
    run(&market, policy, signals).iter().map(|trade| (trade.net, trade.reason)).collect()
}

#[test]
fn each_night_is_charged_and_one_three_times() {
    let (horizon, [buy, sell]) = (ExitReason::Horizon, [Side::Buy, Side::Sell]);
    // Entered at 21:00 of Monday, Wednesday, Friday and Saturday, left at 01:00.
    let evenings = [20, 20 + 48, 20 + 96, 20 + 120];
    let on = |triple_day, side| -> Vec<f64> {
        let signals = evenings.map(|bar| (bar, side));
        charged(triple_day, 4, &signals).iter().map(|(net, _)| *net).collect()
    };
    assert_eq!(on(TripleDay::Wed, buy), [-7.0, -21.0, -7.0, 0.0]);
    assert_eq!(on(TripleDay::Wed, sell), [2.0, 6.0, 2.0, 0.0]);
    assert_eq!(on(TripleDay::Fri, buy), [-7.0, -7.0, -21.0, 0.0]);
    assert_eq!(charged(TripleDay::Wed, 168, &[(0, buy)]), [(-49.0, horizon)], "a week has seven");
}

#[test]
fn a_night_that_begins_as_a_position_does_is_not_its_own() {
    let (horizon, opposite) = (ExitReason::Horizon, ExitReason::Opposite);
    // Entered at 22:00, left at 02:00; and entered at 18:00, left at 22:00.
    assert_eq!(charged(TripleDay::Wed, 4, &[(21, Side::Buy)]), [(0.0, horizon)]);
    assert_eq!(charged(TripleDay::Wed, 4, &[(17, Side::Buy)]), [(0.0, horizon)]);
    // A signal of the other side at 22:00 ends it at the next open, when the night has begun; one at 21:00 ends it before.
    assert_eq!(charged(TripleDay::Wed, 8, &[(17, Side::Buy), (21, Side::Sell)]), [(-7.0, opposite)]);
    assert_eq!(charged(TripleDay::Wed, 8, &[(17, Side::Buy), (20, Side::Sell)]), [(0.0, opposite)]);
}

#[test]
fn a_confidence_at_the_threshold_is_no_signal() {
    let market = market(random_walk(400, 1), 0.0);
    let odds = Prediction::parse([0.2, 0.2, 0.6]).unwrap();
    let decisions: Vec<Decision> = (0..400).map(|bar| Decision { bar, odds }).collect();
    let judged = study(&market, &decisions, None);
    let row = |threshold: f64| judged.sides[0].thresholds.iter().find(|row| row.threshold == threshold).unwrap();
    assert_eq!((row(0.59).signals, row(0.6).signals, row(0.34).coverage), (400, 0, 1.0));
    assert!(judged.sides[1].thresholds.iter().all(|row| row.signals == 0));
}

#[test]
fn prices_of_a_trade_add_up_to_what_it_brought() {
    let market = market(random_walk(900, 3), 8.0);
    let judged = study(&market, &model(&market.bars, 3, |_| 0.0), None);
    assert!(judged.outside.len() > 10);
    for trade in &judged.outside {
        let (entry, exit) = market.prices(trade);
        let moved = if trade.side == Side::Buy { exit - entry } else { entry - exit };
        assert!((moved * 1e5 - trade.net).abs() < 1e-6, "{trade:?}");
    }
}

#[test]
fn the_same_study_has_the_same_result() {
    let once = || {
        let market = market(random_walk(900, 5), 3.0);
        format!("{:?}", study(&market, &model(&market.bars, 5, |_| 0.3), Some(720_000)))
    };
    assert_eq!(once(), once());
}

#[test]
fn folds_neither_overlap_nor_know_each_other() {
    let market = market(random_walk(700, 5), 0.0);
    let decisions = model(&market.bars, 5, |_| 0.0);
    let spans = folds::spans(&decisions[100..], 4);
    assert_eq!(spans.len(), folds::FOLDS);
    assert_eq!(spans.first().map(|span| span.from), Some(200), "a sixth of 600 comes before the first fold");
    assert_eq!(spans.last().map(|span| span.to), Some(700));
    for (span, next) in spans.iter().zip(&spans[1..]) {
        assert_eq!(span.to, next.from);
        assert_eq!(next.inside_to, next.from - 4 - 24);
    }
}

#[test]
fn bars_that_the_model_knows_are_not_counted() {
    let market = market(random_walk(HOURS, 7), 0.0);
    // It knows everything up to bar 700, and nothing later.
    let decisions = model(&market.bars, 7, |at| if at < 700 { 0.9 } else { 0.0 });
    let trained_until = market.close_times[704];
    let judged = study(&market, &decisions, Some(trained_until));
    assert_eq!(judged.first_outside, 704, "a bar that closes at that moment was not trained on");
    assert!(judged.outside.iter().all(|trade| trade.bar >= 704));
    assert!(!judged.answer.is_advice, "{}", judged.answer.sentence);
    let all_rows: u64 = judged.sides.iter().map(|side| side.thresholds[0].signals).sum();
    assert!(all_rows <= 796);
}

#[test]
fn an_edge_smaller_than_the_costs_is_not_found() {
    let bars = random_walk(4_000, 11);
    let decisions = model(&bars, 11, |_| 0.4);
    let judged = study(&market(bars, 40.0), &decisions, Some(3_600 * 500));
    assert!(!judged.answer.is_advice, "{}", judged.answer.sentence);
}

#[test]
fn without_costs_there_is_no_advice() {
    let bars = random_walk(4_000, 11);
    let decisions = model(&bars, 11, |_| 0.4);
    let judged = study(&market(bars, 0.0), &decisions, Some(3_600 * 500));
    assert!(
        !judged.answer.is_advice && judged.answer.sentence.contains("--frictionless"),
        "{}",
        judged.answer.sentence
    );
}

#[test]
fn every_other_study_lowers_the_deflated_ratio() {
    let market = market(random_walk(2_000, 11), 3.0);
    let decisions = model(&market.bars, 11, |_| 0.2);
    let after = |trials| study_after(&market, &decisions, Some(0), trials).walk_forward.outside.dsr.unwrap();
    let ratios = [0, 124, 248, 372].map(after);
    assert!(ratios.is_sorted_by(|one, next| one > next), "{ratios:?}");
}

#[test]
fn p_values_of_noise_are_uniform() {
    let mut p_values = Vec::new();
    for seed in 0..SEEDS {
        let market = market(random_walk(HOURS, 1_000 + seed), 2.0);
        p_values.extend(study(&market, &model(&market.bars, 2_000 + seed, |_| 0.0), Some(0)).null.p_value);
    }
    assert_eq!(p_values.len() as u64, SEEDS);
    let uniformity = against_uniform(&p_values).unwrap();
    assert!(uniformity.p_value > 0.05, "{uniformity:?} {p_values:?}");
}

#[test]
fn a_shift_without_a_trade_is_no_result_of_chance() {
    // Only a position that ends with bar 24 earns; what would end after bar 39 is no trade.
    let closes: Vec<f64> = (0..40).map(|at| if at == 24 { 1.2 } else { 1.1 }).collect();
    let (market, signals) = (market(bars(&closes), 0.0), [(20, Side::Buy)]);
    let folds: [null::FoldSignals<'_>; 1] = [(0..40, &signals)];
    let null = null::of(&null::Signals { market: &market, policy: ALONE, folds: &folds }, 400, 1, |_| {});
    assert!((200..400).contains(&null.shifts), "{null:?}");
    assert_eq!(null.p_value, Some(1.0 / (null.shifts + 1) as f64));
}

#[test]
fn several_positions_at_once_get_no_advice() {
    let market = market(random_walk(6_500, 3_000), 3.0);
    let decisions = sure_model(&market.bars, 4_000, |_| 0.4);
    for (positions_max, lacking) in [(1, vec![]), (0, vec!["positions"]), (2, vec!["positions"])] {
        let policy = Policy { positions_max, ..ALONE };
        let answer = judge_by(&market, &decisions, Some(market.close_times[500]), policy, 0).answer;
        let found = answer.conditions.iter().filter(|condition| !condition.is_met).map(|condition| &condition.name);
        assert_eq!(found.collect::<Vec<_>>(), lacking, "{}", answer.sentence);
        assert_eq!(answer.is_advice, positions_max == 1);
    }
}

#[test]
fn few_bars_are_an_answer_and_no_crash() {
    for count in [1, 2, 5, 6, 7, 30, 60] {
        let market = market(random_walk(count, 1), 1.0);
        let odds = Prediction::parse(BUY).unwrap();
        let decisions: Vec<Decision> = (0..count as u32).map(|bar| Decision { bar, odds }).collect();
        for decisions in [&decisions[..], &[]] {
            assert!(!study(&market, decisions, Some(0)).answer.is_advice);
        }
    }
}
