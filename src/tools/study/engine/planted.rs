//! What is planted in a made-up market, on so many bars that the number of trades is always enough: an edge, one that ends where the
//! judging begins, and none; without stops, and with them under each rule for signals of the other side. `SENTINEL_ALL_TESTS=1`
//! takes more seeds.

use super::{fixtures::*, *};
use crate::tools::study::result::{Condition, Verdict};
use sentinel_actors::domain::{
    calendar::Calendar,
    fill::{Costs, Exits, TripleDay},
    interval::Interval,
};
use trades::OppositeRule;

/// Bars that the model has not seen; a fold has 1,000 of them.
const UNSEEN: usize = 6_000;
/// Bars that it was trained on, as is said.
const SEEN: usize = 500;
/// Bars of the first choice: after them come the folds.
const CHOICE: usize = UNSEEN / 6;

fn seeds(quick: u64, all: u64) -> std::ops::Range<u64> {
    let is_full = std::env::var_os("SENTINEL_ALL_TESTS").is_some_and(|value| !value.is_empty());
    0..if is_full { all } else { quick }
}

/// A study of a model that knows so much at each bar. With a spread of 0.1 points noise is not refused
/// because of its costs.
fn planted(seed: u64, spread: f64, knowledge: impl Fn(usize) -> f64) -> Judged {
    let market = market(random_walk(SEEN + UNSEEN, 3_000 + seed), spread);
    let decisions = sure_model(&market.bars, 4_000 + seed, knowledge);
    study(&market, &decisions, Some(market.close_times[SEEN]))
}

/// The same with stops that most positions end at, and this rule for signals of the other side.
fn with_stops(seed: u64, spread: f64, opposite: OppositeRule, knowledge: impl Fn(usize) -> f64) -> Judged {
    with_stops_and_horizon(seed, spread, opposite, 8, knowledge)
}

/// The same, ended after so many bars.
fn with_stops_and_horizon(
    seed: u64,
    spread: f64,
    opposite: OppositeRule,
    horizon_bars: usize,
    knowledge: impl Fn(usize) -> f64,
) -> Judged {
    let exits = Exits { stop_loss: Some(3e-4), take_profit: Some(4e-4), horizon_bars, digits: 5 };
    let costs = Costs { spread, ..Costs::default() };
    let terms = market::Terms { costs, triple_day: TripleDay::Wed, exits };
    let bars = random_walk(SEEN + UNSEEN, 7_000 + seed);
    let market = Market::new(bars, Interval::OneHour, &Calendar::always(), terms);
    let decisions = sure_model(&market.bars, 8_000 + seed, knowledge);
    judge_by(&market, &decisions, Some(market.close_times[SEEN]), Policy { positions_max: 1, opposite }, 0)
}

const RULES: [OppositeRule; 4] =
    [OppositeRule::Open, OppositeRule::CloseOnly, OppositeRule::CloseThenOpen, OppositeRule::Skip];

fn is_met(judged: &Judged, name: &str) -> bool {
    let condition: &Condition = judged.answer.conditions.iter().find(|condition| condition.name == name).unwrap();
    condition.is_met
}

fn has_trades(judged: &Judged) -> bool {
    is_met(judged, "trades") && is_met(judged, "trades_per_fold")
}

/// All but a tenth.
fn is_most(count: usize, of: usize) -> bool {
    count * 10 >= of * 9
}

#[test]
fn a_planted_edge_meets_every_condition() {
    let all = seeds(4, 40);
    for seed in all {
        let judged = planted(seed, 3.0, |_| 0.4);
        let answer = &judged.answer;
        assert!(
            answer.is_advice && answer.conditions.iter().all(|condition| condition.is_met),
            "{seed}: {}",
            answer.sentence
        );
        assert_eq!(answer.threshold, judged.walk_forward.threshold_now);
        // The variance between the trials would have set the bar higher because of the edge itself.
        let trials = &judged.trials;
        let between = trials.between.unwrap();
        assert!(between.expected_max > trials.sharpe_expected_max, "{seed}: {between:?} {trials:?}");
    }
}

#[test]
fn an_edge_without_a_said_end_of_training_is_no_advice() {
    let market = market(random_walk(SEEN + UNSEEN, 3_000), 3.0);
    let judged = study(&market, &sure_model(&market.bars, 4_000, |_| 0.4), None);
    let lacking: Vec<_> = judged
        .answer
        .conditions
        .iter()
        .filter(|condition| !condition.is_met)
        .map(|condition| &condition.name)
        .collect();
    assert_eq!(lacking, ["trained_until"]);
}

