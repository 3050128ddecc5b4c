//! What the user may have meant by an unknown name.

use super::{all, find};

/// Names of Spark and of iterators that have another name here.
const SYNONYMS: &[(&str, &str)] = &[
    ("foreach_rdd", "foreach_batch"),
    ("for_each", "foreach"),
    ("for_each_batch", "foreach_batch"),
    ("for_each_partition", "foreach_partition"),
    ("foreach_record", "foreach"),
    ("pprint", "print"),
    ("show", "print"),
    ("map_partition", "map_partitions"),
    ("group_by", "group_by_key"),
    ("sort_by", "top_by"),
    ("top", "top_by"),
    ("unique", "distinct"),
    ("dedup", "distinct"),
    ("chain", "union"),
    ("merge", "union"),
    ("concat", "union"),
    ("tap", "inspect"),
    ("peek", "inspect"),
    ("key_values", "key_by"),
    ("inner_join", "join"),
    ("left_join", "left_outer_join"),
    ("right_join", "right_outer_join"),
    ("outer_join", "full_outer_join"),
    ("full_join", "full_outer_join"),
    ("co_group", "cogroup"),
    ("save_as_text_file", "save_as_text_files"),
    ("save_as_object_file", "save_as_object_files"),
    ("coalesce", "repartition"),
    ("collect_partitions", "glom"),
    ("windowed", "window"),
    ("sliding", "window"),
    ("sliding_window", "window"),
    ("tumbling_window", "window"),
    ("count_by_key_and_window", "count_by_value_and_window"),
    ("update_state", "update_state_by_key"),
    ("track_state_by_key", "map_with_state"),
    ("map_state", "map_with_state"),
    ("scan", "map_with_state"),
    ("snapshots", "state_snapshots"),
];

/// The operator that `name` most likely means, and whether it is only spelled in Spark's camel case.
pub(crate) fn suggest(name: &str) -> Option<(&'static str, bool)> {
    let snake = snake_case(name);
    let camel = snake != name;
    if let Some(operator) = find(&snake) {
        return Some((operator.name, camel));
    }
    if let Some((_, operator)) = SYNONYMS.iter().find(|(other, _)| *other == snake) {
        return Some((operator, false));
    }
    let nearest = all().map(|operator| (distance(&snake, operator.name), operator.name)).min()?;
    // A third of the letters may be wrong; beyond that a guess confuses more than it helps.
    (nearest.0 <= (snake.chars().count() / 3).max(1)).then_some((nearest.1, false))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = letter.is_lowercase() || letter.is_numeric();
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The number of letters to insert, remove, replace or swap with a neighbour that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                replace.min(swap).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparks_spelling_is_recognised() {
        assert_eq!(suggest("reduceByKey"), Some(("reduce_by_key", true)));
        assert_eq!(suggest("flatMap"), Some(("flat_map", true)));
        assert_eq!(suggest("foreachRDD"), Some(("foreach_batch", false)));
        assert_eq!(suggest("saveAsTextFiles"), Some(("save_as_text_files", true)));
        assert_eq!(suggest("reduceByKeyAndWindow"), Some(("reduce_by_key_and_window", true)));
        assert_eq!(suggest("stateSnapshots"), Some(("state_snapshots", true)));
    }

    #[test]
    fn a_slip_is_corrected_and_a_stranger_is_not() {
        assert_eq!(suggest("flter"), Some(("filter", false)));
        assert_eq!(suggest("reduce_by_kye"), Some(("reduce_by_key", false)));
        assert_eq!(suggest("frobnicate"), None);
    }

    #[test]
    fn every_synonym_names_an_operator() {
        for (other, operator) in SYNONYMS {
            assert!(find(operator).is_some(), "{operator}");
            assert!(find(other).is_none(), "{other} is an operator itself");
        }
    }
}
