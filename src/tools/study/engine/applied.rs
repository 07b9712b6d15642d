//! What the advice says, put into settings: the daemon decides as the study has counted, and a side that loses is named.

use super::{fixtures::*, folds::Choice, grid, *};
use crate::{
    settings::{Resolved, Settings, Sources, VerifyModel},
    tools::study::result::{Condition, Remade, Verdict},
};
use sentinel_actors::domain::{
    decision::{Action, Prediction, decide},
    fill::{Costs, ExitReason, Exits, TripleDay},
    interval::Interval,
};
use trades::OppositeRule;

const SEEN: usize = 500;
const UNSEEN: usize = 6_000;

/// A model that knows when it says BUY, and knows nothing when it says SELL.
fn one_sided(bars: &[sentinel_actors::domain::bar::Bar], seed: u64) -> Vec<Decision> {
    let (knowing, guessing) = (sure_model(bars, seed, |_| 0.8), sure_model(bars, seed + 77, |_| 0.0));
    let hold = Prediction::parse([0.2, 0.6, 0.2]).unwrap();
    let pick = |(one, other): (&Decision, &Decision)| match (one.likeliest(), other.likeliest()) {
        (_, Action::Sell) => *other,
        (Action::Buy, _) => *one,
        _ => Decision { odds: hold, ..*one },
    };
    knowing.iter().zip(&guessing).map(pick).collect()
}

fn setting(key: &'static str, value: &str) -> Resolved<VerifyModel> {
    let flags = vec![(key, value.to_owned())];
    Settings::load_for(&Sources { flags, symbols: Some(vec!["EURUSD".into()]), ..Sources::default() }).unwrap()
}

fn condition<'a>(answer: &'a Answer, name: &str) -> &'a Condition {
    answer.conditions.iter().find(|condition| condition.name == name).unwrap()
}

#[test]
fn the_advised_threshold_makes_the_decisions_that_were_counted() {
    for (seed, opposite) in [(1, OppositeRule::Open), (2, OppositeRule::CloseThenOpen)] {
        let market = market(random_walk(SEEN + UNSEEN, seed), 3.0);
        let decisions = one_sided(&market.bars, seed);
        let policy = Policy { positions_max: 1, opposite };
        let judged = judge_by(&market, &decisions, Some(market.close_times[SEEN]), policy, 0);
        let answer = &judged.answer;
        assert!(answer.is_advice, "{}", answer.sentence);

        // As a person would take it from the sentence.
        let shown = answer.sentence.split("above ").nth(1).unwrap().split(' ').next().unwrap();
        let settings = setting("trading.threshold", shown);
        let threshold = settings.symbols[0].instrument.threshold;
        assert_eq!(Some(threshold), answer.threshold);

        let unseen = &decisions[judged.first_outside..];
        let decided = |action: Action| move |it: &&Decision| decide(&it.odds, threshold).action == action;
        let counts = [Action::Buy, Action::Sell].map(|action| unseen.iter().filter(decided(action)).count() as u64);
        let row = judged.both.iter().find(|row| row.threshold == threshold).unwrap();
        assert_eq!(counts[0] + counts[1], row.signals);
        assert!(counts.iter().all(|count| *count > 100), "both sides are sent: {counts:?}");
        for (side, count) in judged.sides.iter().zip(counts) {
            assert_eq!(side.thresholds.iter().find(|row| row.threshold == threshold).unwrap().signals, count);
        }
        // The trades by which the threshold was chosen are those of these decisions, of both sides together.
        let signals =
            unseen.iter().filter_map(|it| Some((it.bar, Side::from_action(decide(&it.odds, threshold).action)?)));
        let signals: Vec<_> = signals.collect();
        let trades = run(&market, policy, &signals);
        assert_eq!(row.trades.count, trades.len() as u64);
        let all: f64 = trades.iter().map(|trade| trade.net).sum();
        assert!((row.trades.net_points_total - all).abs() < 1e-6);
        // And each fold was judged by decisions of its own threshold alone, whichever side.
        for fold in &judged.walk_forward.folds {
            assert!(fold.threshold.is_some() && fold.result.count >= 30, "{fold:?}");
        }
    }
}

