//! What a window lets in, whatever it is given.

use super::*;
use proptest::prelude::*;

const HOUR: i64 = 3_600;
const INTERVAL: Interval = Interval::OneHour;

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
    let at = |now| clean(&rows(0..3), INTERVAL, now).bars.len();
    assert_eq!(at(Some(3 * HOUR)), 3);
    assert_eq!(at(Some(3 * HOUR - 1)), 2);
    assert_eq!(at(None), 3, "with the bars clock every bar counts as closed");
    let end_of_time = RawBar { open_time: i64::MAX, ..row(0, 1.0) };
    assert_eq!(clean(&[end_of_time], INTERVAL, None).bars, []);
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
    ];
    for (bad, reason) in cases {
        let cleaned = clean(&[row(0, 1.0), bad, row(2, 1.0)], INTERVAL, None);
        assert_eq!((hours(&cleaned.bars), cleaned.fault), (vec![0, 2], None));
        assert_eq!(cleaned.rejected.counted(), [(reason, 1)]);
    }
}

#[test]
fn a_refused_newest_bar_is_a_fault_but_a_forming_one_is_not() {
    let bad = RawBar { close: None, ..row(2, 1.0) };
    let cleaned = clean(&[row(0, 1.0), row(1, 1.0), bad], INTERVAL, None);
    assert_eq!(cleaned.fault, Some(BarFault::NewestInvalid { open_time: 2 * HOUR }));
    assert_eq!(hours(&cleaned.bars), [0, 1]);
    let forming = clean(&[row(0, 1.0), row(1, 1.0), bad], INTERVAL, Some(2 * HOUR));
    assert_eq!((forming.fault, forming.rejected.counted()), (None, vec![]));
    let beside_a_valid_one = clean(&[row(2, 1.0), bad], INTERVAL, None);
    assert!(beside_a_valid_one.fault.is_some(), "one time, told twice, once badly");
}

#[test]
fn conflicting_duplicates_reject_the_batch() {
    let cleaned = clean(&[row(0, 1.0), row(1, 1.0), row(0, 1.1)], INTERVAL, None);
    assert_eq!((cleaned.bars.len(), cleaned.fault), (0, Some(BarFault::Conflict { open_time: 0 })));
    assert_eq!(cleaned.rejected.counted(), [(BarRejection::Conflict, 1)]);
}

#[test]
fn a_window_keeps_the_newest_bars_and_copies_them_only_when_they_change() {
    let mut window = BarWindow::new(3);
    assert_eq!(window.lacks_from(INTERVAL), None);
    window.merge(&clean(&rows(0..4), INTERVAL, None).bars).unwrap();
    let first = window.share();
    assert_eq!(hours(&first), [1, 2, 3]);
    assert_eq!(window.lacks_from(INTERVAL), Some(4 * HOUR));
    window.merge(&clean(&rows(2..4), INTERVAL, None).bars).unwrap();
    assert!(Arc::ptr_eq(&first, &window.share()), "equal bars change nothing");
    window.merge(&clean(&rows(6..7), INTERVAL, None).bars).unwrap();
    assert_eq!(hours(&window.share()), [2, 3, 6], "a gap is no fault");
}

#[test]
fn a_changed_bar_empties_the_window_so_that_it_heals() {
    let mut window = BarWindow::new(200);
    window.merge(&clean(&rows(0..5), INTERVAL, None).bars).unwrap();
    let changed = clean(&[row(4, 2.0), row(5, 2.0)], INTERVAL, None);
    assert_eq!(window.merge(&changed.bars), Err(BarFault::Conflict { open_time: 4 * HOUR }));
    assert_eq!(window.lacks_from(INTERVAL), None);
    assert!(window.share().is_empty());
    window.merge(&changed.bars).unwrap();
    assert_eq!(hours(&window.share()), [4, 5]);
}

fn garbage() -> impl Strategy<Value = RawBar> {
    let number = || prop_oneof![Just(None), any::<f64>().prop_map(Some), (0.5..2.0).prop_map(Some)];
    let time = prop_oneof![any::<i64>(), (0..50i64).prop_map(|hour| hour * HOUR)];
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
        let plain = clean(&rows(0..40), INTERVAL, Some(38 * HOUR));
        prop_assert_eq!(&clean(&all, INTERVAL, Some(38 * HOUR)), &plain);
        // In two answers instead of one: the same window.
        let (mut whole, mut halves) = (BarWindow::new(30), BarWindow::new(30));
        whole.merge(&plain.bars).unwrap();
        for part in [&all[..split.min(all.len())], &all[split.min(all.len())..]] {
            halves.merge(&clean(part, INTERVAL, Some(38 * HOUR)).bars).unwrap();
        }
        prop_assert_eq!(whole.share(), halves.share());
    }

    #[test]
    fn a_forming_bar_never_changes_the_result(forming in garbage(), ahead in 1..3_601i64, position in 0..10usize) {
        let now = 10 * HOUR;
        let mut with = rows(0..10);
        with.insert(position, RawBar { open_time: now - HOUR + ahead, ..forming });
        prop_assert_eq!(clean(&with, INTERVAL, Some(now)), clean(&rows(0..10), INTERVAL, Some(now)));
    }

    #[test]
    fn garbage_never_panics_and_never_gets_in(
        batches in proptest::collection::vec(proptest::collection::vec(garbage(), 0..60), 0..4),
        now in proptest::option::of(any::<i64>()),
    ) {
        let mut window = BarWindow::new(20);
        for batch in &batches {
            let _ = window.merge(&clean(batch, INTERVAL, now).bars);
            let bars = window.share();
            prop_assert!(bars.len() <= 20);
            prop_assert!(bars.windows(2).all(|pair| pair[0].open_time < pair[1].open_time));
            for bar in bars.iter() {
                let prices = [bar.open, bar.high, bar.low, bar.close];
                prop_assert!(prices.iter().all(|price| price.is_finite() && *price > 0.0) && bar.high >= bar.low);
                prop_assert!(bar.volume.is_finite() && bar.volume >= 0.0);
                prop_assert!(now.is_none_or(|now| bar.close_time(INTERVAL) <= now));
            }
        }
    }
}
