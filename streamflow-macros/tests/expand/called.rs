fn called(lines: DStream<str>, y: u32) -> DStream<u32> {
    lines
        .filter_map(parse)
        .map(|x| {
            if x > 10 {
                return 10;
            }
            x
        })
        .filter_map(|x| Some(x.checked_add(1)? + y))
        .map(|y| y + 1)
        .map(|z| z + y)
}
