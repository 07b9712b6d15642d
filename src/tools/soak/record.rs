//! The scrapes so far. Only the newest is kept whole; of the others, a line of numbers each, the increases of all counters, and
//! the growth of the histograms by windows of time.

use super::{
    math::{self, Buckets},
    snapshot::{API_ERRORS, CYCLES, CYCLES_FAILED, NoSnapshot, Series, Snapshot, TICKS_MISSED, TIMINGS},
};
use std::collections::BTreeMap;

/// Most windows of time for quantiles; a plot can hardly show more.
const WINDOWS_MAX: f64 = 80.0;
/// Least cycles and scrapes of a window.
const PER_WINDOW_MIN: f64 = 2.0;
/// How much a process's start time may vary: it is derived from the host's boot time, which the kernel rounds to seconds.
const START_WOBBLE_S: f64 = 1.5;

/// The numbers kept of a scrape. Counts are increases since the first scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ScrapeRow {
    pub(super) cycles: Option<f64>,
    pub(super) failed: Option<f64>,
    pub(super) missed: Option<f64>,
    pub(super) api_errors: Option<f64>,
    pub(super) memory_bytes: Option<f64>,
    pub(super) open_files: Option<f64>,
    pub(super) orders_unresolved: Option<f64>,
}

/// A time without a successful scrape.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct Gap {
    /// Last successful scrape before it, in seconds since the first.
    pub(super) from_s: f64,
    /// First successful scrape after it, or the end.
    pub(super) to_s: f64,
    /// Scrapes that failed.
    pub(super) failed: usize,
    /// Why the first of them failed.
    pub(super) why: String,
}

/// Growth of the histograms within a part of the time.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub(super) timings: [Buckets; TIMINGS.len()],
}

/// The data of a report.
#[derive(Debug)]
pub(super) struct Record {
    /// Seconds since the first scrape, and the result; the first was successful.
    pub(super) scrapes: Vec<(f64, Result<ScrapeRow, NoSnapshot>)>,
    /// Raw counts of cycles at the first and the newest scrape.
    pub(super) cycles_raw: [Option<f64>; 2],
    /// First and newest build.
    pub(super) builds: [Option<String>; 2],
    /// Seconds since the first scrape at which another process answered for the first time.
    pub(super) restarts: Vec<f64>,
    pub(super) increases: BTreeMap<Series, f64>,
    pub(super) timings: [Buckets; TIMINGS.len()],
    pub(super) windows: Vec<Window>,
    pub(super) window_s: f64,
    /// The schedule's period.
    pub(super) cycle_s: f64,
    newest: Snapshot,
    newest_at_s: f64,
}

impl Record {
    /// Begins with the first scrape, `run_s` seconds before the planned end.
    pub(super) fn begin(first: Snapshot, run_s: f64, period_s: f64, cycle_s: f64) -> Self {
        let window_s = (run_s / WINDOWS_MAX).max(PER_WINDOW_MIN * cycle_s).max(PER_WINDOW_MIN * period_s);
        let count = first.count(CYCLES);
        let mut record = Self {
            scrapes: Vec::new(),
            cycles_raw: [count, count],
            builds: [first.build.clone(), first.build.clone()],
            restarts: Vec::new(),
            increases: first.counters.keys().map(|series| (series.clone(), 0.0)).collect(),
            timings: Default::default(),
            windows: Vec::new(),
            window_s,
            cycle_s,
            newest: first,
            newest_at_s: 0.0,
        };
        record.scrapes.push((0.0, Ok(record.line())));
        record
    }

    /// Adds the next scrape.
    pub(super) fn push(&mut self, at_s: f64, found: Result<Snapshot, NoSnapshot>) {
        let scrape = match found {
            Ok(scrape) => scrape,
            Err(failure) => return self.scrapes.push((at_s, Err(failure))),
        };
        let is_restarted = is_another(&self.newest, &scrape, at_s - self.newest_at_s);
        if is_restarted {
            self.restarts.push(at_s);
        }
        for (series, now) in &scrape.counters {
            let before = self.newest.counters.get(series).copied();
            *self.increases.entry(series.clone()).or_default() += math::increase(before, *now, is_restarted);
        }
        let at = (at_s / self.window_s) as usize;
        self.windows.resize_with(self.windows.len().max(at + 1), Window::default);
        for (index, now) in scrape.timings.iter().enumerate() {
            let more = math::buckets_increase(&self.newest.timings[index], now, is_restarted);
            math::add_buckets(&mut self.timings[index], &more);
            math::add_buckets(&mut self.windows[at].timings[index], &more);
        }
        self.cycles_raw[1] = scrape.count(CYCLES);
        self.builds[1].clone_from(&scrape.build);
        (self.newest, self.newest_at_s) = (scrape, at_s);
        self.scrapes.push((at_s, Ok(self.line())));
    }

