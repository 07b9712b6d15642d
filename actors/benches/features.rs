//! The cost of the two feature arrays of one symbol: 200 bars in, the tabular row and the 60x23 sequence out.

use criterion::{Criterion, criterion_group, criterion_main};
use sentinel_actors::domain::{
    bar::Bar,
    features::{TimeColumns, build},
};
use std::hint::black_box;

/// Bars with changing prices: no two closes are equal, so no shortcut applies.
fn bars(count: usize) -> Vec<Bar> {
    let bar = |row: usize| {
        let close = 1.1 + (row as f64 / 7.0).sin() / 500.0 + (row as f64 / 3.0).cos() / 2_000.0;
        let open_time = 1_700_000_000 + 3_600 * row as i64;
        Bar { open_time, open: close, high: close + 0.0005, low: close - 0.0004, close, volume: 900.0 + row as f64 }
    };
    (0..count).map(bar).collect()
}

fn features(criterion: &mut Criterion) {
    let bars = bars(200);
    criterion.bench_function("features plus sequence of 200 bars", |bencher| {
        bencher.iter(|| build(black_box(&bars), TimeColumns::Utc));
    });
}

criterion_group!(benches, features);
criterion_main!(benches);
