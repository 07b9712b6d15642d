//! Makes one decision again, by the functions that the actors use, and finds the first field that differs. Reads only the archive.

pub use super::{reasons::FROM_DATA, window::Asked};

use super::{
    earlier::Earlier,
    reasons::decision,
    window::{Found, fault, find_window},
};
use crate::settings::Recorded;
use sentinel_actors::{
    adapters::{
        archive::Archive,
        journal::{ReplayRow, bars_sha256, sequence_sha256},
    },
    domain::{
        bar::Bar,
        calendar::Calendar,
        decision::{Decision, Prediction, decide},
        features::{FEATURE_NAMES, FeatureError, FeatureSet, InvalidValues, TimeColumns, build},
        guard::{Limits, Suppression, is_stale},
        instrument::Instrument,
        interval::Interval,
    },
};
use std::{collections::HashMap, sync::Arc};

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
    };
}

/// A version's settings, ready to use.
#[derive(Debug)]
pub struct Terms {
    /// As they were recorded.
    pub recorded: Recorded,
    pub(super) interval: Interval,
    pub(super) calendar: Arc<Calendar>,
    instruments: HashMap<String, Instrument>,
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

/// The result for one decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Replayed {
    /// Every field is the same. `is_late`: the archive got its bars with a later cycle; their digest proves them.
    Equal {
        /// See there.
        is_late: bool,
        /// What came from outside, and was taken from the record.
        outside: Option<Suppression>,
        /// The model's row, if there was one: what `--ask-model` sends.
        features: Option<Box<FeatureSet>>,
    },
    /// The first that is not.
    Differs(Difference),
    /// It cannot be made again, for this reason.
    NotReplayable(&'static str),
}

/// The reason for a decision without a version.
pub const NO_SETTINGS: &str = "recorded before journals kept the settings of a decision";
/// The reason for one that failed before it had bars.
pub const NO_BARS: &str = "the cycle had no usable bars for it";
/// The reason for one whose window was lost, or never written.
pub const NOT_ARCHIVED: &str = "its bars are not in the archive";

/// Makes a decision again.
///
/// # Errors
/// The archive cannot be read.
pub fn replay(
    row: &ReplayRow,
    terms: &Terms,
    (functions, archive): (&Functions, &Archive),
    earlier: &mut Earlier,
) -> anyhow::Result<Replayed> {
    let (Some(digest), Some(bar_close_time), Some(count)) = (&row.bars_sha256, row.bar_close_time, row.bars) else {
        return Ok(Replayed::NotReplayable(NO_BARS));
    };
    let series = (row.symbol.as_str(), terms.interval);
    let Some(instrument) = terms.instruments.get(&row.symbol) else {
        return differs("symbol", &row.symbol, "not among the recorded settings");
    };
    let count = usize::try_from(count).unwrap_or(0);
    if count > terms.recorded.lookback_bars {
        return differs("bars", count, format!("at most {}", terms.recorded.lookback_bars));
    }
    let found =
        find_window((functions, archive), (series, bar_close_time, row.cycle_id, count), (digest, &terms.calendar))?;
    let (bars, is_late) = match found {
        Found::Window { bars, is_late } => (bars, is_late),
        Found::Other(bars) => return differs("bars_sha256", hex(digest), hex(&bars_sha256(&bars))),
        Found::Missing => return Ok(Replayed::NotReplayable(NOT_ARCHIVED)),
    };
    if let Some(fault) = fault(&bars, terms) {
        return differs("window", "usable", fault);
    }
    let Some(newest) = bars.last() else { return Ok(Replayed::NotReplayable(NO_BARS)) };
    if row.close.map(f64::to_bits) != Some(newest.close.to_bits()) {
        return differs("close", number(row.close), newest.close);
    }
    let closed = (functions.close_time)(newest, terms.interval, &terms.calendar);
    if closed != bar_close_time {
        return differs("bar_close_time", bar_close_time, closed);
    }
    let features = match features(row, (functions.features)(&bars, terms.recorded.time_columns)) {
        Ok(features) => features,
        Err(difference) => return Ok(Replayed::Differs(difference)),
    };
    let outside = match decision(row, (instrument, newest.close, bar_close_time), terms, functions, earlier) {
        Ok(outside) => outside,
        Err(difference) => return Ok(Replayed::Differs(difference)),
    };
    Ok(Replayed::Equal { is_late, outside, features })
}

/// Compares the features, bit for bit.
fn features(
    row: &ReplayRow,
    built: Result<(FeatureSet, InvalidValues), FeatureError>,
) -> Result<Option<Box<FeatureSet>>, Difference> {
    let (features, _) = match (built, &row.features) {
        (Ok(built), Some(_)) => built,
        (Ok(_), None) => match &row.failure {
            Some((stage, kind)) if stage == "features" => return Err(difference("features", kind, "built")),
            // A model that answered was asked with features.
            _ if row.odds.is_some() => return Err(difference("features", "none", "built")),
            // The stage before them was cut short by the end of the daemon, or by a panic.
            _ => return Ok(None),
        },
        (Err(error), None) => match &row.failure {
            Some((stage, kind)) if stage != "features" || kind == error.kind() => return Ok(None),
            other => {
                let recorded = other.as_ref().map_or("none", |(_, kind)| kind);
                return Err(difference("features", recorded, error.kind()));
            }
        },
        (Err(error), Some(_)) => return Err(difference("features", "built", error.kind())),
    };
    let recorded = row.features.as_deref().unwrap_or_default().as_chunks::<8>().0;
    if recorded.len() != FEATURE_NAMES.len() {
        return Err(difference("features", recorded.len(), FEATURE_NAMES.len()));
    }
    for ((name, recorded), replayed) in FEATURE_NAMES.iter().zip(recorded).zip(&features.tabular) {
        if *recorded != replayed.to_le_bytes() {
            return Err(difference(name, f64::from_le_bytes(*recorded), replayed));
        }
    }
    let (recorded, replayed) = (row.sequence_sha256.as_deref(), sequence_sha256(&features.sequence));
    if recorded != Some(&replayed) {
        return Err(difference("sequence_sha256", recorded.map_or_else(String::new, hex), hex(&replayed)));
    }
    Ok(Some(Box::new(features)))
}

pub(super) fn difference(field: &str, recorded: impl ToString, replayed: impl ToString) -> Difference {
    Difference { field: field.into(), recorded: recorded.to_string(), replayed: replayed.to_string() }
}

#[allow(clippy::unnecessary_wraps)] // as `replay` answers
fn differs(field: &str, recorded: impl ToString, replayed: impl ToString) -> anyhow::Result<Replayed> {
    Ok(Replayed::Differs(difference(field, recorded, replayed)))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

fn hex(bytes: &[u8]) -> String {
    crate::bar_files::hex(bytes)
}
