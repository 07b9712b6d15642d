//! The numbers of the fit, the inputs, and what the model is worth on bars that it has not seen.

use super::*;
use crate::sandbox::{recording::fit_bars, softmax::fixtures::Training};

/// Share of the moves, the smallest ones, that count as HOLD.
const HOLD_SHARE: f64 = 0.4;
/// Every n-th window is fitted: neighbouring windows have nearly the same bars.
const FIT_STRIDE: usize = 2;
/// Regularisation and training; weak signals shrink towards equal odds.
const TRAINING: Training = Training { l2: 0.002, step: 0.1, passes: 120 };

const BASELINE: Baseline = Baseline::fitted();

/// Fits the recording's first part. Deterministic.
fn fit() -> Baseline {
    let (rows, moves): (Vec<_>, Vec<_>) = examples(fit_bars(), FIT_STRIDE).into_iter().unzip();
    let mut sizes: Vec<f64> = moves.iter().map(|change: &f64| change.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let hold_move = sizes[(sizes.len() as f64 * HOLD_SHARE) as usize];
    let labels: Vec<usize> = moves.iter().map(|change| label(*change, hold_move)).collect();
    Baseline { softmax: Softmax::fit(&rows, &labels, TRAINING), hold_move }
}

/// All numbers of a model.
fn numbers(baseline: &Baseline) -> Vec<f64> {
    let Softmax { mean, deviation, parameters } = &baseline.softmax;
    let weights = parameters.weights.as_flattened();
    [&mean[..], deviation, weights, &parameters.biases, &[baseline.hold_move]].concat()
}

/// Another machine's `exp` and `sin` may differ in the last place; over 120 passes that stays far below 1e-9.
#[test]
fn the_numbers_are_those_of_a_new_fit() {
    let new = fit();
    let (made, kept) = (numbers(&new), numbers(&BASELINE));
    let most = made.iter().zip(kept).map(|(made, kept)| (made - kept).abs()).fold(0.0, f64::max);
    assert!(most < 1e-9, "up to {most:e} apart: put these into fitted.rs: {new:?}");
}

fn features_until(bars: &[Bar]) -> FeatureSet {
    features::build(&bars[bars.len() - WINDOW_BARS..], TimeColumns::Utc).unwrap().0
}

#[test]
fn the_model_is_more_often_right_than_always_hold() {
    let accuracy = BASELINE.accuracy();
    assert!(accuracy.model > accuracy.always_hold, "{accuracy:?}");
    assert!((0.3..0.5).contains(&accuracy.always_hold) && accuracy.bars > 1_600, "{accuracy:?}");
}

#[test]
fn the_demos_first_200_bars_have_every_action() {
    let mut actions = [0; 3];
    for now in 300..500 {
        let probabilities = BASELINE.probabilities(&features_until(&replay_bars()[..now]));
        let class = likeliest(probabilities);
        actions[if probabilities[class] > 0.4 { class } else { HOLD }] += 1;
    }
    assert!(actions.iter().all(|count| *count >= 5), "SELL, HOLD, BUY: {actions:?}");
}

#[test]
fn the_inputs_do_not_depend_on_the_scale() {
    let bars = &replay_bars()[..WINDOW_BARS];
    let scaled = |bar: &Bar| Bar {
        open: bar.open * 128.0,
        high: bar.high * 128.0,
        low: bar.low * 128.0,
        close: bar.close * 128.0,
        volume: bar.volume / 1024.0,
        ..*bar
    };
    let large: Vec<Bar> = bars.iter().map(scaled).collect();
    let (small, large) = (inputs(&features_until(bars)), inputs(&features_until(&large)));
    assert!(small.iter().zip(large).all(|(a, b)| (a - b).abs() < 1e-6), "{small:?} {large:?}");
}

#[test]
fn the_sequence_matters() {
    let mut features = features_until(replay_bars());
    let before = BASELINE.probabilities(&features);
    features.sequence.iter_mut().for_each(|row| row[0] *= 3.0);
    assert_ne!(BASELINE.probabilities(&features), before);
}

#[test]
fn a_move_is_labelled_by_its_size_and_direction() {
    assert_eq!([-0.02, -0.005, 0.0, 0.005, 0.01].map(|change| label(change, 0.01)), [SELL, HOLD, HOLD, HOLD, BUY]);
}
