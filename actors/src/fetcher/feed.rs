//! One symbol's feed: what it holds, what it lacks, and when it is worth asking.

use super::{Config, FetchError, MarketClock, Poll};
use crate::{
    adapters::eodhd::first_range_s,
    domain::{
        bar::{Bar, Interval},
        window::{BarFault, BarRejection, BarWindow, Gap, RawBar, Rejections, clean, gaps},
    },
};
use std::sync::Arc;

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// `from` and `to`, unix seconds; `None` for whatever the provider sends by itself.
    pub range: Option<(i64, i64)>,
}

/// A symbol's bars between two cycles.
#[derive(Debug)]
pub struct Feed {
    window: BarWindow,
    /// When the provider last had nothing newer for us, or no answer at all, unix seconds.
    nothing_newer_at: Option<i64>,
    /// When the whole range was last asked for, unix seconds.
    whole_range_at: Option<i64>,
    /// Open time of the newest bar up to which gaps were looked for; kept when the window starts afresh.
    gaps_known_to: Option<i64>,
    /// What is wrong with the newest bar, as of the last answer.
    fault: Option<BarFault>,
}

impl Feed {
    /// An empty feed that keeps `lookback_bars` bars.
    pub const fn new(lookback_bars: usize) -> Self {
        Self {
            window: BarWindow::new(lookback_bars),
            nothing_newer_at: None,
            whole_range_at: None,
            gaps_known_to: None,
            fault: None,
        }
    }

    /// What to ask for now, or `None` if nothing newer can be there.
    pub fn ask(&mut self, now: i64, config: &Config) -> Option<Ask> {
        let follows_bars = config.market_clock == MarketClock::Bars;
        // The distance in both directions: after a clock stepped back, "in 300 s" must not become "in an hour".
        let pause_is_over = |since: Option<i64>| since.is_none_or(|at| now.abs_diff(at) >= config.overdue_poll_s);
        // A first answer may have been short: features of too few bars are refused, or differ in their averages.
        let wants_older = !follows_bars && !self.window.is_full() && pause_is_over(self.whole_range_at);
        let Some(from) = self.window.lacks_from(config.interval).filter(|_| !wants_older) else {
            self.whole_range_at = Some(now);
            return Some(Ask {
                range: (!follows_bars).then(|| (now - first_range_s(config.lookback_bars, config.interval), now)),
            });
        };
        let polls_always = config.poll == Poll::Cycle || follows_bars;
        let can_be_closed = now >= from.saturating_add(config.interval.seconds());
        let waited = pause_is_over(self.nothing_newer_at);
        let range = Some((from, now.max(from.saturating_add(1))));
        (polls_always || can_be_closed && waited).then_some(Ask { range })
    }

    /// Takes in an answer and hands out the window.
    ///
    /// # Errors
    /// Bars that contradict each other or those held, an invalid newest bar, or no bar at all.
    pub fn take(
        &mut self,
        rows: &[RawBar],
        now: i64,
        config: &Config,
        rejected: &mut Rejections,
    ) -> Result<Arc<[Bar]>, FetchError> {
        let closed_by = (config.market_clock == MarketClock::System).then_some(now);
        let cleaned = clean(rows, config.interval, closed_by);
        rejected.merge(&cleaned.rejected);
        if let Some(fault @ BarFault::Conflict { .. }) = cleaned.fault {
            return Err(fault.into());
        }
        let before = self.window.lacks_from(config.interval);
        let merged = self.window.merge(&cleaned.bars);
        let came = self.window.lacks_from(config.interval) > before;
        self.nothing_newer_at = (!came && merged.is_ok()).then_some(now);
        self.fault = cleaned.fault;
        if merged.is_err() {
            rejected.add(BarRejection::Conflict);
        }
        merged?;
        self.held()
    }

    /// Notes that a request brought no answer: with `poll = "bar"` the next one waits as for an overdue bar.
    pub const fn failed(&mut self, now: i64) {
        self.nothing_newer_at = Some(now);
    }

    /// The window as it is.
    ///
    /// # Errors
    /// An invalid newest bar, or no bar at all.
    pub fn held(&mut self) -> Result<Arc<[Bar]>, FetchError> {
        match (self.fault, self.window.newest()) {
            (Some(fault), _) => Err(fault.into()),
            (None, None) => Err(FetchError::NoBars),
            (None, Some(_)) => Ok(self.window.share()),
        }
    }

    /// The gaps that came with the bars since the last call: each is handed out once.
    pub fn new_gaps(&mut self, config: &Config) -> Vec<Gap> {
        let newest = self.window.newest().map(|bar| bar.open_time);
        if newest <= self.gaps_known_to {
            return Vec::new();
        }
        let known_to = std::mem::replace(&mut self.gaps_known_to, newest);
        let bars = self.window.share();
        gaps(&bars, config.interval, &config.calendar)
            .filter(|gap| known_to.is_none_or(|known| gap.to > known))
            .collect()
    }

    /// Close time of the newest bar held, unix seconds.
    pub fn newest_close_time(&self, interval: Interval) -> Option<i64> {
        self.window.newest().map(|bar| bar.close_time(interval))
    }
}
