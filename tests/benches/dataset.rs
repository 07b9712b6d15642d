//! What `sentinel dataset` takes for a million bars: the 23 features within 10 s and 300 MB, or it fails; then the sequences as well
//! (5.5 GB, where the disk has the place), which have the same bound of memory, while their time is that of the disk.
//! `SENTINEL_BENCH_BARS` is another number of bars.

#![allow(clippy::unwrap_used, missing_docs)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

mod measured;

use measured::{bars_asked, run};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

/// Bounds: seconds without sequences, and the most memory in KiB with and without them.
const SECONDS_MAX: f64 = 10.0;
const MEMORY_MAX_KIB: u64 = 300_000_000 / 1_024;

/// Minutes of a market that never closes, no two of which are alike.
fn bars(path: &Path, count: u32) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    writeln!(out, "timestamp,open,high,low,close,volume").unwrap();
    for row in 0..count {
        let close = 1.1 + (f64::from(row) / 700.0).sin() / 50.0 + (f64::from(row) / 3.0).cos() / 2_000.0;
        let (time, open) = (1_600_000_020 + 60 * i64::from(row), close + 0.0001);
        writeln!(out, "{time},{open:.5},{:.5},{:.5},{close:.5},{}", close + 0.0006, close - 0.0004, row % 900).unwrap();
    }
    out.flush().unwrap();
}

fn main() {
    let count = bars_asked();
    let folder = tempfile::tempdir().unwrap();
    bars(&folder.path().join("eurusd.csv"), count);
    for (name, flags, seconds_max) in
        [("without sequences", &["--no-sequence"][..], SECONDS_MAX), ("with sequences", &[], f64::INFINITY)]
    {
        let args = ["dataset", "--bars", "eurusd.csv", "--interval", "1m", "--out", "out"];
        let (took, kib) = run(folder.path(), &[&args[..], flags].concat());
        fs::remove_dir_all(folder.path().join("out")).unwrap();
        let seconds = took.as_secs_f64();
        println!("dataset of {count} bars {name}: {seconds:.1} s, {} MiB", kib / 1_024);
        assert!(seconds <= seconds_max, "more than {seconds_max} s");
        assert!(kib > 0 && kib <= MEMORY_MAX_KIB, "{kib} KiB are more than {MEMORY_MAX_KIB}");
    }
}
