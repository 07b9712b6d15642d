//! The answer and what it rests on: conditions, figures by threshold and fold, trials, chance, the look-ahead check.

use super::Range;
use serde::{Deserialize, Serialize};

/// The advice, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For a person.
    pub sentence: String,
    /// The same in a word.
    pub verdict: Verdict,
    /// Whether chance is excluded as far as a study can.
    pub is_advice: bool,
    /// Of advice: the value for `trading.threshold`, above which the daemon sends a BUY and a SELL.
    pub threshold: Option<f64>,
    /// All that advice needs, met or not.
    #[serde(rename = "gates")] // as `study.json` has it since its schema 1
    pub conditions: Vec<Condition>,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that advice needs is met.
    Advice,
    /// There was enough to judge by, and chance does as well.
    NoBetterThanChance,
    /// Something is lacking that a judgement needs: trades, a setting, bars, a check.
    NotJudged,
}

/// One condition of advice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// `trained_until`, `bars`, `positions`, `trades`, `trades_per_fold`, `net_points`, `dsr`, `p_value`, `costs`, `choice` or
    /// `look_ahead`.
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
    /// Whether it could be looked at; if not, it is not met.
    pub is_checked: bool,
}

/// A direction alone at every threshold, to look at. The daemon has one threshold for both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// `BUY` or `SELL`.
    pub side: String,
    /// From 0.34 to 0.95, the lowest first. Bars that the model was trained on are not in it.
    pub thresholds: Vec<Threshold>,
}

/// A side, or both, at a threshold. A signal is a bar where the side is likeliest and its odds are above the threshold; a trade is
/// a signal that no open position has stopped.
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
    /// Of this study: its thresholds.
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

/// A threshold is chosen on the bars before a fold and judged on the fold, for both sides, as the daemon has it.
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
    /// How these trades ended.
    pub exits: ExitCounts,
    /// Lowest and highest threshold that a fold chose; wide apart means that there is nothing to choose.
    pub threshold_spread: Option<[f64; 2]>,
    /// What the same choice says on all bars outside the model's training.
    pub threshold_now: Option<f64>,
    /// BUY, then SELL, of the trades at that threshold on these bars.
    pub sides_now: Vec<SideResult>,
}

/// Of one side's trades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideResult {
    /// `BUY` or `SELL`.
    pub side: String,
    /// How many.
    pub trades: u64,
    /// Mean of a trade, points.
    pub net_points: Option<f64>,
}

/// How many trades ended for each reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitCounts {
    /// At the stop-loss.
    pub stop_loss: u64,
    /// At the take-profit.
    pub take_profit: u64,
    /// By a signal of the other side.
    pub opposite: u64,
    /// After `study.horizon_bars` bars, which the daemon does not do.
    pub horizon: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Bars on which the threshold was chosen.
    pub inside: Option<Range>,
    /// Bars on which it was judged.
    pub outside: Range,
    /// The chosen one; `None`: there were too few trades to choose by.
    pub threshold: Option<f64>,
    /// What the choice promised.
    pub promised_net_points: Option<f64>,
    /// What it brought.
    pub result: Figures,
}

/// Whether a feature uses the future.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LookAhead {
    /// Whether features were made here, so that it could be checked. Of recorded odds see [`Self::recorded`], too.
    pub is_checked: bool,
    /// Decisions that were made again with noise in place of all later bars, and with a bar that is still forming.
    pub checked: u64,
    /// Those that came out differently: none if the features are correct.
    pub unequal: u64,
    /// The first of them: its bar and the first feature that differs.
    pub first: Option<String>,
    /// Of odds that the daemon recorded, with bars: whether its features are those that these bars give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Remade>,
    /// What was checked and what was not, in sentences.
    pub extent: Vec<String>,
}

/// Recorded decisions whose features were made again from these bars, and compared bit for bit. Only those that are equal are checked
/// for look-ahead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Remade {
    /// All of the study.
    pub decisions: u64,
    /// Those with the same features.
    pub equal: u64,
    /// Those among the equal ones whose bars were changed since: the archive has them as they were.
    pub earlier: u64,
    /// Those with others: other bars, or other settings.
    pub other: u64,
    /// The first of them: its bar and the first field that differs, as it was recorded and as it was made.
    pub first: Option<String>,
    /// Those without features in the journal, or without the digest of their sequence.
    pub without_features: u64,
    /// Those with too few bars up to them.
    pub short: u64,
}

impl Remade {
    /// Decisions about which the look-ahead check says nothing.
    pub const fn unequal(&self) -> u64 {
        self.decisions.saturating_sub(self.equal)
    }
}
