fn partitions(xs: DStream<u32>) -> (DStream<u32>, DStream<Vec<u32>>) {
    (xs.map(|x| x + 1).map_partitions(|xs| [xs.sum::<u32>()]), xs.glom())
}
