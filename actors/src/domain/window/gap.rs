//! Bars that are missing although the market was open.

use crate::domain::{bar::Bar, calendar::Calendar, interval::Interval};

/// Missing bars between two others although the market was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Close of the previous bar, unix seconds.
    pub from: i64,
    /// Open of the next bar, unix seconds.
    pub to: i64,
}

/// The gaps between these bars, oldest first, that the calendar does not explain. Bars that are missing after the newest one
/// are not a gap; they make the newest bar old.
pub fn gaps(bars: &[Bar], interval: Interval, calendar: &Calendar) -> impl Iterator<Item = Gap> {
    let between = move |pair: &[Bar]| Gap { from: pair[0].close_time(interval, calendar), to: pair[1].open_time };
    bars.windows(2).map(between).filter(move |gap| gap.from < gap.to && interval.is_due(gap.from, gap.to, calendar))
}
