//! A file of bars made ready: bars of the wanted interval, and which of them get a row.

use super::Recipe;
use crate::{
    bar_files::{self, BadFile, Checks, Rows, Zone},
    tools::gaps::Missing,
};
use sentinel_actors::{
    domain::{bar::Bar, interval::Interval, resample::resample, window::Gap},
    fetcher::OnGap,
};
use std::{
    ops::Range,
    path::{Path, PathBuf},
};

/// One symbol's bars.
#[derive(Debug)]
pub(super) struct Source {
    /// The file.
    pub path: PathBuf,
    /// Of the file.
    pub format: &'static str,
    /// Of the file.
    pub sha256: String,
    /// Of the file.
    pub file_interval: Interval,
    /// Its name.
    pub symbol: String,
    /// Of the wanted interval, oldest first.
    pub bars: Vec<Bar>,
    /// Places of the bars that get a row: each is the newest of its window.
    pub ends: Vec<usize>,
    /// What is missing although the market was open, oldest first.
    pub gaps: Vec<Gap>,
    /// Bars of the file that open while the market is closed, and are in the dataset.
    pub while_closed: usize,
    /// Bars of closed hours of which no coarser ones were made, as the daemon makes none of them.
    pub left_out_while_closed: usize,
    /// Rows of the file that have no prices.
    pub without_prices: u64,
    lookback_bars: usize,
    /// For a bad bar's line; `None` if the bars are made of finer ones.
    rows: Option<Rows>,
}

impl Source {
    /// Reads the file.
    ///
    /// # Errors
    /// What cannot be, by its line; another interval; too few bars.
    pub(super) fn read(path: &Path, symbol: &str, zone: Option<&Zone>, recipe: &Recipe) -> Result<Self, BadFile> {
        let mut rows = bar_files::read(path, zone)?;
        let Recipe { interval, calendar, lookback_bars, .. } = recipe;
        if rows.bars.len() < *lookback_bars {
            let (have, bars) = (rows.bars.len(), lookback_bars);
            return Err(BadFile::whole(path, format!("{have} bars, and the first row of features takes {bars}")));
        }
        let file_interval = rows.interval()?;
        let is_made = interval.is_made() && interval.source() == file_interval;
        if file_interval != *interval && !is_made {
            let (has, wanted) = (file_interval.as_str(), interval.as_str());
            let what = format!("bars of {has}, and data.interval is {wanted}: --interval {has} takes them as they are");
            return Err(BadFile::whole(path, what));
        }
        let left_out_while_closed = if is_made { rows.keep_sessions(*interval, calendar) } else { 0 };
        rows.check(file_interval, &Checks { calendar, jump_max: recipe.jump_max })?;
        let mut source = Self {
            path: path.to_owned(),
            format: rows.format.as_str(),
            sha256: std::mem::take(&mut rows.sha256),
            file_interval,
            symbol: symbol.to_owned(),
            bars: Vec::new(),
            ends: Vec::new(),
            gaps: Vec::new(),
            while_closed: rows.bars.iter().filter(|bar| !calendar.is_open(bar.open_time)).count(),
            left_out_while_closed,
            without_prices: rows.without_prices,
            lookback_bars: *lookback_bars,
            rows: None,
        };
        let of_file = std::mem::take(&mut rows.bars);
        source.bars = if is_made { resample(&of_file, *interval, calendar, i64::MAX) } else { of_file.clone() };
        let missing = Missing::of(&of_file, &source.bars, is_made, *interval, calendar);
        if source.bars.len() < *lookback_bars {
            let (have, name, need) = (source.bars.len(), interval.as_str(), lookback_bars);
            let what = format!("{have} bars of {name} can be made of it, and the first row of features takes {need}");
            return Err(BadFile::whole(path, what));
        }
        source.ends = source.ends(&missing, recipe);
        source.gaps = missing.gaps;
        source.rows = (!is_made).then_some(rows);
        if source.ends.is_empty() {
            let what = "bars are missing in every window (data.on_gap = \"stop\"): no row is left";
            return Err(BadFile::whole(path, what));
        }
        Ok(source)
    }

    /// Bars that have a whole window.
    pub(super) const fn windows(&self) -> usize {
        self.bars.len() + 1 - self.lookback_bars
    }

    /// How many of those that have a row go over this gap: they have bars on both sides of it.
    pub(super) fn windows_across(&self, gap: Gap) -> usize {
        let after = self.bars.partition_point(|bar| bar.open_time < gap.to);
        let last = after + self.lookback_bars - 2;
        self.ends.partition_point(|end| *end <= last) - self.ends.partition_point(|end| *end < after)
    }

    /// Places of the bars of the window whose newest bar this is.
    pub(super) const fn window(&self, end: usize) -> Range<usize> {
        end + 1 - self.lookback_bars..end + 1
    }

    /// What is wrong with a bar, by its line if the file has one.
    pub(super) fn bad_bar(&self, index: usize, what: &str) -> BadFile {
        let what = format!("timestamp {}: {what}", self.bars[index].open_time);
        match &self.rows {
            Some(rows) => rows.bad_bar(index, what),
            None => BadFile::whole(&self.path, what),
        }
    }

    /// Those on which the daemon would decide.
    fn ends(&self, missing: &Missing, recipe: &Recipe) -> Vec<usize> {
        let all = self.lookback_bars - 1..self.bars.len();
        let is_seen = |end: &usize| missing.is_seen(&self.bars, *end, recipe.interval, &recipe.calendar);
        all.filter(|end| recipe.on_gap == OnGap::Continue || !is_seen(end)).collect()
    }
}
