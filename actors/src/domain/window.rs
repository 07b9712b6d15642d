//! A symbol's window of closed bars: which bars are accepted, which are refused, and why. All later code can rely on a
//! [`Bar`].
//!
//! `clean` reads an answer, `series` checks whether bars can follow each other, `fault` names errors, `gap` finds missing
//! bars. Gaps in time are not an error: every weekend is one.

mod clean;
mod fault;
mod gap;
mod series;

use crate::domain::{bar::Bar, calendar::Calendar, interval::Interval, resample::resample};
pub use clean::{CLOCK_SKEW_S, Cleaned, RawBar, clean, is_of_session};
pub use fault::{BarFault, BarRejection, Rejections};
pub use gap::{Gap, gaps};
pub use series::{JUMP_BARS, jump, misfit};
use std::sync::Arc;

/// The newest closed bars of one symbol, kept from cycle to cycle: the provider's bars and, if these are finer than the
/// interval, the bars that are made from them.
#[derive(Debug, Clone)]
pub struct BarWindow {
    interval: Interval,
    calendar: Arc<Calendar>,
    length_max: usize,
    /// The provider's, oldest first.
    source: Vec<Bar>,
    /// Complete bars made from them; empty if the provider has the interval.
    made: Vec<Bar>,
    /// The last returned bars; `None` after a new bar was added.
    shared: Option<Arc<[Bar]>>,
}

impl BarWindow {
    /// An empty window for at most `length_max` bars of `interval`.
    pub const fn new(length_max: usize, interval: Interval, calendar: Arc<Calendar>) -> Self {
        Self { interval, calendar, length_max, source: Vec::new(), made: Vec::new(), shared: None }
    }

    /// Removes all bars.
    pub fn clear(&mut self) {
        self.source.clear();
        self.made.clear();
        self.shared = None;
    }

    /// Adds the bars of [`clean`] and keeps the newest ones. `now` is the same as there.
    ///
    /// The bars of a made bar that is not complete yet may come again with other prices, because nothing depends on them yet.
    ///
    /// # Errors
    /// [`BarFault::Conflict`] if another bar differs from the stored one of the same time, [`BarFault::NotOfInterval`] or
    /// [`BarFault::AcrossEdge`] if the bars do not fit the stored ones. The window is then empty, because it is unknown which
    /// of them are right. The next cycle requests all bars again, so the error disappears if the answer is good.
    pub fn merge(&mut self, batch: &[Bar], now: Option<i64>) -> Result<(), BarFault> {
        let (held, settled_to) = (self.source.len(), self.newest_close_time());
        let mut is_changed = false;
        for bar in batch {
            match self.source[..held].binary_search_by_key(&bar.open_time, |held| held.open_time) {
                Ok(index) if self.source[index] == *bar => continue,
                Ok(index) if settled_to.is_none_or(|settled| bar.open_time >= settled) => self.source[index] = *bar,
                Ok(_) => {
                    self.clear();
                    return Err(BarFault::Conflict { open_time: bar.open_time });
                }
                Err(_) => self.source.push(*bar),
            }
            is_changed = true;
        }
        if is_changed {
            self.source.sort_unstable_by_key(|bar| bar.open_time);
            if !self.interval.is_made() {
                self.source.drain(..self.source.len().saturating_sub(self.length_max));
                self.shared = None;
            }
            if let Some(fault) = misfit(&self.source, self.interval, &self.calendar) {
                self.clear();
                return Err(fault);
            }
        }
        if self.interval.is_made() && (is_changed || self.has_time_completed(now)) {
            self.remake(now);
        }
        Ok(())
    }

    /// Whether the end of the newest bar has passed without another bar from the provider, as in a market that closed early.
    fn has_time_completed(&self, now: Option<i64>) -> bool {
        let newest = self.newest_source().map(|bar| self.interval.span(bar.open_time, &self.calendar).end);
        newest <= now && self.newest_close_time() < newest
    }

