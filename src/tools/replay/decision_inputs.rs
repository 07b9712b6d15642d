//! What a decision is made again with: the actors' functions and the recorded settings; and a field that differs.

use crate::settings::Recorded;
use sentinel_actors::{
    adapters::archive::Archive,
    domain::{
        bar::Bar,
        calendar::Calendar,
        decision::{Decision, Prediction, decide},
        features::{FeatureError, FeatureSet, InvalidValues, TimeColumns, build},
        guard::{Limits, Pace, Suppression, is_stale, pace_objection},
        instrument::Instrument,
        interval::Interval,
    },
};
use std::{collections::HashMap, sync::Arc};

/// Which bars a decision saw: symbol and interval, open time of the newest, cycle, and how many.
pub type Asked<'a> = ((&'a str, Interval), i64, i64, usize);

/// Features of a window.
type Features = fn(&[Bar], TimeColumns) -> Result<(FeatureSet, InvalidValues), FeatureError>;

/// What a decision is computed with. A test puts a wrong one in the place of each, and the replay has to find it.
#[derive(Debug, Clone, Copy)]
pub struct Functions {
    /// The window of a cycle.
    pub window: fn(&Archive, Asked<'_>) -> anyhow::Result<Vec<Bar>>,
    /// Its features.
    pub features: Features,
    /// When a bar closed.
    pub close_time: fn(&Bar, Interval, &Calendar) -> i64,
    /// Whether the market was open.
    pub is_open: fn(&Calendar, i64) -> bool,
    /// Whether a bar was too old.
    pub is_stale: fn(i64, i64, i64) -> bool,
    /// What the odds come to.
    pub decide: fn(&Prediction, f64) -> Decision,
    /// What earlier orders object to.
    pub pace: fn(&Pace, &Limits) -> Option<Suppression>,
}

impl Functions {
    /// The actors'.
    pub const OF_THE_DAEMON: Self = Self {
        window: |archive, (series, newest, cycle_id, count)| Ok(archive.window(series, newest, cycle_id, count)?),
        features: build,
        close_time: Bar::close_time,
        is_open: Calendar::is_open,
        is_stale,
        decide,
        pace: pace_objection,
    };
}

/// A version's settings, ready to use.
#[derive(Debug)]
pub struct Terms {
    /// As they were recorded.
    pub recorded: Recorded,
    pub(super) interval: Interval,
    pub(super) calendar: Arc<Calendar>,
    pub(super) instruments: HashMap<String, Instrument>,
    pub(super) limits: Limits,
}

impl Terms {
    /// Of the JSON that was recorded.
    ///
    /// # Errors
    /// This version cannot read it.
    pub fn parse(json: &str) -> anyhow::Result<Self> {
        let recorded: Recorded = serde_json::from_str(json)?;
        let interval = recorded.interval().map_err(anyhow::Error::msg)?;
        let calendar =
            recorded.calendar().map_err(|problem| anyhow::anyhow!("{}: {}", problem.key, problem.message))?;
        let (instruments, limits) = (recorded.instruments(), recorded.limits());
        Ok(Self { recorded, interval, calendar: calendar.into(), instruments, limits })
    }
}

/// A field with a different result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `bars_sha256`, a feature's name, `sequence_sha256`, `action`, `reason` and so on.
    pub field: String,
    /// As the journal has it.
    pub recorded: String,
    /// As it is now.
    pub replayed: String,
}

pub(super) fn difference(field: &str, recorded: impl ToString, replayed: impl ToString) -> Difference {
    Difference { field: field.into(), recorded: recorded.to_string(), replayed: replayed.to_string() }
}
