//! Walk-forward: the thresholds of each fold are chosen on all bars before it, and judged on the fold.

use super::{
    grid::{Cell, Tally},
    market::Decision,
};
use sentinel_actors::domain::side::Side;

/// Folds that are judged; before the first one there is as much again, to choose on.
pub const FOLDS: usize = 5;
/// Bars that are left out before a fold beyond those whose trades reach into it: neighbouring bars are similar.
pub const EMBARGO_BARS: usize = 24;

/// Where a fold is, by places of bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Thresholds are chosen by the trades that ended before this bar.
    pub inside_to: u32,
    /// First bar of the fold.
    pub from: u32,
    /// The bar after its last.
    pub to: u32,
}

/// What was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Choice {
    /// BUY above it; `None`: no BUY.
    pub buy: Option<f64>,
    /// SELL above it.
    pub sell: Option<f64>,
    /// Net points of a trade that it had inside.
    pub promised: Option<f64>,
}

impl Choice {
    /// The side of a decision; `None` if it is below the threshold.
    pub fn side(&self, decision: &Decision) -> Option<Side> {
        let (side, confidence) = decision.side()?;
        let threshold = match side {
            Side::Buy => self.buy,
            Side::Sell => self.sell,
        }?;
        (confidence > threshold).then_some(side)
    }
}

/// The folds of the bars that the model has not seen; none if there are too few decisions.
pub fn spans(decisions: &[Decision], purge_bars: usize) -> Vec<Span> {
    let parts = FOLDS + 1;
    if decisions.len() < parts {
        return Vec::new();
    }
    let place = |part: usize| decisions.len() * part / parts;
    let left_out = u32::try_from(purge_bars + EMBARGO_BARS).unwrap_or(u32::MAX);
    let bar = |place: usize| decisions.get(place).map(|decision| decision.bar);
    let after = decisions.last().map_or(0, |last| last.bar + 1);
    let span = |part: usize| {
        let from = bar(place(part)).unwrap_or(after);
        let to = bar(place(part + 1)).unwrap_or(after);
        Span { inside_to: from.saturating_sub(left_out), from, to }
    };
    (1..parts).map(span).collect()
}

/// The best threshold of each side by the trades before a cut: the one whose mean is the most standard errors above 0. A side
/// that lost at each of its thresholds is left out; if both did, the one that lost less is taken, so that there is something
/// to judge.
pub fn choose(cells: &[Cell], cut: usize) -> Choice {
    let tally = |cell: &Cell| cell.before.get(cut).copied().unwrap_or_default();
    let best = |side: Side| {
        let scored = cells.iter().filter(|cell| cell.side == side);
        let scored = scored.filter_map(|cell| Some((tally(cell).score()?, cell.row.threshold, tally(cell))));
        // If several are equal, the lowest, which has the most signals.
        scored.reduce(|best, next| if next.0 > best.0 { next } else { best })
    };
    let (mut buy, mut sell) = (best(Side::Buy), best(Side::Sell));
    let is_lost = |best: &Option<(f64, f64, Tally)>| best.is_none_or(|(score, ..)| score <= 0.0);
    match (is_lost(&buy), is_lost(&sell)) {
        (true, false) => buy = None,
        (false, true) => sell = None,
        (true, true) => {
            let score = |best: &Option<(f64, f64, Tally)>| best.map_or(f64::NEG_INFINITY, |(score, ..)| score);
            if score(&buy) >= score(&sell) { sell = None } else { buy = None }
        }
        (false, false) => {}
    }
    let tallies = [buy, sell].into_iter().flatten().map(|(_, _, tally)| tally);
    let promised = tallies.reduce(Tally::plus).and_then(|tally| tally.mean());
    Choice { buy: buy.map(|best| best.1), sell: sell.map(|best| best.1), promised }
}
