//! What `sentinel dataset` takes for a million bars: the 23 features within 10 s and 300 MB, or it fails; then the sequences as well
//! (5.5 GB, where the disk has the place), which have the same bound of memory, while their time is that of the disk.
//! `SENTINEL_BENCH_BARS` is another number of bars.

#![allow(clippy::unwrap_used, missing_docs)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Bounds: seconds without sequences, and the most memory in KiB with and without them.
const SECONDS_MAX: f64 = 10.0;
const MEMORY_MAX_KIB: u64 = 300_000_000 / 1_024;

/// Minutes of a market that never closes, no two of which are alike.
fn bars(path: &Path, count: usize) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    writeln!(out, "timestamp,open,high,low,close,volume").unwrap();
    for row in 0..count {
        let close = 1.1 + (row as f64 / 700.0).sin() / 50.0 + (row as f64 / 3.0).cos() / 2_000.0;
        let (time, open) = (1_600_000_020 + 60 * row, close + 0.0001);
        writeln!(out, "{time},{open:.5},{:.5},{:.5},{close:.5},{}", close + 0.0006, close - 0.0004, row % 900).unwrap();
    }
    out.flush().unwrap();
}

/// Runs it; how long it took, and its most memory in KiB.
fn run(folder: &Path, flags: &[&str]) -> (Duration, u64) {
    let began = Instant::now();
    let mut dataset = Command::new(env!("CARGO_BIN_EXE_sentinel"))
        .args(["dataset", "--bars", "eurusd.csv", "--interval", "1m", "--out", "out"])
        .args(flags)
        .env("SENTINEL__MARKET__CALENDAR", "always")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", dataset.id());
    let mut most = 0;
    let done = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0));
        if let Some(done) = dataset.try_wait().unwrap() {
            break done;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(done.success());
    let took = began.elapsed();
    fs::remove_dir_all(folder.join("out")).unwrap();
    (took, most)
}

fn main() {
    let count = std::env::var("SENTINEL_BENCH_BARS").ok().and_then(|bars| bars.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    bars(&folder.path().join("eurusd.csv"), count);
    for (name, flags, seconds_max) in
        [("without sequences", &["--no-sequence"][..], SECONDS_MAX), ("with sequences", &[], f64::INFINITY)]
    {
        let (took, kib) = run(folder.path(), flags);
        let seconds = took.as_secs_f64();
        println!("dataset of {count} bars {name}: {seconds:.1} s, {} MiB", kib / 1_024);
        assert!(seconds <= seconds_max, "more than {seconds_max} s");
        assert!(kib > 0 && kib <= MEMORY_MAX_KIB, "{kib} KiB are more than {MEMORY_MAX_KIB}");
    }
}
