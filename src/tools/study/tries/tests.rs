//! Which studies count as tries of the same bars, and which as the same try.

use super::{
    schema::{APPLICATION_ID, MARKS, SCHEMA},
    *,
};
use std::fs;
use tempfile::TempDir;

fn a_try(id: &str, times: (i64, i64)) -> Try {
    let (symbol, model) = ("EURUSD".to_owned(), "one".to_owned());
    let (first_close_time, last_close_time) = times;
    let id = id.to_owned();
    let (interval, horizon_bars, trials, marks, odds_marks) = ("1h", 4, 62, Vec::new(), Vec::new());
    Try { id, symbol, interval, first_close_time, last_close_time, model, horizon_bars, trials, marks, odds_marks }
}

#[test]
fn every_other_try_on_these_bars_counts() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state/studies.db");
    let studies = |this: &Try| count(&path, this).unwrap().studies;
    assert_eq!(studies(&a_try("a", (0, 100))), 1);
    assert_eq!(studies(&a_try("a", (0, 100))), 1, "the same again is the same");
    assert_eq!(studies(&a_try("a", (0, 101))), 1, "with one more bar, too");
    assert_eq!(studies(&a_try("b", (50, 150))), 2);
    assert_eq!(studies(&a_try("c", (102, 200))), 2, "the first one ended before");
    assert_eq!(studies(&a_try("a", (0, 40))), 1);
    assert_eq!(studies(&a_try("f", (101, 101))), 3, "a shorter rerun does not undo the longer one");
    let other = Try { symbol: "USDJPY".into(), ..a_try("d", (0, 100)) };
    assert_eq!(studies(&other), 1);
    assert_eq!(studies(&Try { interval: "5m", ..a_try("e", (0, 100)) }), 3, "another interval of the same history");
    assert_eq!(count(&path, &a_try("b", (50, 150))).unwrap().trials, 5 * 62);
}

/// Bars of so many hours, from a Monday on.
fn bars(hours: usize, step: usize, shift: f64) -> (Vec<Bar>, Vec<i64>) {
    let begin = 1_794_787_200;
    let price = |hour: usize| 1.1 + (hour as f64).sin() * 1e-3 + shift;
    let bar = |at: usize| {
        let (open, close) = (price(at), price(at + step));
        let (high, low) = (open.max(close), open.min(close));
        Bar { open_time: begin + 3_600 * at as i64, open, high, low, close, volume: 0.0 }
    };
    let bars: Vec<Bar> = (0..hours / step).map(|at| bar(at * step)).collect();
    let closes = bars.iter().map(|bar| bar.open_time + 3_600 * step as i64).collect();
    (bars, closes)
}

#[test]
fn a_history_is_known_again_by_its_closes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("studies.db");
    let calendar = Calendar::always();
    let a_try = |id: &str, symbol: &str, (bars, times): (Vec<Bar>, Vec<i64>)| Try {
        symbol: symbol.into(),
        first_close_time: times[0],
        last_close_time: *times.last().unwrap(),
        marks: marks(&bars, &times, &calendar),
        ..a_try(id, (0, 0))
    };
    let studies = |this: &Try| count(&path, this).unwrap().studies;
    let first = a_try("a", "EURUSD", bars(240, 1, 0.0));
    assert_eq!((first.marks.len(), studies(&first)), (10, 1));
    assert_eq!(studies(&a_try("b", "EURUSDX", bars(240, 1, 0.0))), 2, "the same under another name");
    assert_eq!(studies(&a_try("c", "MINE", bars(240, 4, 0.0))), 3, "its bars of 4 hours");
    assert_eq!(studies(&a_try("d", "MORE", bars(400, 24, 0.0))), 4, "its days, and more of them");
    assert_eq!(studies(&a_try("e", "OTHER", bars(240, 1, 0.01))), 1, "another price");
    assert_eq!(studies(&first), 4);
}

#[test]
fn a_file_from_before_marks_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("studies.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(SCHEMA).unwrap();
    old.execute_batch("INSERT INTO studies VALUES ('old', 'EURUSD', '1h', 0, 50, 'one', 4, 124)").unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    let tried = count(&path, &Try { marks: vec![7], ..a_try("new", (40, 90)) }).unwrap();
    assert_eq!((tried.studies, tried.trials), (2, 186));
}

