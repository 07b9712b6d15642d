//! Both ends of the FX week to the second, the four daylight-saving changes, closures and gaps.

use super::*;

/// Unix seconds of a moment in UTC.
fn utc(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp()
}

/// Whether the FX market is open at the seconds around an opening or a closing.
fn around(border: &str) -> (bool, bool, bool) {
    let (fx, at) = (Calendar::fx(), utc(border));
    (fx.is_open(at - 1), fx.is_open(at), fx.is_open(at + 1))
}

const OPENS: (bool, bool, bool) = (false, true, true);
const CLOSES: (bool, bool, bool) = (true, false, false);

#[test]
fn the_fx_week_is_sunday_to_friday_17_00_new_york() {
    // Winter: New York is five hours behind.
    assert_eq!(around("2026-01-11 22:00:00"), OPENS);
    assert_eq!(around("2026-01-16 22:00:00"), CLOSES);
    // Summer: four.
    assert_eq!(around("2026-07-12 21:00:00"), OPENS);
    assert_eq!(around("2026-07-17 21:00:00"), CLOSES);
    let fx = Calendar::fx();
    assert!(!fx.is_open(utc("2026-01-17 12:00:00")), "Saturday");
    assert!(fx.is_open(utc("2026-01-14 22:00:00")), "the day's end within the week is no border");
}

#[test]
fn spring_moves_the_open_of_the_same_weekend() {
    // Clocks go forward on Sunday 2026-03-08 at 02:00: the week before closes in winter time, the next one opens in summer
    // time.
    assert_eq!(around("2026-03-06 22:00:00"), CLOSES);
    assert_eq!(around("2026-03-08 21:00:00"), OPENS);
    assert_eq!(around("2026-03-13 21:00:00"), CLOSES);
}

#[test]
fn autumn_moves_it_back() {
    // Clocks go back on Sunday 2026-11-01 at 02:00.
    assert_eq!(around("2026-10-30 21:00:00"), CLOSES);
    assert_eq!(around("2026-11-01 22:00:00"), OPENS);
    assert_eq!(around("2026-11-06 22:00:00"), CLOSES);
}

#[test]
fn europes_clock_changes_do_not_move_it() {
    // Europe changes on 2026-03-29 and 2026-10-25, weeks after New York and a week before it.
    assert_eq!(around("2026-03-29 21:00:00"), OPENS);
    assert_eq!(around("2026-10-25 21:00:00"), OPENS);
}

#[test]
fn a_holiday_is_a_trading_day_of_new_york() {
    let mut fx = Calendar::fx();
    fx.close("2026-12-25".parse().unwrap());
    let open = |text: &str| fx.is_open(utc(text));
    assert!(open("2026-12-24 21:59:59") && !open("2026-12-24 22:00:00"));
    assert!(!open("2026-12-25 21:59:59"));
    assert!(!open("2026-12-25 22:00:00"), "the 25th is a Friday: the week is over");
    assert!(open("2026-12-27 22:00:00"));
}

#[test]
fn a_range_of_days_includes_its_last_one() {
    let mut fx = Calendar::fx();
    fx.close("2026-12-29..2026-12-30".parse().unwrap());
    fx.close("2026-12-23 13:00 .. 2026-12-23 17:00".parse().unwrap());
    let open = |text: &str| fx.is_open(utc(text));
    assert!(open("2026-12-28 21:59:59") && !open("2026-12-28 22:00:00"));
    assert!(!open("2026-12-30 21:59:59") && open("2026-12-30 22:00:00"));
    assert!(open("2026-12-23 17:59:59") && !open("2026-12-23 18:00:00"));
    assert!(!open("2026-12-23 21:59:59") && open("2026-12-23 22:00:00"));
}

#[test]
fn what_is_no_closure_is_refused() {
    for text in ["", "Christmas", "2026-02-30", "2026-12-26..2026-12-25", "2026-12-24 17:00..2026-12-24 13:00"] {
        assert!(text.parse::<Closure>().is_err(), "{text}");
    }
    assert!("2026-12-24 13:00".parse::<Closure>().is_err(), "a moment is no span");
    assert!("2026-12-24..2026-12-24 13:00".parse::<Closure>().is_err());
}

#[test]
fn a_market_may_have_sessions_and_days_of_its_own() {
    let sessions = ["Mon 08:00 - Mon 16:30", "Tue 08:00 - Tue 16:30"].map(|text| text.parse().unwrap()).to_vec();
    let mut london = Calendar::new(parse_zone("Europe/London").unwrap(), sessions, None);
    london.close("2026-07-14".parse().unwrap());
    let open = |text: &str| london.is_open(utc(text));
    assert!(!open("2026-07-13 06:59:59") && open("2026-07-13 07:00:00") && !open("2026-07-13 15:30:00"));
    assert!(!open("2026-07-14 10:00:00") && open("2026-07-21 10:00:00"));
    assert!("Sun 17:00".parse::<Session>().is_err() && "Someday 1:00 - Fri 2:00".parse::<Session>().is_err());
    assert!(parse_zone("Mars/Olympus").is_err());
}

#[test]
fn a_day_at_an_end_of_time_is_refused() {
    for day in ["-262143-01-01", "+262142-12-31", "0000-12-31", "+10000-01-01"] {
        assert!(day.parse::<Closure>().is_err(), "{day}");
    }
    for day in ["0001-01-01", "9999-12-31"] {
        for mut calendar in [Calendar::fx(), Calendar::always()] {
            calendar.close(day.parse().unwrap());
        }
    }
}

#[test]
fn always_is_always() {
    let always = Calendar::always();
    assert!(always.is_open(utc("2026-01-17 12:00:00")) && always.is_open(0));
    assert!(!always.is_open(i64::MAX), "a time that no calendar has");
}

#[test]
fn a_weekend_explains_its_gap_and_a_missing_hour_is_not_explained() {
    let fx = Calendar::fx();
    let (friday, sunday) = (utc("2026-01-16 22:00:00"), utc("2026-01-18 22:00:00"));
    assert!(!fx.expects_bar(friday, sunday, 3_600));
    assert!(fx.expects_bar(friday - 3_600, sunday, 3_600), "Friday's last hour is missing");
    assert!(fx.expects_bar(friday, sunday + 3_600, 3_600), "Sunday's first hour is missing");
    assert!(!fx.expects_bar(friday, friday, 3_600), "no gap at all");
    assert!(Calendar::always().expects_bar(friday, sunday, 3_600));
    let mut holiday = Calendar::fx();
    holiday.close("2026-01-19".parse().unwrap());
    assert!(!holiday.expects_bar(friday, sunday + 86_400, 3_600));
    assert!(!holiday.expects_bar(i64::MAX - 10, i64::MAX, 3_600), "no overflow");
}
