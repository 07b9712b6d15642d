//! What a window accepts, for any input.

use super::*;
use crate::domain::bar::RANGE_SLACK;
use proptest::prelude::*;

const HOUR: i64 = 3_600;
const INTERVAL: Interval = Interval::OneHour;

/// An answer of a market that never closes.
fn admit(rows: &[RawBar], now: Option<i64>) -> Cleaned {
    clean(rows, INTERVAL, &Calendar::always(), now)
}

fn empty(length_max: usize) -> BarWindow {
    BarWindow::new(length_max, INTERVAL, Arc::new(Calendar::always()))
}

fn merge(window: &mut BarWindow, bars: &[Bar]) -> Result<(), BarFault> {
    window.merge(bars, None)
}

fn row(hour: i64, close: f64) -> RawBar {
    let price = Some(close);
    RawBar { open_time: hour * HOUR, open: price, high: price, low: price, close: price, volume: None }
}

fn rows(hours: std::ops::Range<i64>) -> Vec<RawBar> {
    hours.map(|hour| row(hour, 1.0 + hour as f64 / 1e4)).collect()
}

fn hours(bars: &[Bar]) -> Vec<i64> {
    bars.iter().map(|bar| bar.open_time / HOUR).collect()
}

#[test]
fn a_bar_is_closed_from_the_second_of_its_close() {
    let at = |now| admit(&rows(0..3), now).bars.len();
    assert_eq!(at(Some(3 * HOUR)), 3);
    assert_eq!(at(Some(3 * HOUR - 1)), 2);
    assert_eq!(at(None), 3, "with the bars clock every bar counts as closed");
    let end_of_time = RawBar { open_time: i64::MAX, ..row(0, 1.0) };
    assert_eq!(admit(&[end_of_time], None).bars, []);
}

#[test]
fn a_bad_bar_is_dropped_and_counted_by_reason() {
    let good = row(1, 1.0);
    let cases = [
        (RawBar { low: None, ..good }, BarRejection::Null),
        (RawBar { open: Some(f64::NAN), ..good }, BarRejection::NotFinite),
        (RawBar { volume: Some(f64::INFINITY), ..good }, BarRejection::NotFinite),
        (RawBar { close: Some(0.0), ..good }, BarRejection::NotPositive),
        (RawBar { volume: Some(-1.0), ..good }, BarRejection::NotPositive),
        (RawBar { high: Some(0.5), ..good }, BarRejection::HighBelowLow),
        (RawBar { open: Some(1.000_001), ..good }, BarRejection::OutsideRange),
        (RawBar { open: Some(0.999_999), ..good }, BarRejection::OutsideRange),
        (RawBar { close: Some(1.000_001), ..good }, BarRejection::OutsideRange),
        (RawBar { close: Some(0.999_999), ..good }, BarRejection::OutsideRange),
        (RawBar { close: Some(f64::MIN_POSITIVE), ..good }, BarRejection::OutsideRange),
    ];
    for (bad, reason) in cases {
        let cleaned = admit(&[row(0, 1.0), bad, row(2, 1.0)], None);
        assert_eq!((hours(&cleaned.bars), cleaned.fault), (vec![0, 2], None));
        assert_eq!(cleaned.rejected.counted(), [(reason, 1)]);
    }
}

#[test]
fn a_refused_newest_bar_is_a_fault_but_a_forming_one_is_not() {
    let bad = RawBar { close: None, ..row(2, 1.0) };
    let cleaned = admit(&[row(0, 1.0), row(1, 1.0), bad], None);
    assert_eq!(cleaned.fault, Some(BarFault::NewestInvalid { open_time: 2 * HOUR }));
    assert_eq!(hours(&cleaned.bars), [0, 1]);
    let forming = admit(&[row(0, 1.0), row(1, 1.0), bad], Some(2 * HOUR));
    assert_eq!((forming.fault, forming.rejected.counted()), (None, vec![]));
    let beside_a_valid_one = admit(&[row(2, 1.0), bad], None);
    assert!(beside_a_valid_one.fault.is_some(), "one time, told twice, once badly");
}

