//! Valid series of every kind are accepted; a single corruption at any place is found.

use super::*;
use crate::domain::{
    calendar::{Session, parse_time, parse_zone},
    window::{BarRejection, RawBar, clean},
};
use chrono::{NaiveDate, TimeZone};
use proptest::prelude::*;

const INTERVALS: [Interval; 3] = [Interval::OneMinute, Interval::FiveMinutes, Interval::OneHour];
const HOUR: i64 = 3_600;
const LIMIT: f64 = 0.2;

fn flat(open_time: i64) -> Bar {
    Bar { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 0.0 }
}

fn raw(bar: &Bar) -> RawBar {
    let Bar { open_time, open, high, low, close, volume } = *bar;
    let [open, high, low, close, volume] = [open, high, low, close, volume].map(Some);
    RawBar { open_time, open, high, low, close, volume }
}

/// A market with these hours on every working day.
fn exchange(zone: &str, hours: &[&str]) -> Calendar {
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri"];
    let session = |day: &str, hours: &str| {
        let (from, to) = hours.split_once('-').unwrap();
        format!("{day} {from} - {day} {to}").parse::<Session>().unwrap()
    };
    let sessions = days.iter().flat_map(|day| hours.iter().map(move |hours| session(day, hours))).collect();
    Calendar::new(parse_zone(zone).unwrap(), sessions, parse_time("18:00"))
}

/// Unix seconds of a local time.
fn at(zone: &str, day: (i32, u32, u32), time: &str) -> i64 {
    let day = NaiveDate::from_ymd_opt(day.0, day.1, day.2).unwrap();
    parse_zone(zone).unwrap().from_local_datetime(&day.and_time(parse_time(time).unwrap())).unwrap().timestamp()
}

/// Hourly bars at these local times of two days.
fn two_days(zone: &str, days: [(i32, u32, u32); 2], times: &[&str]) -> Vec<Bar> {
    days.iter().flat_map(|day| times.iter().map(|time| flat(at(zone, *day, time)))).collect()
}

#[test]
fn bars_open_where_the_sessions_put_them() {
    let tokyo = exchange("Asia/Tokyo", &["09:00-11:30", "12:30-15:30"]);
    let hong_kong = exchange("Asia/Hong_Kong", &["09:30-12:00", "13:00-16:00"]);
    let new_york = exchange("America/New_York", &["09:30-16:00"]);
    let mumbai = exchange("Asia/Kolkata", &["09:15-15:30"]);
    let working = [(2026, 11, 26), (2026, 11, 27)];
    let dst = [(2026, 10, 30), (2026, 11, 2)];
    let fx = Calendar::fx();
    let always = Calendar::always();
    let new_york_times = ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"];
    let cases: [(&str, &Calendar, Vec<Bar>, bool); 12] = [
        (
            "Tokyo",
            &tokyo,
            two_days("Asia/Tokyo", working, &["09:00", "10:00", "11:00", "12:30", "13:30", "14:30"]),
            true,
        ),
        (
            "Tokyo, the first after the break missing",
            &tokyo,
            two_days("Asia/Tokyo", working, &["09:00", "10:00", "11:00", "13:30"]),
            true,
        ),
        ("Tokyo, shifted in the afternoon", &tokyo, two_days("Asia/Tokyo", working, &["12:30", "14:00"]), false),
        ("Tokyo, shifted after the break", &tokyo, two_days("Asia/Tokyo", working, &["11:00", "12:45"]), false),
        ("Tokyo without its hours", &always, two_days("Asia/Tokyo", working, &["11:00", "12:30"]), false),
        (
            "Hong Kong",
            &hong_kong,
            two_days("Asia/Hong_Kong", working, &["09:30", "10:30", "11:30", "13:00", "14:00", "15:00"]),
            true,
        ),
        ("New York over the end of DST", &new_york, two_days("America/New_York", dst, &new_york_times), true),
        ("New York without its hours", &always, two_days("America/New_York", dst, &new_york_times), true),
        ("Mumbai without its hours", &always, two_days("Asia/Kolkata", working, &["09:15", "10:15", "14:15"]), true),
        (
            "Mumbai by the full hour on the second day",
            &mumbai,
            vec![flat(at("Asia/Kolkata", working[0], "14:15")), flat(at("Asia/Kolkata", working[1], "10:00"))],
            false,
        ),
        (
            "FX over a weekend and the end of DST",
            &fx,
            vec![flat(at("America/New_York", dst[0], "16:00")), flat(at("America/New_York", (2026, 11, 1), "17:00"))],
            true,
        ),
        (
            "FX shifted by half an hour in a weekend",
            &fx,
            vec![flat(at("America/New_York", dst[0], "16:00")), flat(at("America/New_York", (2026, 11, 1), "17:30"))],
            false,
        ),
    ];
    for (name, calendar, bars, is_good) in cases {
        let found = misfit(&bars, Interval::OneHour, calendar);
        assert_eq!(found.is_none(), is_good, "{name}: {found:?}");
    }
}

