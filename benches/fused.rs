//! Throughput of fused programs beside the same work by hand and unfused.
//!
//! `cargo bench --bench fused` takes about two minutes. Throughput is in records of the input (words for `word_count`).
//! Machines drift while it runs; to compare programs with each other use `cargo bench --bench ratios`.

mod common;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn fused(criterion: &mut Criterion) {
    for (name, make) in common::FUSED {
        let mut group = make();
        let mut bench = criterion.benchmark_group(name);
        bench.throughput(Throughput::Elements(group.elements as u64));
        for program in &mut group.programs {
            bench.bench_function(program.name, |bencher| bencher.iter(|| program.run()));
        }
        bench.finish();
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
}

criterion_group! { name = benches; config = quick(); targets = fused }
criterion_main!(benches);
