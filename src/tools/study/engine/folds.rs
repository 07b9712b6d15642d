//! Walk-forward: the threshold of each fold is chosen on all bars before it, and judged on the fold. It is one for both sides,
//! because the daemon has one.

use super::{grid::Cell, market::Decision};
use sentinel_actors::domain::{decision::decide, side::Side};

/// Folds that are judged; before the first one there is as much again, to choose on.
pub const FOLDS: usize = 5;
/// Bars that are left out before a fold beyond those whose trades reach into it: neighbouring bars are similar.
pub const EMBARGO_BARS: usize = 24;

/// Where a fold is, by places of bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The threshold is chosen by the trades that ended before this bar.
    pub inside_to: u32,
    /// First bar of the fold.
    pub from: u32,
    /// The bar after its last.
    pub to: u32,
}

/// What was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Choice {
    /// BUY and SELL above it; `None`: no threshold has enough trades.
    pub threshold: Option<f64>,
    /// Net points of a trade that it had inside.
    pub promised: Option<f64>,
}

impl Choice {
    /// The side of a decision, as the daemon decides; `None` if it is below the threshold.
    pub fn side(&self, decision: &Decision) -> Option<Side> {
        Side::from_action(decide(&decision.odds, self.threshold?).action)
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

/// The best threshold by the trades before a cut: the one whose mean is the most standard errors above 0. If all of them lost,
/// the one that lost least is taken, so that there is something to judge.
pub fn choose(cells: &[Cell], cut: usize) -> Choice {
    let tally = |cell: &Cell| cell.before.get(cut).copied().unwrap_or_default();
    let scored = cells.iter().filter_map(|cell| Some((tally(cell).score()?, cell)));
    // If several are equal, the lowest, which has the most signals.
    let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map_or_else(Choice::default, |(_, cell)| Choice {
        threshold: Some(cell.row.threshold),
        promised: tally(cell).mean(),
    })
}
