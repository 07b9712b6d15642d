//! A symbol's window of closed bars: what is let in, what is refused and why. Everything after it can trust a [`Bar`].
//!
//! Gaps in time are no fault: every weekend is one.

use crate::domain::{
    bar::{Bar, Interval},
    calendar::Calendar,
};
use std::sync::Arc;

/// Why a bar was refused; the values of `sentinel_bars_rejected_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarRejection {
    /// A price is missing.
    Null,
    /// A number is not finite.
    NotFinite,
    /// A price is zero or less, or the volume is negative.
    NotPositive,
    /// `high < low`.
    HighBelowLow,
    /// Another bar of the same time says something else.
    Conflict,
}

impl BarRejection {
    /// Every reason, in the order of the metric catalogue.
    pub const ALL: [Self; 5] = [Self::Null, Self::NotFinite, Self::NotPositive, Self::HighBelowLow, Self::Conflict];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::NotFinite => "not_finite",
            Self::NotPositive => "not_positive",
            Self::HighBelowLow => "high_below_low",
            Self::Conflict => "conflict",
        }
    }
}

/// A row as it came from outside: nothing about it is certain yet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RawBar {
    /// Start of the bar, unix seconds UTC.
    pub open_time: i64,
    /// First price.
    pub open: Option<f64>,
    /// Highest price.
    pub high: Option<f64>,
    /// Lowest price.
    pub low: Option<f64>,
    /// Last price.
    pub close: Option<f64>,
    /// Traded volume; `None` is 0, which is normal in FX.
    pub volume: Option<f64>,
}

impl RawBar {
    /// The bar, if it can be trusted.
    fn check(&self) -> Result<Bar, BarRejection> {
        let (Some(open), Some(high), Some(low), Some(close)) = (self.open, self.high, self.low, self.close) else {
            return Err(BarRejection::Null);
        };
        let volume = self.volume.unwrap_or(0.0);
        let prices = [open, high, low, close];
        if !volume.is_finite() || prices.iter().any(|price| !price.is_finite()) {
            Err(BarRejection::NotFinite)
        } else if volume < 0.0 || prices.iter().any(|price| *price <= 0.0) {
            Err(BarRejection::NotPositive)
        } else if high < low {
            Err(BarRejection::HighBelowLow)
        } else {
            Ok(Bar { open_time: self.open_time, open, high, low, close, volume })
        }
    }
}

/// Refused bars, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejections([u64; BarRejection::ALL.len()]);

impl Rejections {
    /// Counts one bar.
    pub fn add(&mut self, reason: BarRejection) {
        self.0[reason as usize] += 1;
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        for (count, other) in self.0.iter_mut().zip(other.0) {
            *count += other;
        }
    }

    /// The reasons that occurred, with their counts.
    pub fn counted(&self) -> Vec<(BarRejection, u64)> {
        BarRejection::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0).collect()
    }
}

/// What makes a whole answer, or its newest bar, unfit to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BarFault {
    /// Two bars of one time differ, and nothing says which is true.
    #[error("two different bars open at {open_time}")]
    Conflict {
        /// Unix seconds.
        open_time: i64,
    },
    /// The newest closed bar was refused: a decision would rest on an older one.
    #[error("the newest closed bar, opened at {open_time}, is invalid")]
    NewestInvalid {
        /// Unix seconds.
        open_time: i64,
    },
}

impl BarFault {
    /// Bounded name for logs and `/health`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::NewestInvalid { .. } => "newest_bar_invalid",
        }
    }
}

/// What is left of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// Closed, valid bars in rising order of time, no two of the same time; none after a conflict.
    pub bars: Vec<Bar>,
    /// Bars that were refused.
    pub rejected: Rejections,
    /// Why this answer does not lead to a decision, if so.
    pub fault: Option<BarFault>,
}

/// Takes the closed and valid bars out of `rows`, in order. `now` is in unix seconds; with `None` every bar counts as
/// closed. A bar that still forms is no fault and is not counted: it will come again, closed.
pub fn clean(rows: &[RawBar], interval: Interval, now: Option<i64>) -> Cleaned {
    let mut rejected = Rejections::default();
    let mut bars = Vec::with_capacity(rows.len());
    let mut newest_refused = None;
    for row in rows {
        // A close beyond the range of time has not come yet either.
        match row.open_time.checked_add(interval.seconds()) {
            Some(close_time) if now.is_none_or(|now| close_time <= now) => {}
            _ => continue,
        }
        match row.check() {
            Ok(bar) => bars.push(bar),
            Err(reason) => {
                rejected.add(reason);
                newest_refused = newest_refused.max(Some(row.open_time));
            }
        }
    }
    bars.sort_by_key(|bar| bar.open_time);
    let mut fault = None;
    for same_time in bars.chunk_by(|a, b| a.open_time == b.open_time) {
        if same_time.iter().any(|bar| *bar != same_time[0]) {
            rejected.add(BarRejection::Conflict);
            fault = Some(BarFault::Conflict { open_time: same_time[0].open_time });
        }
    }
    if fault.is_some() {
        return Cleaned { bars: Vec::new(), rejected, fault };
    }
    bars.dedup_by_key(|bar| bar.open_time);
    // A refused bar beside a valid one of the same time is a doubt about that time, too.
    if let Some(open_time) = newest_refused.filter(|refused| bars.last().is_none_or(|bar| *refused >= bar.open_time)) {
        fault = Some(BarFault::NewestInvalid { open_time });
    }
    Cleaned { bars, rejected, fault }
}

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
    /// [`BarFault::Conflict`] if a bar differs from the one held for that time. The window is then empty, so that the
    /// next cycle starts afresh and the fault heals itself.
    pub fn merge(&mut self, batch: &[Bar]) -> Result<(), BarFault> {
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
        }
        Ok(())
    }

    /// The bars, oldest first; copied only when they changed since the last call.
    pub fn share(&mut self) -> Arc<[Bar]> {
        self.shared.get_or_insert_with(|| self.bars.as_slice().into()).clone()
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
