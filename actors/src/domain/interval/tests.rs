//! Edges: the UTC clock, the trading days of New York over both clock changes in 2026, weekends and holidays.

use super::*;
use crate::domain::calendar::{Session, parse_time, parse_zone};
use chrono::NaiveDateTime;
use proptest::prelude::*;

const HOUR: i64 = 3_600;
const MADE: [Interval; 4] = [Interval::FifteenMinutes, Interval::ThirtyMinutes, Interval::FourHours, Interval::OneDay];

/// Unix seconds of a moment in UTC, `2026-03-08 07:00`.
fn utc(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp()
}

/// A market that never closes, with the trading days of New York, so the days of 23 and 25 hours are open.
fn always_by_new_york() -> Calendar {
    let week = vec!["Mon 00:00 - Mon 00:00".parse::<Session>().unwrap()];
    Calendar::new(parse_zone("America/New_York").unwrap(), week, parse_time("17:00"))
}

/// The ends of the bars that follow each other, starting at a moment in UTC.
fn ends(interval: Interval, calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
    let first = interval.span(utc(from), calendar);
    let spans = std::iter::successors(Some(first), |span| Some(interval.span(span.end, calendar)));
    let at = |time| chrono::DateTime::from_timestamp(time, 0).unwrap().format("%m-%d %H:%M").to_string();
    spans.take(count).map(|span| at(span.end)).collect()
}

#[test]
fn every_interval_is_spelled_one_way_and_has_a_source_of_the_provider() {
    for interval in Interval::ALL {
        assert_eq!(interval.as_str().parse(), Ok(interval));
        assert!(!interval.source().is_made() && interval.nominal_s() % interval.source_s() == 0);
    }
    for text in ["", "2h", "1H", "60m", "1d ", "d"] {
        assert!(text.parse::<Interval>().is_err(), "{text}");
    }
    let made: Vec<_> = MADE.iter().map(|interval| (interval.as_str(), interval.source().as_str())).collect();
    assert_eq!(made, [("15m", "5m"), ("30m", "5m"), ("4h", "1h"), ("1d", "1h")]);
}

#[test]
fn a_bar_of_the_provider_begins_where_it_does() {
    for interval in [Interval::OneMinute, Interval::FiveMinutes, Interval::OneHour] {
        assert_eq!(interval.span(1_234, &Calendar::fx()), 1_234..1_234 + interval.nominal_s());
    }
}

#[test]
fn quarters_and_halves_of_an_hour_are_those_of_the_utc_clock() {
    for calendar in [Calendar::fx(), Calendar::always()] {
        let quarters = ends(Interval::FifteenMinutes, &calendar, "2026-03-08 06:59", 3);
        assert_eq!(quarters, ["03-08 07:00", "03-08 07:15", "03-08 07:30"]);
        let halves = ends(Interval::ThirtyMinutes, &calendar, "2026-11-01 05:30", 3);
        assert_eq!(halves, ["11-01 06:00", "11-01 06:30", "11-01 07:00"]);
    }
}

#[test]
fn each_calendar_ends_its_day_at_its_own_time() {
    let (day, fx, always) = (Interval::OneDay, Calendar::fx(), Calendar::always());
    assert_eq!((fx.day_edge(), always.day_edge()), ("17:00 America/New_York".into(), "00:00 UTC".into()));
    assert_eq!(ends(day, &fx, "2026-01-13 21:59", 2), ["01-13 22:00", "01-14 22:00"]);
    assert_eq!(ends(day, &fx, "2026-07-13 21:00", 2), ["07-14 21:00", "07-15 21:00"]);
    assert_eq!(ends(day, &always, "2026-03-08 00:00", 2), ["03-09 00:00", "03-10 00:00"]);
    assert_eq!(ends(day, &always, "2026-11-01 23:59", 1), ["11-02 00:00"]);
}

#[test]
fn the_fx_days_around_both_clock_changes_end_at_17_00_new_york() {
    // Clocks go forward on Sunday 2026-03-08: Friday ends at 22:00 UTC, Monday at 21:00.
    let spring = ends(Interval::OneDay, &Calendar::fx(), "2026-03-06 12:00", 4);
    assert_eq!(spring, ["03-06 22:00", "03-07 22:00", "03-08 21:00", "03-09 21:00"]);
    // Clocks go back on Sunday 2026-11-01: Friday ends at 21:00 UTC, Monday at 22:00.
    let autumn = ends(Interval::OneDay, &Calendar::fx(), "2026-10-30 12:00", 4);
    assert_eq!(autumn, ["10-30 21:00", "10-31 21:00", "11-01 22:00", "11-02 22:00"]);
}

