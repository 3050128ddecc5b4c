//! The measured programs as a user writes them.

use streamflow::prelude::*;

/// The words of a line. They are short: looking at each byte is faster than calling a search for the next space.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = line.bytes().position(|byte| byte == b' ');
        rest = end.map(|end| &line[end + 1..]);
        Some(&line[..end.unwrap_or(line.len())])
    })
}

/// How often each word occurs.
#[stream]
pub fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
    lines.flat_map(words).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
}

/// How many lines contain a pattern.
#[stream]
pub fn grep(lines: DStream<str>) -> DStream<u64> {
    let pattern = memchr::memmem::Finder::new(super::PATTERN);
    lines.filter(|line| pattern.find(line.as_bytes()).is_some()).count()
}

/// The sum of the values of each key.
#[stream]
pub fn key_sum(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.reduce_by_key(|a, b| a + b)
}

/// Six narrow operators over numbers.
#[stream]
pub fn stateless_chain(numbers: DStream<u64>) -> DStream<u64> {
    numbers
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .filter(|n| n % 10 < 7)
        .map(|n| (n >> 40, n & 0xffff))
        .filter(|(high, low)| high > low)
        .filter_map(|(high, low)| high.checked_sub(low * 3))
        .map(|n| n ^ (n >> 5))
        .reduce(|a, b| a.wrapping_add(b))
}