#[test]
fn an_edge_that_ends_where_judging_begins_is_not_found() {
    let all = seeds(6, 60);
    let mut counted = 0;
    for seed in all.clone() {
        // All thresholds of all folds are chosen with it, and each is judged without it.
        let judged = planted(seed, 1.0, |at| if at < SEEN + CHOICE { 0.8 } else { 0.0 });
        let first = &judged.walk_forward.folds[0];
        assert!(first.promised_net_points.unwrap() > 5.0, "{seed}: {first:?}");
        assert!(!judged.answer.is_advice, "{seed}: {}", judged.answer.sentence);
        counted += usize::from(has_trades(&judged));
        assert!(!is_met(&judged, "dsr"), "{seed}: {:?}", judged.walk_forward.outside);
    }
    assert!(is_most(counted, all.count()), "too few trades decided: {counted} had enough");
}

#[test]
fn an_edge_in_the_bars_it_was_trained_on_is_not_found() {
    for seed in seeds(3, 20) {
        let market = market(random_walk(2 * UNSEEN, 5_000 + seed), 1.0);
        let decisions = sure_model(&market.bars, 6_000 + seed, |at| if at < UNSEEN { 0.8 } else { 0.0 });
        let judged = study(&market, &decisions, Some(market.close_times[UNSEEN + 4]));
        assert!(!judged.answer.is_advice && !is_met(&judged, "dsr"), "{seed}: {}", judged.answer.sentence);
        assert!(has_trades(&judged), "{seed}: {}", judged.answer.sentence);
    }
}

#[test]
fn noise_gets_no_advice_though_it_has_the_trades() {
    let all = seeds(16, 200);
    let (mut counted, mut advised, mut above_zero, mut small_p) = (0, Vec::new(), 0, 0);
    for seed in all.clone() {
        let judged = planted(seed, 0.1, |_| 0.0);
        if has_trades(&judged) {
            counted += 1;
            above_zero += usize::from(is_met(&judged, "net_points"));
            small_p += usize::from(is_met(&judged, "p_value"));
            if judged.answer.is_advice {
                advised.push(seed);
            }
        }
    }
    let seeds = all.count();
    let said = format!("{counted} of {seeds} with trades: {above_zero} above 0, {small_p} with a small p");
    assert!(is_most(counted, seeds), "{said}");
    assert!(advised.len() * 20 <= counted, "advice on noise of seeds {advised:?}");
    // Chance meets each of these two alone as often as their level says; advice needs all conditions.
    assert!(above_zero * 10 <= counted && small_p * 8 <= counted, "{said}");
}

#[test]
fn an_edge_is_found_with_stops_and_signals_of_the_other_side() {
    for (seed, rule) in seeds(4, 20).zip(RULES.into_iter().cycle()) {
        let judged = with_stops(seed, 3.0, rule, |_| 0.5);
        let exits = judged.walk_forward.exits;
        assert!(judged.answer.is_advice, "{seed}, {rule:?}: {}", judged.answer.sentence);
        assert!(exits.stop_loss > 10 && exits.take_profit > 10, "{exits:?}");
        assert_eq!(exits.opposite > 0, matches!(rule, OppositeRule::CloseOnly | OppositeRule::CloseThenOpen));
    }
}

#[test]
fn noise_gets_no_advice_with_stops_and_signals_of_the_other_side() {
    let all = seeds(8, 60);
    let (mut counted, mut advised) = (0, Vec::new());
    for (seed, rule) in all.clone().zip(RULES.into_iter().cycle()) {
        let judged = with_stops(seed, 0.1, rule, |_| 0.0);
        counted += usize::from(has_trades(&judged));
        if judged.answer.is_advice {
            advised.push((seed, rule));
        }
    }
    assert!(is_most(counted, all.count()), "too few trades decided: {counted} had enough");
    assert!(advised.len() * 20 <= counted, "advice on noise of {advised:?}");
}

#[test]
fn a_fold_too_short_to_shift_is_no_verdict() {
    // Of 1,000 bars, and shifts of more than 500 in both directions; nearly all positions end at a stop long before.
    let of = |horizon_bars, knowledge: f64| {
        with_stops_and_horizon(1, 3.0, OppositeRule::CloseThenOpen, horizon_bars, |_| knowledge)
    };
    let judged = of(500, 0.5);
    let unmet: Vec<_> = judged.answer.conditions.iter().filter(|condition| !condition.is_met).collect();
    assert_eq!(unmet.iter().map(|condition| &*condition.name).collect::<Vec<_>>(), ["p_value"]);
    assert_eq!((unmet[0].found, judged.null.shifts, judged.null.p_value), (None, 0, None));
    assert!(judged.null.net_points.is_some() && has_trades(&judged));
    assert_eq!(judged.answer.verdict, Verdict::NotJudged);
    assert_eq!(judged.answer.sentence, "Not judged: p-value against shifted signals not defined (needed: below 0.05)");
    assert_eq!(of(498, 0.5).answer.verdict, Verdict::Advice, "a fold of as many bars as it takes");
    // What was compared and failed is an answer, whatever else is not defined.
    let noise = of(500, 0.0).answer;
    assert_eq!(noise.verdict, Verdict::NoBetterThanChance, "{}", noise.sentence);
    assert!(noise.sentence.contains("p-value against shifted signals not defined"), "{}", noise.sentence);
}
