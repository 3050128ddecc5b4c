//! Streams that are used more than once, brought together, and handed from function to function.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use streamflow::BatchContext;
use streamflow::prelude::*;

use super::{on, on_lines, sorted};

#[test]
fn a_diamond_is_one_scan() {
    #[stream]
    fn diamond(numbers: DStream<i64>, scans: Arc<AtomicUsize>) -> DStream<(i64, (u64, u64))> {
        let seen = numbers.inspect(|_| {
            scans.fetch_add(1, Ordering::Relaxed);
        });
        let even = seen.filter(|n| n % 2 == 0).map(|n| (n % 3, 1)).reduce_by_key(|a, b| a + b);
        let all = seen.map(|n| (n % 3, 1)).reduce_by_key(|a, b| a + b);
        all.join(even)
    }
    let scans = Arc::new(AtomicUsize::new(0));
    let counts = on(0..9, |numbers| diamond(numbers, Arc::clone(&scans)));
    assert_eq!(sorted(counts), [(0, (3, 2)), (1, (3, 1)), (2, (3, 2))]);
    assert_eq!(scans.load(Ordering::Relaxed), 9);
}

#[test]
fn a_shuffle_with_two_consumers_is_done_once() {
    #[stream]
    fn twice(numbers: DStream<i64>, reduced: Arc<AtomicUsize>) -> DStream<(i64, (i64, i64))> {
        let sums = numbers.key_by(|n| n % 2).reduce_by_key(|a, b| {
            reduced.fetch_add(1, Ordering::Relaxed);
            a + b
        });
        sums.join(sums.map_values(|sum| -sum))
    }
    let reduced = Arc::new(AtomicUsize::new(0));
    let joined = on(0..6, |numbers| twice(numbers, Arc::clone(&reduced)));
    assert_eq!(sorted(joined), [(0, (6, -6)), (1, (9, -9))]);
    assert_eq!(reduced.load(Ordering::Relaxed), 4);
}

#[test]
fn owned_records_are_cloned_for_all_but_the_last_consumer() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Counted(Arc::clone(&self.0))
        }
    }
    #[stream]
    fn three(numbers: DStream<u8>, clones: Arc<AtomicUsize>) -> (DStream<u64>, DStream<u64>, DStream<(u8, u64)>) {
        let records = numbers.map(|_| Counted(Arc::clone(&clones)));
        let one = records.map(|record| record.0.strong_count_is_positive()).count();
        let two = records.filter(|_| true).map(|_| 0_u8).count();
        (one, two, records.map(|_| 0).count_by_value())
    }
    trait Positive {
        fn strong_count_is_positive(&self) -> bool;
    }
    impl Positive for Arc<AtomicUsize> {
        fn strong_count_is_positive(&self) -> bool {
            Arc::strong_count(self) > 0
        }
    }
    let clones = Arc::new(AtomicUsize::new(0));
    let counted = on([1, 2], |numbers| {
        let (one, two, three) = three(numbers, Arc::clone(&clones));
        join_counts(one, two, three)
    });
    assert_eq!(counted, [(2, 2, 2)]);
    assert!(clones.load(Ordering::Relaxed) <= 4, "two records and two further consumers");
}

#[stream]
fn join_counts(one: DStream<u64>, two: DStream<u64>, three: DStream<(u8, u64)>) -> DStream<(u64, u64, u64)> {
    let first = one.map(|count| ((), count));
    let second = two.map(|count| ((), count));
    let third = three.map(|(_, count)| ((), count));
    first.join(second).join(third).map(|((), ((one, two), three))| (one, two, three))
}

#[test]
fn a_union_takes_branches_of_different_making() {
    #[stream]
    fn all(words: DStream<str>, numbers: DStream<i64>) -> DStream<(String, u64)> {
        let shout = words.filter(|word| word.ends_with('!')).map(|word| word.trim_end_matches('!').to_owned());
        let spelt = numbers.map(|n| n.to_string());
        let counted = numbers.count().map(|count| format!("{count} numbers"));
        words.map(|word| word.to_owned()).union(shout, spelt, counted).map(|text| (text, 1)).reduce_by_key(|a, b| a + b)
    }
    let ctx = BatchContext::with(1, 1).unwrap();
    let out = all(ctx.text("go!\n7"), ctx.records([7, 8]));
    let counts = sorted(ctx.collect(out).unwrap());
    let expected = [("2 numbers", 1), ("7", 2), ("8", 1), ("go", 1), ("go!", 1)];
    assert_eq!(counts, expected.map(|(text, count)| (text.to_owned(), count)));
}

#[test]
fn a_union_keeps_the_order_of_its_streams() {
    #[stream]
    fn doubled(numbers: DStream<i64>) -> DStream<i64> {
        numbers.union(numbers.map(|n| n * 10), numbers.filter(|n| *n > 1))
    }
    assert_eq!(on([1, 2], doubled), [1, 2, 10, 20, 2]);
}

#[test]
fn a_stream_joins_itself() {
    #[stream]
    fn squares(pairs: DStream<(u8, u8)>) -> DStream<(u8, (u8, u8))> {
        pairs.join(pairs)
    }
    assert_eq!(on([(1, 2), (1, 3)], squares).len(), 4);
}

