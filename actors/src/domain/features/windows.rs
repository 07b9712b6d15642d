//! The features of one window after another, for a dataset of many: what a row has in every window is computed once, and only
//! the moving averages anew for each. Bit for bit what `build` makes of each window.

use super::{
    Bar, EXPONENTIAL_COLUMNS, FEATURE_COUNT, FILLED_COLUMNS, FeatureError, FeatureSet, InvalidValues, SEQUENCE_BARS,
    TimeColumns, build, columns_of_rows, exponential, fill_missing,
    rolling::{Column, HISTORY},
};
use std::ops::Range;

/// Rows that are computed at once.
const STEP: usize = SEQUENCE_BARS;

/// Windows of a series whose newest bars lie in one range.
#[derive(Debug, Clone)]
pub struct Windows<'a> {
    bars: &'a [Bar],
    time_columns: TimeColumns,
    /// The bar of the first row.
    first: usize,
    rows: Vec<Row>,
}

/// What a bar has in every window; missing values are NaN, [`EXPONENTIAL_COLUMNS`] are 0.
#[derive(Debug, Clone, Copy)]
struct Row {
    values: [f64; FEATURE_COUNT],
    rounded: [f32; FEATURE_COUNT],
    /// Whether the model may see it, if its missing values are filled.
    is_representable: bool,
}

impl Row {
    fn new(values: [f64; FEATURE_COUNT]) -> Self {
        let rounded = values.map(|value| value as f32);
        let is_good = |(column, value): (usize, &f32)| {
            value.is_finite() || FILLED_COLUMNS.contains(&column) && values[column].is_nan()
        };
        Self { values, rounded, is_representable: rounded.iter().enumerate().all(is_good) }
    }
}

impl<'a> Windows<'a> {
    /// Of windows whose newest bars have these places among `bars`, oldest first. A window that begins before the first bar, or
    /// has fewer than 120 bars, is left to [`build`].
    pub fn new(bars: &'a [Bar], newest: Range<usize>, time_columns: TimeColumns) -> Self {
        let first = (newest.start + 1).saturating_sub(SEQUENCE_BARS).max(HISTORY);
        let end = newest.end.min(bars.len());
        let mut rows = Vec::with_capacity(end.saturating_sub(first) + STEP);
        while first + rows.len() < end && end >= HISTORY + STEP {
            // The last step ends with the last row, and begins in the one before.
            let from = (first + rows.len()).min(end - STEP);
            rows.truncate(from.saturating_sub(first));
            let columns = columns_of_rows(&bars[from - HISTORY..from + STEP], time_columns);
            let skipped = first.saturating_sub(from);
            rows.extend((skipped..STEP).map(|row| Row::new(columns.map(|column| column[row]))));
        }
        Self { bars, time_columns, first, rows }
    }

    /// Makes the features of the bars at these places in place of what `features` has, and counts the missing values that were
    /// filled.
    ///
    /// # Errors
    /// Those of [`build`].
    pub fn build(&self, window: Range<usize>, features: &mut FeatureSet) -> Result<InvalidValues, FeatureError> {
        let bars = &self.bars[window.clone()];
        let Some(rows) = self.rows_of(&window) else { return self.alone(bars, features) };
        let mut nan = 0;
        let mut is_representable = rows.iter().all(|row| row.is_representable);
        for (rounded, row) in features.sequence.iter_mut().zip(rows) {
            *rounded = row.rounded;
        }
        features.tabular = rows[SEQUENCE_BARS - 1].values;
        let mut set = |place: usize, column: &Column| {
            for (row, value) in features.sequence.iter_mut().zip(column) {
                row[place] = *value as f32;
                is_representable &= row[place].is_finite();
            }
            features.tabular[place] = column[SEQUENCE_BARS - 1];
        };
        for place in FILLED_COLUMNS {
            let mut column: Column = std::array::from_fn(|row| rows[row].values[place]);
            let filled = fill_missing(&mut column);
            if filled > 0 {
                nan += filled;
                set(place, &column);
            }
        }
        for (place, column) in EXPONENTIAL_COLUMNS.into_iter().zip(exponential(bars)) {
            set(place, &column);
        }
        if is_representable {
            return Ok(InvalidValues { nan, ..InvalidValues::default() });
        }
        // It counts what is wrong.
        self.alone(bars, features)
    }

    fn alone(&self, bars: &[Bar], features: &mut FeatureSet) -> Result<InvalidValues, FeatureError> {
        let (made, invalid) = build(bars, self.time_columns)?;
        *features = made;
        Ok(invalid)
    }

    /// The rows of a window's sequence.
    fn rows_of(&self, window: &Range<usize>) -> Option<&[Row]> {
        if window.len() < super::BARS_MIN {
            return None;
        }
        let from = (window.end - SEQUENCE_BARS).checked_sub(self.first)?;
        self.rows.get(from..from + SEQUENCE_BARS)
    }
}

impl Default for FeatureSet {
    fn default() -> Self {
        Self { tabular: [0.0; FEATURE_COUNT], sequence: Box::new([[0.0; FEATURE_COUNT]; SEQUENCE_BARS]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(features: &FeatureSet) -> (Vec<u64>, Vec<u32>) {
        let sequence = features.sequence.as_flattened().iter().map(|value| value.to_bits());
        (features.tabular.iter().map(|value| value.to_bits()).collect(), sequence.collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_window_has_what_it_has_alone_bit_for_bit(
            closes in proptest::collection::vec(
                prop_oneof![20 => 0.5..2.0, 20 => Just(1.0), 1 => Just(1e37), 1 => Just(f64::MAX)], 1..330),
            flat in 0_usize..330,
            lookback in 110_usize..150,
            skipped in 0_usize..150,
            hole in 110_usize..330,
            left_out in 0_usize..80,
            time_columns in prop_oneof![Just(TimeColumns::Utc), Just(TimeColumns::Legacy)],
        ) {
            let bar = |(row, &close): (usize, &f64)| {
                // For some time no price changes and nothing is traded.
                let is_flat = (flat..flat + 30).contains(&row);
                let close = if is_flat { 1.0 } else { close };
                let volume = if is_flat { 0.0 } else { (row % 3) as f64 * 7.5 };
                Bar { open_time: 3_600 * row as i64, open: close, high: close * 1.01, low: close, close, volume }
            };
            let bars: Vec<Bar> = closes.iter().enumerate().map(bar).collect();
            let windows = Windows::new(&bars, skipped..bars.len(), time_columns);
            let mut features = FeatureSet::default();
            // Windows may be left out, as those over missing bars are: what is shared goes on through the hole.
            let is_left_out = |end: &usize| (hole..hole + left_out).contains(end);
            for end in (lookback..=bars.len()).filter(|end| !is_left_out(end)) {
                let window = end - lookback..end;
                let alone = build(&bars[window.clone()], time_columns);
                let made = windows.build(window, &mut features).map(|invalid| (bits(&features), invalid));
                prop_assert_eq!(made, alone.map(|(features, invalid)| (bits(&features), invalid)));
            }
        }
    }
}
