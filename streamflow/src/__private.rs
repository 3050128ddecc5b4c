//! The only path that emitted code may name. Nothing here is part of the public interface: it may change in any release.

pub use crate::plan::{Function, Fused, Operator, StagePlan};
pub use crate::record::Fork;
pub use crate::record::own::{Borrowing, HowFirst, HowId, HowSecond, HowView, Lifted, Own, OwnKey, tag};
pub use crate::run::At;
pub use crate::stage::narrow::stage;
pub use crate::stage::static_table::{static_join, static_left_outer_join};
pub use crate::topology::Scope;
use crate::{DStream, Record};

/// Sinks by the name of their operator.
pub mod sink {
    use crate::stage::combine::{self, Combine};
    use crate::stage::join::{self, PairSink};
    use crate::stage::sink::Sink;
    use crate::stage::window::fold::{Inverse, TwoStacks};
    use crate::stage::{collect, group, map_with_state, repartition, total, update_state_by_key, window};
    use crate::state::spec::{Plain, WithTime};

    pub type ReduceByKey<K, V, F> = Sink<Combine<K, combine::Reduce<V, F>>>;
    pub type CombineByKey<K, V, C, New, Add, Merge> = Sink<Combine<K, combine::CombineBy<V, C, New, Add, Merge>>>;
    pub type AggregateByKey<K, V, A, Add, Merge> = Sink<Combine<K, combine::Aggregate<V, A, Add, Merge>>>;
    pub type FoldByKey<K, V, F> = Sink<Combine<K, combine::Fold<V, F>>>;
    pub type CountByValue<K> = Sink<combine::CountByValue<K>>;
    pub type Distinct<K> = Sink<combine::Distinct<K>>;
    pub type GroupByKey<K, V> = Sink<group::GroupByKey<K, V>>;
    pub type PartitionBy<K, V> = Sink<group::PartitionBy<K, V>>;
    pub type Repartition<T> = Sink<repartition::Repartition<T>>;
    pub type Count = Sink<total::Count>;
    pub type Reduce<T, F> = Sink<total::ReduceAll<T, F>>;
    pub type TopBy<T, Key, F> = Sink<total::TopBy<T, Key, F>>;
    pub type Join<K, V, W> = PairSink<join::Join<K, V, W>>;
    pub type LeftOuterJoin<K, V, W> = PairSink<join::LeftOuterJoin<K, V, W>>;
    pub type RightOuterJoin<K, V, W> = PairSink<join::RightOuterJoin<K, V, W>>;
    pub type FullOuterJoin<K, V, W> = PairSink<join::FullOuterJoin<K, V, W>>;
    pub type Cogroup<K, V, W> = PairSink<join::Cogroup<K, V, W>>;
    pub type CountByWindow = Sink<window::total::CountAllWindow>;
    pub type CountByValueAndWindow<K> = Sink<window::keyed::CountWindow<K>>;
    pub type ReduceByWindow<T, F> = Sink<window::total::ReduceAllWindow<T, F, TwoStacks<combine::Reduce<T, F>>>>;
    pub type ReduceByWindowInverse<T, F, I> =
        Sink<window::total::ReduceAllWindow<T, F, Inverse<combine::Reduce<T, F>, I>>>;
    pub type ReduceByKeyAndWindow<K, V, F> =
        Sink<window::keyed::ReduceWindow<K, V, F, TwoStacks<combine::Reduce<V, F>>>>;
    pub type ReduceByKeyAndWindowInverse<K, V, F, I> =
        Sink<window::keyed::ReduceWindow<K, V, F, Inverse<combine::Reduce<V, F>, I>>>;
    pub type GroupByKeyAndWindow<K, V> = Sink<window::keyed::GroupWindow<K, V>>;
    pub type UpdateStateByKey<K, V, S, F> =
        Sink<update_state_by_key::UpdateStateByKey<K, V, S, update_state_by_key::ByValues<F>>>;
    pub type UpdateStateByKeyWithTime<K, V, S, F> =
        Sink<update_state_by_key::UpdateStateByKey<K, V, S, update_state_by_key::ByTime<F>>>;
    pub type MapWithState<K, V, S, M, F> = Sink<map_with_state::MapWithState<K, V, S, M, F>>;
    pub type MapWithStatePlain<K, V, S, M, F> = Sink<map_with_state::MapWithState<K, V, S, M, Plain<F>>>;
    pub type MapWithStateTime<K, V, S, M, F> = Sink<map_with_state::MapWithState<K, V, S, M, WithTime<F>>>;
    pub type Collect<T> = Sink<collect::CollectRecords<T>>;
    pub type CollectViews<T> = Sink<collect::CollectText<T>>;
}

