//! What is missing although the market was open.

use crate::domain::{bar::Bar, calendar::Calendar, interval::Interval};

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
pub(super) fn gaps(bars: &[Bar], interval: Interval, calendar: &Calendar) -> impl Iterator<Item = Gap> {
    let between = move |pair: &[Bar]| Gap { from: pair[0].close_time(interval, calendar), to: pair[1].open_time };
    bars.windows(2).map(between).filter(move |gap| gap.from < gap.to && interval.is_due(gap.from, gap.to, calendar))
}
