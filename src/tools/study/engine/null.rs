//! The result of chance alone: the same signals, shifted in a circle against the prices of their fold. The order of the
//! signals and the order of the prices stay as they were; only the relation between them is lost.
//!
//! Within each fold, and not over all of them: the thresholds of a fold were chosen on the prices before it. Signals that are
//! shifted to those prices would meet the ones they were chosen for, and chance would look better than it is.

use super::{
    grid::Tally,
    market::Market,
    trades::{self, Policy},
};
use crate::tools::study::{result::Null, statistics::bootstrap::generator};
use rand_chacha::rand_core::Rng as _;
use sentinel_actors::domain::side::Side;
use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// How often the signals are shifted.
pub const SHIFTS: usize = 2_000;
/// Two means that differ by less are the same: sums depend on their order.
const SAME: f64 = 1e-9;

/// The places of a fold's bars, and place and side of its signals, oldest first.
pub type FoldSignals<'a> = (Range<u32>, &'a [(u32, Side)]);

/// Signals of the folds.
pub struct Signals<'a> {
    /// The bars.
    pub market: &'a Market,
    /// Which signals become trades.
    pub policy: Policy,
    /// Oldest first.
    pub folds: &'a [FoldSignals<'a>],
}

impl Signals<'_> {
    /// Net points of a trade if the signals of each fold come so many bars later; one that leaves its fold at the end comes
    /// back at the beginning. `None` without a trade.
    fn shifted(&self, shifts: &[u32]) -> Option<f64> {
        let mut tally = Tally::default();
        let folds = self.folds.iter().zip(shifts);
        let signals = folds.flat_map(|((span, signals), shift)| around(span, signals, *shift));
        trades::run(self.market, self.policy, signals, |trade| tally.add(trade.net));
        tally.mean()
    }

    /// Shifts of each fold. None is smaller than a position is long, so that it is another place; `None` for folds that are too
    /// short for that.
    fn draw(&self, shifts: usize, seed: u64) -> Option<Vec<Vec<u32>>> {
        let smallest = u32::try_from(self.market.terms.exits.horizon_bars + 1).ok()?;
        let room =
            |span: &Range<u32>| (span.end - span.start).checked_sub(smallest.checked_mul(2)?).filter(|it| *it > 0);
        let rooms = self.folds.iter().map(|(span, _)| room(span)).collect::<Option<Vec<u32>>>()?;
        let mut random = generator(seed);
        let mut drawn = |room: &u32| smallest + (random.next_u64() % u64::from(*room + 1)) as u32;
        Some((0..shifts).map(|_| rooms.iter().map(&mut drawn).collect()).collect())
    }
}

/// The signals of a span, each so many bars later, in a circle; oldest first.
fn around<'a>(
    span: &Range<u32>,
    signals: &'a [(u32, Side)],
    shift: u32,
) -> impl Iterator<Item = (u32, Side)> + use<'a> {
    let (start, turn) = (span.start, span.end - shift);
    let (stay, leave) = signals.split_at(signals.partition_point(|(bar, _)| *bar < turn));
    let back = leave.iter().map(move |(bar, side)| (start + (bar - turn), *side));
    back.chain(stay.iter().map(move |(bar, side)| (bar + shift, *side)))
}

/// The signals as they are against `shifts` of them. `done` gets how many are ready.
pub fn of(signals: &Signals<'_>, shifts: usize, seed: u64, done: impl Fn(usize) + Sync) -> Null {
    let net_points = signals.shifted(&vec![0; signals.folds.len()]);
    let drawn = if signals.folds.is_empty() { None } else { signals.draw(shifts, seed) };
    let Some((observed, drawn)) = net_points.zip(drawn) else {
        return Null { shifts: 0, net_points, quantiles: None, p_value: None };
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(shift) = drawn.get(place) else { return made };
            made.extend(signals.shifted(shift));
            done(place + 1);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut means: Vec<f64> = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let mut means = work();
        for other in others {
            // A panic there is a defect and is passed on.
            means.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        means
    });
    // Sorted, so that it does not matter which core made which.
    means.sort_unstable_by(f64::total_cmp);
    let as_good = observed - SAME * observed.abs().max(1.0);
    let better = means.len() - means.partition_point(|mean| *mean < as_good);
    let quantile = |share: f64| means.get((share * (means.len().saturating_sub(1)) as f64).round() as usize).copied();
    let quantiles = || Some([quantile(0.05)?, quantile(0.5)?, quantile(0.95)?]);
    // The observed result counts as one of those that chance could have made. A shift without a trade has no result: it is neither better
    // nor worse, and is not counted at all.
    let p_value = (!means.is_empty()).then(|| (better + 1) as f64 / (means.len() + 1) as f64);
    Null { shifts: means.len() as u64, net_points, quantiles: quantiles(), p_value }
}