#[test]
fn a_price_that_was_rounded_alone_is_inside() {
    let as_float32 = Some(f64::from(1.1177_f32));
    for (open, high) in [(Some(1.1177), as_float32), (as_float32, Some(1.1177))] {
        let rounded = RawBar { open, high, low: high, close: open, ..row(0, 1.0) };
        assert_eq!(admit(&[rounded], None).bars.len(), 1);
    }
    let tiny = RawBar { volume: Some(-0.0), ..row(1, f64::from_bits(1)) };
    assert_eq!(admit(&[tiny], None).bars.len(), 1, "no price is too small, and -0 is 0");
}

#[test]
fn a_bar_that_has_not_begun_is_refused_and_never_the_newest() {
    let now = 10 * HOUR;
    for (open_time, is_ahead) in [(now + CLOCK_SKEW_S, false), (now + CLOCK_SKEW_S + 1, true), (i64::MAX, true)] {
        let mut rows = rows(0..10);
        rows.insert(3, RawBar { open_time, close: None, ..row(0, 1.0) });
        let cleaned = admit(&rows, Some(now));
        assert_eq!((hours(&cleaned.bars), cleaned.fault), ((0..10).collect(), None));
        let counted = if is_ahead { vec![(BarRejection::InFuture, 1)] } else { vec![] };
        assert_eq!((cleaned.rejected.counted(), cleaned.ahead), (counted, is_ahead.then_some(open_time)));
    }
    let replayed = admit(&rows(0..10), None);
    assert_eq!((replayed.bars.len(), replayed.ahead), (10, None), "with the bars clock nothing lies ahead");
}

#[test]
fn rows_that_cannot_follow_each_other_reject_the_batch() {
    let half = |hour: i64| RawBar { open_time: hour * HOUR + HOUR / 2, ..row(hour, 1.0) };
    let cases = [
        (vec![row(8, 1.0), half(8), half(9)], 8 * HOUR + HOUR / 2, "overlap"),
        (vec![row(7, 1.0), row(8, 1.0), half(9), half(10)], 9 * HOUR + HOUR / 2, "a shift"),
    ];
    for (rows, at, what) in cases {
        let cleaned = admit(&rows, None);
        assert_eq!(cleaned.bars, [], "{what}");
        assert!(
            matches!(cleaned.fault, Some(BarFault::NotOfInterval { before, open_time, .. })
            if (before, open_time) == (8 * HOUR, at)),
            "{what}: {:?}",
            cleaned.fault
        );
        assert_eq!(cleaned.rejected.counted(), [(BarRejection::NotOfInterval, 1)]);
    }
    let null = RawBar { close: None, ..half(8) };
    assert_eq!(hours(&admit(&[row(8, 1.0), null, row(9, 1.0)], None).bars), [8, 9], "what is dropped overlaps nothing");
}

#[test]
fn bars_that_do_not_fit_those_held_empty_the_window_so_that_it_heals() {
    for ahead_s in [-HOUR / 2, HOUR / 2, 7 * HOUR / 2] {
        let mut window = empty(200);
        merge(&mut window, &admit(&rows(0..5), None).bars).unwrap();
        let shifted = admit(&[RawBar { open_time: 5 * HOUR + ahead_s, ..row(5, 1.0) }], None).bars;
        assert_eq!(merge(&mut window, &shifted).unwrap_err().kind(), "not_of_interval");
        assert!(window.share().is_empty());
        merge(&mut window, &admit(&rows(0..6), None).bars).unwrap();
        assert_eq!(hours(&window.share()), (0..6).collect::<Vec<_>>());
    }
}

#[test]
fn conflicting_duplicates_reject_the_batch() {
    let cleaned = admit(&[row(0, 1.0), row(1, 1.0), row(0, 1.1)], None);
    assert_eq!((cleaned.bars.len(), cleaned.fault), (0, Some(BarFault::Conflict { open_time: 0 })));
    assert_eq!(cleaned.rejected.counted(), [(BarRejection::Conflict, 1)]);
}

