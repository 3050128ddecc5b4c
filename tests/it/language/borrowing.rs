//! Views, borrowed results of closures, and what becomes owned where a record leaves its stage.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use serde::Deserialize;
use streamflow::StaticTable;
use streamflow::prelude::*;

use super::{on, on_lines, sorted};

fn owned<A: ToString>(pairs: &[(A, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(key, count)| (key.to_string(), *count)).collect()
}

#[test]
fn a_result_borrows_from_a_line() {
    #[stream]
    fn words(lines: DStream<str>) -> DStream<(String, u64)> {
        lines.flat_map(|line| line.split(' ')).map(|word| (word.trim(), 1)).reduce_by_key(|a, b| a + b)
    }
    assert_eq!(sorted(on_lines("a b\nb a\na", words)), owned(&[("a", 3), ("b", 2)]));
}

#[test]
fn a_result_borrows_from_an_owned_argument() {
    #[stream]
    fn words(lines: DStream<String>) -> DStream<(String, u64)> {
        lines.flat_map(|line: String| line.split(' ')).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
    }
    assert_eq!(sorted(on(["a b".to_owned(), "a".to_owned()], words)), owned(&[("a", 2), ("b", 1)]));
}

#[derive(Clone)]
struct Post {
    user: String,
    text: String,
}

#[test]
fn a_result_borrows_from_a_field_of_an_owned_argument() {
    #[stream]
    fn texts(posts: DStream<Post>) -> DStream<String> {
        posts.filter(|post| post.user != "spam").map(|post| post.text.as_str()).map(|text| text.trim_start())
    }
    let post = |user: &str, text: &str| Post { user: user.into(), text: text.into() };
    assert_eq!(on([post("a", " x"), post("spam", "y")], texts), ["x"]);
}

#[test]
fn a_result_borrows_from_what_the_closure_destructures() {
    #[stream]
    fn tags(posts: DStream<Post>) -> DStream<(String, String)> {
        posts.map(|Post { user, text }| (user, text)).flat_map_values(|text| text.split('#').skip(1)).swap()
    }
    let posts = [Post { user: "u".into(), text: "x #a #b".into() }];
    assert_eq!(on(posts, tags), [("a ".to_owned(), "u".to_owned()), ("b".to_owned(), "u".to_owned())]);
}

#[derive(Deserialize)]
struct Tweet<'a> {
    user: &'a str,
    text: &'a str,
}

fn hashtags(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter_map(|word| word.strip_prefix('#'))
}

const TWEETS: &str = r##"{"user": "ann", "text": "see #rust and #streams"}
not json
{"user": "bob", "text": "#rust"}
{"user": "ann", "text": "no tag"}"##;