#[test]
fn a_check_counts_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state/studies.db");
    check(&path).unwrap();
    assert_eq!(count(&path, &a_try("a", (0, 100))).unwrap().studies, 1);
    check(&path).unwrap();
    assert_eq!(count(&path, &a_try("a", (0, 100))).unwrap().studies, 1);
    assert!(check(folder.path()).is_err(), "a folder");
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("studies.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE studies (a)").unwrap();
    for error in [count(&path, &a_try("a", (0, 1))).map(drop), check(&path)] {
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.contains("studies.db, which counts the studies of these bars: it belongs to another program"),
            "{error}"
        );
    }
    fs::write(&path, "no database, but a text that is long enough to be looked at as one").unwrap();
    assert!(count(&path, &a_try("a", (0, 1))).is_err());
    assert!(fs::read(&path).unwrap().starts_with(b"no database"));
}

/// Odds of so many hours from one on, and what a study of them is; 24 hours are a day.
fn of_odds(id: &str, hours: std::ops::Range<i64>, rules: &str, model: impl Fn(i64) -> f64) -> Try {
    let odds = hours.clone().map(|hour| (3_600 * hour, [0.2, 0.8 - model(hour), model(hour)]));
    let odds_marks = odds_marks(rules, odds, &Calendar::always());
    Try { odds_marks, ..a_try(id, (3_600 * hours.start, 3_600 * (hours.end - 1))) }
}

#[test]
fn a_day_is_known_by_its_last_odds() {
    let marks = |hours| of_odds("a", hours, "rules", |hour| hour as f64 / 1_000.0).odds_marks;
    let times = |marks: &[(i64, i64)]| marks.iter().map(|(time, _)| time / 3_600).collect::<Vec<_>>();
    // A bar that closes at midnight belongs to the day before.
    assert_eq!(times(&marks(1..73)), [24, 48, 72]);
    assert_eq!(times(&marks(20..60)), [24, 48, 59]);
    assert_eq!(marks(20..60)[..2], marks(1..73)[..2]);
    assert_ne!(marks(20..60)[1].1, of_odds("a", 20..60, "others", |hour| hour as f64 / 1_000.0).odds_marks[1].1);
}

#[test]
fn a_model_without_its_first_odds_is_the_same_try() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("studies.db");
    let (one, other) = (|hour: i64| (hour % 97) as f64 / 200.0, |hour: i64| (hour % 89) as f64 / 200.0);
    let studies = |this: &Try| count(&path, this).unwrap().studies;
    // Each week a journal has a week more at its end and a week less at its begin, so its first odds are others.
    for (week, id) in (0..6).zip(["a", "b", "c", "d", "e", "f"]) {
        let begin = 5 + week * 168;
        assert_eq!(studies(&of_odds(id, begin..begin + 24 * 60, "rules", one)), 1, "{id}");
    }
    assert_eq!(studies(&of_odds("g", 900..2_000, "rules", other)), 2, "another model");
    assert_eq!(studies(&of_odds("h", 900..2_000, "other rules", one)), 3, "another horizon");
    // Trained again in the middle: the days before are the same.
    let again = |hour: i64| if hour < 1_500 { one(hour) } else { other(hour) };
    assert_eq!(studies(&of_odds("i", 900..2_000, "rules", again)), 4, "a model that was trained again");
    assert_eq!(studies(&of_odds("j", 1_000..2_100, "rules", one)), 4, "the first one once more");
    assert_eq!(studies(&of_odds("k", 1_000..1_090, "rules", one)), 5, "four days are too few to know it by");
    assert_eq!(studies(&of_odds("k", 1_000..1_090, "rules", one)), 5);
}

#[test]
fn a_file_from_before_odds_were_kept_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("studies.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(SCHEMA).unwrap();
    old.execute_batch(MARKS).unwrap();
    old.execute_batch("INSERT INTO studies VALUES ('old', 'EURUSD', '1h', 0, 864000, 'one', 4, 62)").unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 2).unwrap();
    drop(old);
    let model = |hour: i64| hour as f64 / 1_000.0;
    assert_eq!(
        count(&path, &of_odds("old", 1..241, "rules", model)).unwrap().studies,
        1,
        "the same, and its odds are kept"
    );
    assert_eq!(count(&path, &of_odds("new", 25..265, "rules", model)).unwrap().studies, 1);
}