macro_rules! operators {
    ($($name:ident)*) => {
        /// A type for each operator, so that a message of the compiler can name it.
        #[allow(non_camel_case_types, reason = "the message shows the operator's name")]
        pub mod op {
            $(pub struct $name;)*
        }
    };
}

operators! {
    map flat_map filter filter_map inspect map_values flat_map_values key_by keys values swap map_partitions glom union
    count count_by_value reduce reduce_by_key combine_by_key aggregate_by_key fold_by_key group_by_key distinct repartition
    partition_by join left_outer_join right_outer_join full_outer_join cogroup top_by transform transform_with
    window count_by_window count_by_value_and_window reduce_by_window reduce_by_key_and_window group_by_key_and_window
    update_state_by_key map_with_state state_snapshots
    print save_as_text_files save_as_object_files foreach_batch foreach_partition foreach to
}

/// A record that is a pair.
#[diagnostic::on_unimplemented(
    message = "`{Op}` needs `(key, value)` records, but this stream carries `{Self}`",
    label = "this stream carries `{Self}`",
    note = "the key decides which partition a record is shuffled to",
    note = "pair each record first, for instance `.map(|w| (w, 1))` or `.key_by(|record| record.id)`"
)]
pub trait Pair<Op> {
    type Key;
    type Value;
    fn pair(self) -> (Self::Key, Self::Value);
}

impl<Op, K, V> Pair<Op> for (K, V) {
    type Key = K;
    type Value = V;
    #[inline]
    fn pair(self) -> (K, V) {
        self
    }
}

/// The key and the value of a record.
#[inline]
pub fn pair<Op, P: Pair<Op>>(record: P) -> (P::Key, P::Value) {
    record.pair()
}

/// A record that can go to more than one consumer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` goes to `{Op}` and to a further consumer, so it must be `Clone`",
    label = "this is one of several consumers of the stream",
    note = "each consumer of a record gets a record of its own; all but the last get a clone",
    note = "add `#[derive(Clone)]` to the type, or use the stream only once"
)]
pub trait ForkTo<Op> {
    fn fork(&self) -> Self;
}

impl<Op, T: Clone> ForkTo<Op> for T {
    #[inline]
    fn fork(&self) -> T {
        self.clone()
    }
}

/// A record for one of several consumers.
#[inline]
pub fn fork<Op, T: ForkTo<Op>>(record: &T) -> T {
    record.fork()
}

/// Notes that a stream has several consumers.
pub fn shared<T: Fork + ?Sized>(stream: &DStream<T>) {
    stream.share();
}

/// A value that the closures of a stage can keep.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is used in a closure of the stream, but a stage cannot keep it",
    label = "this value is captured",
    note = "stages run later and on several threads: what their closures use must be `Clone + Send + Sync + 'static`",
    note = "share it as an `Arc`, or take what is needed out of it before the stream"
)]
pub trait Capture: Clone + Send + Sync {}
impl<T: Clone + Send + Sync> Capture for T {}

/// A copy of a value for the closures of a stage.
pub fn capture<T: Capture>(value: &T) -> T {
    value.clone()
}

/// Calls a closure or a function whose body cannot be inlined.
#[inline(always)]
pub fn apply<A, R>(argument: A, function: impl FnOnce(A) -> R) -> R {
    function(argument)
}

/// Stands in for the body of a function with mistakes, so that only they are reported.
pub fn mistaken<T>() -> T {
    unreachable!("a function with mistakes is not compiled")
}

/// Checks that a type is a record, with a message at the user's type.
pub const fn record<T: Record + ?Sized>() {}
