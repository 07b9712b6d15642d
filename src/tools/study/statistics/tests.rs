//! Compares every statistic with scipy and scikit-learn, on the cases of `tests/fixtures/statistics.json`.

use super::*;
use crate::tools::study::result::Calibration;
use sentinel_actors::domain::decision::Action;
use serde::Deserialize;

/// Allowed difference of a value: absolute, and relative to it.
const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Fixture {
    wilson: Vec<(u64, u64, Option<[f64; 2]>)>,
    expected_max: Vec<(u64, f64, Option<f64>)>,
    between: Vec<(Vec<f64>, Option<f64>)>,
    results: Vec<Results>,
    calibration: Vec<Odds>,
    uniformity: Vec<Values>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Results {
    name: String,
    values: Vec<f64>,
    trials: u64,
    variance: f64,
    mean: Option<f64>,
    interval: Option<[f64; 2]>,
    ratio: Option<f64>,
    skewness: Option<f64>,
    kurtosis: Option<f64>,
    psr: Option<f64>,
    dsr: Option<f64>,
    /// After 1, 124, 248, 372 and 1,240 trials, by the variance of chance.
    dsr_study: Option<[f64; 5]>,
    profit_factor: Option<f64>,
    drawdown: (f64, usize, usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Odds {
    name: String,
    odds: Vec<[f64; 3]>,
    labels: Vec<usize>,
    brier: f64,
    log_loss: f64,
    log_loss_of_frequencies: f64,
    classes: Vec<Class>,
    confusion: [[u64; 3]; 3],
    precision: [Option<f64>; 3],
    recall: [Option<f64>; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    brier: f64,
    reliability: f64,
    resolution: f64,
    uncertainty: f64,
    ece: f64,
    /// Mean odds, how often right, how many.
    bins: Vec<(f64, f64, u64)>,
    /// Odds, and the value of the curve there.
    isotonic: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Values {
    values: Vec<f64>,
    distance: f64,
    p_value: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../../tests/fixtures/statistics.json")).unwrap()
}

#[track_caller]
fn near(found: impl Into<Option<f64>>, expected: impl Into<Option<f64>>, what: &str) {
    let (found, expected) = (found.into(), expected.into());
    let is_near = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0),
        (None, None) => true,
        _ => false,
    };
    assert!(is_near, "{what}: {found:?} instead of {expected:?}");
}

#[track_caller]
fn ends_near(found: Option<[f64; 2]>, expected: Option<[f64; 2]>, what: &str) {
    for end in [0, 1] {
        near(found.map(|ends| ends[end]), expected.map(|ends| ends[end]), what);
    }
}

#[test]
fn score_intervals_are_those_of_scipy() {
    let cases = fixture().wilson;
    assert!(cases.len() >= 8);
    for (hits, n, expected) in cases {
        ends_near(wilson(hits, n), expected, &format!("{hits} of {n}"));
    }
    assert_eq!(wilson(2, 1), None);
}

#[test]
fn ratios_and_intervals_are_those_of_scipy() {
    let cases = fixture().results;
    assert!(cases.len() >= 20, "{}", cases.len());
    for case in cases {
        let (name, values) = (&case.name, case.values.as_slice());
        near(mean(values), case.mean, name);
        ends_near(bootstrap::mean_interval(values, 1), case.interval, name);
        let found = sharpe::sharpe(values);
        near(found.map(|it| it.ratio), case.ratio, name);
        near(found.map(|it| it.skewness), case.skewness, name);
        near(found.map(|it| it.kurtosis), case.kurtosis, name);
        near(found.and_then(|it| it.psr(0.0)), case.psr, name);
        near(found.and_then(|it| it.dsr(case.trials, case.variance)), case.dsr, name);
        for (place, trials) in [1, 124, 248, 372, 1_240].into_iter().enumerate() {
            let variance = sharpe::variance_of_chance(values.len());
            let dsr = found.and_then(|it| it.dsr(trials, variance));
            near(dsr, case.dsr_study.map(|expected| expected[place]), &format!("{name}, {trials} trials"));
        }
        near(case.dsr_study.map(|expected| expected[0]), case.psr, name);
        near(results::profit_factor(values), case.profit_factor, name);
        let fall = results::drawdown(values);
        near(fall.depth, case.drawdown.0, name);
        assert_eq!((fall.from, fall.to), (case.drawdown.1, case.drawdown.2), "{name}");
    }
}

#[test]
fn the_best_of_many_trials_is_that_of_scipy() {
    let cases = fixture().expected_max;
    assert!(cases.len() >= 8);
    for (trials, variance, expected) in cases {
        near(sharpe::expected_max(trials, variance), expected, &format!("{trials} {variance}"));
    }
}

#[test]
fn the_variance_between_trials_is_that_of_numpy() {
    let cases = fixture().between;
    assert!(cases.len() >= 6);
    for (ratios, expected) in cases {
        near(sharpe::variance_between(&ratios), expected, &format!("{} ratios", ratios.len()));
    }
}

#[test]
fn calibration_is_that_of_scikit_learn() {
    let cases = fixture().calibration;
    assert!(cases.len() >= 7);
    for case in cases {
        let name = &case.name;
        let labels: Vec<_> = case.labels.iter().map(|label| Action::ALL[*label]).collect();
        let found: Calibration = calibration::calibration(&case.odds, &labels, 1);
        near(found.brier, case.brier, name);
        near(found.log_loss, case.log_loss, name);
        near(found.log_loss_of_frequencies, case.log_loss_of_frequencies, name);
        for (found, expected) in found.classes.iter().zip(&case.classes) {
            near(found.brier, expected.brier, name);
            near(found.reliability, expected.reliability, name);
            near(found.resolution, expected.resolution, name);
            near(found.uncertainty, expected.uncertainty, name);
            near(found.ece, expected.ece, name);
            assert_eq!(found.bins.len(), expected.bins.len(), "{name} {}", found.class);
            for (bin, (predicted, observed, count)) in found.bins.iter().zip(&expected.bins) {
                near(bin.predicted, *predicted, name);
                near(bin.observed, *observed, name);
                assert_eq!(bin.count, *count, "{name}");
                assert_eq!(bin.band.is_some(), *count > 1, "{name}");
                let holds = bin.band.is_none_or(|[low, high]| low <= bin.observed && bin.observed <= high);
                assert!(holds, "{name}: {bin:?}");
            }
            // The curve as points: between two of them it is flat or a jump that no decision lies in.
            for (odds, value) in &expected.isotonic {
                let step = found.isotonic.windows(2).find(|pair| pair[0][0] <= *odds && *odds <= pair[1][0]);
                let at = step.map_or(found.isotonic[0], |pair| if pair[0][0] == *odds { pair[0] } else { pair[1] });
                near(at[1], *value, &format!("{name} {} at {odds}", found.class));
            }
        }
        let likeliest: Vec<_> = case.odds.iter().map(|odds| likeliest(*odds)).collect();
        let found = confusion::confusion(&likeliest, &labels);
        assert_eq!(found.counts, case.confusion, "{name}");
        for class in 0..3 {
            near(found.precision[class], case.precision[class], name);
            near(found.recall[class], case.recall[class], name);
        }
    }
}

fn likeliest(odds: [f64; 3]) -> Action {
    sentinel_actors::domain::decision::Prediction::parse(odds).unwrap().likeliest().0
}

#[test]
fn uniformity_is_that_of_scipy() {
    let cases = fixture().uniformity;
    assert!(cases.len() >= 6);
    for case in cases {
        let found = uniformity::against_uniform(&case.values).unwrap();
        near(found.distance, case.distance, "distance");
        near(found.p_value, case.p_value, &format!("{} values, distance {}", case.values.len(), case.distance));
    }
}
