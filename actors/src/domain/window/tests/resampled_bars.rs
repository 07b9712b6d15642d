//! A window of made bars: what is kept, what may change, and where gaps and jumps are found.

use super::*;

const FOUR: i64 = 4 * HOUR;

fn window(length_max: usize, interval: Interval) -> BarWindow {
    BarWindow::new(length_max, interval, Arc::new(Calendar::always()))
}

/// The accepted hours of an answer.
fn let_in(rows: &[RawBar], interval: Interval) -> Vec<Bar> {
    let cleaned = clean(rows, interval, &Calendar::always(), None);
    assert_eq!(cleaned.fault, None);
    cleaned.bars
}

/// The stored bars of four hours.
fn fours(window: &mut BarWindow) -> Vec<i64> {
    window.share().iter().map(|bar| bar.open_time / FOUR).collect()
}

#[test]
fn it_lacks_what_is_not_complete() {
    let mut held = window(10, Interval::FourHours);
    held.merge(&let_in(&rows(0..7), Interval::FourHours), Some(7 * HOUR)).unwrap();
    assert_eq!((fours(&mut held), held.lacks_from()), (vec![0], Some(FOUR)));
    assert_eq!(held.newest_close_time(), Some(FOUR));
    assert_eq!(held.newest_source_close(), Some(7 * HOUR));
    held.merge(&let_in(&rows(4..8), Interval::FourHours), Some(8 * HOUR)).unwrap();
    assert_eq!((fours(&mut held), held.lacks_from()), (vec![0, 1], Some(2 * FOUR)));
    let before_any = window(10, Interval::FourHours);
    assert_eq!(before_any.lacks_from(), None);
    let mut begun = window(10, Interval::FourHours);
    begun.merge(&let_in(&rows(8..10), Interval::FourHours), Some(10 * HOUR)).unwrap();
    assert_eq!((fours(&mut begun), begun.lacks_from()), (vec![], Some(2 * FOUR)));
}

#[test]
fn it_keeps_the_newest_bars_and_copies_them_only_when_they_change() {
    let mut held = window(3, Interval::FourHours);
    for hours in 1..60 {
        held.merge(&let_in(&rows(0..hours), Interval::FourHours), Some(hours * HOUR)).unwrap();
    }
    assert_eq!((fours(&mut held), held.is_full()), (vec![11, 12, 13], true));
    let before = held.share();
    held.merge(&let_in(&rows(59..60), Interval::FourHours), Some(59 * HOUR)).unwrap();
    assert!(Arc::ptr_eq(&before, &held.share()), "an hour of a bar that forms changes nothing");
    held.merge(&let_in(&rows(59..60), Interval::FourHours), Some(60 * HOUR)).unwrap();
    assert_eq!(fours(&mut held), [12, 13, 14]);
    // One bar more than is returned, and the one that is forming.
    assert!(held.source.len() <= 4 * 5, "{}", held.source.len());
}

#[test]
fn it_stays_full_when_the_oldest_bars_lack_their_first_hours() {
    let mut held = window(3, Interval::FourHours);
    let gapped: Vec<_> =
        rows(0..80).into_iter().filter(|row| row.open_time % FOUR != 0 || row.open_time > 40 * HOUR).collect();
    for hours in 17..80 {
        let so_far: Vec<_> = gapped.iter().filter(|row| row.open_time < hours * HOUR).copied().collect();
        let newer: Vec<_> =
            so_far.into_iter().filter(|row| held.lacks_from().is_none_or(|from| row.open_time >= from)).collect();
        held.merge(&let_in(&newer, Interval::FourHours), Some(hours * HOUR)).unwrap();
        assert!(held.is_full(), "after {hours} hours");
    }
}

#[test]
fn only_an_hour_of_a_forming_bar_may_change() {
    let mut held = window(10, Interval::FourHours);
    held.merge(&let_in(&rows(0..7), Interval::FourHours), Some(7 * HOUR)).unwrap();
    let repaired = [row(5, 7.0), row(7, 1.0)];
    held.merge(&let_in(&repaired, Interval::FourHours), Some(8 * HOUR)).unwrap();
    assert_eq!(held.share()[1].high, 7.0, "nothing rested on what it was before");
    let late = let_in(&[row(6, 8.0)], Interval::FourHours);
    assert_eq!(held.merge(&late, Some(8 * HOUR)), Err(BarFault::Conflict { open_time: 6 * HOUR }));
    assert!(held.share().is_empty() && held.lacks_from().is_none(), "and everything is asked for again");
    held.merge(&let_in(&rows(0..8), Interval::FourHours), Some(8 * HOUR)).unwrap();
    assert_eq!(fours(&mut held), [0, 1]);
}

