//! Declared record types, and what follows from them.

use streamflow::prelude::*;

use super::{on, on_lines, sorted};

#[stream]
fn words(lines: DStream<str>) -> DStream<String> {
    lines.flat_map(|line| line.split(' ').map(str::to_owned))
}

#[stream]
fn lengths(blocks: DStream<[u8]>) -> DStream<usize> {
    blocks.map(|block| block.len())
}

#[test]
fn text_that_is_only_filtered_stays_text() {
    #[stream]
    fn long_words(lines: DStream<str>, comments: DStream<str>) -> (DStream<String>, DStream<str>) {
        let said = lines.filter(|line| !line.is_empty()).inspect(|line| assert!(!line.is_empty()));
        let all = said.union(comments);
        (words(all.filter(|line| !line.starts_with('#'))), all.window(1s).filter(|line| line.starts_with('#')))
    }
    #[stream]
    fn both(lines: DStream<str>) -> DStream<String> {
        let (words, comments) = long_words(lines, lines.filter(|line| line.is_empty()));
        words.union(comments.map(|comment| comment.to_uppercase()))
    }
    assert_eq!(sorted(on_lines("a b\n#c\n\n", both)), ["", "#C", "a", "b"]);
}

#[test]
fn bytes_and_annotated_streams_stay_as_they_are() {
    #[stream]
    fn all(lines: DStream<str>) -> DStream<usize> {
        let bytes: DStream<[u8]> = lines.map(|line| line.as_bytes());
        lengths(bytes.filter(|block| block.len() > 1))
    }
    assert_eq!(on_lines("a\nbcd", all), [3]);
}

#[test]
fn filtered_text_is_owned_where_the_declared_type_says_so() {
    #[stream]
    fn some(lines: DStream<str>) -> (DStream<String>, DStream<String>) {
        (lines.filter(|line| line.len() > 1), lines.filter(|line| line.len() > 2).distinct())
    }
    #[stream]
    fn both(lines: DStream<str>) -> DStream<String> {
        let (first, second) = some(lines);
        first.union(second)
    }
    assert_eq!(sorted(on_lines("a\nbc\ndef", both)), ["bc", "def", "def"]);
}

#[test]
fn literals_take_the_type_that_is_declared_behind_several_shuffles() {
    #[stream]
    fn top(words: DStream<str>, n: usize) -> DStream<(String, u64)> {
        let counts = words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b).filter(|(_, count)| *count > 1);
        counts.repartition(2).top_by(n, |(_, count)| *count)
    }
    #[stream]
    fn zero(words: DStream<str>) -> DStream<(String, u64)> {
        words.map(|word| (word, ())).aggregate_by_key(0, |n, ()| n + 1, |a, b| a + b).partition_by()
    }
    let text = "a\nb\na\nb\nb\nc";
    assert_eq!(on_lines(text, |words| top(words, 1)), [("b".to_owned(), 3)]);
    assert_eq!(sorted(on_lines("a\na", zero)), [("a".to_owned(), 2)]);
}

#[test]
fn literals_in_nested_tuples_take_the_declared_type() {
    #[stream]
    fn nested(numbers: DStream<i64>) -> DStream<(i64, (i64, u8, (u64, f32)))> {
        numbers.map(|n| (n, (n, 1, (2, 0.5))))
    }
    #[stream]
    fn keyed(words: DStream<str>) -> DStream<((String, u8), (u64, u8))> {
        let pairs = words.map(|word| (word, 1)).map_values(|n| (n, 2));
        pairs.map(|(word, (n, m))| ((word, 7), (n, m))).reduce_by_key(|a, b| (a.0 + b.0, a.1 + b.1))
    }
    #[stream]
    fn values(words: DStream<str>) -> DStream<(String, (u64, u8))> {
        words.map(|word| (word, (1, 2))).swap().swap().reduce_by_key(|a, b| (a.0 + b.0, a.1 + b.1))
    }
    assert_eq!(on([1], nested), [(1, (1, 1, (2, 0.5)))]);
    assert_eq!(on_lines("a\na", keyed), [(("a".to_owned(), 7), (2, 4))]);
    assert_eq!(on_lines("a\na", values), [("a".to_owned(), (2, 4))]);
}
