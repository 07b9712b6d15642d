//! One symbol's feed: what it holds, what it lacks, and when it is worth asking.

use super::{Config, FetchError, MarketClock, Poll};
use crate::{
    adapters::eodhd::first_range_s,
    domain::{
        bar::Bar,
        interval::Interval,
        window::{BarFault, BarWindow, Gap, RawBar, Rejections, clean, gaps},
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
    /// Whether the last request was for the whole range.
    is_whole_asked: bool,
    /// Open time of the newest bar up to which gaps were looked for; kept when the window starts afresh.
    gaps_known_to: Option<i64>,
    /// What is wrong with the last answer or its newest bar.
    fault: Option<BarFault>,
    /// A jump among the bars held: one of the prices may be wrong.
    jump: Option<BarFault>,
}

/// What a symbol's answer said beside its bars.
#[derive(Debug, Default)]
pub struct Notes {
    /// Bars that were refused.
    pub rejected: Rejections,
    /// Open time of the bar that lies furthest ahead of our clock, unix seconds.
    pub ahead: Option<i64>,
}

impl Feed {
    /// An empty feed that keeps `lookback_bars` bars.
    pub const fn new(lookback_bars: usize) -> Self {
        Self {
            window: BarWindow::new(lookback_bars),
            nothing_newer_at: None,
            whole_range_at: None,
            is_whole_asked: false,
            gaps_known_to: None,
            fault: None,
            jump: None,
        }
    }

    /// What to ask for now, or `None` if nothing newer can be there.
    pub fn ask(&mut self, now: i64, config: &Config) -> Option<Ask> {
        let follows_bars = config.market_clock == MarketClock::Bars;
        // The distance in both directions: after a clock stepped back, "in 300 s" must not become "in an hour".
        let pause_is_over = |since: Option<i64>| since.is_none_or(|at| now.abs_diff(at) >= config.overdue_poll_s);
        // A first answer may have been short: features of too few bars are refused, or differ in their averages. And a
        // price that jumped may be corrected in the meantime.
        let is_complete = self.window.is_full() && self.jump.is_none();
        let wants_older = !follows_bars && !is_complete && pause_is_over(self.whole_range_at);
        let whole_from = now - first_range_s(config.lookback_bars, config.interval);
        let lacks_from = self.window.lacks_from(config.interval).filter(|_| !wants_older);
        self.is_whole_asked = lacks_from.is_none();
        let Some(from) = lacks_from else {
            self.whole_range_at = Some(now);
            return Some(Ask { range: (!follows_bars).then_some((whole_from, now)) });
        };
        let polls_always = config.poll == Poll::Cycle || follows_bars;
        let can_be_closed = now >= from.saturating_add(config.interval.seconds());
        let waited = pause_is_over(self.nothing_newer_at);
        // What is older than a whole range is no longer wanted, and may be what answers are refused for.
        let from = if follows_bars { from } else { from.max(whole_from) };
        let range = Some((from, now.max(from.saturating_add(1))));
        (polls_always || can_be_closed && waited).then_some(Ask { range })
    }

    /// Takes in an answer and hands out the window.
    ///
    /// # Errors
    /// Bars that contradict each other or those held, that cannot follow each other or those held, an invalid newest
    /// bar, a jump, or no bar at all.
    pub fn take(
        &mut self,
        rows: &[RawBar],
        now: i64,
        config: &Config,
        notes: &mut Notes,
    ) -> Result<Arc<[Bar]>, FetchError> {
        let Config { interval, calendar, .. } = config;
        let closed_by = (config.market_clock == MarketClock::System).then_some(now);
        let cleaned = clean(rows, *interval, calendar, closed_by);
        notes.rejected.merge(&cleaned.rejected);
        notes.ahead = notes.ahead.max(cleaned.ahead);
        self.fault = cleaned.fault;
        if let Some(fault) = cleaned.fault.filter(|fault| fault.refuses_answer().is_some()) {
            // As if there had been no answer; nothing is decided on what is held until there is a good one.
            self.failed(now);
            return Err(fault.into());
        }
        self.start_afresh_if_in_doubt(&cleaned.bars, config.lookback_bars);
        let before = self.window.lacks_from(*interval);
        let merged = self.window.merge(&cleaned.bars, *interval, calendar);
        let came = self.window.lacks_from(*interval) > before;
        self.nothing_newer_at = (!came && merged.is_ok()).then_some(now);
        self.jump = self.window.jump(config.jump_max);
        if let Some(reason) = merged.err().and_then(|fault| fault.refuses_answer()) {
            notes.rejected.add(reason);
        }
        merged?;
        self.held()
    }

    /// While one of the prices held is in doubt, an answer to the whole range takes their place: a provider that has
    /// corrected or withdrawn a bar is to be believed without another cycle lost to the conflict.
    fn start_afresh_if_in_doubt(&mut self, bars: &[Bar], lookback_bars: usize) {
        let reaches_as_far = bars.last().map(|bar| bar.open_time) >= self.window.newest().map(|bar| bar.open_time);
        if self.jump.is_some() && self.is_whole_asked && reaches_as_far {
            self.window = BarWindow::new(lookback_bars);
        }
    }

    /// Notes that a request brought no answer: with `poll = "bar"` the next one waits as for an overdue bar.
    pub const fn failed(&mut self, now: i64) {
        self.nothing_newer_at = Some(now);
    }

    /// The window as it is.
    ///
    /// # Errors
    /// A last answer that was refused, an invalid newest bar, a jump, or no bar at all.
    pub fn held(&mut self) -> Result<Arc<[Bar]>, FetchError> {
        match (self.fault.or(self.jump), self.window.newest()) {
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