#[test]
fn with_the_bars_clock_the_newest_finer_bar_is_the_time() {
    let mut held = window(10, Interval::FourHours);
    for (hours, complete) in [(3, 0), (4, 1), (7, 1), (8, 2)] {
        held.merge(&let_in(&rows(0..hours), Interval::FourHours), None).unwrap();
        assert_eq!(held.share().len(), complete, "{hours} hours");
    }
}

#[test]
fn a_bar_of_a_short_day_is_complete_at_its_edge() {
    let mut calendar = Calendar::always();
    calendar.close("1970-01-01 20:00..1970-01-02 00:00".parse().unwrap());
    let mut held = BarWindow::new(10, Interval::OneDay, Arc::new(calendar));
    held.merge(&let_in(&rows(0..20), Interval::OneDay), Some(24 * HOUR - 1)).unwrap();
    assert!(!held.is_full() && held.newest().is_none());
    held.merge(&[], Some(24 * HOUR)).unwrap();
    assert_eq!(held.newest_close_time(), Some(24 * HOUR));
}

#[test]
fn a_missing_hour_is_a_gap_and_a_missing_five_minutes_is_none() {
    let mut fours = window(10, Interval::FourHours);
    let without: Vec<_> = rows(0..16).into_iter().filter(|row| row.open_time != 6 * HOUR).collect();
    fours.merge(&let_in(&without, Interval::FourHours), Some(16 * HOUR)).unwrap();
    assert_eq!(fours.gaps().collect::<Vec<_>>(), [Gap { from: 6 * HOUR, to: 7 * HOUR }]);
    let quarter = |missing: &[i64]| {
        let minutes =
            (0..24).filter(|five| !missing.contains(five)).map(|five| RawBar { open_time: 300 * five, ..row(0, 1.0) });
        let mut held = window(20, Interval::FifteenMinutes);
        held.merge(&let_in(&minutes.collect::<Vec<_>>(), Interval::FifteenMinutes), Some(7_200)).unwrap();
        (held.share().len(), held.gaps().collect::<Vec<_>>())
    };
    assert_eq!(quarter(&[4, 6, 11, 12]), (8, vec![]), "some minutes are always missing");
    assert_eq!(quarter(&[3, 4, 5]), (7, vec![Gap { from: 900, to: 1_800 }]));
}

#[test]
fn a_gap_is_seen_only_in_complete_bars_among_the_newest() {
    let at = |missing: i64, hours: i64| {
        let mut held = window(10, Interval::FourHours);
        let rows: Vec<_> = rows(0..hours).into_iter().filter(|row| row.open_time != missing * HOUR).collect();
        held.merge(&let_in(&rows, Interval::FourHours), Some(hours * HOUR)).unwrap();
        held.gap_among(2).is_some()
    };
    // With hours up to 16:00 the last two bars are from 8 to 16. With hours up to 18:00, too; 16 to 18 is not used yet.
    for (missing, hours, is_seen) in
        [(7, 16, false), (8, 16, true), (11, 16, true), (14, 16, true), (8, 18, true), (16, 18, false), (15, 18, true)]
    {
        assert_eq!(at(missing, hours), is_seen, "hour {missing} of {hours}");
    }
}

#[test]
fn a_jump_of_an_hour_is_found_in_its_bar() {
    let mut held = window(2, Interval::FourHours);
    let mut bars = rows(0..16);
    bars[9] = row(9, 100.0);
    held.merge(&let_in(&bars, Interval::FourHours), Some(16 * HOUR)).unwrap();
    assert!(matches!(held.jump(0.2), Some(BarFault::Jump { open_time, .. }) if open_time == 10 * HOUR));
    assert_eq!(held.jump(200.0), None);
    bars[9] = row(9, 1.0);
    bars[6] = row(6, 100.0);
    held.clear();
    held.merge(&let_in(&bars, Interval::FourHours), Some(16 * HOUR)).unwrap();
    assert_eq!(held.jump(0.2), None, "it is not among the bars that are handed out");
}