#[test]
fn json_is_read_without_a_copy_down_to_the_keys() {
    #[stream]
    fn trending(tweets: DStream<str>) -> DStream<(String, u64)> {
        tweets
            .filter_map(|line| serde_json::from_str::<Tweet<'_>>(line).ok())
            .flat_map(|tweet| hashtags(tweet.text))
            .map(|tag| (tag, 1))
            .reduce_by_key(|a, b| a + b)
    }
    assert_eq!(sorted(on_lines(TWEETS, trending)), owned(&[("rust", 2), ("streams", 1)]));
}

#[test]
fn borrowed_keys_and_values_are_grouped_as_owned_ones() {
    #[stream]
    fn by_user(tweets: DStream<str>) -> DStream<(String, Vec<String>)> {
        tweets
            .filter_map(|line| serde_json::from_str::<Tweet<'_>>(line).ok())
            .map(|Tweet { user, text }| (user, text))
            .group_by_key()
    }
    let groups = sorted(on_lines(TWEETS, by_user));
    assert_eq!(groups[0], ("ann".to_owned(), vec!["see #rust and #streams".to_owned(), "no tag".to_owned()]));
    assert_eq!(groups[1].0, "bob");
}

#[test]
fn nested_views_are_owned_piece_by_piece() {
    #[stream]
    fn parts(lines: DStream<str>) -> DStream<(Option<String>, (String, Vec<String>))> {
        lines.map(|line| (line.get(..1), (line, line.split(' ').collect::<Vec<_>>())))
    }
    let all = on_lines("a b\n", parts);
    assert_eq!(all, [(Some("a".to_owned()), ("a b".to_owned(), vec!["a".to_owned(), "b".to_owned()]))]);
}

#[test]
fn a_borrowed_optional_key_counts_with_its_owned_form() {
    #[stream]
    fn initials(lines: DStream<str>) -> DStream<(Option<String>, u64)> {
        lines.map(|line| line.get(..1)).count_by_value()
    }
    let counts = sorted(on_lines("ab\n\nac\nb", initials));
    assert_eq!(counts, [(None, 1), (Some("a".to_owned()), 2), (Some("b".to_owned()), 1)]);
}

#[test]
fn cow_keys_meet_whether_borrowed_or_owned() {
    fn lower(word: &str) -> Cow<'_, str> {
        if word.chars().any(char::is_uppercase) { word.to_lowercase().into() } else { word.into() }
    }
    #[stream]
    fn words(lines: DStream<str>) -> DStream<(String, u64)> {
        lines.map(lower).count_by_value()
    }
    assert_eq!(on_lines("Go\ngo\nGO", words), owned(&[("go", 3)]));
}

#[test]
fn references_into_a_captured_value_become_owned() {
    #[stream]
    fn named(numbers: DStream<usize>, names: Vec<String>) -> DStream<(String, u64)> {
        numbers.filter_map(|n| names.get(n)).map(|name| (name, 1)).reduce_by_key(|a, b| a + b)
    }
    let names = vec!["zero".to_owned(), "one".to_owned()];
    assert_eq!(sorted(on([0, 1, 1, 7], |numbers| named(numbers, names))), owned(&[("one", 2), ("zero", 1)]));
}

mod foreign {
    /// A type that knows nothing of streams; without `Clone`.
    #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub(super) struct Id(pub(super) u32);
}

#[test]
fn foreign_types_are_keys_and_values_without_a_derive() {
    #[stream]
    fn largest(pairs: DStream<(u32, u32)>) -> DStream<(foreign::Id, foreign::Id)> {
        pairs.map(|(k, v)| (foreign::Id(k), foreign::Id(v))).reduce_by_key(|a, b| a.max(b))
    }
    let id = foreign::Id;
    assert_eq!(sorted(on([(1, 5), (1, 7), (2, 0)], largest)), [(id(1), id(7)), (id(2), id(0))]);
}

#[test]
fn a_foreign_type_stands_beside_a_borrowed_one() {
    #[stream]
    fn by_word(lines: DStream<str>) -> DStream<(String, Vec<foreign::Id>)> {
        lines.map(|line| (line, foreign::Id(line.len() as u32))).group_by_key()
    }
    #[stream]
    fn by_id(lines: DStream<str>) -> DStream<(foreign::Id, Vec<String>)> {
        lines.map(|line| (foreign::Id(line.len() as u32), line)).group_by_key()
    }
    assert_eq!(on_lines("ab", by_word), [("ab".to_owned(), vec![foreign::Id(2)])]);
    assert_eq!(on_lines("ab", by_id), [(foreign::Id(2), vec!["ab".to_owned()])]);
}

/// A key with a lifetime.
#[derive(Clone, Copy, Record)]
#[record(key, derive(Debug, PartialOrd, Ord))]
struct Place<'a> {
    city: &'a str,
    zone: Option<&'a str>,
    level: u8,
}

#[test]
fn a_derived_type_with_a_lifetime_is_a_key() {
    #[stream]
    fn places(lines: DStream<str>) -> DStream<(OwnedPlace, u64)> {
        lines
            .filter_map(|line| {
                let (city, zone) = line.split_once('/')?;
                Some(Place { city, zone: Some(zone).filter(|zone| !zone.is_empty()), level: zone.len() as u8 })
            })
            .map(|place| (place, 1))
            .reduce_by_key(|a, b| a + b)
    }
    let place =
        |city: &str, zone: Option<&str>, level| OwnedPlace { city: city.into(), zone: zone.map(Into::into), level };
    let counts = sorted(on_lines("rome/a\nrome/\noslo\nrome/a", places));
    assert_eq!(counts, [(place("rome", None, 0), 1), (place("rome", Some("a"), 1), 2)]);
}

#[test]
fn a_derived_type_meets_its_owned_form_behind_a_shuffle() {
    #[stream]
    fn distinct_then_again(lines: DStream<str>) -> DStream<(OwnedPlace, u64)> {
        let once = lines.map(|line| Place { city: line, zone: None, level: 0 }).distinct();
        once.count_by_value()
    }
    let counts = on_lines("rome\nrome", distinct_then_again);
    assert_eq!(counts, [(OwnedPlace { city: "rome".to_owned(), zone: None, level: 0 }, 1)]);
}

