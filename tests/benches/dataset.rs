//! What `sentinel dataset` takes for a million bars: 10 s and 300 MB, or it fails. With the sequences it writes 5.9 GB, for which the
//! disk may need longer: then it is what a plain write of as many bytes takes at that time, and a quarter more. `SENTINEL_BENCH_BARS`
//! is another number of bars.

#![allow(clippy::unwrap_used, missing_docs)] // a failing bench panics
#![allow(clippy::print_stdout)] // its figures

mod measured;

use measured::{bars_asked, run};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

/// Bounds: seconds, or so many times those of the disk alone; and the most memory in KiB.
const SECONDS_MAX: f64 = 10.0;
const OF_THE_DISK_MAX: f64 = 1.25;
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

/// What the disk alone takes for as many bytes, which nothing has to make.
fn plain_write(folder: &Path, bytes: u64) -> Duration {
    let path = folder.join("plain");
    let block: Vec<u8> = (0..1_u32 << 20).flat_map(|at| at.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let began = Instant::now();
    let mut file = File::create_new(&path).unwrap();
    let mut left = usize::try_from(bytes).unwrap();
    while left > 0 {
        let part = &block[..left.min(block.len())];
        file.write_all(part).unwrap();
        left -= part.len();
    }
    file.sync_all().unwrap();
    let took = began.elapsed();
    fs::remove_file(path).unwrap();
    took
}

fn main() {
    let count = bars_asked();
    let folder = tempfile::tempdir().unwrap();
    bars(&folder.path().join("eurusd.csv"), count);
    for (name, flags) in [("without sequences", &["--no-sequence"][..]), ("with sequences", &[])] {
        let args = ["dataset", "--bars", "eurusd.csv", "--interval", "1m", "--out", "out"];
        let (took, kib) = run(folder.path(), &[&args[..], flags].concat());
        let out = folder.path().join("out");
        let bytes = fs::read_dir(&out).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        fs::remove_dir_all(out).unwrap();
        let (seconds, disk) = (took.as_secs_f64(), plain_write(folder.path(), bytes).as_secs_f64());
        let memory = kib / 1_024;
        println!(
            "dataset of {count} bars {name}: {seconds:.1} s, {memory} MiB; a plain write of {bytes} bytes: {disk:.1} s"
        );
        let seconds_max = SECONDS_MAX.max(OF_THE_DISK_MAX * disk);
        assert!(seconds <= seconds_max, "more than {seconds_max:.1} s");
        assert!(kib > 0 && kib <= MEMORY_MAX_KIB, "{kib} KiB are more than {MEMORY_MAX_KIB}");
    }
}