    /// Makes the bars that are complete by now.
    fn remake(&mut self, now: Option<i64>) {
        let Some(now) = now.or(self.newest_source_close()) else { return };
        let mut made = resample(&self.source, self.interval, &self.calendar, now);
        // Keeps one bar more than is returned, because it is unknown whether the first hours of the oldest one are there.
        if let Some(spare) = made.len().checked_sub(self.length_max + 1) {
            let oldest = made[spare].open_time;
            self.source.drain(..self.source.partition_point(|bar| bar.open_time < oldest));
        }
        made.drain(..made.len().saturating_sub(self.length_max));
        if made != self.made {
            self.made = made;
            self.shared = None;
        }
    }

    /// The complete bars.
    fn bars(&self) -> &[Bar] {
        if self.interval.is_made() { &self.made } else { &self.source }
    }

    /// The bars, oldest first; only copied if they changed since the last call.
    pub fn share(&mut self) -> Arc<[Bar]> {
        if let Some(shared) = &self.shared {
            return shared.clone();
        }
        let shared: Arc<[Bar]> = self.bars().into();
        self.shared.insert(shared).clone()
    }

    /// The newest jump of a price that affects the features; see [`jump`]. It is searched for among the provider's bars,
    /// because a wrong price in one of them is also in the bar that is made from it.
    pub fn jump(&self, limit: f64) -> Option<BarFault> {
        let bars = self.bars();
        let oldest = bars.get(bars.len().saturating_sub(JUMP_BARS)).map_or(i64::MIN, |bar| bar.open_time);
        let first = self.source.partition_point(|bar| bar.open_time < oldest);
        series::any_jump(&self.source[first..], limit)
    }

    /// The gaps, oldest first.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        let (bars, interval) = self.gap_bars();
        gap::gaps(bars, interval, &self.calendar)
    }

    /// The newest gap that overlaps the `count` newest bars.
    pub fn gap_among(&self, count: usize) -> Option<Gap> {
        let (bars, close_time) = (self.bars(), self.newest_close_time()?);
        let from = bars[bars.len().saturating_sub(count)..].first()?.open_time;
        let (_, interval) = self.gap_bars();
        let is_seen = |gap: &Gap| interval.is_due(gap.from.max(from), gap.to.min(close_time), &self.calendar);
        self.gaps().filter(is_seen).last()
    }

    /// Open time of the newest bar up to which gaps are searched for, unix seconds.
    pub fn gaps_known_to(&self) -> Option<i64> {
        self.gap_bars().0.last().map(|bar| bar.open_time)
    }

    /// The bars between which gaps are searched for, and their length. In bars made from hours, a missing hour is a gap. Some
    /// minutes are always missing, so in bars made from minutes only a missing made bar is a gap.
    fn gap_bars(&self) -> (&[Bar], Interval) {
        match self.interval.source() {
            Interval::OneHour => (&self.source, Interval::OneHour),
            _ => (self.bars(), self.interval),
        }
    }

    /// Whether it contains as many bars as it may.
    pub fn is_full(&self) -> bool {
        self.bars().len() >= self.length_max
    }

    /// The newest complete bar.
    pub fn newest(&self) -> Option<&Bar> {
        self.bars().last()
    }

    /// When it closed, unix seconds.
    pub fn newest_close_time(&self) -> Option<i64> {
        self.newest().map(|bar| bar.close_time(self.interval, &self.calendar))
    }

    /// The provider's newest bar.
    pub fn newest_source(&self) -> Option<&Bar> {
        self.source.last()
    }

    /// When it closed, unix seconds.
    pub fn newest_source_close(&self) -> Option<i64> {
        self.newest_source().map(|bar| bar.open_time.saturating_add(self.interval.source_s()))
    }

    /// Open time of the first bar that is not stored yet or not complete, unix seconds; `None` if the window is empty.
    pub fn lacks_from(&self) -> Option<i64> {
        let incomplete = || Some(self.interval.span(self.newest_source()?.open_time, &self.calendar).start);
        self.newest_close_time().or_else(incomplete)
    }
}

#[cfg(test)]
mod tests;
