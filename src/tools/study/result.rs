//! What a study found, as `study.json` holds it: `engine` fills it, `page` draws it, a script may read it. Numbers are
//! finite; what is not defined, such as a ratio of nothing, is null. Times are unix seconds UTC. A point is 10^-`digits` of
//! price, and results are net of costs unless they say otherwise.

use serde::{Deserialize, Serialize};

/// Of this layout.
pub const SCHEMA: u32 = 1;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`]
    pub schema: u32,
    /// `sentinel 0.1.0`
    pub made_by: String,
    /// Of the bootstrap and of the shifts.
    pub seed: u64,
    /// The instrument; one a study.
    pub symbol: String,
    /// `1h`
    pub interval: String,
    /// `model.name`
    pub model: String,
    /// Where the odds are from: `recorded`, `model` or `file`.
    pub odds_from: String,
    /// Decimal places of a price.
    pub digits: u32,
    /// The files, in the order in which they were read.
    pub inputs: Vec<Input>,
    /// What a decision is held to in calibration and confusion.
    pub label: Label,
    /// How a position begins and ends.
    pub rules: Rules,
    /// What trading costs.
    pub costs: Costs,
    /// What was there and what was left out.
    pub counts: Counts,
    /// First to last bar close with odds.
    pub range: Range,
    /// `model.trained_until`; `None` if it is not said.
    pub trained_until: Option<i64>,
    /// Bars the model was trained on: shaded, never counted.
    pub in_sample: Option<Range>,
    /// The first thing to read.
    pub answer: Answer,
    /// BUY, then SELL, each at every threshold.
    pub sides: Vec<Side>,
    /// How often these bars were tried.
    pub trials: Trials,
    /// What chance alone does.
    pub null: Null,
    /// The only figures that an advice rests on.
    pub walk_forward: WalkForward,
    /// Whether odds mean what they say; SELL, HOLD, BUY.
    pub calibration: Calibration,
    /// What was likeliest against what was right.
    pub confusion: Confusion,
    /// Of the walk-forward trades, by the month of their exit, oldest first. Months without a trade are there, too.
    pub months: Vec<Month>,
    /// Of the walk-forward trades outside, from 0; thinned to at most [`POINTS_MAX`].
    pub equity: Vec<EquityPoint>,
    /// The same before that: bars the model was trained on, or on which the first thresholds were chosen. Not counted.
    pub equity_inside: Vec<EquityPoint>,
    /// Closes; thinned to at most [`POINTS_MAX`].
    pub prices: Vec<PricePoint>,
    /// Walk-forward trades; thinned to at most [`MARKS_MAX`], evenly.
    pub marks: Vec<TradeMark>,
    /// Whether a feature sees the future.
    pub look_ahead: LookAhead,
}

/// Most points of a line.
pub const POINTS_MAX: usize = 1_000;
/// Most trades that are marked on the price.
pub const MARKS_MAX: usize = 400;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// `bars`, `archive`, `journal`, `odds` or `model`.
    pub kind: String,
    /// Its name without the folder, or the model's URL.
    pub name: String,
    /// Of a file the file's; of a database that of the rows that were read.
    pub sha256: String,
    /// Bars, or decisions.
    pub rows: u64,
}

/// The class that would have been right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// `horizon` or `triple_barrier`.
    pub kind: String,
    /// Bars of market time that it looks ahead.
    pub horizon_bars: usize,
    /// `horizon`: a move smaller than this share of the price is HOLD.
    pub hold_move: Option<f64>,
    /// `triple_barrier`: distances in price.
    pub stop_loss: Option<f64>,
    /// The other one.
    pub take_profit: Option<f64>,
}

/// How a position begins and ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// It ends at the close of the bar so many bars after the one that it was decided on.
    pub horizon_bars: usize,
    /// Distance from the close that was decided on, in price.
    pub stop_loss: Option<f64>,
    /// The other one.
    pub take_profit: Option<f64>,
    /// `open`, `close_only`, `close_then_open` or `skip`: what a signal does to a position of the other side.
    pub opposite: String,
    /// Positions at once on a side.
    pub positions_max: u32,
    /// Bars that held both stops while a position was open: counted as stop-loss.
    pub bars_ambiguous: u64,
    /// Their share of all bars at whose stops a position ended; `None` if there are none.
    pub bars_ambiguous_share: Option<f64>,
    /// Each rule in a sentence, for a person.
    pub sentences: Vec<String>,
}

/// In points, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Nothing was charged: no plot may be shown without saying so.
    pub is_frictionless: bool,
    /// Ask minus bid; half of it at entry and at exit.
    pub spread: f64,
    /// `settings` or `recorded`, the median of the ticks.
    pub spread_from: String,
    /// At entry and at exit.
    pub slippage: f64,
    /// Of one side, per lot, in the currency that the price is in.
    pub commission_per_lot_side: f64,
    /// The same in points.
    pub commission_side: f64,
    /// Added to a BUY each night, usually below 0.
    pub swap_long: f64,
    /// Added to a SELL each night.
    pub swap_short: f64,
    /// The day whose night counts three times: `wed`.
    pub swap_triple_day: String,
    /// A position without a night costs this, from entry to exit.
    pub round_trip: f64,
}

/// What was there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Bars that were read.
    pub bars: u64,
    /// Bars with odds, in the range that was asked for.
    pub decisions: u64,
    /// Of these, bars that the model was trained on.
    pub decisions_in_sample: u64,
    /// Places where bars are missing although the market was open.
    pub gaps: u64,
    /// The first of them: close of the bar before, and open of the bar after.
    pub gaps_first: Vec<Range>,
    /// What was left out, and why; nothing with a count of 0.
    pub dropped: Vec<Dropped>,
    /// What a reader has to know about the data, in sentences.
    pub notes: Vec<String>,
}

/// What was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// For a person: `later decisions of a bar`.
    pub why: String,
    /// How many.
    pub count: u64,
}

/// From and to, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first.
    pub from: i64,
    /// The last.
    pub to: i64,
}

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
    /// Deepest fall of the sum from its highest point, points, 0 or more.
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

/// How often these bars were tried. A hundred tries of nothing have a best one, and it looks good.
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
    /// The same by the variance between this study's trials, to compare; nothing rests on it.
    pub between: Option<Between>,
}

/// Another way to say what the best of all trials has by chance: from how far this study's trials are apart. Thresholds of one
/// model share their trades: an edge moves them apart, and so would speak against itself; without one they are too close.
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

/// The signals against prices they have nothing to do with.
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

/// Whether odds mean what they say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Bars with odds and a label.
    pub count: u64,
    /// SELL, HOLD, BUY.
    pub classes: Vec<ClassCalibration>,
    /// Of all three classes: 0 is best, 2 is worst.
    pub brier: Option<f64>,
    /// Mean over decisions, natural logarithm.
    pub log_loss: Option<f64>,
    /// The same of a model that always says how frequent the classes are.
    pub log_loss_of_frequencies: Option<f64>,
}

/// One class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassCalibration {
    /// `SELL`, `HOLD` or `BUY`.
    pub class: String,
    /// How often it was right, 0 to 1.
    pub frequency: Option<f64>,
    /// Bins of about as many decisions each, by odds.
    pub bins: Vec<CalibrationBin>,
    /// Isotonic curve: odds and what they were worth, thinned.
    pub isotonic: Vec<[f64; 2]>,
    /// Brier score of this class.
    pub brier: Option<f64>,
    /// Its part that a better calibration would take away.
    pub reliability: Option<f64>,
    /// Its part that tells classes apart.
    pub resolution: Option<f64>,
    /// Its part that no model can take away.
    pub uncertainty: Option<f64>,
    /// Mean distance of odds from frequency, over the bins.
    pub ece: Option<f64>,
}

/// Decisions of about the same odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lowest odds.
    pub from: f64,
    /// Highest odds.
    pub to: f64,
    /// Mean odds.
    pub predicted: f64,
    /// How often the class was right.
    pub observed: f64,
    /// Its 95 % bootstrap band.
    pub band: Option<[f64; 2]>,
    /// Decisions in it.
    pub count: u64,
}

/// Rows are what was right, columns what was likeliest; SELL, HOLD, BUY.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Decisions.
    pub counts: [[u64; 3]; 3],
    /// Share of a column that was right.
    pub precision: [Option<f64>; 3],
    /// Share of a row that was found.
    pub recall: [Option<f64>; 3],
}

/// A calendar month, UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// `2026-11`
    pub month: String,
    /// How many.
    pub trades: u64,
    /// Share that earned.
    pub hit_ratio: Option<f64>,
    /// Sum, points.
    pub net_points: f64,
}

/// After a trade.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// Of the exit.
    pub time: i64,
    /// Sum of all trades so far, points.
    pub points: f64,
    /// How far below its highest point so far, points, 0 or more.
    pub drawdown: f64,
}

/// A close.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PricePoint {
    /// When the bar closed.
    pub time: i64,
    /// The price.
    pub close: f64,
}

/// A trade on the price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeMark {
    /// `BUY` or `SELL`.
    pub side: String,
    /// When it was entered.
    pub time: i64,
    /// At which price, costs included.
    pub price: f64,
    /// When it ended.
    pub exit_time: i64,
    /// At which price, costs included.
    pub exit_price: f64,
    /// `stop_loss`, `take_profit`, `opposite` or `horizon`.
    pub exit: String,
    /// What it brought.
    pub net_points: f64,
}

/// Whether a feature sees the future.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LookAhead {
    /// Whether features were made here, so that it could be looked at.
    pub is_checked: bool,
    /// Decisions that were made again with noise in place of all later bars, and with a bar that is still forming.
    pub checked: u64,
    /// Those that came out differently: of a sound feature none.
    pub unequal: u64,
    /// The first of them: its bar and the first feature that differs.
    pub first: Option<String>,
    /// What was checked and what was not, in sentences.
    pub extent: Vec<String>,
}
