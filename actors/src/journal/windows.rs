//! The newest window of each symbol, as decisions were recorded with it: what is new in it goes to the bar archive, and the
//! decisions whose horizon it ends get their outcome.

use super::Config;
use crate::{
    adapters::{archive::Work, journal::Due},
    domain::{
        bar::Bar, calendar::Calendar, instrument::Symbol, interval::Interval, journal::DecisionRecord, outcome::ended,
    },
    messages::Event,
};
use std::sync::Arc;

/// Which outcomes are kept.
#[derive(Debug, Clone)]
pub struct Horizons {
    /// Bars of market time from a decision to its outcome.
    pub bars: usize,
    /// Length of a bar.
    pub interval: Interval,
    /// When bars close.
    pub calendar: Arc<Calendar>,
    /// The decimal places of each symbol's prices.
    pub digits: Arc<[(Symbol, u32)]>,
}

/// Of one symbol.
#[derive(Debug)]
struct Window {
    symbol: Symbol,
    bars: Arc<[Bar]>,
    /// Whether the archive was offered it.
    is_offered: bool,
    /// Open time of the newest bar whose outcomes are written, unix seconds.
    told_to: Option<i64>,
}

/// Of all symbols, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Windows(Vec<Window>);

impl Windows {
    /// Takes the windows of a cycle. One is another only if its bars are: the Fetcher shares the same ones until they change.
    pub(super) fn take(&mut self, records: &[DecisionRecord]) {
        for (index, record) in records.iter().enumerate() {
            let Some(bars) = record.window.as_ref().filter(|bars| !bars.is_empty()) else { continue };
            // Records come in the same order in each cycle, and so are nearly always found at once.
            let at = match self.0.get(index) {
                Some(window) if window.symbol == record.symbol => Some(index),
                _ => self.0.iter().position(|window| window.symbol == record.symbol),
            };
            match at {
                Some(at) if Arc::ptr_eq(&self.0[at].bars, bars) => {}
                Some(at) => {
                    self.0[at].bars = bars.clone();
                    self.0[at].is_offered = false;
                }
                None => self.0.push(Window {
                    symbol: record.symbol.clone(),
                    bars: bars.clone(),
                    is_offered: false,
                    told_to: None,
                }),
            }
        }
    }

    /// Hands the archive what it was not offered yet. What it has no place for is offered again in the next cycle.
    pub(super) fn offer(&mut self, cycle_id: u64, config: &Config) {
        let Some(queue) = &config.archive else { return };
        let new = |window: &&Window| !window.is_offered;
        let windows: Vec<_> =
            self.0.iter().filter(new).map(|window| (window.symbol.clone(), window.bars.clone())).collect();
        if windows.is_empty() {
            return;
        }
        match queue.offer(Work::Cycle { cycle_id, windows }) {
            Ok(()) => self.0.iter_mut().for_each(|window| window.is_offered = true),
            Err(_) => config.metrics.report(Event::BarsArchived { failures: 1, revisions: Vec::new() }),
        }
    }

    /// The horizons that have ended since the last time that they were told.
    pub(super) fn due(&self, horizons: &Horizons) -> Vec<Due<'_>> {
        let close_time = |bar: &Bar| bar.close_time(horizons.interval, &horizons.calendar);
        let mut due = Vec::new();
        for Window { symbol, bars, told_to, .. } in &self.0 {
            if bars.last().map(|bar| bar.open_time) <= *told_to {
                continue;
            }
            let Some((_, digits)) = horizons.digits.iter().find(|(name, _)| name == symbol) else { continue };
            due.extend(ended(bars, horizons.bars, *told_to).map(|(bar, exit)| Due {
                symbol,
                digits: *digits,
                bar_close_time: close_time(bar),
                horizon: horizons.bars,
                exit_price: exit.close,
            }));
        }
        due
    }

    /// What was due is written.
    pub(super) fn told(&mut self) {
        for window in &mut self.0 {
            window.told_to = window.told_to.max(window.bars.last().map(|bar| bar.open_time));
        }
    }
}
