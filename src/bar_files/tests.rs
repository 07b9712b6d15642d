//! Files of bars: what is read, what is refused and by which line, and that numbers read back as they were written.

use super::*;
use chrono::NaiveDateTime;
use proptest::prelude::*;
use sentinel_actors::domain::{bar::Bar, calendar::Calendar, interval::Interval};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

const HOUR: i64 = 3_600;
/// 2024-01-08 00:00 UTC, a Monday.
const MONDAY: i64 = 1_704_672_000;
const HEADER: &str = "timestamp,open,high,low,close,volume";

/// A file of this name and text, in a folder of its own.
fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn read_text(name: &str, text: &str, zone: Option<&str>) -> Result<Rows, String> {
    let (_folder, path) = file(name, text);
    let zone = zone.map(|zone| zone.parse::<Zone>().unwrap());
    read(&path, zone.as_ref()).map_err(|error| error.to_string())
}

/// Hourly lines that open at these times.
fn lines(times: impl IntoIterator<Item = i64>) -> String {
    let rows: Vec<_> = times.into_iter().map(|time| format!("{time},1.1,1.2,1.0,1.1,5")).collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn checked(text: &str, interval: Interval) -> Result<(), String> {
    let rows = read_text("x.csv", text, None)?;
    let calendar = Calendar::fx();
    assert_eq!(rows.interval().map_err(|error| error.to_string())?, interval);
    rows.check(interval, &Checks { calendar: &calendar, jump_max: 0.2 }).map_err(|error| error.to_string())
}

#[test]
fn a_symbol_is_called_as_its_file() {
    for (name, symbol) in [
        ("bars/eurusd_h1.csv", "EURUSD"),
        ("EURUSD.FOREX.json", "EURUSD"),
        ("GBPJPY_M1_202001020000_202012312359.csv", "GBPJPY"),
        ("AAPL.US.csv", "AAPL.US"),
        ("usdjpy", "USDJPY"),
    ] {
        assert_eq!(symbol_of(Path::new(name)), symbol);
    }
}

#[test]
fn columns_come_in_any_order_and_lines_with_any_end() {
    let text =
        format!("\u{feff}Volume,Timestamp,\"Close\",High,Low,Open,Gmtoffset\r\n\r\n,{MONDAY},1.1,1.2,1.0,1.15,0");
    let rows = read_text("x.csv", &text, None).unwrap();
    let bar = Bar { open_time: MONDAY, open: 1.15, high: 1.2, low: 1.0, close: 1.1, volume: 0.0 };
    assert_eq!((rows.format, rows.bars), (Format::Csv, vec![bar]));
    assert_eq!(rows.sha256, hex(&Sha256::digest(text.as_bytes())));
}

#[test]
fn what_cannot_be_is_named_by_its_line() {
    for (line, words) in [
        ("1704675600,1.1,1.2,1.0,1.1", "line 3: 5 fields, and the header has 6"),
        ("1704675600.5,1.1,1.2,1.0,1.1,5", "line 3: timestamp '1704675600.5' is not a whole number"),
        ("1704675600000,1.1,1.2,1.0,1.1,5", "line 3: timestamp 1704675600000 is not unix seconds; milliseconds?"),
        ("-5,1.1,1.2,1.0,1.1,5", "line 3: timestamp -5 is not unix seconds"),
        ("1704675600,1.1,1.2,1.0,,5", "line 3: close '' is not a number"),
        ("1704675600,1.1,1.2,1.0,inf,5", "line 3: close inf is not finite"),
        ("1704675600,1.1,1.2,1.0,1.1,-1", "line 3: volume -1.0 cannot be"),
        ("1704675600,1.1,1.2,0,1.1,5", "line 3: low 0.0 cannot be"),
        ("1704675600,1.1,1.0,1.2,1.1,5", "line 3: high 1.0 is below low 1.2"),
        ("1704675600,1.3,1.2,1.0,1.1,5", "line 3: open 1.3 is outside low 1.0 to high 1.2"),
        ("1704672000,1.1,1.2,1.0,1.1,5", "line 3: timestamp 1704672000 is that of the bar before"),
        ("1704668400,1.1,1.2,1.0,1.1,5", "line 3: timestamp 1704668400 is before 1704672000: oldest first"),
    ] {
        let said = read_text("x.csv", &format!("{}{line}\n", lines([MONDAY])), None).unwrap_err();
        assert!(said.contains("x.csv line 3") && said.contains(words), "{said}");
    }
    let said = read_text("x.csv", "timestamp,open,high,low,close\n", None).unwrap_err();
    assert!(said.contains("line 1: no column volume. The header is to have timestamp,open"), "{said}");
    assert!(read_text("x.csv", "", None).unwrap_err().contains("line 1: no column timestamp"));
    assert!(read(Path::new("/nowhere/x.csv"), None).unwrap_err().to_string().contains("No such file"));
}

#[test]
fn bars_of_two_intervals_are_refused() {
    let hours = |from: i64, count: i64, step: i64| (0..count).map(move |n| from + n * step * HOUR);
    assert_eq!(checked(&lines(hours(MONDAY, 40, 1)), Interval::OneHour), Ok(()));
    let half = hours(MONDAY, 30, 1).chain(hours(MONDAY + 30 * HOUR + 1_800, 10, 1));
    let said = checked(&lines(half), Interval::OneHour).unwrap_err();
    assert!(said.contains("line 32: opens 5400 s after the bar before"), "{said}");
    let longer = hours(MONDAY, 50, 1).chain(hours(MONDAY + 53 * HOUR, 25, 4));
    let said = checked(&lines(longer), Interval::OneHour).unwrap_err();
    assert!(said.contains("line 52: from here on bars are 14400 s apart, and most are 3600 s"), "{said}");
    let said = read_text("x.csv", &lines(hours(MONDAY, 9, 2)), None).unwrap().interval().unwrap_err().to_string();
    assert!(said.contains("line 3: bars are 7200 s apart, and Sentinel has bars of 1m, 5m"), "{said}");
}

/// Opens of daily bars from a Sunday 22:00 UTC on, five a week.
fn days(sunday: i64, count: i64) -> impl Iterator<Item = i64> {
    (0..count).map(move |n| sunday + (n / 5 * 7 + n % 5) * 24 * HOUR)
}

#[test]
fn daily_bars_with_weekends_among_hours_are_refused() {
    let sunday = MONDAY - 2 * HOUR;
    let week = |week: i64| (0..120).map(move |n| sunday + week * 7 * 24 * HOUR + n * HOUR);
    // More hours than days: they are taken for bars of 1h.
    let days_first = days(sunday, 500).chain((100..140).flat_map(week));
    let said = checked(&lines(days_first), Interval::OneHour).unwrap_err();
    assert!(said.contains("line 3: from here on bars are 86400 s apart, and most are 3600 s"), "{said}");
    let days_last = (0..2).flat_map(week).chain(days(sunday + 14 * 24 * HOUR, 21));
    let said = checked(&lines(days_last), Interval::OneHour).unwrap_err();
    assert!(said.contains("line 243: from here on bars are 86400 s apart"), "{said}");
}

#[test]
fn holes_among_bars_are_no_other_interval() {
    // After each number of hours one bar.
    let apart = |hours: &[i64]| {
        let mut time = MONDAY;
        let rest = hours.iter().map(move |hours| {
            time += hours * HOUR;
            time
        });
        lines((0..60).map(|n| MONDAY - (60 - n) * HOUR).chain([MONDAY]).chain(rest))
    };
    let of = |other: i64, count: usize| [vec![other; count], vec![1; 20 - count], vec![1; 20]].concat();
    for (hours, is_taken) in [
        // 4h is an interval, 2h is none.
        (of(4, 15), true),
        (of(4, 16), false),
        (of(2, 19), true),
        (of(2, 20), false),
        ([1, 24, 72, 2, 3].repeat(30), true),
    ] {
        assert_eq!(checked(&apart(&hours), Interval::OneHour).is_ok(), is_taken, "{hours:?}");
    }
}

#[test]
fn made_bars_stand_at_their_edges() {
    // Trading days of the FX calendar begin at 22:00 UTC in winter.
    let four_hours = |from: i64| lines((0..30).map(move |n| from + n * 4 * HOUR));
    assert_eq!(checked(&four_hours(MONDAY + 2 * HOUR), Interval::FourHours), Ok(()));
    let said = checked(&four_hours(MONDAY), Interval::FourHours).unwrap_err();
    assert!(
        said.contains("line 2: timestamp 1704672000: bars of 4h begin and close at 17:00 America/New_York"),
        "{said}"
    );
}

#[test]
fn a_jump_is_named_by_its_line() {
    let jump = lines([MONDAY, MONDAY + HOUR]) + &format!("{},1.1,1.9,1.0,1.1,5\n", MONDAY + 2 * HOUR);
    let said = checked(&jump, Interval::OneHour).unwrap_err();
    assert!(said.contains("line 4: high 1.9 is more than 20% from the close before, 1.1") && said.contains("jump_max"));
}

#[test]
fn an_answer_of_eodhd_is_read_without_its_empty_rows() {
    let row = |time: i64, close: &str| {
        format!(
            "{{\"timestamp\":{time},\"gmtoffset\":0,\"open\":1.1,\"high\":1.2,\"low\":1.0,\"close\":{close},\"volume\":null}}"
        )
    };
    let rows = [row(MONDAY, "1.1"), row(MONDAY + HOUR, "null"), row(MONDAY + 2 * HOUR, "1.15")];
    let read = read_text("EURUSD.json", &format!("[{}]", rows.join(",")), None).unwrap();
    assert_eq!((read.format, read.bars.len(), read.without_prices), (Format::EodhdJson, 2, 1));
    let bad = format!("[{},{}]", row(MONDAY, "1.1"), row(MONDAY + HOUR, "9"));
    let said = read_text("EURUSD.json", &bad, None).unwrap_err();
    assert!(
        said.contains("EURUSD.json row 2: the bar that opens 2024-01-08 01:00 UTC: close 9.0 is outside"),
        "{said}"
    );
    for close in ["NaN", "1e999", "\"x\""] {
        let said = read_text("EURUSD.json", &format!("[{}]", row(MONDAY, close)), None).unwrap_err();
        assert!(said.contains("2024-01-08 00:00 UTC: a number is missing: NaN, or too large"), "{said}");
    }
    let moved = format!("[{},{}]", row(MONDAY, "1.1"), row(MONDAY + HOUR, "1.1").replace(":0,", ":-18000,"));
    let said = read_text("EURUSD.json", &moved, None).unwrap_err();
    assert!(said.contains("row 2: gmtoffset '-18000' is not 0"), "{said}");
    let said = read_text("EURUSD.json", "{\"message\":\"no\"}", None).unwrap_err();
    assert!(said.contains("not an array of bars") && said.contains("as it comes"), "{said}");
}

fn export(rows: &[(&str, &str)]) -> String {
    let head = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n";
    let row = |(date, time): &(&str, &str)| format!("{date}\t{time}\t1.1\t1.2\t1.0\t1.1\t77\t0\t3\r\n");
    head.to_owned() + &rows.iter().map(row).collect::<String>()
}

#[test]
fn an_export_of_metatrader_has_the_brokers_time() {
    let text = export(&[("2024.01.08", "00:00:00"), ("2024.07.08", "00:00:00")]);
    let opened = |zone: &str| {
        let rows = read_text("EURUSD_H1.csv", &text, Some(zone)).unwrap();
        assert_eq!((rows.format, rows.bars[0].volume), (Format::MetaTrader, 77.0));
        rows.bars.iter().map(|bar| (bar.open_time - MONDAY).rem_euclid(24 * HOUR) / HOUR).collect::<Vec<_>>()
    };
    assert_eq!(opened("UTC"), [0, 0]);
    assert_eq!(opened("UTC+3"), [21, 21]);
    assert_eq!(opened("America/New_York+7"), [22, 21]);
    assert_eq!(opened("Europe/London+2"), [22, 21]);
    let said = read_text("EURUSD_H1.csv", &text, None).unwrap_err();
    assert!(said.contains("line 1: MetaTrader writes the broker's time: --time-zone"), "{said}");
    let said = read_text("x.csv", &lines([MONDAY]), Some("UTC")).unwrap_err();
    assert!(said.contains("--time-zone is for what MetaTrader exports"), "{said}");
    let said = read_text("x.csv", "<DATE>\t<OPEN>\n", Some("UTC")).unwrap_err();
    assert!(said.contains("line 1: no column <HIGH>, <LOW>, <CLOSE>, <TICKVOL>"), "{said}");
    let said = read_text("x.csv", &export(&[("2024-01-08", "00:00")]), Some("UTC")).unwrap_err();
    assert!(said.contains("line 2: date '2024-01-08' is not YYYY.MM.DD"), "{said}");
}

#[test]
fn two_columns_of_one_name_are_refused() {
    for (header, name) in [("open", "open"), ("\"Volume\"", "volume"), ("datetime,datetime", "datetime")] {
        let said = read_text("x.csv", &format!("{HEADER},{header}\n"), None).unwrap_err();
        assert!(said.contains(&format!("line 1: two columns are called {name}")), "{said}");
    }
    assert!(read_text("x.csv", &format!("{HEADER},note,note\n"), None).is_ok(), "nobody reads these");
    let twice = export(&[]).replace("<VOL>", "<OPEN>");
    let said = read_text("x.csv", &twice, Some("UTC")).unwrap_err();
    assert!(said.contains("line 1: two columns are called <OPEN>"), "{said}");
}

#[test]
fn a_zone_for_what_is_no_export_is_refused_by_the_truth() {
    let bar = "2024.01.08,00:00,1.1,1.2,1.0,1.1,77\n";
    let commas = export(&[("2024.01.08", "00:00")]).replace('\t', ",");
    for (text, words) in [
        (bar, "x.csv line 1: is a bar: the file has no header, as those of MetaTrader 4 have none"),
        ("Date,Open\n", "x.csv line 1: is not the header of an export, which begins with <DATE>"),
        (&commas, "x.csv line 1: columns are separated by commas, not tabs"),
        (&commas.replace(',', ";"), "x.csv line 1: columns are separated by semicolons, not tabs"),
        (HEADER, "--time-zone is for what MetaTrader exports"),
    ] {
        let said = read_text("x.csv", text, Some("UTC")).unwrap_err();
        assert!(said.contains(words), "{said}");
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x.csv");
    for is_little in [true, false] {
        let pair = |unit: u16| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        for mark in ["\u{feff}", ""] {
            fs::write(&path, format!("{mark}{}", export(&[])).encode_utf16().flat_map(pair).collect::<Vec<_>>())
                .unwrap();
            for zone in [None, Some("UTC".parse::<Zone>().unwrap())] {
                let said = read(&path, zone.as_ref()).unwrap_err().to_string();
                assert!(said.contains("x.csv: the text is UTF-16: save it as UTF-8"), "{said}");
            }
        }
    }
}

#[test]
fn a_comma_between_quotes_separates_nothing() {
    let text = format!("note,{HEADER}\n\"a, b\",{MONDAY},\"1.1\",1.2,1.0,1.1,5\n");
    assert_eq!(read_text("x.csv", &text, None).unwrap().bars[0].open, 1.1);
}

#[test]
fn an_offset_from_utc_is_refused() {
    let text = |offset: &str| format!("{HEADER},gmtoffset\n{MONDAY},1.1,1.2,1.0,1.1,5,{offset}\n");
    for utc in ["0", "", "0.0"] {
        assert!(read_text("x.csv", &text(utc), None).is_ok(), "{utc}");
    }
    let said = read_text("x.csv", &text("3600"), None).unwrap_err();
    assert!(said.contains("line 2: gmtoffset '3600' is not 0"), "{said}");
}

#[test]
fn the_hour_that_autumn_repeats_is_read_twice_and_that_of_spring_never() {
    let autumn =
        export(&[("2024.10.27", "00:00"), ("2024.10.27", "01:00"), ("2024.10.27", "01:00"), ("2024.10.27", "02:00")]);
    let rows = read_text("x.csv", &autumn, Some("Europe/London")).unwrap();
    assert!(rows.bars.windows(2).all(|pair| pair[1].open_time - pair[0].open_time == HOUR), "{:?}", rows.bars);
    let spring = export(&[("2024.03.31", "01:30")]);
    let said = read_text("x.csv", &spring, Some("Europe/London")).unwrap_err();
    assert!(said.contains("line 2: 2024-03-31 01:30:00 does not exist by Europe/London"), "{said}");
}

#[test]
fn a_zone_is_a_name_and_hours_on_top() {
    for text in ["UTC", "UTC+2", "America/New_York+7", "Europe/London-1"] {
        assert_eq!(text.parse::<Zone>().unwrap().to_string(), text);
    }
    for text in ["", "EET", "+2", "UTC+99", "Moon/Sea"] {
        assert!(text.parse::<Zone>().is_err(), "{text}");
    }
    let noon = NaiveDateTime::parse_from_str("2024-01-08 12:00:00", "%F %T").unwrap();
    assert_eq!("UTC-2".parse::<Zone>().unwrap().utc(noon, None), Ok(MONDAY + 14 * HOUR));
}

#[test]
fn a_place_is_taken_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("a/out");
    let names = || fs::read_dir(folder.path().join("a")).unwrap().count();
    let place = NewPlace::claim(&out).unwrap();
    fs::create_dir(place.path()).unwrap();
    fs::write(place.path().join("x"), "half").unwrap();
    drop(place);
    assert_eq!(names(), 0);
    // What a run that was killed has left does not keep the next one from it.
    fs::create_dir(folder.path().join("a/out.partial")).unwrap();
    let place = NewPlace::claim(&out).unwrap();
    fs::write(place.path(), "whole").unwrap();
    place.finish().unwrap();
    assert_eq!((fs::read_to_string(&out).unwrap().as_str(), names()), ("whole", 1));
    assert!(NewPlace::claim(&out).unwrap_err().to_string().contains("is already there"));
}

#[test]
fn a_place_that_another_run_writes_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let first = NewPlace::claim(&out).unwrap();
    fs::write(first.path(), "first").unwrap();
    let said = NewPlace::claim(&out).unwrap_err().to_string();
    assert!(said.contains("out is being written by another run"), "{said}");
    assert_eq!(fs::read_to_string(first.path()).unwrap(), "first");
    drop(first);
    // A lock that nobody holds is what a killed run has left.
    fs::write(folder.path().join("out.lock"), "").unwrap();
    let second = NewPlace::claim(&out).unwrap();
    fs::write(second.path(), "second").unwrap();
    second.finish().unwrap();
    assert_eq!(
        (fs::read_to_string(&out).unwrap().as_str(), fs::read_dir(folder.path()).unwrap().count()),
        ("second", 1)
    );
}

