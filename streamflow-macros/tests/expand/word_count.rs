fn word_count(lines: DStream<str>, min: usize) -> DStream<(String, u64)> {
    lines.flat_map(|line| line.split(' ')).filter(|word| word.len() >= min).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
}
