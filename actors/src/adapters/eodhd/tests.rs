//! The requests, and the effects of all kinds of answers.

use super::*;
use crate::domain::{
    calendar::Calendar,
    window::{BarRejection, clean},
};
use proptest::prelude::*;

fn price(open_time: i64, price: Option<f64>, volume: Option<f64>) -> RawBar {
    RawBar { open_time, open: price, high: price, low: price, close: price, volume }
}

fn is_bad_shape(body: &str) -> bool {
    matches!(parse(body.as_bytes()), Err(AnswerError::BadShape(_)))
}

#[test]
fn the_address_names_symbol_interval_and_range() {
    assert_eq!(
        intraday_url("https://eodhd.com", "EURUSD.FOREX", Interval::OneHour, Some((10, 20))),
        "https://eodhd.com/api/intraday/EURUSD.FOREX?interval=1h&from=10&to=20&fmt=json"
    );
    assert_eq!(
        intraday_url("http://localhost:1", "A/../B?x", Interval::OneMinute, None),
        "http://localhost:1/api/intraday/A%2F..%2FB%3Fx?interval=1m&fmt=json"
    );
}

#[test]
fn a_documented_answer_is_read() {
    let body = br#"[{"timestamp":1709510400,"gmtoffset":0,"datetime":"2024-03-04 00:00:00",
        "open":1.1,"high":1.3,"low":1.0,"close":1.2,"volume":null}]"#;
    let bar = RawBar {
        open_time: 1_709_510_400,
        open: Some(1.1),
        high: Some(1.3),
        low: Some(1.0),
        close: Some(1.2),
        volume: None,
    };
    assert_eq!(parse(body), Ok(vec![bar]));
    assert_eq!(parse(b"[]"), Ok(vec![]));
}

#[test]
fn numbers_may_be_strings_and_prices_may_be_null_or_missing() {
    let body = br#"[{"timestamp":"60","open":"1.5","high":" 1.5","low":"1.5","close":"15e-1","volume":"3"},
        {"timestamp":120.0,"open":null,"close":null,"unknown":{"deep":[1,{"er":null}]}},
        {"close":2,"timestamp":180,"open":2,"high":2,"low":2,"volume":0}]"#;
    let expected = [price(60, Some(1.5), Some(3.0)), price(120, None, None), price(180, Some(2.0), Some(0.0))];
    assert_eq!(parse(body).unwrap(), expected);
    let not_a_number = parse(br#"[{"timestamp":60,"open":"NA","high":1,"low":1,"close":1}]"#).unwrap();
    assert!(not_a_number[0].open.unwrap().is_nan(), "costs the bar, not the batch");
}

#[test]
fn what_is_no_array_of_bars_is_bad_shape_and_nothing_is_empty() {
    let bodies = [
        "{}",
        "null",
        "Unauthenticated",
        "<html>",
        r#"{"message":"no"}"#,
        "[1]",
        "[[60,1,1,1,1,1]]",
        r#"[{"open":1}]"#,
        r#"[{"timestamp":null}]"#,
        r#"[{"timestamp":"soon"}]"#,
        r#"[{"timestamp":-5}]"#,
        r#"[{"timestamp":60.5}]"#,
        r#"[{"timestamp":1709510400000000}]"#,
        r#"[{"timestamp":60,"open":true}]"#,
        r#"[{"timestamp":60}"#,
        r#"[{"timestamp":60}] x"#,
    ];
    for body in bodies {
        assert!(is_bad_shape(body), "{body}");
    }
    assert_eq!(parse(b""), Err(AnswerError::Empty));
    assert_eq!(parse(b" \r\n"), Err(AnswerError::Empty));
}

#[test]
fn a_number_that_is_none_costs_its_bar_at_most() {
    let row = |time: i64, key: &str, value: &str| {
        let told = |name: &str, usual: &str| if name == key { value.to_owned() } else { usual.to_owned() };
        format!(
            r#"{{"timestamp":{},"gmtoffset":{},"datetime":"NaN","open":{},"high":{},"low":{},"close":{},"volume":{}}}"#,
            told("timestamp", &time.to_string()),
            told("gmtoffset", "0"),
            told("open", "1.5"),
            told("high", "1.5"),
            told("low", "1.5"),
            told("close", "1.5"),
            told("volume", "2"),
        )
    };
    for value in ["NaN", "-NaN", "nan", "Infinity", "-Infinity", "inf", "-nan(ind)", "1e999", "-1e999"] {
        let unused = format!("[{},{}]", row(3_600, "gmtoffset", value), row(7_200, "", ""));
        let good = [price(3_600, Some(1.5), Some(2.0)), price(7_200, Some(1.5), Some(2.0))];
        assert_eq!(parse(unused.as_bytes()).unwrap(), good, "{value}: nobody needs it");
        for key in ["timestamp", "open", "high", "low", "close", "volume"] {
            let body = format!("[{},{}]", row(3_600, key, value), row(7_200, "", ""));
            let rows = parse(body.as_bytes()).unwrap();
            let cleaned = clean(&rows, Interval::OneHour, &Calendar::always(), None);
            let times: Vec<_> = cleaned.bars.iter().map(|bar| bar.open_time).collect();
            assert_eq!(times, [7_200], "{key}: {value}");
            let counted: Vec<_> = cleaned.rejected.counted().into_iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(BarRejection::NotFinite, 1)], "{key}: {value}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_read_over() {
    let body = "\u{feff}[{\"timestamp\":60,\"open\":1,\"high\":1,\"low\":1,\"close\":1}]";
    assert_eq!(parse(body.as_bytes()), Ok(vec![price(60, Some(1.0), None)]));
    assert_eq!(parse("\u{feff}".as_bytes()), Err(AnswerError::Empty));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }

    #[test]
    fn a_mutated_answer_never_panics_and_times_stay_in_range(
        rows in 0..5usize,
        mutations in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let row = r#"{"timestamp":1709510400,"datetime":"2024","open":"1.1","high":1.3e0,"low":null,"close":1,"volume":9}"#;
        let mut body = format!("[{}]", vec![row; rows].join(",")).into_bytes();
        for (at, byte) in mutations {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(3 * body.len()).saturating_add(1));
        if let Ok(rows) = parse(&body) {
            prop_assert!(rows.iter().all(|row| (0..=OPEN_TIME_MAX).contains(&row.open_time)));
        }
    }
}
