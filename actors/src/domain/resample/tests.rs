//! Made bars compared with a simple reference, over weekends and both clock changes; which bars are complete, and when.

use super::*;
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use proptest::prelude::*;
use std::collections::BTreeMap;

const HOUR: i64 = 3_600;

fn utc(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp()
}

/// A finer bar whose prices identify it.
fn bar(open_time: i64) -> Bar {
    let price = 1.0 + (open_time.rem_euclid(1_000_000)) as f64 / 1e7;
    Bar { open_time, open: price, high: price + 0.002, low: price - 0.003, close: price + 0.001, volume: 2.0 }
}

/// The finer bars between two moments in which the market is open.
fn bars(interval: Interval, calendar: &Calendar, from: &str, to: &str) -> Vec<Bar> {
    let step = usize::try_from(interval.source_s()).unwrap();
    (utc(from)..utc(to)).step_by(step).filter(|time| calendar.is_open(*time)).map(bar).collect()
}

/// The opens of the made bars, such as `03-09 21:00`.
fn opens(finer: &[Bar], interval: Interval, calendar: &Calendar, now: &str) -> Vec<String> {
    let made = resample(finer, interval, calendar, utc(now));
    made.iter()
        .map(|bar| DateTime::from_timestamp(bar.open_time, 0).unwrap().format("%m-%d %H:%M").to_string())
        .collect()
}

#[test]
fn a_made_bar_has_the_first_open_and_the_last_close_and_all_between() {
    let always = Calendar::always();
    let finer = bars(Interval::FourHours, &always, "2026-06-01 00:00", "2026-06-01 05:00");
    let made = resample(&finer, Interval::FourHours, &always, utc("2026-06-01 05:00"));
    let expected = Bar {
        open_time: utc("2026-06-01 00:00"),
        open: finer[0].open,
        high: finer[3].high,
        low: finer[0].low,
        close: finer[3].close,
        volume: 8.0,
    };
    assert_eq!(made, [expected]);
    let mut huge = finer;
    huge.iter_mut().for_each(|bar| bar.volume = f64::MAX);
    assert!(resample(&huge, Interval::FourHours, &always, utc("2026-06-01 05:00"))[0].volume.is_finite());
}

#[test]
fn a_forming_bar_is_never_made() {
    for (interval, from, end) in [
        (Interval::FifteenMinutes, "2026-06-02 00:00", "2026-06-02 00:15"),
        (Interval::ThirtyMinutes, "2026-06-02 00:00", "2026-06-02 00:30"),
        (Interval::FourHours, "2026-06-02 01:00", "2026-06-02 05:00"),
        (Interval::OneDay, "2026-06-01 21:00", "2026-06-02 21:00"),
    ] {
        let finer = bars(interval, &Calendar::fx(), from, end);
        let made = |now: i64| resample(&finer, interval, &Calendar::fx(), now).len();
        assert_eq!((made(utc(end) - 1), made(utc(end))), (0, 1), "{interval:?}");
        for count in 0..finer.len() {
            let made = resample(&finer[..count], interval, &Calendar::fx(), utc(end) + 60);
            assert_eq!(made, [], "{interval:?}: {count} finer bars, and the last may still come");
        }
    }
}

#[test]
fn a_bar_whose_last_hour_is_missing_waits_for_one_after_it() {
    let always = Calendar::always();
    let mut finer = bars(Interval::FourHours, &always, "2026-06-01 00:00", "2026-06-01 03:00");
    let now = utc("2026-06-01 06:00");
    assert_eq!(resample(&finer, Interval::FourHours, &always, now), [], "it may only be late");
    finer.push(bar(utc("2026-06-01 04:00")));
    let made = resample(&finer, Interval::FourHours, &always, now);
    assert_eq!((made.len(), made[0].close), (1, finer[2].close), "the provider has gone on without it");
    finer.insert(3, bar(utc("2026-06-01 03:00")));
    assert_eq!(resample(&finer, Interval::FourHours, &always, now)[0].close, finer[3].close, "it came after all");
}

