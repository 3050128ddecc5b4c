/// Prints the longest lines, and reports all.
pub fn outputs(lines: DStream<str>, top: usize) {
    println!("declared");
    let longest = lines.map(|line| (line.len(), line)).top_by(top, |(length, _)| *length);
    longest.print();
    longest.foreach_batch(move |batch| assert!(batch.count() <= top));
    report(clean(lines), top);
}
