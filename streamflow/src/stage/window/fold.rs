//! How the panes of one key become the value of its window.
//!
//! * [`Inverse`]: the value is kept; a pane that enters is added, one that leaves is taken away again. Constant work.
//! * [`TwoStacks`]: no inverse is needed. The panes of the window are a queue made of two stacks. The newer panes have one
//!   aggregate for each key. The older panes have been turned over, the newest first: each noted for its keys the
//!   aggregate of the older panes after it, which holds again when the pane has left. When the older stack is empty the
//!   newer one is turned over, once for each pane. Amortised constant work
//!   (K. Tangwongsan, M. Hirzel, S. Schneider, *Low-latency sliding-window aggregation in worst-case constant time*, 2017,
//!   describe it as the starting point of their refinements).
//! * [`Values`]: the value is all values, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::shuffle::map_side::Aggregator;

/// What is kept for one key of a window.
pub trait Fold<A>: Send + Sync + 'static {
    /// What is kept for a key.
    type Kept: Default + Send + 'static;
    /// What the pane remembers of the key until it leaves.
    type Left: Send + 'static;
    /// A pane enters.
    fn enter(&self, kept: &mut Self::Kept, pane: A) -> Self::Left;
    /// The pane goes from the newer to the older stack, those that came after it before it; only of folds that
    /// [turn panes over](Fold::TURNS).
    fn turn(&self, kept: &mut Self::Kept, left: &mut Self::Left);
    /// The oldest pane of the key leaves.
    fn leave(&self, kept: &mut Self::Kept, left: Self::Left);
    /// The value of the window. There is at least one pane, unless [`STAYS`](Fold::STAYS).
    fn value(&self, kept: &Self::Kept) -> A;
    /// The aggregate of a pane that is in the window, if what is remembered of it tells; the same for all panes.
    fn pane<'a>(&self, left: &'a Self::Left) -> Option<&'a A>;
    /// Sets the value of a key, for those that [stay](Fold::STAYS).
    fn set(&self, kept: &mut Self::Kept, value: A);
    /// Whether a key that is in no pane any more stays, with the value that the inverse function left.
    const STAYS: bool;
    /// Whether panes must be turned over before they leave: all of the window, when none that leaves has been.
    const TURNS: bool;
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
    const TURNS: bool = false;

    fn enter(&self, kept: &mut Option<G::Acc>, pane: G::Acc) -> G::Acc {
        *kept = Some(match kept.take() {
            Some(value) => self.aggregator.merge(value, pane.clone()),
            None => pane.clone(),
        });
        pane
    }

    fn turn(&self, _: &mut Option<G::Acc>, _: &mut G::Acc) {}

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

/// Two stacks of panes.
pub struct TwoStacks<G> {
    pub(crate) aggregator: Arc<G>,
}

/// The aggregates of one key.
pub struct Stacks<A> {
    /// Of the panes that were turned over.
    older: Option<A>,
    /// Of the panes after these.
    newer: Option<A>,
}

impl<A> Default for Stacks<A> {
    fn default() -> Self {
        Self { older: None, newer: None }
    }
}

impl<G: Aggregator<Acc: Clone>> Fold<G::Acc> for TwoStacks<G> {
    type Kept = Stacks<G::Acc>;
    /// The aggregate of the pane; once it was turned over, that of the older panes after it.
    type Left = Option<G::Acc>;
    const STAYS: bool = false;
    const TURNS: bool = true;

    fn enter(&self, kept: &mut Stacks<G::Acc>, pane: G::Acc) -> Option<G::Acc> {
        kept.newer = Some(match kept.newer.take() {
            Some(value) => self.aggregator.merge(value, pane.clone()),
            None => pane.clone(),
        });
        Some(pane)
    }

    fn turn(&self, kept: &mut Stacks<G::Acc>, left: &mut Option<G::Acc>) {
        kept.newer = None;
        let pane = left.take().expect("a pane is turned over once");
        let older = match &kept.older {
            Some(after) => self.aggregator.merge(pane, after.clone()),
            None => pane,
        };
        *left = kept.older.replace(older);
    }

    fn leave(&self, kept: &mut Stacks<G::Acc>, left: Option<G::Acc>) {
        kept.older = left;
    }

    fn value(&self, kept: &Stacks<G::Acc>) -> G::Acc {
        match (&kept.older, &kept.newer) {
            (Some(older), Some(newer)) => self.aggregator.merge(older.clone(), newer.clone()),
            (Some(value), None) | (None, Some(value)) => value.clone(),
            (None, None) => unreachable!("a key without panes is forgotten"),
        }
    }

    fn pane<'a>(&self, _: &'a Option<G::Acc>) -> Option<&'a G::Acc> {
        None
    }

    fn set(&self, _: &mut Stacks<G::Acc>, _: G::Acc) {}
}

/// All values of the panes, in order.
pub(crate) struct Values;

impl<V: Clone + Send + Sync + 'static> Fold<Vec<V>> for Values {
    type Kept = VecDeque<V>;
    /// Number of values of the pane.
    type Left = usize;
    const STAYS: bool = false;
    const TURNS: bool = false;

    fn enter(&self, kept: &mut VecDeque<V>, pane: Vec<V>) -> usize {
        let values = pane.len();
        kept.extend(pane);
        values
    }

    fn turn(&self, _: &mut VecDeque<V>, _: &mut usize) {}

    fn leave(&self, kept: &mut VecDeque<V>, values: usize) {
        kept.drain(..values);
    }

    fn value(&self, kept: &VecDeque<V>) -> Vec<V> {
        kept.iter().cloned().collect()
    }

    fn pane<'a>(&self, _: &'a usize) -> Option<&'a Vec<V>> {
        None
    }

    fn set(&self, _: &mut VecDeque<V>, _: Vec<V>) {}
}
