//! The demo's model predicts the price of the next few hours from the daemon's features. It was fitted on the first part of the
//! recording (`fitted` has the numbers), and is evaluated on the rest at start.

mod fitted;

use super::{recording::replay_bars, softmax::Softmax};
use fitted::INPUTS;
use sentinel_actors::domain::{
    bar::Bar,
    features::{self, FeatureSet, SEQUENCE_BARS, TimeColumns},
};
use std::f64::consts::TAU;

/// Bars of a window, as in the daemon by default.
const WINDOW_BARS: usize = 200;
/// How many bars ahead the price is predicted.
const HORIZON_BARS: usize = 4;

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
    /// As it was fitted to the first part of the recording; a test holds the numbers to a new fit.
    pub const fn fitted() -> Self {
        Self { softmax: fitted::SOFTMAX, hold_move: fitted::HOLD_MOVE }
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
mod tests;
