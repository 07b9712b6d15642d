//! Which bars of an answer are accepted.

use super::{BarFault, BarRejection, Rejections, misfit};
use crate::domain::{
    bar::{Bar, RANGE_SLACK},
    calendar::Calendar,
    interval::Interval,
};

/// How far the provider's clock may be ahead of ours, seconds. A bar that opens at most this long after now is the one that
/// is just beginning. Clocks that use NTP differ by less than one second; `clock_step` detects jumps of 2 s or more.
pub const CLOCK_SKEW_S: i64 = 5;

/// A row from outside, not checked yet.
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
    /// The bar, if it is valid.
    ///
    /// # Errors
    /// The first reason why it is not; its open time is not checked.
    pub fn check(&self) -> Result<Bar, BarRejection> {
        let (Some(open), Some(high), Some(low), Some(close)) = (self.open, self.high, self.low, self.close) else {
            return Err(BarRejection::Null);
        };
        let volume = self.volume.unwrap_or(0.0);
        let prices = [open, high, low, close];
        let is_inside = |price: f64| price >= low * (1.0 - RANGE_SLACK) && price <= high * (1.0 + RANGE_SLACK);
        if !volume.is_finite() || prices.iter().any(|price| !price.is_finite()) {
            Err(BarRejection::NotFinite)
        } else if volume < 0.0 || prices.iter().any(|price| *price <= 0.0) {
            Err(BarRejection::NotPositive)
        } else if high < low {
            Err(BarRejection::HighBelowLow)
        } else if !is_inside(open) || !is_inside(close) {
            Err(BarRejection::OutsideRange)
        } else {
            // Zero is added so that -0.0 becomes 0.0, as it does on disk.
            Ok(Bar { open_time: self.open_time, open, high, low, close, volume: volume + 0.0 })
        }
    }

    /// Where the bar is in time; without `now`, no bar is in the future.
    fn stands(&self, interval: Interval, now: Option<i64>) -> Stands {
        let close_time = self.open_time.checked_add(interval.source_s());
        match (now, close_time) {
            (Some(now), _) if self.open_time > now.saturating_add(CLOCK_SKEW_S) => Stands::Ahead,
            (Some(now), Some(close_time)) if close_time <= now => Stands::Closed,
            (None, Some(_)) => Stands::Closed,
            // A close outside the range of dates is in the future, too.
            _ => Stands::Forming,
        }
    }
}

/// Whether a bar of the provider that opens then, unix seconds, counts for `interval`: not if bars of it are made of finer ones,
/// and the market was open neither at the bar's begin nor at its end. A quote on a Sunday before the opening would otherwise make a
/// daily bar.
pub fn is_of_session(open_time: i64, interval: Interval, calendar: &Calendar) -> bool {
    let last_second = open_time.saturating_add(interval.source_s() - 1);
    !interval.is_made() || calendar.is_open(open_time) || calendar.is_open(last_second)
}

enum Stands {
    Closed,
    Forming,
    Ahead,
}

/// The usable part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// Closed, valid bars in rising order of time; all of them are at possible times for bars of the interval. Empty if a
    /// fault [refuses the answer](BarFault::refuses_answer).
    pub bars: Vec<Bar>,
    /// Refused bars, by reason.
    pub rejected: Rejections,
    /// Why this answer must not be used for a decision, if so.
    pub fault: Option<BarFault>,
    /// Open time of the bar that is furthest in the future by our clock, unix seconds, if one was refused for that.
    pub ahead: Option<i64>,
}

/// Takes the closed and valid bars from `rows`, in order. `now` is in unix seconds; with `None` every bar counts as closed. A
/// bar that is still forming is not an error and is not counted: it will come again when it is closed. A bar that has not
/// begun is refused and counted, but it is not a fault, because the closed bars are still valid.
///
/// If bars of `interval` are made from finer ones, `rows` are the finer ones. Rows from hours in which the market is closed
/// are then left out, see [`is_of_session`].
pub fn clean(rows: &[RawBar], interval: Interval, calendar: &Calendar, now: Option<i64>) -> Cleaned {
    let mut rejected = Rejections::default();
    let mut bars = Vec::with_capacity(rows.len());
    let (mut newest_refused, mut ahead) = (None, None);
    for row in rows {
        match row.stands(interval, now) {
            Stands::Forming => continue,
            Stands::Ahead => {
                rejected.add(BarRejection::InFuture);
                ahead = ahead.max(Some(row.open_time));
                continue;
            }
            Stands::Closed if !is_of_session(row.open_time, interval, calendar) => continue,
            Stands::Closed => {}
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
    bars.dedup_by_key(|bar| bar.open_time);
    if fault.is_none() {
        fault = misfit(&bars, interval, calendar);
        if fault.is_some() {
            rejected.add(BarRejection::NotOfInterval);
        }
    }
    if fault.is_some() {
        return Cleaned { bars: Vec::new(), rejected, fault, ahead };
    }
    // A refused bar makes a valid one of the same time doubtful.
    if let Some(open_time) = newest_refused.filter(|refused| bars.last().is_none_or(|bar| *refused >= bar.open_time)) {
        fault = Some(BarFault::NewestInvalid { open_time });
    }
    Cleaned { bars, rejected, fault, ahead }
}
