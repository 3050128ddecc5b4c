fn union(here: DStream<u32>, there: DStream<str>) -> DStream<u32> {
    here.union(there.filter_map(|text| text.parse().ok())).distinct()
}
