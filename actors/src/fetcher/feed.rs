//! One symbol's feed: the bars it has, the bars it needs, and when to request them.

use super::{Config, FetchError, MarketClock, Poll};
use crate::{
    adapters::eodhd::first_from,
    domain::{
        bar::Bar,
        window::{BarFault, BarWindow, Cleaned, Gap, RawBar, Rejections, clean},
    },
};
use std::sync::Arc;

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// `from` and `to`, unix seconds; `None` for the provider's default range.
    pub range: Option<(i64, i64)>,
}

/// The range of the last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Bars after the stored ones.
    Newer,
    /// The whole range.
    Whole,
    /// The provider's default range.
    Default,
}

/// A symbol's bars between two cycles.
#[derive(Debug)]
pub struct Feed {
    window: BarWindow,
    /// When the provider last had no newer bar, or did not answer, unix seconds.
    nothing_newer_at: Option<i64>,
    /// When the whole range was last requested, unix seconds.
    whole_range_at: Option<i64>,
    asked: Asked,
    /// Whether the window comes from the provider's default range.
    has_default_range: bool,
    /// Open time of the newest bar up to which gaps were searched for; kept when the window is cleared.
    gaps_known_to: Option<i64>,
    /// The fault of the last answer or of its newest bar.
    fault: Option<BarFault>,
    /// A jump among the stored bars: one of the prices may be wrong.
    jump: Option<BarFault>,
}

/// Information about a symbol's answer, in addition to its bars.
#[derive(Debug, Default)]
pub struct Notes {
    /// Refused bars, by reason.
    pub rejected: Rejections,
    /// Open time of the bar that is furthest in the future by our clock, unix seconds.
    pub ahead: Option<i64>,
}

impl Feed {
    /// An empty feed.
    pub fn new(config: &Config) -> Self {
        let Config { lookback_bars, interval, calendar, .. } = config;
        Self {
            window: BarWindow::new(*lookback_bars, *interval, calendar.clone()),
            nothing_newer_at: None,
            whole_range_at: None,
            asked: Asked::Newer,
            has_default_range: false,
            gaps_known_to: None,
            fault: None,
            jump: None,
        }
    }

    /// The request to send now, or `None` if there can be no newer bar.
    pub fn ask(&mut self, now: i64, config: &Config) -> Option<Ask> {
        let Config { lookback_bars, interval, calendar, .. } = config;
        let follows_bars = config.market_clock == MarketClock::Bars;
        // The distance in both directions: after the clock was set back, 300 s must not become an hour.
        let pause_is_over = |since: Option<i64>| since.is_none_or(|at| now.abs_diff(at) >= config.overdue_poll_s);
        // A first answer may have had too few bars, and then features are refused or have different averages. A price that
        // jumped may have been corrected in the meantime.
        let is_complete = self.window.is_full() && self.jump.is_none();
        let wants_older = !follows_bars && !is_complete && pause_is_over(self.whole_range_at);
        let whole_from = |now: i64| first_from(*lookback_bars, *interval, calendar, now);
        let lacks_from = self.window.lacks_from().filter(|_| !wants_older);
        let Some(from) = lacks_from else {
            self.whole_range_at = Some(now);
            self.asked = if follows_bars { Asked::Default } else { Asked::Whole };
            return Some(Ask { range: (!follows_bars).then(|| (whole_from(now), now)) });
        };
        // The first answer has shown what time it is.
        let older_from = self.window.newest_source_close().filter(|_| self.needs_older(config)).map(whole_from);
        self.asked = if older_from.is_some() { Asked::Whole } else { Asked::Newer };
        let polls_always = config.poll == Poll::Cycle || follows_bars;
        let is_due = || now >= interval.due_at(from, calendar) && pause_is_over(self.nothing_newer_at);
        if !polls_always && !is_due() {
            return None;
        }
        // Bars before the whole range are not needed any more, and may be the reason why answers are refused.
        let from = if follows_bars { older_from.unwrap_or(from) } else { from.max(whole_from(now)) };
        Some(Ask { range: Some((from, now.max(from.saturating_add(1)))) })
    }

