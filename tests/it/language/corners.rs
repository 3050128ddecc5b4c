//! Programs that are legal Rust and easily broken by a macro.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use streamflow::BatchContext;
use streamflow::prelude::*;

use super::{on, on_lines, sorted};

#[test]
fn a_closure_may_reuse_the_name_of_a_stream() {
    #[stream]
    fn lengths(lines: DStream<str>) -> DStream<usize> {
        let words = lines.flat_map(|lines| lines.split(' '));
        words
            .map(|words| {
                let lines = words;
                lines.len()
            })
            .filter(|words| *words > 0)
    }
    assert_eq!(on_lines("a bc", lengths), [1, 2]);
}

#[test]
fn a_later_stream_may_take_the_name_of_an_earlier_one() {
    #[stream]
    fn sums(numbers: DStream<i64>) -> DStream<i64> {
        let numbers = numbers.map(|n| n + 1);
        let pairs = numbers.map(|n| (n % 2, n));
        let pairs = pairs.reduce_by_key(|a, b| a + b);
        let numbers = pairs.map(|(_, sum)| sum).union(numbers);
        numbers
    }
    assert_eq!(sorted(on([1, 2, 3], sums)), [2, 3, 3, 4, 6]);
}

#[test]
fn parameters_may_have_the_names_that_a_loop_would_use() {
    #[stream]
    fn sums(numbers: DStream<i64>, x: i64, part: i64, out: i64, k: i64, v: i64) -> DStream<(i64, i64)> {
        numbers.map(|n| (n + x + part + out, n)).map_values(|n| n + k + v).map(|(a, b)| (a + x, b + part + k))
    }
    assert_eq!(on([1], |numbers| sums(numbers, 1, 10, 100, 1000, 10_000)), [(113, 12_011)]);
}

#[test]
fn names_of_the_standard_library_may_be_taken() {
    #[derive(Clone, Debug, PartialEq)]
    enum Choice {
        Some,
        None,
    }
    #[allow(dead_code, reason = "it only has to be there")]
    struct Vec;
    #[allow(unused_imports, reason = "it only has to be there")]
    use Choice::{None, Some};
    #[stream]
    fn choices(numbers: DStream<i64>) -> DStream<Choice> {
        numbers
            .filter_map(|n| (n != 1).then_some(n))
            .map(|n| if n > 1 { Some } else { None })
            .filter(|c| *c != None)
            .glom()
            .flat_map(|all| all)
    }
    assert_eq!(on([0, 1, 2], choices), [Choice::Some]);
}

#[test]
fn inside_a_stage_anything_may_flow() {
    #[stream]
    fn squares(lines: DStream<str>) -> DStream<usize> {
        lines
            .map(|line| line.split(' '))
            .flat_map(|words| words)
            .map(|word| Rc::new(word))
            .map(|word| (word.clone(), Rc::strong_count(&word)))
            .filter(|(word, _)| !word.is_empty())
            .map(|(word, count)| move |by: usize| word.len() * count * by)
            .map(|f| f(2))
    }
    assert_eq!(on_lines("a bb", squares), [4, 8]);
}

#[test]
fn a_reference_to_the_record_itself_may_flow() {
    #[stream]
    fn doubled(numbers: DStream<i64>) -> DStream<i64> {
        numbers.map(|n| &n).map(|n| *n * 2).map(|n| (&n).to_owned())
    }
    assert_eq!(on([3], doubled), [6]);
}

#[test]
fn slices_of_owned_records_are_keys() {
    #[stream]
    fn chunks(lists: DStream<Vec<u8>>) -> DStream<(Vec<u8>, u64)> {
        lists.flat_map(|list: Vec<u8>| list.chunks(2)).count_by_value()
    }
    assert_eq!(sorted(on([vec![1, 2, 1, 2, 3]], chunks)), [(vec![1, 2], 2), (vec![3], 1)]);
}