#[test]
fn four_hours_count_from_the_edge_of_the_day() {
    let (four, fx) = (Interval::FourHours, Calendar::fx());
    let winter = ["01:00", "05:00", "09:00", "13:00", "17:00", "21:00"];
    let found = ends(four, &Calendar::always(), "2026-01-14 00:00", 6);
    assert_eq!(found, ["01-14 04:00", "01-14 08:00", "01-14 12:00", "01-14 16:00", "01-14 20:00", "01-15 00:00"]);
    // Friday's last bar and Sunday's first, in winter time and in summer time.
    assert_eq!(ends(four, &fx, "2026-03-06 18:00", 1), ["03-06 22:00"]);
    assert_eq!(ends(four, &fx, "2026-03-08 21:00", 2), ["03-09 01:00", "03-09 05:00"]);
    assert_eq!(ends(four, &fx, "2026-10-30 17:00", 1), ["10-30 21:00"]);
    assert_eq!(ends(four, &fx, "2026-11-01 22:00", 2), ["11-02 02:00", "11-02 06:00"]);
    let summer = ends(four, &fx, "2026-07-13 21:00", 6);
    assert_eq!(summer.iter().map(|end| &end[6..]).collect::<Vec<_>>(), winter);
}

#[test]
fn the_last_four_hours_of_a_day_end_with_it_whatever_its_length() {
    let (four, new_york) = (Interval::FourHours, always_by_new_york());
    // From Saturday 17:00 to Sunday 17:00: 23 hours in spring, 25 in autumn.
    let spring = ends(four, &new_york, "2026-03-08 14:00", 3);
    assert_eq!(spring, ["03-08 18:00", "03-08 21:00", "03-09 01:00"]);
    let autumn = ends(four, &new_york, "2026-11-01 17:00", 4);
    assert_eq!(autumn, ["11-01 21:00", "11-01 22:00", "11-02 02:00", "11-02 06:00"]);
}

#[test]
fn a_day_may_end_where_clocks_skip_or_repeat_the_time() {
    for (zone, day_ends, at, expected) in [
        ("America/Sao_Paulo", None, "2018-11-03 12:00", ["11-04 03:00", "11-05 02:00"]),
        ("America/New_York", parse_time("02:30"), "2026-03-07 12:00", ["03-08 07:30", "03-09 06:30"]),
        ("America/New_York", parse_time("01:30"), "2026-10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
    ] {
        let calendar = Calendar::new(parse_zone(zone).unwrap(), Vec::new(), day_ends);
        assert_eq!(ends(Interval::OneDay, &calendar, at, 2), expected, "{zone}");
    }
    let new_york = Calendar::new(parse_zone("America/New_York").unwrap(), Vec::new(), parse_time("01:30"));
    for minute in 0..48 * 60 {
        let time = utc("2026-10-31 12:00") + 60 * minute;
        assert!(new_york.trading_day(time).contains(&time), "in the hour that is there twice, too");
    }
}

#[test]
fn a_bar_is_due_only_if_it_has_hours_of_trading() {
    let (day, four, fx) = (Interval::OneDay, Interval::FourHours, Calendar::fx());
    let (friday, sunday) = (utc("2026-03-06 22:00"), utc("2026-03-08 21:00"));
    assert!(!day.is_due(friday, sunday, &fx) && !four.is_due(friday, sunday, &fx), "a weekend");
    assert!(!day.is_due(friday, sunday + 23 * HOUR, &fx), "Monday has not ended");
    assert!(day.is_due(friday, sunday + 24 * HOUR, &fx));
    assert!(four.is_due(friday, sunday + 4 * HOUR, &fx));
    assert!(!four.is_due(sunday + 1, sunday + 7 * HOUR, &fx), "none that opens by then has ended");
    assert_eq!(day.due_at(friday, &fx), sunday + 24 * HOUR);
    assert_eq!(four.due_at(friday, &fx), sunday + 4 * HOUR);
    assert_eq!(Interval::ThirtyMinutes.due_at(friday, &fx), sunday + HOUR / 2);
    assert_eq!(Interval::OneHour.due_at(friday, &fx), friday + HOUR, "the provider is asked as before");
    let mut holiday = Calendar::fx();
    holiday.close("2026-03-09".parse().unwrap());
    assert_eq!(day.due_at(friday, &holiday), sunday + 48 * HOUR);
    let mut for_ever = Calendar::fx();
    for_ever.close("2026-01-01..2099-12-31".parse().unwrap());
    assert!(day.due_at(friday, &for_ever) > friday, "the search ends");
    assert!(!day.is_due(i64::MAX - 10, i64::MAX, &fx) && day.due_at(i64::MAX, &fx) == i64::MAX, "no overflow");
}

proptest! {
    #[test]
    fn bars_follow_each_other_without_a_hole(time in -(1_i64 << 40)..1 << 40, which in 0..4_usize, zone in 0..3_usize) {
        let calendar = [Calendar::fx(), Calendar::always(), always_by_new_york()][zone].clone();
        let interval = MADE[which];
        let span = interval.span(time, &calendar);
        prop_assert!(span.contains(&time));
        prop_assert_eq!(interval.span(span.start, &calendar), span.clone());
        prop_assert_eq!(interval.span(span.end - 1, &calendar), span.clone());
        prop_assert_eq!(interval.span(span.end, &calendar).start, span.end);
        prop_assert!(span.end - span.start <= interval.nominal_s() + HOUR);
    }

    #[test]
    fn no_time_is_too_far_off(time in any::<i64>(), which in 0..7_usize) {
        let span = Interval::ALL[which].span(time, &Calendar::fx());
        prop_assert!(span.start <= time && span.start <= span.end);
    }
}
