//! Functions that use the future, one in the place of each of the daemon's: all are found.

use super::*;
use crate::tools::study::inputs::functions::{Features, window};
use sentinel_actors::{
    domain::{
        calendar::Calendar,
        features::{TimeColumns, build},
        resample::resample,
    },
    fetcher::OnGap,
};

const LOOKBACK: usize = 130;
/// Without what stands in for its features: each test puts another function in the place of one.
const DAEMON: Functions = Functions { has_neighbours: false, ..Functions::OF_THE_DAEMON };

/// Hours, from a Monday on; there are none at the weekend.
fn hours(count: usize) -> Vec<Bar> {
    let calendar = Calendar::fx();
    let open = (0..).map(|hour| 1_489_363_200 + 3_600 * hour).filter(|time| calendar.is_open(*time));
    let bar = |(index, open_time): (usize, i64)| {
        let close = 1.1 + (index as f64 * 0.37).sin() * 0.01;
        let (high, low) = (close + 0.001, close - 0.001);
        // Nothing is traded for a while, in which the volume's ratio is 0/0 and filled from a later bar.
        let volume = if (150..180).contains(&index) { 0.0 } else { 10.0 + (index % 7) as f64 };
        Bar { open_time, open: close, high, low, close, volume }
    };
    open.take(count).enumerate().map(bar).collect()
}

/// Every decision of these bars of a file.
fn all(source: &[Bar], interval: Interval, functions: &Functions) -> LookAhead {
    let calendar = Calendar::fx();
    let (calendar, time_columns) = (&calendar, TimeColumns::Utc);
    let recipe =
        Recipe { interval, calendar, jump_max: 0.5, lookback_bars: LOOKBACK, time_columns, on_gap: OnGap::Continue };
    let made = (interval != Interval::OneHour).then(|| (functions.resample)(source, interval, calendar, i64::MAX));
    let bars = made.as_deref().unwrap_or(source);
    let times: Vec<i64> = bars.iter().map(|bar| (functions.close_time)(bar, interval, calendar)).collect();
    let series = Series { bars, times: &times, finer: made.is_some().then_some(source) };
    let places: Vec<usize> = (LOOKBACK - 1..bars.len()).collect();
    let found = check(series, &places, &recipe, functions, |_| {});
    assert!(found.is_checked && found.checked == places.len() as u64 && found.checked > 50);
    found
}

fn of_hours(features: Features) -> LookAhead {
    all(&hours(260), Interval::OneHour, &Functions { features, ..DAEMON })
}

fn of_made(functions: &Functions) -> LookAhead {
    all(&hours(900), Interval::FourHours, functions)
}

fn features_of(window: &[Bar], time_columns: TimeColumns) -> Result<FeatureSet, FeatureError> {
    build(window, time_columns).map(|(features, _)| features)
}

#[test]
fn the_daemons_features_see_no_future() {
    for functions in [DAEMON, Functions::OF_THE_DAEMON] {
        let hours_found = all(&hours(260), Interval::OneHour, &functions);
        for found in [hours_found, of_made(&functions), all(&hours(5_000), Interval::OneDay, &functions)] {
            assert_eq!((found.unequal, found.first), (0, None));
        }
    }
}

#[test]
fn neighbours_have_what_each_has_alone() {
    let (bars, lookback, columns) = (hours(400), LOOKBACK, TimeColumns::Utc);
    let places: Vec<usize> = (100..400).filter(|at| !(200..290).contains(at)).collect();
    let mut neighbours = Neighbours::new(&bars, &places, lookback, columns).unwrap();
    for at in places {
        let alone = (DAEMON.features)(&bars, at, lookback, columns);
        assert_eq!(neighbours.features(at), alone.as_ref().map_err(|error| *error), "{at}");
    }
    let far_apart: Vec<usize> = (130..400).step_by(3).collect();
    assert!(Neighbours::new(&bars, &far_apart, lookback, columns).is_none());
    assert!(Neighbours::new(&bars, &[], lookback, columns).is_none());
}

#[test]
fn a_fault_before_the_features_is_found_with_neighbours() {
    let functions = Functions { close_time: |bar, _, _| bar.open_time, ..Functions::OF_THE_DAEMON };
    let found = all(&hours(260), Interval::OneHour, &functions);
    assert_eq!(found.unequal, found.checked);
}