#[test]
fn borrowed_and_owned_parts_mix_in_keys_and_values() {
    #[stream]
    fn mixed(lines: DStream<str>) -> DStream<((String, usize), (f64, String))> {
        lines.map(|line| ((line.trim(), line.len()), (0.5, line))).reduce_by_key(|(a, text), (b, _)| (a + b, text))
    }
    #[stream]
    fn tables(lines: DStream<str>) -> DStream<(String, HashMap<usize, u8>)> {
        lines.map(|line| (line, HashMap::from([(line.len(), 1)]))).reduce_by_key(|a, _| a)
    }
    #[stream]
    fn cows(lines: DStream<str>) -> DStream<(usize, Vec<String>)> {
        lines.map(|line| (line.len(), Cow::Borrowed(line))).group_by_key()
    }
    assert_eq!(on_lines("ab\nab", mixed), [(("ab".to_owned(), 2), (1.0, "ab".to_owned()))]);
    assert_eq!(on_lines("ab\nab", tables), [("ab".to_owned(), HashMap::from([(2, 1)]))]);
    assert_eq!(on_lines("ab\ncd", cows), [(2, vec!["ab".to_owned(), "cd".to_owned()])]);
}

#[test]
fn a_union_takes_views_and_owned_records() {
    #[stream]
    fn counted(lines: DStream<str>, words: DStream<String>) -> DStream<(String, u64)> {
        lines.union(words).count_by_value()
    }
    let ctx = BatchContext::with(1, 1).unwrap();
    let out = counted(ctx.text("a\nb"), ctx.records(["a".to_owned()]));
    assert_eq!(sorted(ctx.collect(out).unwrap()), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
}

#[test]
fn arguments_of_operators_may_be_expressions() {
    #[stream]
    fn top(numbers: DStream<i64>, n: usize, signs: Vec<i64>) -> DStream<i64> {
        let half = n / 2;
        numbers
            .repartition(n.max(2))
            .top_by(if half > 0 { half } else { 1 }, |n| *n * signs[0])
            .map(|n| n + half as i64)
    }
    assert_eq!(on(0..9, |numbers| top(numbers, 4, vec![-1])), [2, 3]);
}

#[test]
fn labels_and_returns_do_not_meet() {
    #[stream]
    fn found(lists: DStream<Vec<i64>>, wanted: i64) -> DStream<usize> {
        lists
            .filter_map(|list| {
                'outer: for (at, n) in list.iter().enumerate() {
                    for m in 0..*n {
                        if m > wanted {
                            continue 'outer;
                        }
                        if m == wanted {
                            return Some(at);
                        }
                    }
                }
                None
            })
            .map(|at| {
                let inner = |n: usize| {
                    if n == 0 {
                        return 100;
                    }
                    n
                };
                if at > 5 {
                    return at;
                }
                inner(at)
            })
    }
    assert_eq!(on([vec![0, 0, 9], vec![9], vec![]], |lists| found(lists, 3)), [2, 100]);
}

macro_rules! try_or_nothing {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(_) => return None,
        }
    };
}

#[test]
fn a_macro_that_says_so_may_return_from_the_closure() {
    #[stream]
    fn parsed(lines: DStream<str>) -> DStream<i64> {
        lines.filter_map(|line| {
            let number: i64 = try_or_nothing!(line.parse());
            Some(number)
        })
    }
    assert_eq!(on_lines("1\nx\n2", parsed), [1, 2]);
}

macro_rules! leave_if {
    ($condition:expr) => {
        if $condition {
            return;
        }
    };
}

#[test]
fn nor_does_it_leave_the_loop_in_silence() {
    #[stream]
    fn inspected(numbers: DStream<i64>) -> DStream<i64> {
        numbers.inspect(|n| leave_if!(*n == 2))
    }
    assert_eq!(on([1, 2, 3], inspected), [1, 2, 3]);
}

#[test]
fn units_and_empty_types_are_records() {
    #[stream]
    fn units(lines: DStream<str>) -> DStream<((), u64)> {
        lines.map(|_| ()).count_by_value()
    }
    #[stream]
    fn flags(lines: DStream<str>) -> DStream<(bool, u64)> {
        lines.map(|line| (line.is_empty(), 1)).reduce_by_key(|a, b| a + b)
    }
    assert_eq!(on_lines("a\nb", units), [((), 2)]);
    assert_eq!(sorted(on_lines("a\n\nb", flags)), [(false, 2), (true, 1)]);
}

#[test]
fn a_bound_stream_may_be_declared_as_a_view_and_handed_on() {
    #[stream]
    fn trimmed(lines: DStream<str>) -> DStream<usize> {
        lines.map(|line| line.len())
    }
    #[stream]
    fn lengths(lines: DStream<str>) -> DStream<usize> {
        let short: DStream<str> = lines.map(|line| line.trim());
        let twice = short.flat_map(|line| [line, line]).map(|line| line.len());
        trimmed(short).union(twice)
    }
    assert_eq!(on_lines(" a ", lengths), [1, 1, 1]);
}
