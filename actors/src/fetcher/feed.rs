//! One symbol's feed: what it holds, what it lacks, and when it is worth asking.

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
    /// `from` and `to`, unix seconds; `None` for whatever the provider sends by itself.
    pub range: Option<(i64, i64)>,
}

/// What the last request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Bars after those held.
    Newer,
    /// The whole range.
    Whole,
    /// Whatever the provider sends by itself.
    Default,
}

/// A symbol's bars between two cycles.
#[derive(Debug)]
pub struct Feed {
    window: BarWindow,
    /// When the provider last had nothing newer for us, or no answer at all, unix seconds.
    nothing_newer_at: Option<i64>,
    /// When the whole range was last asked for, unix seconds.
    whole_range_at: Option<i64>,
    asked: Asked,
    /// Whether the window rests on the range that the provider sends by itself.
    has_default_range: bool,
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

    /// What to ask for now, or `None` if nothing newer can be there.
    pub fn ask(&mut self, now: i64, config: &Config) -> Option<Ask> {
        let Config { lookback_bars, interval, calendar, .. } = config;
        let follows_bars = config.market_clock == MarketClock::Bars;
        // The distance in both directions: after a clock stepped back, "in 300 s" must not become "in an hour".
        let pause_is_over = |since: Option<i64>| since.is_none_or(|at| now.abs_diff(at) >= config.overdue_poll_s);
        // A first answer may have been short: features of too few bars are refused, or differ in their averages. And a
        // price that jumped may be corrected in the meantime.
        let is_complete = self.window.is_full() && self.jump.is_none();
        let wants_older = !follows_bars && !is_complete && pause_is_over(self.whole_range_at);
        let whole_from = |now: i64| first_from(*lookback_bars, *interval, calendar, now);
        let lacks_from = self.window.lacks_from().filter(|_| !wants_older);
        let Some(from) = lacks_from else {
            self.whole_range_at = Some(now);
            self.asked = if follows_bars { Asked::Default } else { Asked::Whole };
            return Some(Ask { range: (!follows_bars).then(|| (whole_from(now), now)) });
        };
        // The first answer said what time it is.
        let older_from = self.window.newest_source_close().filter(|_| self.needs_older(config)).map(whole_from);
        self.asked = if older_from.is_some() { Asked::Whole } else { Asked::Newer };
        let polls_always = config.poll == Poll::Cycle || follows_bars;
        let is_due = || now >= interval.due_at(from, calendar) && pause_is_over(self.nothing_newer_at);
        if !polls_always && !is_due() {
            return None;
        }
        // What is older than a whole range is no longer wanted, and may be what answers are refused for.
        let from = if follows_bars { older_from.unwrap_or(from) } else { from.max(whole_from(now)) };
        Some(Ask { range: Some((from, now.max(from.saturating_add(1)))) })
    }

    /// Whether the bars that a replay got by itself are too few: those of a day take more of the finer ones than the
    /// provider sends unasked.
    pub fn needs_older(&self, config: &Config) -> bool {
        let has_too_few = self.window.newest_source().is_some() && !self.window.is_full();
        self.has_default_range && has_too_few && config.interval.is_made()
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
        notes.rejected.merge(&self.rejected_newly(&cleaned, rows, config, closed_by));
        notes.ahead = notes.ahead.max(cleaned.ahead);
        self.fault = cleaned.fault;
        if let Some(fault) = cleaned.fault.filter(|fault| fault.refuses_answer().is_some()) {
            // As if there had been no answer; nothing is decided on what is held until there is a good one.
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

    /// The refusals that are to be counted. The finer bars of one that is not complete are asked for again in every
    /// cycle, for up to a day: what was refused among them before is not counted again.
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

    /// While one of the prices held is in doubt, an answer to the whole range takes their place: a provider that has
    /// corrected or withdrawn a bar is to be believed without another cycle lost to the conflict.
    fn start_afresh_if_in_doubt(&mut self, bars: &[Bar]) {
        let newest_held = self.window.newest_source().map(|bar| bar.open_time);
        let reaches_as_far = bars.last().map(|bar| bar.open_time) >= newest_held;
        if self.jump.is_some() && self.asked != Asked::Newer && reaches_as_far {
            self.window.clear();
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
    pub fn new_gaps(&mut self) -> Vec<Gap> {
        let newest = self.window.gaps_known_to();
        if newest <= self.gaps_known_to {
            return Vec::new();
        }
        let known_to = std::mem::replace(&mut self.gaps_known_to, newest);
        self.window.gaps().filter(|gap| known_to.is_none_or(|known| gap.to > known)).collect()
    }

    /// The bars held.
    pub const fn window(&self) -> &BarWindow {
        &self.window
    }
}
