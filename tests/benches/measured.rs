//! A command of the binary, run as a person runs it: what it takes, and its most memory. The benches of tools share it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Runs it in a folder, in a market that never closes, to its end, which is to be a good one. Its time, and its most memory in KiB.
pub fn run(folder: &Path, args: &[&str]) -> (Duration, u64) {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel"))
        .args(args)
        .env("SENTINEL__MARKET__CALENDAR", "always")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (process, mut most) = (command.id().to_string(), 0);
    let done = loop {
        most = most.max(most_memory(&process).unwrap_or(0));
        if let Some(done) = command.try_wait().unwrap() {
            break done;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(done.success(), "{args:?}: {done}");
    (began.elapsed(), most)
}

/// Most memory of a process so far, in KiB; `self` is this one. `None` if it has ended.
pub fn most_memory(process: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// `SENTINEL_BENCH_BARS`, or a million.
pub fn bars_asked() -> u32 {
    std::env::var("SENTINEL_BENCH_BARS").ok().and_then(|bars| bars.parse().ok()).unwrap_or(1_000_000)
}