    fn line(&self) -> ScrapeRow {
        ScrapeRow {
            cycles: self.total(CYCLES),
            failed: self.total(CYCLES_FAILED),
            missed: self.total(TICKS_MISSED),
            api_errors: self.total(API_ERRORS),
            memory_bytes: self.newest.memory_bytes,
            open_files: self.newest.open_files,
            orders_unresolved: self.newest.orders_unresolved,
        }
    }

    /// When the newest scrape was, in seconds since the first.
    pub(super) fn elapsed_s(&self) -> f64 {
        self.scrapes.last().map_or(0.0, |(at, _)| *at)
    }

    /// How much a counter grew, over all children; `None` if it was never reported.
    pub(super) fn total(&self, family: &str) -> Option<f64> {
        self.children(family).map(|(_, value)| value).reduce(|sum, value| sum + value)
    }

    /// How much each child of a counter grew.
    pub(super) fn children<'a>(&'a self, family: &'a str) -> impl Iterator<Item = (&'a [String], f64)> {
        let of_it = self.increases.iter().filter(move |((name, _), _)| *name == family);
        of_it.map(|((_, labels), value)| (labels.as_slice(), *value))
    }

    /// The number of failed scrapes.
    pub(super) fn failed_scrapes(&self) -> usize {
        self.scrapes.iter().filter(|(_, found)| found.is_err()).count()
    }

    /// Consecutive failed scrapes, each run of them as one gap.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut seen_s = 0.0;
        let mut is_open = false;
        for (at_s, found) in &self.scrapes {
            match (found, gaps.last_mut().filter(|_| is_open)) {
                (Ok(_), Some(gap)) => gap.to_s = *at_s,
                (Err(_), Some(gap)) => (gap.to_s, gap.failed) = (*at_s, gap.failed + 1),
                (Err(failure), None) => {
                    gaps.push(Gap { from_s: seen_s, to_s: *at_s, failed: 1, why: failure.what.clone() });
                }
                (Ok(_), None) => {}
            }
            is_open = found.is_err();
            seen_s = if is_open { seen_s } else { *at_s };
        }
        gaps
    }

    /// A value over time; `None` where a scrape failed or did not have it.
    pub(super) fn values(&self, of: impl Fn(&ScrapeRow) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
        self.scrapes.iter().map(|(at, found)| (*at, found.as_ref().ok().and_then(&of))).collect()
    }

    /// The points of the process that was watched the longest: a slope across a restart has no meaning.
    pub(super) fn longest_life(&self, of: impl Fn(&ScrapeRow) -> Option<f64>) -> Vec<(f64, f64)> {
        let points: Vec<_> = self.values(of).into_iter().filter_map(|(at, value)| Some((at, value?))).collect();
        let mut rest = points.as_slice();
        let mut lives = Vec::new();
        for restart in &self.restarts {
            let (life, later) = rest.split_at(rest.partition_point(|(at, _)| at < restart));
            lives.push(life);
            rest = later;
        }
        lives.push(rest);
        let span = |life: &&[(f64, f64)]| life.last().map_or(0.0, |(to, _)| to - life[0].0);
        lives.into_iter().max_by(|a, b| span(a).total_cmp(&span(b))).unwrap_or_default().to_vec()
    }
}

/// Whether two scrapes, `apart_s` seconds apart, came from two processes. A start time also moves when the host's clock is set,
/// but then the uptime continues; only in another process does it lag by as much.
fn is_another(before: &Snapshot, now: &Snapshot, apart_s: f64) -> bool {
    let later_s = before.process_started.zip(now.process_started).map(|(before, now)| now - before);
    match (before.uptime_s.zip(now.uptime_s), later_s) {
        (Some((before, now)), Some(later_s)) => {
            now < before || (later_s > START_WOBBLE_S && before + apart_s - now > later_s / 2.0)
        }
        (Some((before, now)), None) => now < before,
        (None, Some(later_s)) => later_s > START_WOBBLE_S,
        (None, None) => now.count(CYCLES) < before.count(CYCLES),
    }
}

#[cfg(test)]
mod tests;
