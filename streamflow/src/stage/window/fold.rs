//! How the panes of one key become the value of its window.
//!
//! * [`Inverse`]: the value is kept; a pane that enters is added, one that leaves is taken away again. Constant work.
//! * [`TwoStacks`]: no inverse is needed. The panes of a key are a queue made of two stacks: the newer ones with their
//!   running aggregate, the older ones as aggregates of all that is above them. Taking the oldest away pops one; when the
//!   older stack is empty the newer one is turned over, once for each pane. Amortised constant work
//!   (K. Tangwongsan, M. Hirzel, S. Schneider, *Low-latency sliding-window aggregation in worst-case constant time*, 2017,
//!   describe it as the starting point of their refinements).
//! * [`Values`]: the value is all values, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::shuffle::map_side::Aggregator;

/// What is kept for one key of a window.
pub trait Fold<A>: Send + Sync + 'static {
    /// What is kept for a key.
    type Kept: Default + Send + 'static;
    /// What the pane remembers of the key until it leaves.
    type Left: Send + 'static;
    /// A pane enters. With `keep_pane` its aggregate can be asked for while the pane is in the window.
    fn enter(&self, kept: &mut Self::Kept, pane: A, keep_pane: bool) -> Self::Left;
    /// The oldest pane of the key leaves.
    fn leave(&self, kept: &mut Self::Kept, left: Self::Left);
    /// The value of the window. There is at least one pane, unless [`STAYS`](Fold::STAYS).
    fn value(&self, kept: &Self::Kept) -> A;
    /// The aggregate of a pane that was entered with `keep_pane`.
    fn pane<'a>(&self, left: &'a Self::Left) -> Option<&'a A>;
    /// Sets the value of a key, for those that [stay](Fold::STAYS).
    fn set(&self, kept: &mut Self::Kept, value: A);
    /// Whether a key that is in no pane any more stays, with the value that the inverse function left.
    const STAYS: bool;
}

/// Adds what enters and takes away what leaves.
pub struct Inverse<G, I> {
    pub(crate) aggregator: Arc<G>,
    pub(crate) inverse: I,
}

impl<G, I> Fold<G::Acc> for Inverse<G, I>
where
    G: Aggregator<Acc: Clone>,
    I: Fn(G::Acc, G::Acc) -> G::Acc + Send + Sync + 'static,
{
    type Kept = Option<G::Acc>;
    type Left = G::Acc;
    const STAYS: bool = true;

    fn enter(&self, kept: &mut Option<G::Acc>, pane: G::Acc, _: bool) -> G::Acc {
        *kept = Some(match kept.take() {
            Some(value) => self.aggregator.merge(value, pane.clone()),
            None => pane.clone(),
        });
        pane
    }

    fn leave(&self, kept: &mut Option<G::Acc>, left: G::Acc) {
        *kept = kept.take().map(|value| (self.inverse)(value, left));
    }

    fn value(&self, kept: &Option<G::Acc>) -> G::Acc {
        kept.clone().expect("a key is kept from its first pane on")
    }

    fn pane<'a>(&self, left: &'a G::Acc) -> Option<&'a G::Acc> {
        Some(left)
    }

    fn set(&self, kept: &mut Option<G::Acc>, value: G::Acc) {
        *kept = Some(value);
    }
}

/// Two stacks for each key.
pub struct TwoStacks<G> {
    pub(crate) aggregator: Arc<G>,
}

/// The panes of one key. Most keys of a long tail are in one or two, which need no allocation.
pub struct Stacks<A> {
    /// Aggregates of the older panes, each of a pane and all newer ones of this stack; the oldest pane is on top.
    older: SmallVec<[A; 2]>,
    /// The newer panes, the newest on top.
    newer: SmallVec<[A; 2]>,
    /// The aggregate of `newer`.
    newest: Option<A>,
}

impl<A> Default for Stacks<A> {
    fn default() -> Self {
        Self { older: SmallVec::new(), newer: SmallVec::new(), newest: None }
    }
}

impl<G: Aggregator<Acc: Clone>> Fold<G::Acc> for TwoStacks<G> {
    type Kept = Stacks<G::Acc>;
    type Left = Option<G::Acc>;
    const STAYS: bool = false;

    fn enter(&self, kept: &mut Stacks<G::Acc>, pane: G::Acc, keep_pane: bool) -> Option<G::Acc> {
        let left = keep_pane.then(|| pane.clone());
        kept.newest = Some(match kept.newest.take() {
            Some(value) => self.aggregator.merge(value, pane.clone()),
            None => pane.clone(),
        });
        kept.newer.push(pane);
        left
    }

    fn leave(&self, kept: &mut Stacks<G::Acc>, _: Option<G::Acc>) {
        if kept.older.is_empty() {
            kept.newest = None;
            while let Some(pane) = kept.newer.pop() {
                let aggregate = match kept.older.last() {
                    Some(newer) => self.aggregator.merge(pane, newer.clone()),
                    None => pane,
                };
                kept.older.push(aggregate);
            }
        }
        kept.older.pop();
    }

    fn value(&self, kept: &Stacks<G::Acc>) -> G::Acc {
        match (kept.older.last(), &kept.newest) {
            (Some(older), Some(newer)) => self.aggregator.merge(older.clone(), newer.clone()),
            (Some(value), None) | (None, Some(value)) => value.clone(),
            (None, None) => unreachable!("a key without panes is forgotten"),
        }
    }

    fn pane<'a>(&self, left: &'a Option<G::Acc>) -> Option<&'a G::Acc> {
        left.as_ref()
    }

    fn set(&self, _: &mut Stacks<G::Acc>, _: G::Acc) {}
}

/// All values of the panes, in order.
pub(crate) struct Values;

impl<V: Clone + Send + Sync + 'static> Fold<Vec<V>> for Values {
    type Kept = VecDeque<V>;
    type Left = (usize, Option<Vec<V>>);
    const STAYS: bool = false;

    fn enter(&self, kept: &mut VecDeque<V>, pane: Vec<V>, keep_pane: bool) -> Self::Left {
        let left = (pane.len(), keep_pane.then(|| pane.clone()));
        kept.extend(pane);
        left
    }

    fn leave(&self, kept: &mut VecDeque<V>, (values, _): Self::Left) {
        kept.drain(..values);
    }

    fn value(&self, kept: &VecDeque<V>) -> Vec<V> {
        kept.iter().cloned().collect()
    }

    fn pane<'a>(&self, (_, pane): &'a Self::Left) -> Option<&'a Vec<V>> {
        pane.as_ref()
    }

    fn set(&self, _: &mut VecDeque<V>, _: Vec<V>) {}
}
