//! What `sentinel study` takes with odds in a file, and with the same odds from a journal, whose features it makes again: 5,000 bars, and
//! a million with a side named in each of them. Fails above 2 s, and 60 s and 500 MB. Then the look-ahead check, which a study makes
//! before it asks a model, of as many bars, as they are and made of finer ones: together with the study it has to stay below the
//! same bounds. `SENTINEL_BENCH_BARS` is another number of bars than a million.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

mod measured;

use measured::{bars_asked, most_memory, run};
use rusqlite::{Connection, params};
use sentinel::tools::study::{
    inputs::{Recipe, functions::Functions},
    look_ahead::{Series, check},
};
use sentinel_actors::{
    adapters::journal::{Store, sequence_sha256},
    domain::{bar::Bar, calendar::Calendar, features::TimeColumns, interval::Interval},
    fetcher::OnGap,
};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

const LOOKBACK: usize = 200;

/// A walk of minutes in a market that never closes, and odds that know nothing of it; the same each time.
fn write(folder: &Path, count: u32) {
    let mut bars = BufWriter::new(File::create(folder.join("eurusd.csv")).unwrap());
    let mut odds = BufWriter::new(File::create(folder.join("odds.csv")).unwrap());
    writeln!(bars, "timestamp,open,high,low,close,volume").unwrap();
    writeln!(odds, "symbol,bar_close_time,p_sell,p_hold,p_buy").unwrap();
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 33) as u32) / f64::from(1_u32 << 31)
    };
    let mut price: f64 = 1.1;
    for row in 0..count {
        let (open, time) = (price, 1_600_000_020 + 60 * i64::from(row));
        price = (price + (random() - 0.5) * 0.0004).clamp(0.9, 1.3);
        let (high, low) = (open.max(price) + 0.0001, open.min(price) - 0.0001);
        writeln!(bars, "{time},{open:.5},{high:.5},{low:.5},{price:.5},{}", row % 900).unwrap();
        let (sure, is_buy) = (0.4 + random() * 0.55, random() < 0.5);
        let (sell, buy) = if is_buy { (0.0, sure) } else { (sure, 0.0) };
        writeln!(odds, "EURUSD,{},{sell},{},{buy}", time + 60, 1.0 - sure).unwrap();
    }
    bars.flush().unwrap();
    odds.flush().unwrap();
}

/// The same odds as a daemon records them, with the features that it made of each window, a cycle for each bar.
fn record(folder: &Path) {
    let path = folder.join("journal.db");
    drop(Store::open(&path).unwrap());
    let mut journal = Connection::open(&path).unwrap();
    let cycles = journal.transaction().unwrap();
    let numbers = |line: &str| line.split(',').filter_map(|field| field.parse().ok()).collect::<Vec<f64>>();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (bars, odds, mut window) = (read("eurusd.csv"), read("odds.csv"), Vec::new());
    for (cycle, (bar, odds)) in (1_i64..).zip(bars.lines().zip(odds.lines()).skip(1)) {
        let [open_time, open, high, low, close, volume] = numbers(bar)[..] else { panic!("{bar}") };
        let [closed, sell, hold, buy] = numbers(odds)[..] else { panic!("{odds}") };
        window.push(Bar { open_time: open_time as i64, open, high, low, close, volume });
        if window.len() > LOOKBACK {
            window.remove(0);
        }
        if window.len() < LOOKBACK {
            continue;
        }
        let made = (Functions::OF_THE_DAEMON.features)(&window, LOOKBACK - 1, LOOKBACK, TimeColumns::Utc).unwrap();
        let features = made.tabular.map(f64::to_le_bytes);
        let insert = "INSERT INTO decisions (cycle_id, symbol, bar_close_time, close, bars, features, sequence_sha256, p_sell, p_hold,
                      p_buy, threshold, action) VALUES (?1, 'EURUSD', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0.6, 'HOLD')";
        let row = params![
            cycle,
            closed as i64,
            close,
            LOOKBACK as i64,
            features.as_flattened(),
            sequence_sha256(&made.sequence),
            sell,
            hold,
            buy
        ];
        cycles.prepare_cached(insert).unwrap().execute(row).unwrap();
        let row = params![closed as i64, sell.max(hold).max(buy), cycle];
        let insert = "INSERT INTO confidences VALUES ('baseline', 'EURUSD', ?1, ?2, ?3)";
        cycles.prepare_cached(insert).unwrap().execute(row).unwrap();
    }
    cycles.commit().unwrap();
}

