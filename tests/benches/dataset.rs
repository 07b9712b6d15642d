//! What `sentinel dataset` takes: a file of 20,000 bars into a folder of features, without the sequences and with them.
//! `SENTINEL_BENCH_BARS` is another number of bars.

#![allow(clippy::unwrap_used, missing_docs)] // a failing bench panics

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sentinel::tools::dataset::{Recipe, make};
use sentinel_actors::{
    domain::{calendar::Calendar, features::TimeColumns, interval::Interval},
    fetcher::OnGap,
};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

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

fn recipe(has_sequence: bool) -> Recipe {
    Recipe {
        interval: Interval::OneMinute,
        lookback_bars: 200,
        time_columns: TimeColumns::Utc,
        calendar: Arc::new(Calendar::always()),
        calendar_name: "always".into(),
        jump_max: 0.2,
        on_gap: OnGap::Continue,
        has_sequence,
    }
}

fn dataset(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("eurusd.csv");
    let count = std::env::var("SENTINEL_BENCH_BARS").ok().and_then(|bars| bars.parse().ok()).unwrap_or(20_000);
    bars(&path, count);
    let (inputs, out) = ([(path, "EURUSD".to_owned())], folder.path().join("out"));
    let mut group = criterion.benchmark_group("dataset");
    group.sample_size(10).throughput(Throughput::Elements(count as u64));
    for (name, has_sequence) in [("without sequences", false), ("with sequences", true)] {
        group.bench_function(BenchmarkId::new(name, count), |bencher| {
            bencher.iter(|| {
                make(&inputs, None, &recipe(has_sequence), &out).unwrap();
                fs::remove_dir_all(&out).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, dataset);
criterion_main!(benches);