    /// Whether the default range of a replay has too few bars: bars of a day need more finer bars than the provider sends by
    /// default.
    pub fn needs_older(&self, config: &Config) -> bool {
        let has_too_few = self.window.newest_source().is_some() && !self.window.is_full();
        self.has_default_range && has_too_few && config.interval.is_made()
    }

    /// Adds an answer and returns the window.
    ///
    /// # Errors
    /// Bars that contradict each other or the stored ones, bars that cannot follow each other or the stored ones, an invalid
    /// newest bar, a jump, or no bar.
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
        notes.rejected.merge(&self.rejected_newly(&cleaned, rows, config, closed_by));
        notes.ahead = notes.ahead.max(cleaned.ahead);
        self.fault = cleaned.fault;
        if let Some(fault) = cleaned.fault.filter(|fault| fault.refuses_answer().is_some()) {
            // Treated like a missing answer: the stored bars are not used for a decision until there is a good answer.
            self.failed(now);
            return Err(fault.into());
        }
        self.start_afresh_if_in_doubt(&cleaned.bars);
        let before = self.window.lacks_from();
        let merged = self.window.merge(&cleaned.bars, closed_by);
        let came = self.window.lacks_from() > before;
        self.nothing_newer_at = (!came && merged.is_ok()).then_some(now);
        self.jump = self.window.jump(config.jump_max);
        if let Some(reason) = merged.err().and_then(|fault| fault.refuses_answer()) {
            notes.rejected.add(reason);
        }
        merged?;
        self.has_default_range = match self.asked {
            Asked::Newer => self.has_default_range,
            Asked::Whole => false,
            Asked::Default => true,
        };
        self.held()
    }

    /// The refusals to count. The finer bars of an incomplete bar are requested again in every cycle, for up to a day, so
    /// refusals among them that were counted before are not counted again.
    fn rejected_newly(
        &self,
        cleaned: &Cleaned,
        rows: &[RawBar],
        config: &Config,
        closed_by: Option<i64>,
    ) -> Rejections {
        let is_refused = cleaned.fault.is_some_and(|fault| fault.refuses_answer().is_some());
        match self.window.newest_source_close() {
            Some(known_to) if config.interval.is_made() && self.asked == Asked::Newer && !is_refused => {
                let newer: Vec<_> = rows.iter().filter(|row| row.open_time >= known_to).copied().collect();
                clean(&newer, config.interval, &config.calendar, closed_by).rejected
            }
            _ => cleaned.rejected,
        }
    }

    /// If one of the stored prices is in doubt, an answer with the whole range replaces the stored bars. So if the provider
    /// has corrected or removed a bar, no further cycle is lost to the conflict.
    fn start_afresh_if_in_doubt(&mut self, bars: &[Bar]) {
        let newest_held = self.window.newest_source().map(|bar| bar.open_time);
        let reaches_as_far = bars.last().map(|bar| bar.open_time) >= newest_held;
        if self.jump.is_some() && self.asked != Asked::Newer && reaches_as_far {
            self.window.clear();
        }
    }

    /// Records that a request had no answer: with `poll = "bar"`, the next one waits like the one for an overdue bar.
    pub const fn failed(&mut self, now: i64) {
        self.nothing_newer_at = Some(now);
    }

    /// The window as it is.
    ///
    /// # Errors
    /// The last answer was refused, the newest bar is invalid, there is a jump, or there is no bar.
    pub fn held(&mut self) -> Result<Arc<[Bar]>, FetchError> {
        match (self.fault.or(self.jump), self.window.newest()) {
            (Some(fault), _) => Err(fault.into()),
            (None, None) => Err(FetchError::NoBars),
            (None, Some(_)) => Ok(self.window.share()),
        }
    }

    /// The gaps that came with the bars since the last call. Each is returned once.
    pub fn new_gaps(&mut self) -> Vec<Gap> {
        let newest = self.window.gaps_known_to();
        if newest <= self.gaps_known_to {
            return Vec::new();
        }
        let known_to = std::mem::replace(&mut self.gaps_known_to, newest);
        self.window.gaps().filter(|gap| known_to.is_none_or(|known| gap.to > known)).collect()
    }

    /// The stored bars.
    pub const fn window(&self) -> &BarWindow {
        &self.window
    }
}
