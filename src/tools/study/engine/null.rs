//! What chance alone does: the same signals, shifted in a circle against the prices. What lies in the signals alone and in
//! the prices alone stays as it was, one after the other; only that they belong together is gone.

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

/// Signals on the bars of a span.
pub struct Signals<'a> {
    /// The bars.
    pub market: &'a Market,
    /// Which signals become trades.
    pub policy: Policy,
    /// Places of the bars that the signals may fall on.
    pub span: Range<u32>,
    /// Place of a bar and what its signal is, oldest first.
    pub signals: &'a [(u32, Side)],
}

impl Signals<'_> {
    /// Net points of a trade if each signal comes `shift` bars later; one that leaves the span at its end comes back at its
    /// beginning. `None` without a trade.
    fn shifted(&self, shift: u32) -> Option<f64> {
        let Range { start, end } = self.span;
        let turn = end - shift;
        let split = self.signals.partition_point(|(bar, _)| *bar < turn);
        let (stay, around) = self.signals.split_at(split);
        let back = around.iter().map(|(bar, side)| (start + (bar - turn), *side));
        let on = stay.iter().map(|(bar, side)| (bar + shift, *side));
        let mut tally = Tally::default();
        trades::run(self.market, self.policy, back.chain(on), |trade| tally.add(trade.net));
        tally.mean()
    }
}

/// The signals as they are against `shifts` of them. A shift is no smaller than a position is long, so that it is another
/// place. `done` is told how many are ready.
pub fn of(signals: &Signals<'_>, shifts: usize, seed: u64, done: impl Fn(usize) + Sync) -> Null {
    let length = signals.span.end.saturating_sub(signals.span.start);
    let smallest = u32::try_from(signals.market.terms.exits.horizon_bars + 1).unwrap_or(u32::MAX);
    let net_points = if length == 0 { None } else { signals.shifted(0) };
    let room = length.saturating_sub(smallest.saturating_mul(2)).saturating_add(1);
    let (Some(observed), true) = (net_points, length > smallest.saturating_mul(2)) else {
        return Null { shifts: 0, net_points, quantiles: None, p_value: None };
    };
    let mut random = generator(seed);
    // All there are, if there are not so many.
    let drawn: Vec<u32> = if (room as usize) <= shifts {
        (0..room).map(|place| smallest + place).collect()
    } else {
        (0..shifts).map(|_| smallest + (random.next_u64() % u64::from(room)) as u32).collect()
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(shift) = drawn.get(place) else { return made };
            made.extend(signals.shifted(*shift));
            done(place + 1);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut means: Vec<f64> = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let mut means = work();
        for other in others {
            // A panic there is a defect, and goes on here.
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
    // The one that was seen is one of those that chance could have made.
    let p_value = (better + 1) as f64 / (drawn.len() + 1) as f64;
    Null { shifts: drawn.len() as u64, net_points, quantiles: quantiles(), p_value: Some(p_value) }
}
