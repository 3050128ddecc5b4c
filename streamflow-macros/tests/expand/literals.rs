fn literals(words: DStream<str>) -> DStream<(String, (u64, u8))> {
    let pairs = words.map(|word| (word, (1, 2)));
    let pairs = pairs.reduce_by_key(|a, _| a);
    pairs.top_by(3, |(_, n)| *n)
}
