//! The 23 features and the 60x23 sequence, equal to those of the replaced daemon. Each feature is in the file of its kind,
//! with its formula; [`FEATURE_NAMES`] has their order.
//!
//! Only the newest 60 rows are computed. The moving averages start at the first bar of the window, so their values depend on
//! its length. All other features use at most the 20 previous rows. A missing value is filled from a later row, never from an
//! earlier one.

mod ema;
mod macd;
mod momentum;
mod price_ratios;
mod returns;
mod rolling;
mod rsi;
mod sma;
#[cfg(test)]
mod tests;
mod time;
mod volatility;
mod volume;
mod windows;

pub use time::TimeColumns;
pub use windows::Windows;

use crate::domain::bar::Bar;
use ema::Ema;
use macd::Macd;
use momentum::{price_acceleration, price_momentum};
use price_ratios::{close_high_ratio, close_low_ratio, high_low_ratio};
use returns::{return_1, return_5, return_10};
use rolling::{Column, HISTORY, Series};
use rsi::rsi_14;
use sma::{sma_10, sma_20};
use time::hour_and_day_of_week;
use volatility::volatility_10_and_20;
use volume::{volume_ratio, volume_sma};

/// Features per bar.
pub const FEATURE_COUNT: usize = 23;
/// The names of the features, in the order that is used everywhere.
pub const FEATURE_NAMES: [&str; FEATURE_COUNT] = [
    "return_1",
    "return_5",
    "return_10",
    "sma_10",
    "sma_20",
    "ema_10",
    "ema_20",
    "volatility_10",
    "volatility_20",
    "rsi_14",
    "macd",
    "macd_signal",
    "macd_hist",
    "high_low_ratio",
    "close_high_ratio",
    "close_low_ratio",
    "volume_sma",
    "volume_ratio",
    "hour",
    "day_of_week",
    "price_momentum",
    "price_acceleration",
    "padding",
];
/// Bars in a sequence.
pub const SEQUENCE_BARS: usize = 60;
/// Least number of bars for the features. The old daemon made no sequence from fewer.
pub const BARS_MIN: usize = 120;

/// Columns in which 0/0 is possible (no price changed, nothing was traded), so it is filled.
const FILLED_COLUMNS: [usize; 2] = [RSI_14, VOLUME_RATIO];
const RSI_14: usize = 9;
const VOLUME_RATIO: usize = 17;
/// Columns that depend on where the window starts, in the order of [`exponential`]. All others depend on the row and the 20 rows
/// before it.
const EXPONENTIAL_COLUMNS: [usize; 5] = [5, 6, 10, 11, 12];

/// The model's input: the features of the newest bar and of the last 60 bars.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    /// Features of the newest bar.
    pub tabular: [f64; FEATURE_COUNT],
    /// Features of the last 60 bars, oldest first, rounded to float32.
    pub sequence: Box<[[f32; FEATURE_COUNT]; SEQUENCE_BARS]>,
}

/// Number of feature values that were replaced or refused, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvalidValues {
    /// Missing values that were filled.
    pub nan: u64,
    /// Infinite values; with one of them the symbol has no decision.
    pub infinite: u64,
    /// Values outside the range of float32; with one of them the symbol has no decision.
    pub out_of_range: u64,
}

impl std::ops::AddAssign for InvalidValues {
    fn add_assign(&mut self, other: Self) {
        self.nan += other.nan;
        self.infinite += other.infinite;
        self.out_of_range += other.out_of_range;
    }
}

/// Why a window has no features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// The window is too short.
    #[error("{have} bars, {need} are needed")]
    TooFewBars {
        /// Bars in the window.
        have: usize,
        /// Required bars, [`BARS_MIN`].
        need: usize,
    },
    /// Values that must not be sent to the model.
    #[error("{} infinite feature values, {} beyond float32", .0.infinite, .0.out_of_range)]
    InvalidValues(InvalidValues),
}

impl FeatureError {
    /// Short name for logs and `/health`, from a fixed set.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooFewBars { .. } => "too_few_bars",
            Self::InvalidValues(_) => "invalid_features",
        }
    }

    /// The number of invalid values of this error.
    pub const fn invalid_values(&self) -> InvalidValues {
        match self {
            Self::TooFewBars { .. } => InvalidValues { nan: 0, infinite: 0, out_of_range: 0 },
            Self::InvalidValues(invalid) => *invalid,
        }
    }
}

