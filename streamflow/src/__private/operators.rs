//! One trait and one function for each operator, so that a message of the compiler can name the operator.
//!
//! `#[diagnostic::on_unimplemented]` takes a literal, which cannot be put together from the operator's name, so the
//! messages are written out.

/// What an operator on pairs asks of a record. The parts are parameters, not associated types: a record that is no pair
/// then is one mistake, not one for each part.
macro_rules! pair_of {
    ($note:literal: $($name:ident $message:literal)*) => {$(
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
    )*};
}

/// What a consumer asks of a record that others consume too.
macro_rules! fork_to {
    ($($name:ident $message:literal)*) => {$(
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
    )*};
}

/// Records as pairs, by the operator that needs them so.
#[allow(non_camel_case_types, reason = "the compiler's message shows the operator's name")]
pub mod pair_of {
    pair_of! { "the key decides which partition a record is shuffled to":
        reduce_by_key "`reduce_by_key` needs `(key, value)` records, but this stream carries `{Self}`"
        combine_by_key "`combine_by_key` needs `(key, value)` records, but this stream carries `{Self}`"
        aggregate_by_key "`aggregate_by_key` needs `(key, value)` records, but this stream carries `{Self}`"
        fold_by_key "`fold_by_key` needs `(key, value)` records, but this stream carries `{Self}`"
        group_by_key "`group_by_key` needs `(key, value)` records, but this stream carries `{Self}`"
        partition_by "`partition_by` needs `(key, value)` records, but this stream carries `{Self}`"
        join "`join` needs `(key, value)` records, but this stream carries `{Self}`"
        left_outer_join "`left_outer_join` needs `(key, value)` records, but this stream carries `{Self}`"
        right_outer_join "`right_outer_join` needs `(key, value)` records, but this stream carries `{Self}`"
        full_outer_join "`full_outer_join` needs `(key, value)` records, but this stream carries `{Self}`"
        cogroup "`cogroup` needs `(key, value)` records, but this stream carries `{Self}`"
        reduce_by_key_and_window "`reduce_by_key_and_window` needs `(key, value)` records, but this stream carries `{Self}`"
        group_by_key_and_window "`group_by_key_and_window` needs `(key, value)` records, but this stream carries `{Self}`"
        update_state_by_key "`update_state_by_key` needs `(key, value)` records, but this stream carries `{Self}`"
        update_state_by_partition "`update_state_by_partition` needs `(key, value)` records, but this stream carries `{Self}`"
        map_with_state "`map_with_state` needs `(key, value)` records, but this stream carries `{Self}`"
    }
    pair_of! { "a keyed stream is one of pairs":
        map_values "`map_values` needs `(key, value)` records, but this stream carries `{Self}`"
        flat_map_values "`flat_map_values` needs `(key, value)` records, but this stream carries `{Self}`"
        keys "`keys` needs `(key, value)` records, but this stream carries `{Self}`"
        values "`values` needs `(key, value)` records, but this stream carries `{Self}`"
        swap "`swap` needs `(key, value)` records, but this stream carries `{Self}`"
    }
}

/// Copies of records, by the operator that takes them.
#[allow(non_camel_case_types, reason = "the compiler's message shows the operator's name")]
pub mod fork_to {
    fork_to! {
        every_item "the key `{Self}` goes to every item of `flat_map_values`, so it must be `Clone`"
        result "`{Self}` goes to more than one consumer, so it must be `Clone`"
        map "`{Self}` goes to `map` and to a further consumer, so it must be `Clone`"
        flat_map "`{Self}` goes to `flat_map` and to a further consumer, so it must be `Clone`"
        filter_map "`{Self}` goes to `filter_map` and to a further consumer, so it must be `Clone`"
        key_by "`{Self}` goes to `key_by` and to a further consumer, so it must be `Clone`"
        map_values "`{Self}` goes to `map_values` and to a further consumer, so it must be `Clone`"
        flat_map_values "`{Self}` goes to `flat_map_values` and to a further consumer, so it must be `Clone`"
        keys "`{Self}` goes to `keys` and to a further consumer, so it must be `Clone`"
        values "`{Self}` goes to `values` and to a further consumer, so it must be `Clone`"
        swap "`{Self}` goes to `swap` and to a further consumer, so it must be `Clone`"
        map_partitions "`{Self}` goes to `map_partitions` and to a further consumer, so it must be `Clone`"
        glom "`{Self}` goes to `glom` and to a further consumer, so it must be `Clone`"
        count_by_value "`{Self}` goes to `count_by_value` and to a further consumer, so it must be `Clone`"
        reduce "`{Self}` goes to `reduce` and to a further consumer, so it must be `Clone`"
        reduce_by_key "`{Self}` goes to `reduce_by_key` and to a further consumer, so it must be `Clone`"
        combine_by_key "`{Self}` goes to `combine_by_key` and to a further consumer, so it must be `Clone`"
        aggregate_by_key "`{Self}` goes to `aggregate_by_key` and to a further consumer, so it must be `Clone`"
        fold_by_key "`{Self}` goes to `fold_by_key` and to a further consumer, so it must be `Clone`"
        group_by_key "`{Self}` goes to `group_by_key` and to a further consumer, so it must be `Clone`"
        distinct "`{Self}` goes to `distinct` and to a further consumer, so it must be `Clone`"
        repartition "`{Self}` goes to `repartition` and to a further consumer, so it must be `Clone`"
        partition_by "`{Self}` goes to `partition_by` and to a further consumer, so it must be `Clone`"
        top_by "`{Self}` goes to `top_by` and to a further consumer, so it must be `Clone`"
        join "`{Self}` goes to `join` and to a further consumer, so it must be `Clone`"
        left_outer_join "`{Self}` goes to `left_outer_join` and to a further consumer, so it must be `Clone`"
        right_outer_join "`{Self}` goes to `right_outer_join` and to a further consumer, so it must be `Clone`"
        full_outer_join "`{Self}` goes to `full_outer_join` and to a further consumer, so it must be `Clone`"
        cogroup "`{Self}` goes to `cogroup` and to a further consumer, so it must be `Clone`"
        count_by_value_and_window "`{Self}` goes to `count_by_value_and_window` and to a further consumer, so it must be `Clone`"
        reduce_by_window "`{Self}` goes to `reduce_by_window` and to a further consumer, so it must be `Clone`"
        reduce_by_key_and_window "`{Self}` goes to `reduce_by_key_and_window` and to a further consumer, so it must be `Clone`"
        group_by_key_and_window "`{Self}` goes to `group_by_key_and_window` and to a further consumer, so it must be `Clone`"
        update_state_by_key "`{Self}` goes to `update_state_by_key` and to a further consumer, so it must be `Clone`"
        update_state_by_partition "`{Self}` goes to `update_state_by_partition` and to a further consumer, so it must be `Clone`"
        map_with_state "`{Self}` goes to `map_with_state` and to a further consumer, so it must be `Clone`"
    }
}