#[test]
fn a_name_that_was_taken_meanwhile_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let place = NewPlace::claim(&out).unwrap();
    fs::write(place.path(), "mine").unwrap();
    fs::write(&out, "theirs").unwrap();
    assert!(place.finish().is_err());
    assert_eq!(fs::read_to_string(&out).unwrap(), "theirs");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A bar that the daemon would take, of any size that a float64 has.
fn any_bar() -> impl Strategy<Value = Bar> {
    let price = prop_oneof![1e-300..1e300_f64, 0.5..2.0_f64, Just(f64::MIN_POSITIVE), Just(f64::MAX)];
    let volume = prop_oneof![Just(0.0), 0.0..1e12_f64, (0_u64..1 << 60).prop_map(|volume| volume as f64)];
    (0..50_000_000_i64, prop::array::uniform4(price), volume).prop_map(|(hour, mut prices, volume)| {
        prices.sort_by(f64::total_cmp);
        let [low, open, close, high] = prices;
        Bar { open_time: hour, open, high, low, close, volume }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bars_read_back_as_they_were_written(bars in prop::collection::vec(any_bar(), 0..20)) {
        let mut bars = bars;
        bars.sort_by_key(|bar| bar.open_time);
        bars.dedup_by_key(|bar| bar.open_time);
        let mut text = Vec::new();
        csv::write_header(&mut text).unwrap();
        bars.iter().for_each(|bar| csv::write_bar(&mut text, bar).unwrap());
        prop_assert_eq!(csv::bars(&String::from_utf8(text).unwrap()).unwrap(), bars);
    }
}