#[test]
fn a_side_that_loses_at_the_advised_threshold_is_named() {
    let market = market(random_walk(SEEN + UNSEEN, 1), 3.0);
    let judged = study(&market, &one_sided(&market.bars, 1), Some(market.close_times[SEEN]));
    let [buy, sell] = &judged.walk_forward.sides_now[..] else { panic!("{:?}", judged.walk_forward.sides_now) };
    assert!(buy.net_points.unwrap() > 0.0 && sell.net_points.unwrap() < 0.0);
    let sentence = &judged.answer.sentence;
    let lost =
        format!("SELL alone lost {:.1} points a trade above it ({} trades)", -sell.net_points.unwrap(), sell.trades);
    assert!(sentence.contains(&lost) && !sentence.contains("BUY alone"), "{sentence}");
}

#[test]
fn ends_that_the_daemon_does_not_know_are_counted_and_said() {
    let bars = random_walk(SEEN + UNSEEN, 3);
    let decisions = sure_model(&bars, 3, |_| 0.6);
    let costs = Costs { spread: 3.0, ..Costs::default() };
    let exits = Exits { stop_loss: Some(4e-4), take_profit: Some(3e-4), horizon_bars: 4, digits: 5 };
    let terms = market::Terms { costs, triple_day: TripleDay::Wed, exits };
    let stopped =
        Market::new(bars.clone(), Interval::OneHour, &sentinel_actors::domain::calendar::Calendar::always(), terms);
    let policy = Policy { positions_max: 1, opposite: OppositeRule::CloseThenOpen };
    for (market, policy) in [(&stopped, policy), (&market(bars, 3.0), ALONE)] {
        let judged = judge_by(market, &decisions, Some(market.close_times[SEEN]), policy, 0);
        let exits = judged.walk_forward.exits;
        let count = |reason| judged.outside.iter().filter(|trade| trade.reason == reason).count() as u64;
        assert_eq!(exits.horizon, count(ExitReason::Horizon));
        let all = exits.stop_loss + exits.take_profit + exits.opposite + exits.horizon;
        assert_eq!(all, judged.walk_forward.outside.count);
        assert!(judged.answer.is_advice, "{}", judged.answer.sentence);
        let said =
            format!("; {} of {all} positions were ended after 4 bars, which Sentinel does not do", exits.horizon);
        assert!(judged.answer.sentence.ends_with(&said), "{}", judged.answer.sentence);
        assert!(judged.answer.sentence.contains("after costs of 3 points ("));
    }
}

