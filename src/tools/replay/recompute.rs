//! Makes one decision again, by the functions that the actors use, and finds the first field that differs. Reads only the archive.

pub use super::{
    decision_inputs::{Asked, Difference, Functions, Terms},
    reasons::FROM_DATA,
};

use super::{
    decision_inputs::difference,
    earlier_orders::Earlier,
    features::features,
    reasons::decision,
    window::{Found, fault, find_window},
};
use crate::bar_files::hex;
use sentinel_actors::{
    adapters::{
        archive::Archive,
        journal::{ReplayRow, bars_sha256},
    },
    domain::{features::FeatureSet, guard::Suppression},
};

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
/// The reason for one from before the archive, or that it no longer keeps.
pub const OLDER: &str = "its bars are older than the archive";
/// The reason for one whose window was lost, or never written.
pub const NOT_ARCHIVED: &str = "its bars are lost: the archive has older ones, and not these";
/// The reason for one whose bars a running daemon will soon have written.
pub const NOT_YET: &str = "its bars are not archived yet by the running daemon";
/// The reason for one whose recorded settings cannot be read.
pub const UNREADABLE_SETTINGS: &str = "its recorded settings cannot be read by this version";
/// Decisions that ought to be replayable, and are not.
pub const LOST: [&str; 2] = [NOT_ARCHIVED, UNREADABLE_SETTINGS];

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
        Found::Older => return Ok(Replayed::NotReplayable(OLDER)),
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

#[allow(clippy::unnecessary_wraps)] // as `replay` answers
fn differs(field: &str, recorded: impl ToString, replayed: impl ToString) -> anyhow::Result<Replayed> {
    Ok(Replayed::Differs(difference(field, recorded, replayed)))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}
