//! One trait and one function for each operator, so that a message of the compiler can name the operator.
//!
//! `#[diagnostic::on_unimplemented]` takes a literal, which cannot be put together from the operator's name, so the
//! messages are written out.

/// What an operator on pairs asks of a record. The parts are parameters, not associated types: a record that is no pair
/// then is one mistake, not one for each part.
macro_rules! pair_of {
    ($name:ident $message:literal, SHUFFLED) => {
        pair_of! { @ $name $message, "the key decides which partition a record is shuffled to" }
    };
    ($name:ident $message:literal, KEYED) => {
        pair_of! { @ $name $message, "a keyed stream is one of pairs" }
    };
    (@ $name:ident $message:literal, $note:literal) => {
        #[diagnostic::on_unimplemented(
                    message = $message,
                    label = "no `(key, value)` records arrive here",
                    note = $note,
                    note = "pair each record first, for instance `.map(|w| (w, 1))` or `.key_by(|record| record.id)`"
                )]
        pub trait $name<K, V> {
            fn pair(self) -> (K, V);
        }

        #[diagnostic::do_not_recommend]
        impl<K, V> $name<K, V> for (K, V) {
            #[inline(always)]
            fn pair(self) -> (K, V) {
                self
            }
        }

        /// The key and the value of a record.
        #[inline(always)]
        pub fn $name<K, V>(record: impl $name<K, V>) -> (K, V) {
            record.pair()
        }
    };
}

/// What a consumer asks of a record that others consume too.
macro_rules! fork_to {
    ($name:ident $message:literal) => {
        #[diagnostic::on_unimplemented(
                            message = $message,
                            label = "this is one of several consumers of the stream",
                            note = "each consumer of a record gets a record of its own; all but the last get a clone",
                            note = "add `#[derive(Clone)]` to the type, or use the stream only once"
                        )]
        pub trait $name {
            fn fork(&self) -> Self;
        }

        #[diagnostic::do_not_recommend]
        impl<T: Clone> $name for T {
            #[inline(always)]
            fn fork(&self) -> T {
                self.clone()
            }
        }

        /// A record for one of several consumers.
        #[inline(always)]
        pub fn $name<T: $name>(record: &T) -> T {
            record.fork()
        }
    };
}

