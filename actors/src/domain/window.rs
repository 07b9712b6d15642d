//! A symbol's window of closed bars: what is let in, what is refused and why. Everything after it can trust a [`Bar`].
//!
//! `clean` reads an answer, `series` says whether bars can follow each other, `fault` names what is wrong. Gaps in time
//! are no fault: every weekend is one.

mod clean;
mod fault;
mod series;

use crate::domain::{bar::Bar, calendar::Calendar, interval::Interval};
pub use clean::{CLOCK_SKEW_S, Cleaned, RawBar, clean};
pub use fault::{BarFault, BarRejection, Rejections};
pub use series::{JUMP_BARS, jump, misfit};
use std::sync::Arc;

/// The newest closed bars of one symbol, kept from cycle to cycle.
#[derive(Debug, Clone)]
pub struct BarWindow {
    bars: Vec<Bar>,
    length_max: usize,
    /// What was handed out last; nothing once a bar came in after it.
    shared: Option<Arc<[Bar]>>,
}

impl BarWindow {
    /// An empty window for at most `length_max` bars.
    pub const fn new(length_max: usize) -> Self {
        Self { bars: Vec::new(), length_max, shared: None }
    }

    /// Takes in the bars of [`clean`] and keeps the newest ones.
    ///
    /// # Errors
    /// [`BarFault::Conflict`] if a bar differs from the one held for that time, [`BarFault::NotOfInterval`] if the bars
    /// do not fit those held. The window is then empty, as nothing says which of them are true: the next cycle starts
    /// afresh and the fault heals itself.
    pub fn merge(&mut self, batch: &[Bar], interval: Interval, calendar: &Calendar) -> Result<(), BarFault> {
        let held = self.bars.len();
        for bar in batch {
            match self.bars[..held].binary_search_by_key(&bar.open_time, |held| held.open_time) {
                Ok(index) if self.bars[index] == *bar => {}
                Ok(_) => {
                    *self = Self::new(self.length_max);
                    return Err(BarFault::Conflict { open_time: bar.open_time });
                }
                Err(_) => self.bars.push(*bar),
            }
        }
        if self.bars.len() > held {
            self.shared = None;
            self.bars.sort_unstable_by_key(|bar| bar.open_time);
            self.bars.drain(..self.bars.len().saturating_sub(self.length_max));
            if let Some(fault) = misfit(&self.bars, interval, calendar) {
                *self = Self::new(self.length_max);
                return Err(fault);
            }
        }
        Ok(())
    }

    /// The bars, oldest first; copied only when they changed since the last call.
    pub fn share(&mut self) -> Arc<[Bar]> {
        self.shared.get_or_insert_with(|| self.bars.as_slice().into()).clone()
    }

    /// The newest jump in it; see [`jump`].
    pub fn jump(&self, limit: f64) -> Option<BarFault> {
        jump(&self.bars, limit)
    }

    /// Whether it holds as many bars as it may.
    pub const fn is_full(&self) -> bool {
        self.bars.len() >= self.length_max
    }

    /// The newest bar held.
    pub fn newest(&self) -> Option<&Bar> {
        self.bars.last()
    }

    /// Open time of the first bar that is not held yet, unix seconds; `None` if the window lacks everything.
    pub fn lacks_from(&self, interval: Interval) -> Option<i64> {
        self.newest().map(|bar| bar.close_time(interval))
    }
}

/// Bars that are missing between two others although the market was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Close of the bar before, unix seconds.
    pub from: i64,
    /// Open of the bar after, unix seconds.
    pub to: i64,
}

/// The gaps between these bars, oldest first, that the calendar does not explain. What is missing after the newest
/// bar is no gap: that is the bar's age.
pub fn gaps(bars: &[Bar], interval: Interval, calendar: &Calendar) -> impl Iterator<Item = Gap> {
    let between = move |pair: &[Bar]| Gap { from: pair[0].close_time(interval), to: pair[1].open_time };
    bars.windows(2)
        .map(between)
        .filter(move |gap| gap.from < gap.to && calendar.expects_bar(gap.from, gap.to, interval.seconds()))
}

#[cfg(test)]
mod tests;