#[test]
fn what_is_missing_in_the_middle_is_left_out() {
    let always = Calendar::always();
    let mut finer = bars(Interval::ThirtyMinutes, &always, "2026-06-01 00:00", "2026-06-01 01:00");
    finer.drain(7..11);
    let made = resample(&finer, Interval::ThirtyMinutes, &always, utc("2026-06-01 01:00"));
    assert_eq!((made.len(), made[1].open, made[1].close, made[1].volume), (2, finer[6].open, finer[7].close, 4.0));
}

#[test]
fn a_market_that_closes_early_makes_its_last_bar_at_the_edge() {
    let mut fx = Calendar::fx();
    fx.close("2026-12-24 13:00..2026-12-24 17:00".parse().unwrap());
    let finer = bars(Interval::OneDay, &fx, "2026-12-23 22:00", "2026-12-24 18:00");
    assert_eq!(finer.len(), 20);
    assert_eq!(opens(&finer, Interval::OneDay, &fx, "2026-12-24 21:59"), [""; 0]);
    assert_eq!(opens(&finer, Interval::OneDay, &fx, "2026-12-24 22:00"), ["12-23 22:00"]);
    assert_eq!(opens(&finer[..19], Interval::OneDay, &fx, "2026-12-24 22:00"), [""; 0], "12:00 may still come");
}

#[test]
fn a_week_of_fx_has_five_days_and_thirty_bars_of_four_hours() {
    for (from, to, first, last) in [
        ("2026-03-08 21:00", "2026-03-13 21:00", "03-08 21:00", "03-12 21:00"),
        ("2026-11-01 22:00", "2026-11-06 22:00", "11-01 22:00", "11-05 22:00"),
        ("2026-01-11 22:00", "2026-01-16 22:00", "01-11 22:00", "01-15 22:00"),
    ] {
        let fx = Calendar::fx();
        let finer = bars(Interval::OneDay, &fx, from, to);
        let days = opens(&finer, Interval::OneDay, &fx, to);
        assert_eq!((days.len(), &days[0][..], &days[4][..]), (5, first, last));
        assert_eq!(opens(&finer, Interval::FourHours, &fx, to).len(), 30);
    }
}

#[test]
fn the_oldest_bar_is_left_out_unless_it_has_its_beginning() {
    let fx = Calendar::fx();
    let days =
        |from| opens(&bars(Interval::OneDay, &fx, from, "2026-06-04 21:00"), Interval::OneDay, &fx, "2026-06-05 00:00");
    assert_eq!(days("2026-06-02 21:00"), ["06-02 21:00", "06-03 21:00"]);
    assert_eq!(days("2026-06-02 22:00"), ["06-03 21:00"]);
    // The market opens with the trading day, or later.
    assert_eq!(days("2026-05-30 00:00").len(), 4);
    let mut late = Calendar::fx();
    late.close("2026-06-01 17:00..2026-06-02 03:00".parse().unwrap());
    let finer = bars(Interval::OneDay, &late, "2026-06-01 21:00", "2026-06-02 21:00");
    assert_eq!(opens(&finer, Interval::OneDay, &late, "2026-06-02 21:00"), ["06-01 21:00"]);
}

#[test]
fn nothing_makes_nothing() {
    assert_eq!(resample(&[], Interval::OneDay, &Calendar::fx(), i64::MAX), []);
    let ends = [Bar { open_time: i64::MIN, ..bar(0) }, bar(0), Bar { open_time: i64::MAX, ..bar(0) }];
    for interval in [Interval::FifteenMinutes, Interval::FourHours, Interval::OneDay] {
        assert!(resample(&ends, interval, &Calendar::fx(), i64::MAX).len() <= 3);
    }
}