/// Records as pairs, by the operator that needs them so.
#[allow(non_camel_case_types, reason = "the compiler's message shows the operator's name")]
pub mod pair_of {
    pair_of! { reduce_by_key "`reduce_by_key` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { combine_by_key "`combine_by_key` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { aggregate_by_key "`aggregate_by_key` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { fold_by_key "`fold_by_key` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { group_by_key "`group_by_key` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { partition_by "`partition_by` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { join "`join` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { left_outer_join "`left_outer_join` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { right_outer_join "`right_outer_join` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { full_outer_join "`full_outer_join` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { cogroup "`cogroup` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { reduce_by_key_and_window "`reduce_by_key_and_window` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { group_by_key_and_window "`group_by_key_and_window` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { update_state_by_key "`update_state_by_key` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { update_state_by_partition "`update_state_by_partition` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { map_with_state "`map_with_state` needs `(key, value)` records, but this stream carries `{Self}`", SHUFFLED }
    pair_of! { map_values "`map_values` needs `(key, value)` records, but this stream carries `{Self}`", KEYED }
    pair_of! { flat_map_values "`flat_map_values` needs `(key, value)` records, but this stream carries `{Self}`", KEYED }
    pair_of! { keys "`keys` needs `(key, value)` records, but this stream carries `{Self}`", KEYED }
    pair_of! { values "`values` needs `(key, value)` records, but this stream carries `{Self}`", KEYED }
    pair_of! { swap "`swap` needs `(key, value)` records, but this stream carries `{Self}`", KEYED }
}

/// Copies of records, by the operator that takes them.
#[allow(non_camel_case_types, reason = "the compiler's message shows the operator's name")]
pub mod fork_to {
    fork_to! { every_item "the key `{Self}` goes to every item of `flat_map_values`, so it must be `Clone`" }
    fork_to! { result "`{Self}` goes to more than one consumer, so it must be `Clone`" }
    fork_to! { map "`{Self}` goes to `map` and to a further consumer, so it must be `Clone`" }
    fork_to! { flat_map "`{Self}` goes to `flat_map` and to a further consumer, so it must be `Clone`" }
    fork_to! { filter_map "`{Self}` goes to `filter_map` and to a further consumer, so it must be `Clone`" }
    fork_to! { key_by "`{Self}` goes to `key_by` and to a further consumer, so it must be `Clone`" }
    fork_to! { map_values "`{Self}` goes to `map_values` and to a further consumer, so it must be `Clone`" }
    fork_to! { flat_map_values "`{Self}` goes to `flat_map_values` and to a further consumer, so it must be `Clone`" }
    fork_to! { keys "`{Self}` goes to `keys` and to a further consumer, so it must be `Clone`" }
    fork_to! { values "`{Self}` goes to `values` and to a further consumer, so it must be `Clone`" }
    fork_to! { swap "`{Self}` goes to `swap` and to a further consumer, so it must be `Clone`" }
    fork_to! { map_partitions "`{Self}` goes to `map_partitions` and to a further consumer, so it must be `Clone`" }
    fork_to! { glom "`{Self}` goes to `glom` and to a further consumer, so it must be `Clone`" }
    fork_to! { count_by_value "`{Self}` goes to `count_by_value` and to a further consumer, so it must be `Clone`" }
    fork_to! { reduce "`{Self}` goes to `reduce` and to a further consumer, so it must be `Clone`" }
    fork_to! { reduce_by_key "`{Self}` goes to `reduce_by_key` and to a further consumer, so it must be `Clone`" }
    fork_to! { combine_by_key "`{Self}` goes to `combine_by_key` and to a further consumer, so it must be `Clone`" }
    fork_to! { aggregate_by_key "`{Self}` goes to `aggregate_by_key` and to a further consumer, so it must be `Clone`" }
    fork_to! { fold_by_key "`{Self}` goes to `fold_by_key` and to a further consumer, so it must be `Clone`" }
    fork_to! { group_by_key "`{Self}` goes to `group_by_key` and to a further consumer, so it must be `Clone`" }
    fork_to! { distinct "`{Self}` goes to `distinct` and to a further consumer, so it must be `Clone`" }
    fork_to! { repartition "`{Self}` goes to `repartition` and to a further consumer, so it must be `Clone`" }
    fork_to! { partition_by "`{Self}` goes to `partition_by` and to a further consumer, so it must be `Clone`" }
    fork_to! { top_by "`{Self}` goes to `top_by` and to a further consumer, so it must be `Clone`" }
    fork_to! { join "`{Self}` goes to `join` and to a further consumer, so it must be `Clone`" }
    fork_to! { left_outer_join "`{Self}` goes to `left_outer_join` and to a further consumer, so it must be `Clone`" }
    fork_to! { right_outer_join "`{Self}` goes to `right_outer_join` and to a further consumer, so it must be `Clone`" }
    fork_to! { full_outer_join "`{Self}` goes to `full_outer_join` and to a further consumer, so it must be `Clone`" }
    fork_to! { cogroup "`{Self}` goes to `cogroup` and to a further consumer, so it must be `Clone`" }
    fork_to! { count_by_value_and_window "`{Self}` goes to `count_by_value_and_window` and to a further consumer, so it must be `Clone`" }
    fork_to! { reduce_by_window "`{Self}` goes to `reduce_by_window` and to a further consumer, so it must be `Clone`" }
    fork_to! { reduce_by_key_and_window "`{Self}` goes to `reduce_by_key_and_window` and to a further consumer, so it must be `Clone`" }
    fork_to! { group_by_key_and_window "`{Self}` goes to `group_by_key_and_window` and to a further consumer, so it must be `Clone`" }
    fork_to! { update_state_by_key "`{Self}` goes to `update_state_by_key` and to a further consumer, so it must be `Clone`" }
    fork_to! { update_state_by_partition "`{Self}` goes to `update_state_by_partition` and to a further consumer, so it must be `Clone`" }
    fork_to! { map_with_state "`{Self}` goes to `map_with_state` and to a further consumer, so it must be `Clone`" }
}
