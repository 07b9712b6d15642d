//! The answer and what it rests on: gates, figures by threshold and fold, trials, chance, the look-ahead check.

use super::Range;
use serde::{Deserialize, Serialize};

/// The advice, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For a person.
    pub sentence: String,
    /// Whether chance is excluded as far as a study can.
    pub is_advice: bool,
    /// For BUY, of an advice; `None`: do not buy.
    pub threshold_buy: Option<f64>,
    /// For SELL.
    pub threshold_sell: Option<f64>,
    /// All that an advice needs, met or not.
    pub gates: Vec<Gate>,
}

/// One condition of an advice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// `trained_until`, `trades`, `trades_per_fold`, `net_points`, `dsr`, `p_value`, `costs`, `choice` or `look_ahead`.
    pub name: String,
    /// For a person: `trades outside`.
    pub what: String,
    /// For a person: `at least 100`.
    pub needed: String,
    /// The bar, if it is a number.
    pub bar: Option<f64>,
    /// What was found, if it is defined and a number.
    pub found: Option<f64>,
    /// Whether it is enough.
    pub is_met: bool,
}

/// A direction at every threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// `BUY` or `SELL`.
    pub side: String,
    /// From 0.34 to 0.95, the lowest first. Bars that the model was trained on are not in it.
    pub thresholds: Vec<Threshold>,
}

/// A side at a threshold. A signal is a bar where the side is likeliest and its odds are above the threshold; a trade is a
/// signal that no open position of the side has stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// 0.34 to 0.95.
    pub threshold: f64,
    /// How many.
    pub signals: u64,
    /// Signals per bar with odds, 0 to 1.
    pub coverage: f64,
    /// The figures of its trades.
    pub trades: Figures,
}

/// Of a list of trades.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many.
    pub count: u64,
    /// Share that earned, with its 95 % score interval.
    pub hit_ratio: Option<f64>,
    /// The interval.
    pub hit_ratio_interval: Option<[f64; 2]>,
    /// Mean of a trade, points, with its 95 % block bootstrap interval.
    pub net_points: Option<f64>,
    /// The interval.
    pub net_points_interval: Option<[f64; 2]>,
    /// Sum of all trades, points.
    pub net_points_total: f64,
    /// Earned by lost.
    pub profit_factor: Option<f64>,
    /// Largest drawdown of the sum from its highest point, points, 0 or more.
    pub drawdown: f64,
    /// Of a trade: mean by standard deviation, not annualised.
    pub sharpe_trade: Option<f64>,
    /// Of a day's sum; days without an exit count as 0.
    pub sharpe_day: Option<f64>,
    /// Days it is of.
    pub days: u64,
    /// That of a day times the root of [`Self::days_per_year`].
    pub sharpe_year: Option<f64>,
    /// The factor before the root.
    pub days_per_year: Option<f64>,
    /// Probability that the true Sharpe of a trade is above 0.
    pub psr: Option<f64>,
    /// That it is above what the best of all trials has by chance.
    pub dsr: Option<f64>,
}

/// How often these bars were tried. The best of a hundred models without an edge looks good, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// All of them, this study included.
    pub total: u64,
    /// Of this study: thresholds times sides.
    pub now: u64,
    /// Studies of these bars, this one included.
    pub studies: u64,
    /// Variance of the Sharpe of as many trades as there are outside, if they earn nothing.
    pub sharpe_variance: Option<f64>,
    /// What the best of them is expected to have by chance alone.
    pub sharpe_expected_max: Option<f64>,
    /// The same by the variance between this study's trials, to compare; not used for the advice.
    pub between: Option<Between>,
}

/// Another way to say what the best of all trials has by chance: from how far this study's trials are apart. Thresholds of one
/// model share their trades: an edge moves them apart, so that it would raise its own bar; without one they are too close.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Between {
    /// Thresholds with enough trades to be chosen.
    pub trials: u64,
    /// Variance between their Sharpe ratios.
    pub variance: f64,
    /// What the best of all trials would have by chance.
    pub expected_max: Option<f64>,
    /// Of the trades outside.
    pub dsr: Option<f64>,
}

/// The signals against prices that they were not made for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Null {
    /// Circular shifts of the signals against the prices, within each fold.
    pub shifts: u64,
    /// Net points of a trade as it was.
    pub net_points: Option<f64>,
    /// Shares of the shifts that are at or below: quantiles 0.05, 0.5 and 0.95, points a trade.
    pub quantiles: Option<[f64; 3]>,
    /// Share of shifts that did as well or better.
    pub p_value: Option<f64>,
}

/// Thresholds are chosen on the bars before a fold and judged on the fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WalkForward {
    /// Oldest first.
    pub folds: Vec<Fold>,
    /// Bars before a fold that are left out since their trades reach into it.
    pub purge_bars: usize,
    /// And so many more.
    pub embargo_bars: usize,
    /// Of all folds together, outside.
    pub outside: Figures,
    /// Lowest and highest threshold that a fold chose for BUY; wide apart means that there is nothing to choose.
    pub buy_spread: Option<[f64; 2]>,
    /// For SELL.
    pub sell_spread: Option<[f64; 2]>,
    /// What the same choice says on all bars outside the model's training.
    pub buy_now: Option<f64>,
    /// For SELL.
    pub sell_now: Option<f64>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Bars on which the thresholds were chosen.
    pub inside: Option<Range>,
    /// Bars on which they were judged.
    pub outside: Range,
    /// Chosen for BUY; `None`: the fold does not buy.
    pub buy: Option<f64>,
    /// Chosen for SELL.
    pub sell: Option<f64>,
    /// What the choice promised.
    pub promised_net_points: Option<f64>,
    /// What it brought.
    pub result: Figures,
}

/// Whether a feature uses the future.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LookAhead {
    /// Whether features were made here, so that it could be checked.
    pub is_checked: bool,
    /// Decisions that were made again with noise in place of all later bars, and with a bar that is still forming.
    pub checked: u64,
    /// Those that came out differently: none if the features are correct.
    pub unequal: u64,
    /// The first of them: its bar and the first feature that differs.
    pub first: Option<String>,
    /// What was checked and what was not, in sentences.
    pub extent: Vec<String>,
}
