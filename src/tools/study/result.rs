//! What a study found, as `study.json` holds it: `engine` fills it, `page` draws it, a script may read it. Numbers are
//! finite; what is not defined, such as a ratio of nothing, is null. Times are unix seconds UTC. A point is 10^-`digits` of
//! price, and results are net of costs unless they say otherwise.

mod calibration;
mod drawn;
mod judged;

pub use calibration::{Calibration, CalibrationBin, ClassCalibration, Confusion};
pub use drawn::{EquityPoint, Month, PricePoint, TradeMark};
pub use judged::{
    Answer, Between, Condition, ExitCounts, Figures, Fold, LookAhead, Null, Remade, Side, SideResult, Threshold,
    Trials, Verdict, WalkForward,
};
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
    /// What a decision is compared with in calibration and confusion.
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
    /// Both sides at every threshold, as the daemon trades them: what the advice is chosen from.
    pub both: Vec<Threshold>,
    /// BUY, then SELL, each alone at every threshold.
    pub sides: Vec<Side>,
    /// How often these bars were tried.
    pub trials: Trials,
    /// The result of chance alone.
    pub null: Null,
    /// The only figures that advice rests on.
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
    /// Whether a feature uses the future.
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
    /// `settings`, or `none` where nothing is charged.
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
