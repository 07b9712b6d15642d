//! Where bars are missing although the market was open, by the daemon's rules, and which decisions `data.on_gap = "stop"` leaves
//! out for it.

use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    features::SEQUENCE_BARS,
    interval::Interval,
    window::{Gap, gaps},
};

/// What is missing of a series.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    /// Oldest first.
    pub gaps: Vec<Gap>,
    /// Of the bars between which they lie.
    interval: Interval,
}

impl Missing {
    /// Of bars of `interval`, which are made of `source`, or are the same. As the daemon: in bars that are made of hours an hour that
    /// is missing is a gap, in bars that are made of minutes only a whole bar.
    pub(super) fn of(source: &[Bar], bars: &[Bar], is_made: bool, interval: Interval, calendar: &Calendar) -> Self {
        let by_hours = is_made && interval.source() == Interval::OneHour;
        let (bars, interval) = if by_hours { (source, Interval::OneHour) } else { (bars, interval) };
        Self { gaps: gaps(bars, interval, calendar).collect(), interval }
    }

    /// Whether one lies among the newest bars that the features of the bar at this place are made of.
    pub(super) fn is_seen(&self, bars: &[Bar], at: usize, interval: Interval, calendar: &Calendar) -> bool {
        let (Some(oldest), Some(newest)) = (bars.get((at + 1).saturating_sub(SEQUENCE_BARS)), bars.get(at)) else {
            return false;
        };
        let (from, to) = (oldest.open_time, newest.close_time(interval, calendar));
        let known = self.gaps.partition_point(|gap| gap.from < to);
        let mut near = self.gaps[..known].iter().rev().take_while(|gap| gap.to > from);
        near.any(|gap| self.interval.is_due(gap.from.max(from), gap.to.min(to), calendar))
    }
}