/// Builds both feature arrays from a window, oldest bar first, and counts the missing values that were filled.
///
/// # Errors
/// There are fewer than [`BARS_MIN`] bars, or a value is infinite or outside the range of float32 (for example with prices of
/// 1e40).
pub fn build(bars: &[Bar], time_columns: TimeColumns) -> Result<(FeatureSet, InvalidValues), FeatureError> {
    if bars.len() < BARS_MIN {
        return Err(FeatureError::TooFewBars { have: bars.len(), need: BARS_MIN });
    }
    let mut columns = columns(bars, time_columns);
    let mut invalid = InvalidValues::default();
    for column in FILLED_COLUMNS {
        invalid.nan += fill_missing(&mut columns[column]);
    }

    let mut sequence = Box::new([[0.0; FEATURE_COUNT]; SEQUENCE_BARS]);
    let mut representable = true;
    for (index, column) in columns.iter().enumerate() {
        for (row, value) in sequence.iter_mut().zip(column) {
            let rounded = *value as f32;
            representable &= rounded.is_finite();
            row[index] = rounded;
        }
    }
    if !representable {
        for value in columns.as_flattened() {
            // Except in the two filled columns, a NaN can only be the difference or quotient of two infinities.
            invalid.infinite += u64::from(!value.is_finite());
            invalid.out_of_range += u64::from(value.is_finite() && !(*value as f32).is_finite());
        }
        return Err(FeatureError::InvalidValues(invalid));
    }
    let tabular = columns.map(|column| column[SEQUENCE_BARS - 1]);
    Ok((FeatureSet { tabular, sequence }, invalid))
}

/// The 23 columns over the rows of the sequence, in the order of [`FEATURE_NAMES`]; missing values are NaN.
fn columns(bars: &[Bar], time_columns: TimeColumns) -> [Column; FEATURE_COUNT] {
    let mut columns = columns_of_rows(&bars[bars.len() - (HISTORY + SEQUENCE_BARS)..], time_columns);
    for (place, column) in EXPONENTIAL_COLUMNS.into_iter().zip(exponential(bars)) {
        columns[place] = column;
    }
    columns
}

/// The same without [`EXPONENTIAL_COLUMNS`], which are 0, from the rows of the sequence and the [`HISTORY`] rows before them.
fn columns_of_rows(newest: &[Bar], time_columns: TimeColumns) -> [Column; FEATURE_COUNT] {
    let series = |field: fn(&Bar) -> f64| -> Series { std::array::from_fn(|row| field(&newest[row])) };
    let (high, low, close, volume) = (series(|b| b.high), series(|b| b.low), series(|b| b.close), series(|b| b.volume));

    let exponential = [0.0; SEQUENCE_BARS];
    let [volatility_10, volatility_20] = volatility_10_and_20(&close);
    let volume_sma = volume_sma(&volume);
    let price_momentum = price_momentum(&close);
    let [hour, day_of_week] = hour_and_day_of_week(&newest[HISTORY..], time_columns);
    [
        return_1(&close),
        return_5(&close),
        return_10(&close),
        sma_10(&close),
        sma_20(&close),
        exponential,
        exponential,
        volatility_10,
        volatility_20,
        rsi_14(&close),
        exponential,
        exponential,
        exponential,
        high_low_ratio(&high, &low),
        close_high_ratio(&close, &high),
        close_low_ratio(&close, &low),
        volume_sma,
        volume_ratio(&volume, &volume_sma),
        hour,
        day_of_week,
        price_momentum,
        price_acceleration(&close, &price_momentum),
        // padding: the model was trained with a 23rd column that was always empty.
        [0.0; SEQUENCE_BARS],
    ]
}

/// `ema_10`, `ema_20`, `macd`, `macd_signal` and `macd_hist`, in one pass over the whole window.
fn exponential(bars: &[Bar]) -> [Column; 5] {
    let mut columns = [[0.0; SEQUENCE_BARS]; 5];
    let first = bars[0].close;
    let (mut ema_10, mut ema_20, mut macd) = (Ema::new(10, first), Ema::new(20, first), Macd::new(first));
    let mut push = |bar: &Bar| {
        let [macd, macd_signal, macd_hist] = macd.push(bar.close);
        [ema_10.push(bar.close), ema_20.push(bar.close), macd, macd_signal, macd_hist]
    };
    let (before, rows) = bars.split_at(bars.len() - SEQUENCE_BARS);
    for bar in before {
        push(bar);
    }
    for (row, bar) in rows.iter().enumerate() {
        for (column, value) in columns.iter_mut().zip(push(bar)) {
            column[row] = value;
        }
    }
    columns
}

/// Fills every missing value with the next later value of its column, or with 0 if there is none. Returns how many there
/// were.
fn fill_missing(column: &mut Column) -> u64 {
    let mut missing = 0;
    let mut later = 0.0;
    for value in column.iter_mut().rev() {
        if value.is_nan() {
            missing += 1;
            *value = later;
        }
        later = *value;
    }
    missing
}