#[test]
fn a_finer_bar_on_both_sides_of_an_edge_rejects_the_batch() {
    let half = |hour: i64| RawBar { open_time: hour * HOUR + HOUR / 2, ..row(hour, 1.0) };
    let shifted: Vec<_> = (0..9).map(half).collect();
    let across = clean(&shifted, Interval::FourHours, &Calendar::always(), None);
    let fault = across.fault.unwrap();
    assert_eq!(fault, BarFault::AcrossEdge { open_time: 7 * HOUR / 2, edge: FOUR, interval: Interval::FourHours });
    assert_eq!((across.bars.len(), fault.kind()), (0, "not_of_interval"));
    assert_eq!(across.rejected.counted(), [(BarRejection::NotOfInterval, 1)]);
    assert!(fault.to_string().contains("03:30:00 UTC") && fault.to_string().contains("4h"), "{fault}");
    assert_eq!(let_in(&shifted, Interval::OneDay).len(), 9, "a day has no edge there");
    assert_eq!(let_in(&shifted, Interval::OneHour).len(), 9, "as they are they are as good as any");
}

#[test]
fn finer_bars_of_a_closed_market_are_left_out_whatever_they_say() {
    let closed = 4;
    let mut calendar = Calendar::always();
    calendar.close("1970-01-01 04:00..1970-01-01 08:00".parse().unwrap());
    let mut rows = rows(0..12);
    rows[4] = RawBar { close: None, ..row(closed, 1.0) };
    for (interval, expected) in [(Interval::FourHours, 8), (Interval::OneHour, 11)] {
        let cleaned = clean(&rows, interval, &calendar, None);
        assert_eq!((cleaned.bars.len(), cleaned.fault), (expected, None), "{interval:?}");
    }
    let newest = clean(&rows[..5], Interval::FourHours, &calendar, None);
    assert_eq!((newest.fault, newest.rejected.counted()), (None, vec![]));
}

proptest! {
    #[test]
    fn in_two_answers_or_in_one_the_bars_are_the_same(
        count in 1..200i64, split in 0..200usize, missing in proptest::collection::vec(0..200i64, 0..20), daily in any::<bool>(),
    ) {
        let interval = if daily { Interval::OneDay } else { Interval::FourHours };
        let rows: Vec<_> = rows(0..count).into_iter().filter(|row| !missing.contains(&(row.open_time / HOUR))).collect();
        let bars = let_in(&rows, interval);
        let (mut whole, mut halves) = (window(30, interval), window(30, interval));
        whole.merge(&bars, Some(count * HOUR)).unwrap();
        let split = split.min(bars.len());
        halves.merge(&bars[..split], Some(count * HOUR)).unwrap();
        halves.merge(&bars[split..], Some(count * HOUR)).unwrap();
        prop_assert_eq!(whole.share(), halves.share());
        prop_assert_eq!(whole.gap_among(20), halves.gap_among(20));
    }

    #[test]
    fn garbage_never_panics_and_never_gets_into_made_bars(
        batches in proptest::collection::vec(proptest::collection::vec(garbage(), 0..60), 0..4),
        now in proptest::option::of(0..60 * HOUR),
    ) {
        let mut held = window(20, Interval::FourHours);
        for batch in &batches {
            let _ = held.merge(&clean(batch, Interval::FourHours, &Calendar::always(), now).bars, now);
            let bars = held.share();
            prop_assert!(bars.len() <= 20);
            prop_assert!(bars.windows(2).all(|pair| pair[1].open_time - pair[0].open_time >= FOUR));
            for bar in bars.iter() {
                prop_assert!(bar.open_time % FOUR == 0 && bar.high >= bar.low && bar.low > 0.0);
                let (low, high) = (bar.low * (1.0 - RANGE_SLACK), bar.high * (1.0 + RANGE_SLACK));
                prop_assert!([bar.open, bar.close].iter().all(|price| (low..=high).contains(price)));
                prop_assert!(now.is_none_or(|now| bar.open_time + FOUR <= now));
            }
        }
    }
}