/// Studies these odds; how long it took, and its most memory in KiB.
fn study(folder: &Path, odds: &[&str]) -> (Duration, u64) {
    let args = ["study", "--bars", "eurusd.csv", "--out", "out", "--studies", "studies.db", "--interval", "1m"];
    let costs = ["--spread-points", "8", "--trained-until", "2020-09-13"];
    run(folder, &[&args[..], &costs, odds].concat())
}

/// Makes every decision on bars of this interval again, from so many bars of a file; how long it took.
fn look_ahead(count: u32, interval: Interval) -> Duration {
    let (calendar, source_s) = (Calendar::always(), interval.source_s());
    let bar = |row: u32| {
        let price = 1.1 + f64::from(row % 977) * 1e-5;
        let (high, low) = (price + 1e-4, price - 1e-4);
        let open_time = 1_599_998_400 + source_s * i64::from(row);
        Bar { open_time, open: price, high, low, close: price, volume: f64::from(row % 900) }
    };
    let source: Vec<Bar> = (0..count).map(bar).collect();
    let functions = Functions::OF_THE_DAEMON;
    let made = interval.is_made().then(|| (functions.resample)(&source, interval, &calendar, i64::MAX));
    let bars = made.as_deref().unwrap_or(&source);
    let times: Vec<i64> = bars.iter().map(|bar| bar.close_time(interval, &calendar)).collect();
    let (time_columns, on_gap) = (TimeColumns::Utc, OnGap::Continue);
    let recipe = Recipe { interval, calendar: &calendar, jump_max: 0.5, lookback_bars: LOOKBACK, time_columns, on_gap };
    let places: Vec<usize> = (LOOKBACK - 1..bars.len()).collect();
    let series = Series { bars, times: &times, finer: made.is_some().then_some(source.as_slice()) };
    let began = Instant::now();
    let found = check(series, &places, &recipe, &functions, |_| {});
    assert_eq!((found.checked, found.unequal), (places.len() as u64, 0), "{:?}", found.first);
    began.elapsed()
}

/// Prints it, and fails above a bound.
fn hold(what: &str, (took, kib): (Duration, u64), (seconds_max, mb_max): (f64, u64)) {
    let seconds = took.as_secs_f64();
    println!("{what}: {seconds:.1} s, {} MiB", kib / 1_024);
    let is_within = seconds <= seconds_max && kib > 0 && kib * 1_024 <= mb_max * 1_000_000;
    assert!(is_within, "{what}: more than {seconds_max} s or {mb_max} MB");
}

fn main() {
    for (count, bounds) in [(5_000, (2.0, 100)), (bars_asked(), (60.0, 500))] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), count);
        let of_file = study(folder.path(), &["--odds", "odds.csv"]);
        hold(&format!("study of {count} bars, odds in a file"), of_file, bounds);
        record(folder.path());
        let of_journal = study(folder.path(), &["--journal", "journal.db"]);
        hold(&format!("study of {count} bars, odds and features in a journal"), of_journal, bounds);
        for interval in [Interval::OneMinute, Interval::FifteenMinutes, Interval::FourHours] {
            let both = of_file.0 + look_ahead(count, interval);
            let what = format!("look-ahead check of {count} bars for {}, with the study of a file", interval.as_str());
            hold(&what, (both, most_memory("self").unwrap()), bounds);
        }
    }
}
