//! The cost of reading an answer: 200 bars, and 2,061, which are 120 days of a market that is open five days a week.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sentinel_actors::{
    adapters::eodhd::parse,
    domain::{calendar::Calendar, interval::Interval, window::clean},
};
use std::{fmt::Write, hint::black_box};

/// An answer in EODHD's format.
fn answer(rows: i64) -> String {
    let mut body = String::from("[");
    for row in 0..rows {
        let (comma, time, price) =
            (if row == 0 { "" } else { "," }, 1_700_000_000 + 3_600 * row, 1.08 + row as f64 / 1e5);
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            r#"{comma}{{"timestamp":{time},"gmtoffset":0,"datetime":"2024-03-04 00:00:00","open":{price:.5},"high":{:.5},"low":{:.5},"close":{price:.5},"volume":{row}}}"#,
            price + 0.001,
            price - 0.001,
        );
    }
    body + "]"
}

fn bars(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bars");
    let calendar = Calendar::fx();
    for rows in [200, 2_061] {
        let body = answer(rows);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("parse", rows), &body, |bencher, body| {
            bencher.iter(|| parse(black_box(body.as_bytes())));
        });
        let parsed = parse(body.as_bytes()).unwrap_or_default();
        group.bench_with_input(BenchmarkId::new("clean", rows), &parsed, |bencher, parsed| {
            bencher.iter(|| clean(black_box(parsed), Interval::OneHour, &calendar, None));
        });
    }
    group.finish();
}

criterion_group!(benches, bars);
criterion_main!(benches);
