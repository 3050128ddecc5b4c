fn state(pairs: DStream<(String, u64)>, limit: u64) -> (DStream<u64>, DStream<(String, u64)>) {
    let totals = pairs.map_with_state(
        StateSpec::function(|_, value, total: &mut State<u64>| next(value, total, limit)).timeout(30min),
    );
    pairs.update_state_by_key(|time, key, values, state| Some(time.len())).print();
    (totals, totals.state_snapshots())
}
