//! The only path that emitted code may name. Nothing here is part of the public interface: it may change in any release.

mod operators;

use std::time::Duration;

pub use self::operators::{fork_to, pair_of};
pub use crate::plan::{Function, Fused, Operator, StagePlan};
pub use crate::record::Fork;
pub use crate::record::own::{
    Borrowing, DeclaredAs, HowFirst, HowId, HowSecond, HowView, Lifted, Own, OwnKey, declared, tag,
};
pub use crate::run::At;
pub use crate::stage::narrow::stage;
pub use crate::stage::static_table::{static_join, static_left_outer_join};
pub use crate::state::codec::{HasCodec, NoCodec};
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
    pub type UpdateStateByPartition<K, V, S, F> =
        Sink<update_state_by_key::UpdateStateByKey<K, V, S, update_state_by_key::ByPartition<F>>>;
    pub type MapWithState<K, V, S, M, F> = Sink<map_with_state::MapWithState<K, V, S, M, F>>;
    pub type MapWithStatePlain<K, V, S, M, F> = Sink<map_with_state::MapWithState<K, V, S, M, Plain<F>>>;
    pub type MapWithStateTime<K, V, S, M, F> = Sink<map_with_state::MapWithState<K, V, S, M, WithTime<F>>>;
    pub type Collect<T> = Sink<collect::CollectRecords<T>>;
    pub type CollectViews<T> = Sink<collect::CollectText<T>>;
}

/// A result of the declared type, which its sink has checked already (`yields`); so a mistake shows there only.
pub fn declared_stream<T: Record, R: Record>(stream: DStream<R>) -> DStream<T> {
    stream.retyped()
}

/// Notes the batch interval that the function of a stream is written for.
pub fn written_for<T: Record + ?Sized>(stream: &DStream<T>, function: &'static Function, interval: Duration) {
    stream.topology().written_for(function, interval);
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
#[diagnostic::do_not_recommend]
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
