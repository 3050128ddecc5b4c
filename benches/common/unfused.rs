//! The measured programs, each operator in a function of its own: what leaves a function is materialised, so every
//! operator is a stage. The wide operators and the data are those of the fused programs.

use streamflow::prelude::*;

#[stream]
fn split(lines: DStream<str>) -> DStream<str> {
    lines.flat_map(|line| line.split(' '))
}

#[stream]
fn one_each(words: DStream<str>) -> DStream<(String, u64)> {
    words.map(|word| (word, 1))
}

#[stream]
fn sum_words(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.reduce_by_key(|a, b| a + b)
}

/// How often each word occurs.
pub fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
    sum_words(one_each(split(lines)))
}

#[stream]
fn matching(lines: DStream<str>) -> DStream<str> {
    let pattern = memchr::memmem::Finder::new(super::PATTERN);
    lines.filter(|line| pattern.find(line.as_bytes()).is_some())
}

#[stream]
fn count(lines: DStream<str>) -> DStream<u64> {
    lines.count()
}

/// How many lines contain a pattern.
pub fn grep(lines: DStream<str>) -> DStream<u64> {
    count(matching(lines))
}

#[stream]
fn pass(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.map(|pair| pair)
}

#[stream]
fn sum_pairs(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.reduce_by_key(|a, b| a + b)
}

/// The sum of the values of each key. There is nothing to fuse in it, so the input is materialised once more.
pub fn key_sum(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    sum_pairs(pass(pairs))
}

#[stream]
fn scramble(numbers: DStream<u64>) -> DStream<u64> {
    numbers.map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[stream]
fn most(numbers: DStream<u64>) -> DStream<u64> {
    numbers.filter(|n| n % 10 < 7)
}

#[stream]
fn halves(numbers: DStream<u64>) -> DStream<(u64, u64)> {
    numbers.map(|n| (n >> 40, n & 0xffff))
}

#[stream]
fn ordered(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.filter(|(high, low)| high > low)
}

#[stream]
fn differences(pairs: DStream<(u64, u64)>) -> DStream<u64> {
    pairs.filter_map(|(high, low)| high.checked_sub(low * 3))
}

#[stream]
fn fold_bits(numbers: DStream<u64>) -> DStream<u64> {
    numbers.map(|n| n ^ (n >> 5))
}

#[stream]
fn sum(numbers: DStream<u64>) -> DStream<u64> {
    numbers.reduce(|a, b| a.wrapping_add(b))
}

/// Six narrow operators over numbers.
pub fn stateless_chain(numbers: DStream<u64>) -> DStream<u64> {
    sum(fold_bits(differences(ordered(halves(most(scramble(numbers)))))))
}
