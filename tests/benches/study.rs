//! What `sentinel study` takes with odds in a file: 5,000 bars, and a million with a side named in each of them. Fails above 2 s, and
//! 60 s and 500 MB. Then the look-ahead check, which a study makes before it asks a model, of as many bars, as they are and made
//! of finer ones: together with the study it has to stay below the same bounds. `SENTINEL_BENCH_BARS` is another number of bars
//! than a million.

#![allow(clippy::unwrap_used, missing_docs)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

use sentinel::tools::study::{
    inputs::{Recipe, functions::Functions},
    look_ahead::{Series, check},
};
use sentinel_actors::{
    domain::{bar::Bar, calendar::Calendar, features::TimeColumns, interval::Interval},
    fetcher::OnGap,
};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

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

/// Runs it; how long it took, and its most memory in KiB.
fn run(folder: &Path) -> (Duration, u64) {
    let began = Instant::now();
    let mut study = Command::new(env!("CARGO_BIN_EXE_sentinel"))
        .args(["study", "--bars", "eurusd.csv", "--odds", "odds.csv", "--out", "out", "--studies", "studies.db"])
        .args(["--interval", "1m", "--spread-points", "8", "--trained-until", "2020-09-13"])
        .env("SENTINEL__MARKET__CALENDAR", "always")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", study.id());
    let mut most = 0;
    let done = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0));
        if let Some(done) = study.try_wait().unwrap() {
            break done;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(done.success());
    (began.elapsed(), most)
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
    let recipe = Recipe { interval, calendar: &calendar, jump_max: 0.5, lookback_bars: 200, time_columns, on_gap };
    let places: Vec<usize> = (199..bars.len()).collect();
    let series = Series { bars, times: &times, finer: made.is_some().then_some(source.as_slice()) };
    let began = Instant::now();
    let found = check(series, &places, &recipe, &functions, |_| {});
    assert_eq!((found.checked, found.unequal), (places.len() as u64, 0), "{:?}", found.first);
    began.elapsed()
}

/// Most memory of this process so far, in KiB.
fn most_memory() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn main() {
    let most = std::env::var("SENTINEL_BENCH_BARS").ok().and_then(|bars| bars.parse().ok()).unwrap_or(1_000_000);
    for (count, seconds, mb) in [(5_000, 2.0, 100), (most, 60.0, 500)] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), count);
        let (took, kib) = run(folder.path());
        let shown = took.as_secs_f64();
        println!("study of {count} bars: {shown:.1} s, {} MiB", kib / 1_024);
        assert!(shown <= seconds && kib * 1_024 <= mb * 1_000_000, "more than {seconds} s or {mb} MB");
        for interval in [Interval::OneMinute, Interval::FifteenMinutes, Interval::FourHours] {
            let checked = look_ahead(count, interval).as_secs_f64();
            let (name, kib) = (interval.as_str(), most_memory());
            println!("look-ahead check of {count} bars for {name}: {checked:.1} s, {} MiB", kib / 1_024);
            let both = shown + checked;
            assert!(
                both <= seconds && kib * 1_024 <= mb * 1_000_000,
                "with the study {both:.1} s, or more than {mb} MB"
            );
        }
    }
}
