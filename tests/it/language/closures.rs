//! Closures stay closures although their bodies are inlined.

use std::sync::Arc;

use streamflow::prelude::*;

use super::{on, on_lines, sorted};

#[test]
fn a_return_leaves_the_closure_only() {
    #[stream]
    fn capped(numbers: DStream<i64>) -> DStream<i64> {
        numbers
            .map(|n| {
                if n > 10 {
                    return 10;
                }
                n
            })
            .filter(|n| {
                if *n < 0 {
                    return false;
                }
                true
            })
    }
    assert_eq!(on([-1, 5, 50], capped), [5, 10]);
}

#[test]
fn a_question_mark_leaves_the_closure_only() {
    #[stream]
    fn sums(lines: DStream<str>) -> DStream<Result<i64, String>> {
        lines
            .filter_map(|line| line.split_once('+').filter(|(a, _)| !a.is_empty()))
            .map(|(a, b)| -> Result<i64, std::num::ParseIntError> { Ok(a.parse::<i64>()? + b.parse::<i64>()?) })
            .map(|sum| sum.map_err(|error| error.to_string()))
    }
    let sums = on_lines("1+2\n+\n3\nx+1", sums);
    assert_eq!(sums[0], Ok(3));
    assert!(sums[1].as_ref().is_err_and(|why| why.contains("invalid digit")));
}

#[test]
fn a_question_mark_on_options_skips_a_record() {
    #[stream]
    fn second_numbers(lines: DStream<str>) -> DStream<u32> {
        lines.filter_map(|line| {
            let second = line.split(' ').nth(1)?;
            second.parse::<u32>().ok()
        })
    }
    assert_eq!(on_lines("a 1\nb\nc x\nd 2", second_numbers), [1, 2]);
}

#[test]
fn loops_of_a_body_are_its_own() {
    #[stream]
    fn first_even(lists: DStream<Vec<i32>>) -> DStream<i32> {
        lists.map(|list| {
            let mut found = 0;
            'search: for n in list {
                if n % 2 != 0 {
                    continue;
                }
                found = n;
                break 'search;
            }
            loop {
                found += 1;
                if found % 5 == 0 {
                    break found;
                }
            }
        })
    }
    assert_eq!(on([vec![1, 4, 6], vec![3]], first_even), [5, 5]);
}

#[test]
fn inner_closures_return_for_themselves() {
    #[stream]
    fn signs(lists: DStream<Vec<i32>>) -> DStream<Vec<i32>> {
        lists.map(|list| {
            let sign = |n: i32| {
                if n < 0 {
                    return -1;
                }
                1
            };
            list.into_iter().map(sign).collect::<Vec<_>>()
        })
    }
    assert_eq!(on([vec![-5, 5]], signs), [[-1, 1]]);
}

struct Reading {
    sensor: u8,
    level: i32,
}

#[test]
fn parameters_may_be_patterns() {
    #[stream]
    fn levels(readings: DStream<(u8, i32)>) -> DStream<(u8, i32)> {
        readings
            .map(|(sensor, level)| Reading { sensor, level })
            .filter(|Reading { level, .. }| *level != 0)
            .filter(|&Reading { sensor, .. }| sensor < 9)
            .map(|Reading { sensor, level: mut deep }| {
                deep += 1;
                ((sensor, deep), ())
            })
            .map(|((a, b), _)| [a as i32, b])
            .map(|[a, b]| (a as u8, b))
    }
    assert_eq!(on([(1, 5), (2, 0), (9, 9)], levels), [(1, 6)]);
}

#[test]
fn parameters_may_have_types() {
    #[stream]
    fn lengths(lines: DStream<str>) -> DStream<u32> {
        lines.map(|line: &str| line.len()).filter(|len: &usize| *len > 1).map(|len: usize| -> u32 { len as u32 })
    }
    assert_eq!(on_lines("a\nbcd", lengths), [3]);
}

#[test]
fn an_ignored_parameter_needs_no_name() {
    #[stream]
    fn ones(lines: DStream<str>) -> DStream<u8> {
        lines.map(|_| 1).filter(|_| true)
    }
    assert_eq!(on_lines("a\nb", ones), [1, 1]);
}

#[test]
fn closures_capture_plain_parameters() {
    #[stream]
    fn marked(lines: DStream<str>, min: usize, mark: String, known: Arc<Vec<&'static str>>) -> DStream<String> {
        lines
            .filter(|line| line.len() >= min)
            .filter(|line| known.contains(line))
            .map(|line| format!("{mark}{line}{}", min))
            .map(move |line| line + &mark)
    }
    let known = Arc::new(vec!["abc", "x"]);
    assert_eq!(on_lines("abc\nx\ndef", |lines| marked(lines, 2, "*".into(), known)), ["*abc2*"]);
}