/// The bar to which an hour belongs, computed from New York's local time instead of edges in UTC.
fn key(time: i64, interval: Interval, calendar: &str) -> (i32, u32, i64) {
    let utc = DateTime::from_timestamp(time, 0).unwrap();
    let (date, since_edge_s) = match calendar {
        "fx" => {
            let local = utc.with_timezone(&chrono_tz::America::New_York);
            let day = (local.naive_local() + chrono::TimeDelta::hours(7)).date();
            // The market is closed while clocks change, so hours of local time are real hours.
            (day, i64::from((local.hour() + 7) % 24) * HOUR + i64::from(local.minute()) * 60)
        }
        _ => (utc.date_naive(), i64::from(utc.num_seconds_from_midnight())),
    };
    let length = if interval == Interval::OneDay { 86_400 } else { interval.nominal_s() };
    (date.year(), date.ordinal(), since_edge_s / length)
}

/// Open, high, low, close and volume of each bar, computed with a map only.
fn reference(finer: &[Bar], interval: Interval, calendar: &str) -> Vec<[f64; 5]> {
    let mut made: BTreeMap<_, [f64; 5]> = BTreeMap::new();
    for bar in finer {
        let one = made.entry(key(bar.open_time, interval, calendar)).or_insert([bar.open, bar.high, bar.low, 0.0, 0.0]);
        *one = [one[0], one[1].max(bar.high), one[2].min(bar.low), bar.close, one[4] + bar.volume];
    }
    made.into_values().collect()
}

proptest! {
    #[test]
    fn it_equals_a_plain_reference(
        // Two weeks around a clock change in 2026, or any week.
        start in prop_oneof![Just(utc("2026-03-01 00:00")), Just(utc("2026-10-25 00:00")), 0..1_800_000_000_i64],
        is_fx in any::<bool>(),
        which in 0..4_usize,
        missing in proptest::collection::vec(any::<proptest::sample::Index>(), 0..60),
    ) {
        let interval = [Interval::FifteenMinutes, Interval::ThirtyMinutes, Interval::FourHours, Interval::OneDay][which];
        let (name, calendar) = if is_fx { ("fx", Calendar::fx()) } else { ("always", Calendar::always()) };
        let start = interval.span(start, &calendar).start;
        let step = usize::try_from(interval.source_s()).unwrap();
        let mut finer: Vec<_> =
            (start..start + 14 * 86_400).step_by(step).filter(|time| calendar.is_open(*time)).map(bar).collect();
        for index in missing {
            // The first one stays; otherwise it is unknown whether its bar is complete at its begin.
            let at = 1 + index.index(finer.len() - 1);
            finer.remove(at);
        }
        let made = resample(&finer, interval, &calendar, i64::MAX);
        let mut expected = reference(&finer, interval, name);
        // The last bar may be waiting for more.
        expected.truncate(made.len().max(expected.len() - 1));
        let values = |bar: &Bar| [bar.open, bar.high, bar.low, bar.close, bar.volume];
        prop_assert_eq!(made.iter().map(values).collect::<Vec<_>>(), expected);
        prop_assert!(made.windows(2).all(|pair| pair[0].close_time(interval, &calendar) <= pair[1].open_time));
    }

    #[test]
    fn more_time_and_more_bars_only_add(
        which in 0..4_usize, hours in 1..400_usize, now in 0..500_i64, is_fx in any::<bool>(),
    ) {
        let interval = [Interval::FifteenMinutes, Interval::ThirtyMinutes, Interval::FourHours, Interval::OneDay][which];
        let calendar = if is_fx { Calendar::fx() } else { Calendar::always() };
        let finer = bars(interval, &calendar, "2026-02-28 00:00", "2026-03-20 00:00");
        let now = utc("2026-02-28 00:00") + now * HOUR;
        let some = resample(&finer[..hours.min(finer.len())], interval, &calendar, now);
        let all = resample(&finer, interval, &calendar, i64::MAX);
        prop_assert!(all.starts_with(&some), "a bar that was handed out never changes by what comes after it");
        prop_assert!(some.iter().all(|bar| bar.close_time(interval, &calendar) <= now));
    }
}
