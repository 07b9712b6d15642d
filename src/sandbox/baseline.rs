//! The demo's model predicts the price of the next few hours from the daemon's features. It is fitted at start on the first part of
//! the recording and evaluated on the rest.

use super::{
    recording::{fit_bars, replay_bars},
    softmax::{Softmax, Training},
};
use sentinel_actors::domain::{
    bar::Bar,
    features::{self, FeatureSet, SEQUENCE_BARS, TimeColumns},
};
use std::f64::consts::TAU;

/// Bars of a window, as in the daemon by default.
const WINDOW_BARS: usize = 200;
/// How many bars ahead the price is predicted.
const HORIZON_BARS: usize = 4;
/// Share of the moves, the smallest ones, that count as HOLD.
const HOLD_SHARE: f64 = 0.4;
/// Every n-th window is fitted: neighbouring windows have nearly the same bars.
const FIT_STRIDE: usize = 2;
/// Regularisation and training; weak signals shrink towards equal odds.
const TRAINING: Training = Training { l2: 0.002, step: 0.1, passes: 120 };

const INPUTS: usize = 26;
const SELL: usize = 0;
const HOLD: usize = 1;
const BUY: usize = 2;

/// How often the most likely class was right, on bars that were not fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// Of the model, a ratio in 0..=1.
    pub model: f64,
    /// Of always answering HOLD, a ratio in 0..=1.
    pub always_hold: f64,
    /// Number of evaluated bars.
    pub bars: usize,
}

/// The fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    softmax: Softmax<INPUTS>,
    /// A move smaller than this is HOLD, a fraction of the price.
    hold_move: f64,
}

/// A window's inputs and the move that followed, as a fraction of the price.
type Example = ([f64; INPUTS], f64);

impl Baseline {
    /// Fits the recording's first part. Deterministic.
    pub fn fit() -> Self {
        let (rows, moves): (Vec<_>, Vec<_>) = examples(fit_bars(), FIT_STRIDE).into_iter().unzip();
        let mut sizes: Vec<f64> = moves.iter().map(|change: &f64| change.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let hold_move = sizes[(sizes.len() as f64 * HOLD_SHARE) as usize];
        let labels: Vec<usize> = moves.iter().map(|change| label(*change, hold_move)).collect();
        Self { softmax: Softmax::fit(&rows, &labels, TRAINING), hold_move }
    }

    /// Probabilities of SELL, HOLD, BUY.
    pub fn probabilities(&self, features: &FeatureSet) -> [f64; 3] {
        self.softmax.probabilities(&inputs(features))
    }

    /// Evaluates the model on every bar of the replay with a whole window before and a whole horizon after it.
    pub fn accuracy(&self) -> Accuracy {
        let judged = examples(replay_bars(), 1);
        let share = |is_right: &dyn Fn(&Example) -> bool| {
            judged.iter().filter(|example| is_right(example)).count() as f64 / judged.len() as f64
        };
        Accuracy {
            model: share(&|(row, change)| likeliest(self.softmax.probabilities(row)) == label(*change, self.hold_move)),
            always_hold: share(&|(_, change)| label(*change, self.hold_move) == HOLD),
            bars: judged.len(),
        }
    }
}

/// Windows of `bars` and the moves after them, both within `bars`, so that the two parts of the recording do not overlap.
fn examples(bars: &[Bar], stride: usize) -> Vec<Example> {
    let windows = bars.windows(WINDOW_BARS + HORIZON_BARS).step_by(stride);
    windows
        .filter_map(|bars| {
            let (window, future) = bars.split_at(WINDOW_BARS);
            let (features, _) = features::build(window, TimeColumns::Utc).ok()?;
            Some((inputs(&features), future[HORIZON_BARS - 1].close / window[WINDOW_BARS - 1].close - 1.0))
        })
        .collect()
}

fn label(change: f64, hold_move: f64) -> usize {
    if change.abs() < hold_move {
        HOLD
    } else if change < 0.0 {
        SELL
    } else {
        BUY
    }
}

fn likeliest(probabilities: [f64; 3]) -> usize {
    (1..3).fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best })
}

