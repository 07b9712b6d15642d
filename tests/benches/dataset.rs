//! What `sentinel dataset` takes for a million bars: 10 s and 300 MB, or it fails. With the sequences it writes 5.9 GB, for which the
//! disk may need longer: then it is what a plain write of as many bytes takes at that time, and a quarter more. `SENTINEL_BENCH_BARS`
//! is another number of bars.

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

/// Bounds: seconds, or so many times those of the disk alone; and the most memory in KiB.
const SECONDS_MAX: f64 = 10.0;
const OF_THE_DISK_MAX: f64 = 1.25;
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

/// Runs it; how long it took, its most memory in KiB, and how many bytes it wrote.
fn run(folder: &Path, flags: &[&str]) -> (Duration, u64, u64) {
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
    let files = fs::read_dir(folder.join("out")).unwrap();
    let bytes = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    fs::remove_dir_all(folder.join("out")).unwrap();
    (took, most, bytes)
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
    let count = std::env::var("SENTINEL_BENCH_BARS").ok().and_then(|bars| bars.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    bars(&folder.path().join("eurusd.csv"), count);
    for (name, flags) in [("without sequences", &["--no-sequence"][..]), ("with sequences", &[])] {
        let (took, kib, bytes) = run(folder.path(), flags);
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