#[test]
fn joins_match_by_key() {
    #[stream]
    fn outer(left: DStream<(u8, char)>, right: DStream<(u8, char)>) -> DStream<(u8, (Option<char>, Option<char>))> {
        left.full_outer_join(right)
    }
    let ctx = BatchContext::with(1, 2).unwrap();
    let out = outer(ctx.records([(1, 'a'), (2, 'b')]), ctx.records([(2, 'c'), (3, 'd')]));
    let expected = [(1, (Some('a'), None)), (2, (Some('b'), Some('c'))), (3, (None, Some('d')))];
    assert_eq!(sorted(ctx.collect(out).unwrap()), expected);
}

#[stream]
fn words(lines: DStream<str>) -> DStream<String> {
    lines.flat_map(|line| line.split(' '))
}

#[stream]
fn counts(words: DStream<String>) -> DStream<(String, u64)> {
    words.count_by_value()
}

#[test]
fn functions_call_each_other() {
    #[stream]
    fn top(lines: DStream<str>, n: usize) -> DStream<String> {
        let text: DStream<str> = lines.filter(|line| !line.starts_with('#'));
        let all = words(text);
        counts(all.filter(|word| word.len() > 1)).top_by(n, |(_, count)| *count).keys()
    }
    assert_eq!(on_lines("# aa aa aa\nbb cc bb\nd", |lines| top(lines, 1)), ["bb"]);
}

#[test]
fn a_function_hands_several_streams_on() {
    #[stream]
    fn split(numbers: DStream<i64>) -> (DStream<i64>, DStream<i64>) {
        (numbers.filter(|n| n % 2 == 0), numbers.filter(|n| n % 2 != 0))
    }
    #[stream]
    fn rejoined(numbers: DStream<i64>) -> DStream<i64> {
        let (even, odd) = split(numbers);
        even.map(|n| n * 10).union(odd)
    }
    assert_eq!(on([1, 2, 3, 4], rejoined), [20, 40, 1, 3]);
}

#[test]
fn the_same_function_may_be_called_twice() {
    #[stream]
    fn both(lines: DStream<str>) -> DStream<(String, (u64, u64))> {
        let all = counts(words(lines));
        let short: DStream<str> = lines.filter(|line| line.len() < 3);
        all.join(counts(words(short)))
    }
    assert_eq!(on_lines("a b\nb\na b c", both), [("b".to_owned(), (3, 1))]);
}

#[test]
fn a_function_may_return_what_it_was_given() {
    #[stream]
    fn same(numbers: DStream<u8>) -> (DStream<u8>, DStream<u8>) {
        (numbers, numbers)
    }
    #[stream]
    fn together(numbers: DStream<u8>) -> DStream<u8> {
        let (a, b) = same(numbers);
        a.union(b)
    }
    assert_eq!(on([1, 2], together), [1, 2, 1, 2]);
}

#[test]
fn functions_over_batches_stand_among_the_operators() {
    #[stream]
    fn ranked(lines: DStream<str>, skip: usize) -> DStream<(usize, String)> {
        lines
            .flat_map(|line| line.split(' '))
            .transform(|words| words.sort_by(|word| word.clone()))
            .map_partitions(|words| words.skip(skip).enumerate())
    }
    assert_eq!(on_lines("b a\nc", |lines| ranked(lines, 1)), [(0, "b".to_owned()), (1, "c".to_owned())]);
}

#[test]
fn a_batch_may_be_handed_on_while_others_read_it() {
    #[stream]
    fn both(numbers: DStream<i64>) -> DStream<i64> {
        let same = numbers.transform(|batch| batch);
        let joined = numbers.transform_with(same, |left, right| left.union(right));
        numbers.union(same, joined)
    }
    assert_eq!(on([1, 2], both), [1, 2, 1, 2, 1, 2, 1, 2]);
}

#[test]
fn more_consumers_than_a_stage_has_outputs() {
    #[stream]
    fn many(n: DStream<u64>) -> DStream<u64> {
        let (a, b, c, d, e, f) = (1, 2, 3, 4, 5, 6);
        let first = n.map(|n| n + a).count().union(n.reduce(|x, y| x + y), n.distinct(1), n.map(|n| n + b).count());
        let second = n.map(|n| n + c).count().union(n.reduce(|x, y| x.max(y)), n.distinct(1), n.map(|n| n + d).count());
        let third = n.map(|n| n + e).count().union(n.reduce(|x, y| x.min(y)), n.distinct(1), n.map(|n| n + f).count());
        let fourth = n.top_by(1, |n| *n).union(n.reduce(|x, y| x * y), n.distinct(1), n.repartition(1), n.count());
        first.union(second, third, fourth).reduce(|x, y| x + y)
    }
    // Counts 1 four times 2, six counts in all; sums, greatest and least; three and one times the distinct; and so on.
    assert_eq!(on([2, 3], many), [2 + 5 + 5 + 2 + 2 + 3 + 5 + 2 + 2 + 2 + 5 + 2 + 3 + 6 + 5 + 5 + 2]);
}

#[test]
fn empty_batches_give_a_count_and_no_reduction() {
    #[stream]
    fn both(numbers: DStream<u64>) -> DStream<u64> {
        numbers.count().union(numbers.reduce(|a, b| a + b), numbers.top_by(3, |n| *n))
    }
    assert_eq!(on([], both), [0]);
}