#[test]
fn a_window_keeps_the_newest_bars_and_copies_them_only_when_they_change() {
    let mut window = empty(3);
    assert_eq!(window.lacks_from(), None);
    merge(&mut window, &admit(&rows(0..4), None).bars).unwrap();
    let first = window.share();
    assert_eq!(hours(&first), [1, 2, 3]);
    assert_eq!(window.lacks_from(), Some(4 * HOUR));
    merge(&mut window, &admit(&rows(2..4), None).bars).unwrap();
    assert!(Arc::ptr_eq(&first, &window.share()), "equal bars change nothing");
    merge(&mut window, &admit(&rows(6..7), None).bars).unwrap();
    assert_eq!(hours(&window.share()), [2, 3, 6], "a gap is no fault");
}

#[test]
fn a_changed_bar_empties_the_window_so_that_it_heals() {
    let mut window = empty(200);
    merge(&mut window, &admit(&rows(0..5), None).bars).unwrap();
    let changed = admit(&[row(4, 2.0), row(5, 2.0)], None);
    assert_eq!(merge(&mut window, &changed.bars), Err(BarFault::Conflict { open_time: 4 * HOUR }));
    assert_eq!(window.lacks_from(), None);
    assert!(window.share().is_empty());
    merge(&mut window, &changed.bars).unwrap();
    assert_eq!(hours(&window.share()), [4, 5]);
}

fn garbage() -> impl Strategy<Value = RawBar> {
    let number = || prop_oneof![Just(None), any::<f64>().prop_map(Some), (0.5..2.0).prop_map(Some)];
    // A few bars that do not fit: one is enough to refuse the others.
    let time = prop_oneof![1 => any::<i64>(), 40 => (0..50i64).prop_map(|hour| hour * HOUR)];
    (time, number(), number(), number(), number(), number())
        .prop_map(|(open_time, open, high, low, close, volume)| RawBar { open_time, open, high, low, close, volume })
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_changes_the_window(
        shuffled in Just(rows(0..40)).prop_shuffle(),
        repeated in proptest::collection::vec(0..40i64, 0..20),
        split in 0..60usize,
    ) {
        let mut all = shuffled;
        all.extend(repeated.iter().map(|hour| row(*hour, 1.0 + *hour as f64 / 1e4)));
        let plain = admit(&rows(0..40), Some(39 * HOUR));
        prop_assert_eq!(&admit(&all, Some(39 * HOUR)), &plain);
        // In two answers instead of one, the window is the same.
        let (mut whole, mut halves) = (empty(30), empty(30));
        merge(&mut whole, &plain.bars).unwrap();
        for part in [&all[..split.min(all.len())], &all[split.min(all.len())..]] {
            merge(&mut halves, &admit(part, Some(39 * HOUR)).bars).unwrap();
        }
        prop_assert_eq!(whole.share(), halves.share());
    }

    #[test]
    fn a_forming_bar_never_changes_the_result(forming in garbage(), ahead in 1..3_601i64, position in 0..10usize) {
        let now = 10 * HOUR;
        let mut with = rows(0..10);
        with.insert(position, RawBar { open_time: now - HOUR + ahead, ..forming });
        prop_assert_eq!(admit(&with, Some(now)), admit(&rows(0..10), Some(now)));
    }

    #[test]
    fn garbage_never_panics_and_never_gets_in(
        batches in proptest::collection::vec(proptest::collection::vec(garbage(), 0..60), 0..4),
        now in proptest::option::of(any::<i64>()),
    ) {
        let mut window = empty(20);
        for batch in &batches {
            let _ = merge(&mut window, &admit(batch, now).bars);
            let bars = window.share();
            prop_assert!(bars.len() <= 20);
            prop_assert!(bars.windows(2).all(|pair| pair[1].open_time - pair[0].open_time >= HOUR));
            for bar in bars.iter() {
                let prices = [bar.open, bar.high, bar.low, bar.close];
                prop_assert!(prices.iter().all(|price| price.is_finite() && *price > 0.0) && bar.high >= bar.low);
                prop_assert!(bar.volume.is_finite() && bar.volume >= 0.0);
                let (low, high) = (bar.low * (1.0 - RANGE_SLACK), bar.high * (1.0 + RANGE_SLACK));
                prop_assert!([bar.open, bar.close].iter().all(|price| (low..=high).contains(price)));
                prop_assert!(now.is_none_or(|now| bar.open_time + HOUR <= now));
            }
        }
    }
}

mod resampled_bars;
