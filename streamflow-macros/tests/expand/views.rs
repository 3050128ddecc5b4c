fn views(lines: DStream<str>, more: DStream<str>) -> DStream<(String, u64)> {
    let said = lines.filter(|line| !line.is_empty()).union(more);
    let counts = counted(said);
    counts.filter(|(_, n)| *n > 1).top_by(3, |(_, n)| *n)
}