#[test]
fn wide_operators_capture_as_well() {
    #[stream]
    fn top(numbers: DStream<i64>, limit: usize, modulus: i64, zero: i64) -> DStream<(i64, i64)> {
        numbers
            .key_by(|n| n % modulus)
            .fold_by_key(zero, |a, b| (a + b) % (modulus * 100))
            .top_by(limit, |(key, _)| modulus - key)
    }
    assert_eq!(on(0..6, |numbers| top(numbers, 2, 3, 0)), [(0, 3), (1, 5)]);
}

#[test]
fn a_name_bound_by_one_closure_does_not_reach_the_next() {
    #[stream]
    fn shifted(numbers: DStream<i64>, n: i64) -> DStream<i64> {
        numbers.map(|n| n * 100).map(|x| x + n)
    }
    assert_eq!(on([1, 2], |numbers| shifted(numbers, 7)), [107, 207]);
}

#[test]
fn nor_does_it_reach_format_strings_and_macros() {
    #[stream]
    fn shown(numbers: DStream<i64>, n: i64, name: String) -> DStream<String> {
        numbers
            .map(|(name)| name + 1)
            .flat_map(|n| vec![n; 2])
            .filter_map(|n| (n > 0).then_some(n))
            .map(|x| format!("{name}{n}:{x}"))
            .map(|text| [text, vec![n; 1].len().to_string()].concat())
    }
    assert_eq!(on([1], |numbers| shown(numbers, 7, "n".into())), ["n7:21", "n7:21"]);
}

#[test]
fn nor_does_a_let_inside_a_body() {
    #[stream]
    fn scaled(numbers: DStream<i64>, factor: i64) -> DStream<(i64, i64)> {
        numbers
            .map(|n| {
                let factor = 1000;
                n * factor
            })
            .map(|n| (n, factor))
            .map_values(|factor| factor + 1)
            .map(|(n, _)| (n, factor))
    }
    assert_eq!(on([1], |numbers| scaled(numbers, 3)), [(1000, 3)]);
}

#[test]
fn a_constant_or_function_of_the_same_name_is_not_hidden() {
    const LIMIT: i64 = 5;
    fn half(n: i64) -> i64 {
        n / 2
    }
    #[stream]
    fn halves(numbers: DStream<i64>) -> DStream<i64> {
        numbers.map(|half| half + 1).map(|n| half(n)).filter(|n| *n < LIMIT)
    }
    assert_eq!(on([1, 5, 50], halves), [1, 3]);
}

fn parse(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[test]
fn paths_are_operators() {
    #[stream]
    fn sum(lines: DStream<str>) -> DStream<i64> {
        lines
            .flat_map(str::split_whitespace)
            .filter_map(parse)
            .map(i64::abs)
            .map(Some)
            .filter_map(std::convert::identity)
            .reduce(std::ops::Add::add)
    }
    assert_eq!(on_lines("1 x -2\n3", sum), [6]);
}

#[test]
fn paths_reduce_and_key() {
    #[stream]
    fn longest(lines: DStream<String>) -> DStream<(usize, String)> {
        lines.key_by(String::len).reduce_by_key(std::cmp::max).map_values(String::from)
    }
    let lines = ["b", "a", "cc"].map(String::from);
    assert_eq!(sorted(on(lines, longest)), [(1, "b".to_owned()), (2, "cc".to_owned())]);
}

#[test]
fn a_function_may_be_a_parameter() {
    #[stream]
    fn apply(
        numbers: DStream<i64>,
        f: impl Fn(i64) -> i64 + Clone + Send + Sync + 'static,
        keep: fn(&i64) -> bool,
    ) -> DStream<i64> {
        numbers.map(f).filter(keep).map(|n| f(n))
    }
    let by = 10;
    assert_eq!(on([1, 2, 3], |numbers| apply(numbers, move |n| n * by, |n| n % 4 == 0)), [200]);
}

#[test]
fn map_partitions_takes_the_records_as_an_iterator() {
    #[stream]
    fn numbered(lines: DStream<str>) -> DStream<(usize, String)> {
        lines.map_partitions(|lines| lines.enumerate().filter(|(at, _)| at % 2 == 0))
    }
    #[stream]
    fn sums(numbers: DStream<i64>, offset: i64) -> DStream<i64> {
        numbers.map(|n| n + 1).map_partitions(|numbers| [numbers.sum::<i64>() + offset]).map(|sum| sum * 2)
    }
    assert_eq!(on_lines("a\nb\nc", numbered), [(0, "a".to_owned()), (2, "c".to_owned())]);
    assert_eq!(on([1, 2], |numbers| sums(numbers, 100)), [210]);
}

#[test]
fn literals_take_the_type_of_the_result() {
    #[stream]
    fn pairs(lines: DStream<str>) -> DStream<(String, u16)> {
        lines.map(|line| (line, 1)).reduce_by_key(|a, b| a + b)
    }
    #[stream]
    fn floats(lines: DStream<str>) -> DStream<f32> {
        lines.map(|_| 1.5).reduce(|a, b| a + b)
    }
    assert_eq!(on_lines("a", pairs), [("a".to_owned(), 1_u16)]);
    assert_eq!(on_lines("a\nb", floats), [3.0_f32]);
}