#[test]
fn a_value_that_is_filled_from_a_later_bar_is_found() {
    /// A missing value is filled from the next bar that has one, however far it is.
    fn with_bfill(bars: &[Bar], at: usize, lookback: usize, columns: TimeColumns) -> Result<FeatureSet, FeatureError> {
        let mut features = (DAEMON.features)(bars, at, lookback, columns)?;
        if bars[..=at].iter().rev().take(20).all(|bar| bar.volume == 0.0) {
            features.tabular[17] = bars[at..].iter().find(|bar| bar.volume > 0.0).map_or(0.0, |bar| bar.volume);
        }
        Ok(features)
    }
    let found = of_hours(with_bfill);
    assert_eq!(found.unequal, 11, "bars 169 to 179 have 20 without volume");
    let first = found.first.unwrap();
    assert!(first.ends_with(", with noise in place of the later bars: volume_ratio"), "{first}");
}

#[test]
fn a_value_from_the_end_of_the_file_is_found() {
    let found = of_hours(|bars, at, lookback, columns| {
        let mut features = (DAEMON.features)(bars, at, lookback, columns)?;
        features.tabular[0] /= bars.iter().map(|bar| bar.high).fold(0.0, f64::max);
        Ok(features)
    });
    assert_eq!(found.unequal, found.checked);
}

#[test]
fn a_window_that_is_cut_one_bar_too_late_is_found() {
    let found = of_hours(|bars, at, lookback, columns| {
        features_of(window(bars, (at + 1).min(bars.len() - 1), lookback).unwrap_or(&[]), columns)
    });
    assert_eq!(found.unequal, found.checked, "the last one, too: noise follows it");
}

#[test]
fn a_window_that_is_cut_from_the_end_is_found() {
    let found = of_hours(|bars, _, lookback, columns| {
        features_of(window(bars, bars.len() - 1, lookback).unwrap_or(&[]), columns)
    });
    assert_eq!(found.unequal, found.checked);
}

#[test]
fn a_bar_that_is_counted_as_closed_when_it_opens_is_found() {
    let functions = Functions { close_time: |bar, _, _| bar.open_time, ..DAEMON };
    let found = all(&hours(260), Interval::OneHour, &functions);
    assert_eq!(found.unequal, found.checked);
    assert!(of_made(&functions).unequal > 0);
}

#[test]
fn a_made_bar_with_a_part_of_the_next_is_found() {
    /// Each bar ends with the first hour of the next one.
    fn too_long(finer: &[Bar], interval: Interval, calendar: &Calendar, now: i64) -> Vec<Bar> {
        let mut bars = resample(finer, interval, calendar, now);
        for bar in &mut bars {
            let end = bar.close_time(interval, calendar);
            if let Some(next) = finer.get(finer.partition_point(|finer| finer.open_time < end)) {
                bar.close = next.close;
                (bar.high, bar.low) = (bar.high.max(next.high), bar.low.min(next.low));
            }
        }
        bars
    }
    let found = of_made(&Functions { resample: too_long, ..DAEMON });
    assert_eq!(found.unequal, found.checked);
}

#[test]
fn a_made_bar_that_has_not_closed_is_found() {
    /// The newest bar is made of the hours that have come.
    fn too_early(finer: &[Bar], interval: Interval, calendar: &Calendar, now: i64) -> Vec<Bar> {
        let mut bars = resample(finer, interval, calendar, now);
        let end = bars.last().map_or(i64::MIN, |bar| bar.close_time(interval, calendar));
        if let Some(first) = finer.iter().find(|bar| bar.open_time >= end) {
            bars.push(Bar { open_time: interval.span(first.open_time, calendar).start, ..*first });
        }
        bars
    }
    let found = of_made(&Functions { resample: too_early, ..DAEMON });
    assert!(found.unequal > found.checked / 2, "{found:?}");
    let first = found.first.unwrap();
    assert!(first.contains("a bar was made that has not closed"), "{first}");
}

/// Whether a bar is none of [`hours`]: their prices are within 0.02 of 1.1.
fn is_noise(bar: &Bar) -> bool {
    (bar.high - 1.1).abs() > 0.03
}

#[test]
fn noise_follows_every_decision() {
    let found = of_hours(|bars, at, lookback, columns| {
        let mut features = (DAEMON.features)(bars, at, lookback, columns)?;
        features.tabular[0] = f64::from(u8::from(bars.get(at + 1).is_some_and(is_noise)));
        Ok(features)
    });
    assert_eq!(found.unequal, found.checked);
}

#[test]
fn no_bar_that_was_known_is_noise() {
    let found = of_hours(|bars, at, lookback, columns| {
        let mut features = (DAEMON.features)(bars, at, lookback, columns)?;
        features.tabular[0] = f64::from(u8::from(bars[..=at].iter().any(is_noise)));
        Ok(features)
    });
    assert_eq!(found.unequal, 0);
}