#[test]
fn types_of_the_standard_library_are_keys() {
    #[stream]
    fn hosts(lines: DStream<str>) -> DStream<(Ipv4Addr, u64)> {
        lines.filter_map(|line| line.parse::<Ipv4Addr>().ok()).count_by_value()
    }
    assert_eq!(on_lines("127.0.0.1\nx\n127.0.0.1", hosts), [(Ipv4Addr::LOCALHOST, 2)]);
}

#[test]
fn arrays_and_large_tuples_are_records() {
    #[stream]
    fn shapes(numbers: DStream<u8>) -> DStream<([u8; 2], (u8, u16, u32, u64, i8, i16))> {
        numbers.map(|n| ([n, n + 1], (n, 1_u16, 2_u32, 3_u64, 4_i8, 5_i16)))
    }
    assert_eq!(on([1], shapes), [([1, 2], (1, 1, 2, 3, 4, 5))]);
}

#[test]
fn results_may_be_views_again() {
    #[stream]
    fn trimmed(lines: DStream<str>) -> DStream<str> {
        lines.map(|line| line.trim()).filter(|line| !line.is_empty())
    }
    #[stream]
    fn lengths(lines: DStream<str>) -> DStream<usize> {
        lines.map(|line: &str| line.len())
    }
    assert_eq!(on_lines(" ab \n \nc", |lines| lengths(trimmed(lines))), [2, 1]);
}

#[test]
fn bytes_are_views_too() {
    #[stream]
    fn as_bytes(lines: DStream<str>) -> DStream<[u8]> {
        lines.map(|line| line.as_bytes())
    }
    #[stream]
    fn first_bytes(frames: DStream<[u8]>) -> DStream<(u8, Vec<Vec<u8>>)> {
        frames.filter_map(|frame| Some((*frame.first()?, &frame[1..]))).group_by_key()
    }
    #[stream]
    fn distinct_frames(frames: DStream<[u8]>) -> DStream<(Vec<u8>, u64)> {
        frames.count_by_value()
    }
    let groups = sorted(on_lines("ab\nac\n\nb", |lines| first_bytes(as_bytes(lines))));
    assert_eq!(groups, [(b'a', vec![b"b".to_vec(), b"c".to_vec()]), (b'b', vec![vec![]])]);
    assert_eq!(on_lines("x\nx", |lines| distinct_frames(as_bytes(lines))), [(b"x".to_vec(), 2)]);
}

#[test]
fn a_static_table_is_looked_up_by_view() {
    #[stream]
    fn prices(lines: DStream<str>, table: StaticTable<String, u64>) -> DStream<(String, u64)> {
        lines.map(|line| (line, 2)).join(table).map_values(|(amount, price)| amount * price)
    }
    let table = || StaticTable::new([("tea".to_owned(), 3), ("tea".to_owned(), 4), ("ink".to_owned(), 9)]);
    assert_eq!(on_lines("tea\nwine", |lines| prices(lines, table())), owned(&[("tea", 6), ("tea", 8)]));
}

#[test]
fn a_left_outer_join_with_a_table_keeps_what_is_not_in_it() {
    #[stream]
    fn named(ids: DStream<(u32, char)>, names: StaticTable<u32, char>) -> DStream<(u32, (char, Option<char>))> {
        ids.left_outer_join(names).map_values(|(letter, name)| (letter, name.copied()))
    }
    let names = StaticTable::new([(1, 'x')]);
    assert_eq!(on([(1, 'a'), (2, 'b')], |ids| named(ids, names)), [(1, ('a', Some('x'))), (2, ('b', None))]);
}

#[test]
fn a_table_may_be_made_in_the_body() {
    #[stream]
    fn named(ids: DStream<u8>, rows: Vec<(u8, u8)>) -> DStream<(u8, u8)> {
        let squares = StaticTable::new(rows.into_iter().map(|(a, b)| (a, b * b)));
        ids.map(|id| (id, ())).join(squares).map_values(|((), square)| *square)
    }
    assert_eq!(on([2, 3, 4], |ids| named(ids, vec![(2, 2), (4, 4)])), [(2, 4), (4, 16)]);
}
