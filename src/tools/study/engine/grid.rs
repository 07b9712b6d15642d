//! Both sides at every threshold, as the daemon trades them, and each side alone, to look at; on the bars that the model has not
//! seen.

use super::{
    figures::{self, Days, Moments},
    market::{Decision, Market, Trade},
    trades::{self, OppositeRule, Policy},
};
use crate::tools::study::result::{Figures, Threshold};
use sentinel_actors::domain::{decision::decide, side::Side};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Thresholds in hundredths: from 0.34, below which no side can be the likeliest, to 0.95.
const HUNDREDTHS: std::ops::RangeInclusive<u32> = 34..=95;
/// Fewer trades than this say nothing about a threshold: it is not chosen.
pub const TRADES_MIN: u64 = 30;

/// All thresholds, the lowest first.
pub fn thresholds() -> impl Iterator<Item = f64> {
    HUNDREDTHS.map(|hundredths| f64::from(hundredths) / 100.0)
}

/// What is traded at a threshold; `None`: both sides.
type Traded = Option<Side>;

const TRADED: [Traded; 3] = [None, Some(Side::Buy), Some(Side::Sell)];

/// How many cells there are.
pub fn count() -> usize {
    TRADED.len() * thresholds().count()
}

/// A threshold, with its trades before each cut.
#[derive(Debug)]
pub struct Cell {
    /// BUY or SELL alone; `None`: both.
    pub side: Traded,
    /// Its figures, on all bars.
    pub row: Threshold,
    /// For the probabilities, which need all trials first.
    pub moments: Option<Moments>,
    /// Trades that ended before each cut, in the order of the cuts.
    pub before: Vec<Tally>,
}

/// Trades added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    sum: f64,
    squares: f64,
}

impl Tally {
    /// One more.
    pub fn add(&mut self, net: f64) {
        self.count += 1;
        self.sum += net;
        self.squares += net * net;
    }

    /// Of a trade, points.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// How many standard errors the mean is above 0; `None` for too few trades and for those that are all the same.
    pub fn score(&self) -> Option<f64> {
        let (count, mean) = (self.count as f64, self.mean()?);
        let variance = (self.squares - count * mean * mean) / (count - 1.0);
        (self.count >= TRADES_MIN && variance > 0.0).then(|| mean / (variance / count).sqrt())
    }
}

/// What the grid is made by.
pub struct Plan<'a> {
    /// The bars.
    pub market: &'a Market,
    /// Bars with odds that the model has not seen, oldest first.
    pub decisions: &'a [Decision],
    /// Which signals become trades.
    pub policy: Policy,
    /// Places of bars, rising: tallies are kept of what ended before each.
    pub cuts: &'a [u32],
    /// Of these bars.
    pub days: &'a Days,
    /// For the intervals.
    pub seed: u64,
    /// How often the mean of a threshold's trades is resampled; 0: no interval.
    pub replicates: usize,
}

/// Both sides at every threshold, then BUY alone, then SELL. `done` gets how many are ready.
pub fn of(plan: &Plan<'_>, done: impl Fn(usize) + Sync) -> Vec<Cell> {
    let asked: Vec<(Traded, f64)> =
        TRADED.into_iter().flat_map(|side| thresholds().map(move |at| (side, at))).collect();
    let next = AtomicUsize::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from).min(asked.len());
    let work = || {
        let mut made = Vec::new();
        while let Some((side, threshold)) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
            made.push(cell(plan, *side, *threshold));
            done(next.load(Ordering::Relaxed).min(asked.len()));
        }
        made
    };
    let mut cells: Vec<Cell> = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let mut cells = work();
        for other in others {
            // A panic there is a defect and is passed on.
            cells.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        cells
    });
    cells.sort_by(|one, other| {
        let place = |cell: &Cell| TRADED.iter().position(|side| *side == cell.side);
        let key = |cell: &Cell| (place(cell), cell.row.threshold);
        key(one).partial_cmp(&key(other)).unwrap_or(std::cmp::Ordering::Equal)
    });
    cells
}

fn cell(plan: &Plan<'_>, traded: Traded, threshold: f64) -> Cell {
    let (mut count, mut ended) = (0_u64, Vec::<Trade>::new());
    let signal = |decision: &Decision| {
        let side = Side::from_action(decide(&decision.odds, threshold).action)?;
        traded.is_none_or(|only| only == side).then_some((decision.bar, side))
    };
    let signals = plan.decisions.iter().filter_map(signal).inspect(|_| count += 1);
    // Of a side alone, the other one neither ends its positions nor stops them.
    let opposite = if traded.is_some() { OppositeRule::Open } else { plan.policy.opposite };
    trades::run(plan.market, Policy { opposite, ..plan.policy }, signals, |trade| ended.push(*trade));
    let mut tally = Tally::default();
    let mut before = Vec::with_capacity(plan.cuts.len());
    let mut cuts = plan.cuts.iter().peekable();
    for trade in &ended {
        while cuts.next_if(|cut| trade.exit >= **cut).is_some() {
            before.push(tally);
        }
        tally.add(trade.net);
    }
    before.extend(cuts.map(|_| tally));
    let (trades, moments): (Figures, _) = figures::of(&ended, plan.days, plan.seed, plan.replicates);
    let coverage = if plan.decisions.is_empty() { 0.0 } else { count as f64 / plan.decisions.len() as f64 };
    Cell { side: traded, row: Threshold { threshold, signals: count, coverage, trades }, moments, before }
}