/// The features independent of the scale of price and volume: a model fitted at 1.1 must also work at 150.
fn inputs(features: &FeatureSet) -> [f64; INPUTS] {
    let [
        return_1,
        return_5,
        return_10,
        sma_10,
        sma_20,
        ema_10,
        ema_20,
        volatility_10,
        volatility_20,
        rsi_14,
        macd,
        macd_signal,
        macd_hist,
        high_low_ratio,
        close_high_ratio,
        close_low_ratio,
        _volume_sma,
        volume_ratio,
        hour,
        day_of_week,
        price_momentum,
        price_acceleration,
        _padding,
    ] = features.tabular;
    let recent = Recent::of(features);
    // Moves are in units of the current volatility; a market that does not move has none.
    let unit = recent.volatility;
    let in_units = |change: f64| ratio(change, unit);
    let of_price = |difference: f64| in_units(ratio(difference, ema_20));
    let (day, week) = (hour / 24.0 * TAU, (day_of_week * 24.0 + hour) / 168.0 * TAU);
    [
        in_units(return_1),
        in_units(return_5),
        in_units(return_10),
        of_price(sma_10 - sma_20),
        of_price(ema_10 - ema_20),
        of_price(sma_10 - ema_10),
        of_price(macd),
        of_price(macd_signal),
        of_price(macd_hist),
        of_price(price_momentum),
        of_price(price_acceleration),
        in_units(high_low_ratio - 1.0),
        in_units(1.0 - close_high_ratio),
        in_units(close_low_ratio - 1.0),
        log(volatility_10),
        log(volatility_20),
        log(recent.volatility),
        log(recent.same_hours_yesterday),
        in_units(recent.drift),
        rsi_14,
        volume_ratio,
        day.sin(),
        day.cos(),
        (2.0 * day).sin(),
        (2.0 * day).cos(),
        week.sin(),
    ]
    .map(|input| if input.is_finite() { input } else { 0.0 })
}

/// Information in the sequence of the last 60 bars that the newest row does not have.
struct Recent {
    /// Root mean square of the hourly returns.
    volatility: f64,
    /// The same for the coming hours, a day ago, because quiet and busy hours repeat daily.
    same_hours_yesterday: f64,
    /// Mean hourly return.
    drift: f64,
}

impl Recent {
    fn of(features: &FeatureSet) -> Self {
        let returns: Vec<f64> = features.sequence.iter().map(|row| f64::from(row[0])).collect();
        let rms = |returns: &[f64]| (returns.iter().map(|r| r * r).sum::<f64>() / returns.len() as f64).sqrt();
        let yesterday = SEQUENCE_BARS - 24;
        Self {
            volatility: rms(&returns),
            same_hours_yesterday: rms(&returns[yesterday..yesterday + HORIZON_BARS]),
            drift: returns.iter().sum::<f64>() / SEQUENCE_BARS as f64,
        }
    }
}

/// The ratio, or 0 for a denominator of 0.
fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

/// Logarithm of a volatility, with a lower limit for 0.
fn log(volatility: f64) -> f64 {
    volatility.max(1e-7).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;

    fn baseline() -> &'static Baseline {
        static BASELINE: OnceLock<Baseline> = OnceLock::new();
        BASELINE.get_or_init(Baseline::fit)
    }

    fn features_until(bars: &[Bar]) -> FeatureSet {
        features::build(&bars[bars.len() - WINDOW_BARS..], TimeColumns::Utc).unwrap().0
    }

    #[test]
    fn the_model_is_more_often_right_than_always_hold() {
        let accuracy = baseline().accuracy();
        assert!(accuracy.model > accuracy.always_hold, "{accuracy:?}");
        assert!((0.3..0.5).contains(&accuracy.always_hold) && accuracy.bars > 1_600, "{accuracy:?}");
    }

    #[test]
    fn the_demos_first_200_bars_have_every_action() {
        let mut actions = [0; 3];
        for now in 300..500 {
            let probabilities = baseline().probabilities(&features_until(&replay_bars()[..now]));
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
        let before = baseline().probabilities(&features);
        features.sequence.iter_mut().for_each(|row| row[0] *= 3.0);
        assert_ne!(baseline().probabilities(&features), before);
    }

    #[test]
    fn a_move_is_labelled_by_its_size_and_direction() {
        assert_eq!([-0.02, -0.005, 0.0, 0.005, 0.01].map(|change| label(change, 0.01)), [SELL, HOLD, HOLD, HOLD, BUY]);
    }
}
