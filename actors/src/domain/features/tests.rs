//! The golden vectors, and what must hold for every input.

use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::{fs, path::Path};

#[derive(Deserialize)]
struct Golden {
    feature_names: Vec<String>,
    bars: Vec<GoldenBar>,
    tabular: Vec<f64>,
    sequence: Vec<Vec<f64>>,
    sequence_f64: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct GoldenBar {
    timestamp: i64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

impl Golden {
    fn read(case: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(case).with_extension("json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    fn bars(&self) -> Vec<Bar> {
        let bar = |b: &GoldenBar| Bar {
            open_time: b.timestamp,
            open: b.open,
            high: b.high,
            low: b.low,
            close: b.close,
            volume: b.volume,
        };
        self.bars.iter().map(bar).collect()
    }
}

fn assert_close(is: f64, golden: f64, at: &str) {
    assert!((is - golden).abs() <= 1e-12 + 1e-10 * golden.abs(), "{at}: {is:e}, golden {golden:e}");
}

/// Equal, or neighbouring float32 values. The sign bits of neighbours can only differ around 0.
fn assert_neighbours(is: f32, golden: f32, at: &str) {
    let equal = is == golden || is.next_up() == golden || is.next_down() == golden;
    assert!(equal, "{at}: {is:e}, golden {golden:e}");
}

const CASES: [&str; 6] = ["real_200", "flat_200", "zero_volume_200", "gap_200", "monotone_up_200", "short_120"];

#[test]
fn the_golden_bars_are_possible_ones() {
    use crate::domain::{calendar::Calendar, interval::Interval, window};
    for case in CASES {
        let bars = Golden::read(case).bars();
        let row = |bar: &Bar| window::RawBar {
            open_time: bar.open_time,
            open: Some(bar.open),
            high: Some(bar.high),
            low: Some(bar.low),
            close: Some(bar.close),
            volume: Some(bar.volume),
        };
        let rows: Vec<_> = bars.iter().map(row).collect();
        let cleaned = window::clean(&rows, Interval::OneHour, &Calendar::fx(), None);
        assert_eq!((cleaned.bars, cleaned.fault), (bars.clone(), None), "{case}");
        assert_eq!(window::jump(&bars, 0.2), None, "{case}");
    }
}

#[test]
fn features_equal_the_golden_vectors() {
    for case in CASES {
        let golden = Golden::read(case);
        assert_eq!(golden.feature_names, FEATURE_NAMES);
        let (features, _) = build(&golden.bars(), TimeColumns::Utc).unwrap();
        let columns = columns_filled(&golden.bars());
        assert_eq!((golden.tabular.len(), golden.sequence.len()), (FEATURE_COUNT, SEQUENCE_BARS));
        for (index, expected) in golden.tabular.iter().enumerate() {
            assert_close(features.tabular[index], *expected, &format!("{case} tabular {index}"));
        }
        for (index, column) in columns.iter().enumerate() {
            for (row, value) in column.iter().enumerate() {
                let at = format!("{case} row {row} column {index}");
                assert_neighbours(features.sequence[row][index], golden.sequence[row][index] as f32, &at);
                assert_close(*value, golden.sequence_f64[row][index], &at);
            }
        }
    }
}

fn columns_filled(bars: &[Bar]) -> [Column; FEATURE_COUNT] {
    let mut columns = columns(bars, TimeColumns::Utc);
    for column in FILLED_COLUMNS {
        fill_missing(&mut columns[column]);
    }
    columns
}

#[test]
fn zero_is_exact_in_a_flat_market_and_hundred_in_a_rising_one() {
    let (flat, invalid) = build(&Golden::read("flat_200").bars(), TimeColumns::Utc).unwrap();
    assert_eq!((flat.tabular[7], flat.tabular[8], flat.tabular[RSI_14], flat.tabular[10]), (0.0, 0.0, 0.0, 0.0));
    assert_eq!(invalid, InvalidValues { nan: 60, ..Default::default() }, "every RSI of the sequence is 0/0");
    let (up, invalid) = build(&Golden::read("monotone_up_200").bars(), TimeColumns::Utc).unwrap();
    assert_eq!(up.tabular[RSI_14], 100.0);
    assert_eq!(invalid, InvalidValues::default());
}

#[test]
fn legacy_time_columns_never_move() {
    let bars = Golden::read("real_200").bars();
    let (legacy, _) = build(&bars, TimeColumns::Legacy).unwrap();
    let (utc, _) = build(&bars, TimeColumns::Utc).unwrap();
    assert!(legacy.sequence.iter().all(|row| row[18] == 0.0 && row[19] == 3.0));
    assert_eq!(legacy.tabular[..18], utc.tabular[..18]);
}

#[test]
fn a_missing_value_takes_the_next_later_one() {
    let mut column = [1.0; SEQUENCE_BARS];
    column[3] = f64::NAN;
    column[4] = f64::NAN;
    column[5] = 7.0;
    column[SEQUENCE_BARS - 1] = f64::NAN;
    assert_eq!(fill_missing(&mut column), 3);
    assert_eq!((column[3], column[4], column[SEQUENCE_BARS - 1]), (7.0, 7.0, 0.0));
}

#[test]
fn a_hundred_and_nineteen_bars_are_too_few() {
    let bars = Golden::read("real_200").bars();
    let error = build(&bars[..119], TimeColumns::Utc).unwrap_err();
    assert_eq!(error, FeatureError::TooFewBars { have: 119, need: 120 });
    assert!(build(&bars[..120], TimeColumns::Utc).is_ok());
    assert!(build(&[], TimeColumns::Utc).is_err());
}

#[test]
fn a_value_beyond_float32_or_infinite_is_counted_and_refused() {
    let mut bars = Golden::read("real_200").bars();
    bars[199].volume = 1e200;
    let error = build(&bars, TimeColumns::Utc).unwrap_err();
    assert_eq!(error.invalid_values(), InvalidValues { nan: 0, infinite: 0, out_of_range: 1 });
    assert_eq!(error.kind(), "invalid_features");
    bars[199].volume = f64::MAX;
    bars[198].volume = f64::MAX;
    assert_eq!(build(&bars, TimeColumns::Utc).unwrap_err().invalid_values().infinite, 1);
}

proptest! {
    #[test]
    fn whatever_the_bars_no_invalid_value_reaches_the_model(
        closes in proptest::collection::vec(prop_oneof![0.5..2.0, Just(1.0), f64::MIN_POSITIVE..f64::MAX], 0..250),
        volume in prop_oneof![Just(0.0), 0.0..f64::MAX],
    ) {
        let bar = |(row, &close): (usize, &f64)| {
            let open_time = 3_600 * row as i64;
            Bar { open_time, open: close, high: close, low: close, close, volume: volume * (row % 3) as f64 / 2.0 }
        };
        let bars: Vec<Bar> = closes.iter().enumerate().map(bar).collect();
        if let Ok((features, _)) = build(&bars, TimeColumns::Utc) {
            prop_assert!(features.tabular.iter().all(|value| value.is_finite()));
            prop_assert!(features.sequence.as_flattened().iter().all(|value| value.is_finite()));
        }
    }
}
