fn windows(pairs: DStream<(String, u64)>, keep: u64) -> (DStream<(String, u64)>, DStream<u64>) {
    let minute = pairs.window(1min);
    (
        minute.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 2h, |(_, count)| *count > keep),
        pairs.count_by_window(30s, Duration::from_secs(5)),
    )
}
