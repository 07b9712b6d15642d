//! What a study is made of: bars and odds of one symbol, put together by the close of the bar. `bars` reads a file of bars or
//! the archive, `odds` a file of odds, `recorded` the journal, `remade` makes recorded features again. `model_server` asks a
//! model now, `answer_cache` keeps its answers, `functions` makes what it is asked with, `extent` has what was checked of it,
//! and `read` calls them all.

pub mod answer_cache;
pub mod bars;
mod extent;
pub mod functions;
pub mod model_server;
pub mod odds;
pub(super) mod read;
pub mod recorded;
pub mod remade;

use super::{
    engine::market::Decision,
    result::{Counts, Dropped, Input, LookAhead},
};
use crate::bar_files::{BadFile, Zone};
use sentinel_actors::{
    domain::{bar::Bar, calendar::Calendar, decision::Prediction, features::TimeColumns, interval::Interval},
    fetcher::OnGap,
};
use std::{ops::Range, path::PathBuf};

/// Where bars are from.
#[derive(Debug, Clone)]
pub enum BarSource {
    /// A file.
    File(PathBuf, Option<Zone>),
    /// The daemon's archive.
    Archive(PathBuf),
    /// Closes that were recorded with the odds.
    Recorded,
}

/// Where odds are from.
#[derive(Debug, Clone)]
pub enum OddsSource {
    /// The daemon's journal.
    Journal(PathBuf),
    /// A file.
    File(PathBuf),
    /// The model server, asked now; what it has answered is kept in this file.
    Model(PathBuf),
}

impl OddsSource {
    /// As in study.json.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Journal(_) => "recorded",
            Self::File(_) => "file",
            Self::Model(_) => "model",
        }
    }
}

/// The daemon's settings that bars and features depend on.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// `data.interval`
    pub interval: Interval,
    /// When bars are due.
    pub calendar: &'a Calendar,
    /// `data.jump_max`
    pub jump_max: f64,
    /// `data.lookback_bars`
    pub lookback_bars: usize,
    /// `features.hour_and_weekday`
    pub time_columns: TimeColumns,
    /// `data.on_gap`
    pub on_gap: OnGap,
}

/// Odds of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds {
    /// Close of the bar, unix seconds.
    pub bar_close_time: i64,
    /// Its close, in price, if it is known.
    pub close: Option<f64>,
    /// SELL, HOLD, BUY.
    pub prediction: Prediction,
}

/// All of it.
#[derive(Debug)]
pub struct Inputs {
    /// Oldest first.
    pub bars: Vec<Bar>,
    /// Bars with odds, oldest first.
    pub decisions: Vec<Decision>,
    /// The files.
    pub files: Vec<Input>,
    /// What was there and what was left out.
    pub counts: Counts,
    /// Whether the bars have highs and lows, so that stops can be looked for.
    pub has_ranges: bool,
    /// Whether features, if any were made here, use the future.
    pub look_ahead: LookAhead,
}

/// Why a decision is left out.
#[derive(Debug, Default)]
pub(super) struct Left(Vec<Dropped>);

impl Left {
    pub(super) fn add(&mut self, why: &str, count: u64) {
        if count > 0 {
            self.0.push(Dropped { why: why.into(), count });
        }
    }

    pub(super) fn into_vec(self) -> Vec<Dropped> {
        self.0
    }
}

/// Bars with their close times.
#[derive(Debug, Clone, Copy)]
pub struct Closed<'a> {
    /// Oldest first.
    pub bars: &'a [Bar],
    /// Of each, unix seconds.
    pub times: &'a [i64],
}

/// Puts odds to their bars. Answers the decisions within `range` (closes, the end not included), how many were outside it, and the
/// odds whose bar is not there.
pub(super) fn matched(closed: Closed<'_>, odds: &[Odds], range: &Range<i64>) -> (Vec<Decision>, u64, Vec<Odds>) {
    let (mut decisions, mut outside, mut missing) = (Vec::with_capacity(odds.len()), 0, Vec::new());
    let mut place = 0;
    for odds in odds {
        if !range.contains(&odds.bar_close_time) {
            outside += 1;
            continue;
        }
        while closed.times.get(place).is_some_and(|time| *time < odds.bar_close_time) {
            place += 1;
        }
        match (closed.times.get(place), u32::try_from(place)) {
            (Some(time), Ok(bar)) if *time == odds.bar_close_time => {
                decisions.push(Decision { bar, odds: odds.prediction });
            }
            _ => missing.push(*odds),
        }
    }
    (decisions, outside, missing)
}

/// The error for odds of a file whose bar is not there.
pub(super) fn without_bar(file: &odds::OddsFile, path: &std::path::Path, missing: &[Odds]) -> Option<BadFile> {
    let first = missing.first()?;
    let (time, more) = (first.bar_close_time, missing.len() - 1);
    let at = super::files::time(time);
    let others = if more == 0 { String::new() } else { format!(", nor have {more} others") };
    Some(file.bad(path, time, &format!("no bar closed at {time} ({at}){others}: odds go by the close of the bar")))
}
