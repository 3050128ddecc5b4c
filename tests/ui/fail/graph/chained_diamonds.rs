use streamflow::prelude::*;

#[stream]
fn sums(numbers: DStream<u64>) -> DStream<u64> {
    let s0 = numbers.filter(|n| *n > 0);
    let s1 = s0.map(|n| n + 1).union(s0.map(|n| n + 2));
    let s2 = s1.map(|n| n + 1).union(s1.map(|n| n + 2));
    let s3 = s2.map(|n| n + 1).union(s2.map(|n| n + 2));
    let s4 = s3.map(|n| n + 1).union(s3.map(|n| n + 2));
    let s5 = s4.map(|n| n + 1).union(s4.map(|n| n + 2));
    let s6 = s5.map(|n| n + 1).union(s5.map(|n| n + 2));
    let s7 = s6.map(|n| n + 1).union(s6.map(|n| n + 2));
    s7
}

fn main() {}