#[test]
fn features_that_were_not_checked_are_no_plain_advice() {
    let market = market(random_walk(SEEN + UNSEEN, 1), 3.0);
    // What a file of odds can be: it knows the close of 4 bars later.
    let decisions = sure_model(&market.bars, 1, |_| 0.9);
    let question = Question {
        market: &market,
        decisions: &decisions,
        trained_until: Some(market.close_times[SEEN]),
        has_bars: true,
        policy: ALONE,
        seed: 1,
        replicates_grid: 0,
        replicates: 1_000,
        shifts: 400,
        look_ahead: &LookAhead::default(),
    };
    let of =
        |question: &Question<'_>| judge(question, |own| Ok(Tried { studies: 1, trials: own }), |_| {}).unwrap().answer;
    let answer = of(&question);
    assert!(!answer.is_advice && answer.threshold.is_none() && answer.verdict == Verdict::NotJudged);
    assert!(
        answer.sentence.starts_with("Not judged: features not checked for look-ahead (needed: "),
        "{}",
        answer.sentence
    );
    assert!(answer.sentence.contains("If they use no later bars: BUY and SELL above 0."), "{}", answer.sentence);
    let look_ahead = condition(&answer, "look_ahead");
    assert!(!look_ahead.is_met && !look_ahead.is_checked);
    assert!(answer.conditions.iter().all(|condition| condition.is_met || condition.name == "look_ahead"));

    // Closes alone are no price that anyone can have, and say nothing more.
    let answer = of(&Question { has_bars: false, look_ahead: &checked(), ..question });
    assert!(!answer.is_advice && !condition(&answer, "bars").is_met && answer.verdict == Verdict::NotJudged);
    assert!(answer.sentence.starts_with("Not judged: bars with their opens"), "{}", answer.sentence);
    assert!(!answer.sentence.contains("points a trade"), "{}", answer.sentence);
    let of_recorded = |equal| LookAhead {
        recorded: Some(Remade { decisions: 9, equal, other: 9 - equal, ..Remade::default() }),
        ..checked()
    };
    let answer = of(&Question { look_ahead: &of_recorded(8), ..question });
    let said = "Not judged: recorded decisions whose features these bars do not give 1 (needed: none). If they use no later bars: BUY";
    assert!(answer.sentence.starts_with(said) && !answer.is_advice, "{}", answer.sentence);
    let look_ahead = condition(&answer, "look_ahead");
    assert_eq!((look_ahead.is_met, look_ahead.is_checked, look_ahead.found), (false, false, Some(1.0)));
    let answer = of(&Question { look_ahead: &of_recorded(9), ..question });
    assert!(answer.is_advice, "{}", answer.sentence);
    let found = LookAhead { is_checked: true, checked: 9, unequal: 1, ..LookAhead::default() };
    let answer = of(&Question { look_ahead: &found, ..question });
    assert!(
        answer.sentence.starts_with("Not judged: decisions that later bars change 1 (needed: none)"),
        "{}",
        answer.sentence
    );
}

#[test]
fn too_little_to_judge_is_not_called_chance() {
    let all = market(random_walk(SEEN + UNSEEN, 5), 3.0);
    let few = study(&all, &sure_model(&all.bars, 5, |_| 0.0)[..SEEN + 200], Some(all.close_times[SEEN])).answer;
    assert_eq!(few.verdict, Verdict::NotJudged);
    assert!(few.sentence.starts_with("Not judged: trades outside "), "{}", few.sentence);
    let noise = study(&all, &sure_model(&all.bars, 5, |_| 0.0), Some(all.close_times[SEEN])).answer;
    assert_eq!(noise.verdict, Verdict::NoBetterThanChance);
    // Without a said end of training, noise is no better than chance, and an edge is not judged.
    assert_eq!(study(&all, &sure_model(&all.bars, 5, |_| 0.0), None).answer.verdict, Verdict::NoBetterThanChance);
    let edge = study(&all, &sure_model(&all.bars, 5, |_| 0.6), None).answer;
    assert_eq!((edge.verdict, edge.is_advice), (Verdict::NotJudged, false));
    assert!(edge.sentence.starts_with("Not judged: model.trained_until (needed: set"), "{}", edge.sentence);
}

#[test]
fn a_study_tries_one_threshold_for_both_sides() {
    let market = market(random_walk(900, 5), 3.0);
    let judged = study(&market, &model(&market.bars, 5, |_| 0.3), Some(720_000));
    let thresholds = grid::thresholds().count();
    assert_eq!((judged.trials.now, judged.both.len()), (thresholds as u64, thresholds));
    assert!(judged.sides.iter().all(|side| side.thresholds.len() == thresholds));
    let choice = Choice { threshold: Some(0.45), promised: None };
    assert_eq!(choice.side(&Decision { bar: 0, odds: Prediction::parse([0.45, 0.2, 0.35]).unwrap() }), None);
    assert_eq!(
        choice.side(&Decision { bar: 0, odds: Prediction::parse([0.46, 0.2, 0.34]).unwrap() }),
        Some(Side::Sell)
    );
}
