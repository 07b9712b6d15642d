//! What is let in of an answer.

use super::{BarFault, BarRejection, Rejections, misfit};
use crate::domain::{
    bar::{Bar, RANGE_SLACK},
    calendar::Calendar,
    interval::Interval,
};

/// How far the provider's clock may be ahead of ours, seconds: a bar that opens no later than this after now is the
/// one that begins to form. Clocks kept by NTP are apart by less than one; `clock_step` looks at jumps from 2 s on.
pub const CLOCK_SKEW_S: i64 = 5;

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
    ///
    /// # Errors
    /// The first reason against it; of when it opens nothing is asked.
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

    /// Whether the market was open at its beginning or its end.
    fn is_of_session(&self, interval: Interval, calendar: &Calendar) -> bool {
        let last_second = self.open_time.saturating_add(interval.source_s() - 1);
        calendar.is_open(self.open_time) || calendar.is_open(last_second)
    }

    /// Where the bar stands in time; with no `now`, nothing lies ahead.
    fn stands(&self, interval: Interval, now: Option<i64>) -> Stands {
        let close_time = self.open_time.checked_add(interval.source_s());
        match (now, close_time) {
            (Some(now), _) if self.open_time > now.saturating_add(CLOCK_SKEW_S) => Stands::Ahead,
            (Some(now), Some(close_time)) if close_time <= now => Stands::Closed,
            (None, Some(_)) => Stands::Closed,
            // A close beyond the range of time has not come yet either.
            _ => Stands::Forming,
        }
    }
}

enum Stands {
    Closed,
    Forming,
    Ahead,
}

/// What is left of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleaned {
    /// Closed, valid bars in rising order of time, all of them where bars of the interval can be; none if a fault
    /// [refuses the answer](BarFault::refuses_answer).
    pub bars: Vec<Bar>,
    /// Bars that were refused.
    pub rejected: Rejections,
    /// Why this answer does not lead to a decision, if so.
    pub fault: Option<BarFault>,
    /// Open time of the bar that lies furthest ahead of our clock, unix seconds, if one was refused for that.
    pub ahead: Option<i64>,
}

/// Takes the closed and valid bars out of `rows`, in order. `now` is in unix seconds; with `None` every bar counts as
/// closed. A bar that still forms is no fault and is not counted: it will come again, closed. One that has not even
/// begun is refused and counted, but no fault: what has closed is as good without it.
///
/// If bars of `interval` are made of finer ones, `rows` are the finer ones. Those from hours in which the market is closed
/// are then left out: a quote on a Sunday before the opening would make a bar of a day of it.
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
            Stands::Closed if interval.is_made() && !row.is_of_session(interval, calendar) => continue,
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
    // A refused bar beside a valid one of the same time is a doubt about that time, too.
    if let Some(open_time) = newest_refused.filter(|refused| bars.last().is_none_or(|bar| *refused >= bar.open_time)) {
        fault = Some(BarFault::NewestInvalid { open_time });
    }
    Cleaned { bars, rejected, fault, ahead }
}
