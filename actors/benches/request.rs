//! The cost of writing a model request, for one symbol and for a thousand.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sentinel_actors::{
    adapters::mlflow::{Tabular, write_request},
    domain::features::{FEATURE_COUNT, FeatureSet, SEQUENCE_BARS},
};
use std::hint::black_box;

/// Numbers with as many digits as real features.
fn features() -> FeatureSet {
    let number = |bar: usize, feature: usize| 1.0 + ((bar * 37 + feature * 101) % 997) as f64 / 7_919.0;
    let mut sequence = Box::new([[0f32; FEATURE_COUNT]; SEQUENCE_BARS]);
    for (bar, row) in sequence.iter_mut().enumerate() {
        for (feature, value) in row.iter_mut().enumerate() {
            *value = number(bar, feature) as f32;
        }
    }
    FeatureSet { tabular: std::array::from_fn(|feature| number(0, feature)), sequence }
}

fn write(c: &mut Criterion) {
    let features = features();
    let mut group = c.benchmark_group("write_request");
    for rows in [1usize, 1_000] {
        let rows = vec![&features; rows];
        group.throughput(Throughput::Elements(rows.len() as u64));
        group.bench_function(format!("{} rows", rows.len()), |b| {
            b.iter(|| write_request(black_box(&rows), Tabular::Flat));
        });
    }
    group.finish();
}

criterion_group!(benches, write);
criterion_main!(benches);