#[test]
fn what_lies_far_apart_is_searched_within_bounds() {
    let years = (0..3_000).map(|week| flat(week * 7 * 86_400 + (week % 2) * HOUR / 2)).collect::<Vec<_>>();
    let started = std::time::Instant::now();
    for calendar in [Calendar::fx(), Calendar::always()] {
        assert!(misfit(&years, Interval::OneHour, &calendar).is_some());
    }
    let ends = [flat(i64::MIN), flat(-1), flat(i64::MAX - HOUR)];
    assert!(misfit(&ends, Interval::OneHour, &Calendar::fx()).is_some());
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn only_a_price_beyond_the_limit_is_a_jump() {
    let jumps = |bar: Bar, limit| jump(&[flat(0), Bar { open_time: HOUR, ..bar }, flat(2 * HOUR)], limit).is_some();
    let one = flat(0);
    assert!(!jumps(Bar { close: 1.2, high: 1.2, ..one }, LIMIT));
    assert!(!jumps(Bar { close: 0.9, low: 0.8, ..one }, LIMIT));
    for bar in [
        Bar { close: 1.21, high: 1.21, ..one },
        Bar { open: 0.79, low: 0.79, ..one },
        Bar { high: 100.0, ..one },
        Bar { low: 1e-300, ..one },
        Bar { open: 1e308, high: 1e308, ..one },
    ] {
        assert!(jumps(bar, LIMIT), "{bar:?}");
        assert!(!jumps(bar, 0.0), "0 lets everything through: {bar:?}");
    }
    assert!(!jumps(Bar { low: 1e-300, ..one }, 1.0), "from 1 on any fall is let through");
    assert_eq!((jump(&[], LIMIT), jump(&[one], LIMIT)), (None, None));
}

#[test]
fn a_jump_names_both_prices_and_both_times() {
    let bars = [flat(0), Bar { close: 100.0, high: 110.0, ..flat(HOUR) }, flat(2 * HOUR), flat(3 * HOUR)];
    let into = jump(&bars[..2], LIMIT).unwrap();
    assert_eq!(
        into.to_string(),
        "a price jumps from 1, the close of the bar that opened at 1970-01-01 00:00:00 UTC, to 110 in the bar that opened \
         at 1970-01-01 01:00:00 UTC: more than data.jump_max = 0.2 allows; if both are real, raise it"
    );
    let back = jump(&bars, LIMIT).unwrap();
    assert!(matches!(back, BarFault::Jump { close_before: 100.0, price: 1.0, open_time: 7_200, .. }), "{back:?}");
}

#[test]
fn a_jump_counts_as_long_as_features_can_rest_on_it() {
    // The wrong price is the last of the 300, then the one after it.
    for (after, is_found) in [(JUMP_BARS - 2, true), (JUMP_BARS - 1, true), (JUMP_BARS, false)] {
        let mut bars: Vec<Bar> = (0..1_000).map(|row| flat(row * HOUR)).collect();
        let wrong = bars.len() - 1 - after;
        (bars[wrong].close, bars[wrong].high) = (100.0, 100.0);
        assert_eq!(jump(&bars, LIMIT).is_some(), is_found, "{after} bars after it");
    }
}

/// A series as in real markets: any start, an interval of any length, gaps of any number of intervals, and prices that move
/// by up to a tenth.
fn legal() -> impl Strategy<Value = (Interval, Vec<Bar>)> {
    let hole = prop_oneof![20 => Just(0), 2 => 1..4i64, 1 => 1..2_000i64];
    let step = (hole, -0.1..0.1f64, 0.0..0.05f64, 0.0..0.05f64);
    (prop::sample::select(INTERVALS.to_vec()), 0..HOUR, prop::collection::vec(step, 2..80)).prop_map(
        |(interval, phase, steps)| {
            let (mut open_time, mut price) = (1_700_000_000 + phase, 1.1);
            let bar = |(hole, moved, above, below): (i64, f64, f64, f64)| {
                open_time += interval.nominal_s() * (1 + hole);
                let (open, close) = (price, price * (1.0 + moved));
                price = close;
                let (high, low) = (open.max(close) * (1.0 + above), open.min(close) * (1.0 - below));
                Bar { open_time, open, high, low, close, volume: 0.0 }
            };
            (interval, steps.into_iter().map(bar).collect())
        },
    )
}

/// A series with one impossible thing in it, and the name of that error.
#[derive(Debug, Clone, Copy)]
enum Corruption {
    OpenAbove,
    OpenBelow,
    CloseAbove,
    CloseBelow,
    Overlap,
    Shift,
    Spike,
}

fn corruption() -> impl Strategy<Value = Corruption> {
    use Corruption::*;
    prop::sample::select(vec![OpenAbove, OpenBelow, CloseAbove, CloseBelow, Overlap, Shift, Spike])
}

proptest! {
    #[test]
    fn a_legal_series_is_never_refused((interval, bars) in legal()) {
        let rows: Vec<_> = bars.iter().map(raw).collect();
        for calendar in [Calendar::always(), Calendar::fx()] {
            let cleaned = clean(&rows, interval, &calendar, None);
            prop_assert_eq!((&cleaned.bars, cleaned.fault), (&bars, None));
            prop_assert_eq!(cleaned.rejected.counted(), []);
            prop_assert_eq!(jump(&cleaned.bars, LIMIT), None);
        }
    }

    #[test]
    fn a_legal_series_of_the_fx_week_is_never_refused(week in 0..2_000i64, weeks in 1..9i64) {
        // All hours of some weeks in which the market is open, including clock changes.
        let fx = Calendar::fx();
        let hours = (week * 168..(week + weeks) * 168).map(|hour| 1_000_000_800 / HOUR * HOUR + hour * HOUR);
        let bars: Vec<_> = hours.filter(|time| fx.is_open(*time)).map(flat).collect();
        prop_assert_eq!(misfit(&bars, Interval::OneHour, &fx), None);
    }

    #[test]
    fn a_corruption_anywhere_is_dropped_or_refused(
        (interval, mut bars) in legal(), corruption in corruption(), place in any::<prop::sample::Index>(),
    ) {
        // At least one bar before it.
        let at = 1 + place.index(bars.len() - 1);
        let (mut rows, bar) = (bars.iter().map(raw).collect::<Vec<_>>(), bars[at]);
        let half = interval.nominal_s() / 2;
        match corruption {
            Corruption::OpenAbove => rows[at].open = Some(bar.high * 1.000_01),
            Corruption::OpenBelow => rows[at].open = Some(bar.low * 0.999_99),
            Corruption::CloseAbove => rows[at].close = Some(bar.high * 1.000_01),
            Corruption::CloseBelow => rows[at].close = Some(bar.low * 0.999_99),
            Corruption::Overlap => rows.push(RawBar { open_time: bar.open_time - half, ..rows[at] }),
            Corruption::Shift => rows[at..].iter_mut().for_each(|row| row.open_time += half),
            Corruption::Spike => rows[at] = RawBar { high: Some(bar.high * 100.0), ..rows[at] },
        }
        let cleaned = clean(&rows, interval, &Calendar::always(), None);
        match corruption {
            Corruption::Overlap | Corruption::Shift => {
                prop_assert_eq!(cleaned.fault.map(|fault| fault.kind()), Some("not_of_interval"));
                prop_assert!(cleaned.bars.is_empty());
            }
            Corruption::Spike => {
                let found = jump(&cleaned.bars, LIMIT);
                let open_time = bar.open_time;
                let is_it = matches!(found, Some(BarFault::Jump { open_time: found, .. }) if found == open_time);
                prop_assert!(is_it, "{found:?}");
            }
            _ => {
                bars.remove(at);
                prop_assert_eq!(cleaned.bars, bars);
                prop_assert_eq!(cleaned.rejected.counted(), [(BarRejection::OutsideRange, 1)]);
                let is_newest = at == rows.len() - 1;
                prop_assert_eq!(cleaned.fault.map(|fault| fault.kind()), is_newest.then_some("newest_bar_invalid"));
            }
        }
    }
}
