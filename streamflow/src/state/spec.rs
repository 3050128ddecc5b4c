//! What a `map_with_state` does: its function's handle to the state, its initial state and its timeout.

use std::fmt;
use std::time::Duration;

/// What a `map_with_state` keeps, and for how long.
///
/// It is written where it is used, in the argument of the operator:
///
/// ```
/// use streamflow::prelude::*;
/// use streamflow::testing;
///
/// /// The running count of each word, forgotten after half an hour without the word.
/// #[stream]
/// fn running(words: DStream<String>) -> DStream<(String, u64)> {
///     words.map(|word| (word, 1)).map_with_state(
///         StateSpec::function(|word: &String, one: Option<u64>, count: &mut State<u64>| {
///             let total = count.get().copied().unwrap_or(0) + one.unwrap_or(0);
///             if !count.is_timing_out() {
///                 count.update(total);
///             }
///             (word.clone(), total)
///         })
///         .timeout(30min),
///     )
/// }
///
/// let out = testing::run(vec![vec!["a".to_owned()], vec!["a".to_owned()]], running)?;
/// assert_eq!(out, [[("a".to_owned(), 1)], [("a".to_owned(), 2)]]);
/// # Ok::<(), streamflow::Error>(())
/// ```
///
/// A spec must say [`timeout`](StateSpec::timeout) or [`unbounded`](StateSpec::unbounded): state that only grows is a
/// decision that a reader of the program should see.
///
/// **Source**: Spark's `StateSpec`. The timeout fires in the batch in which it falls due, not every ten batches.
#[must_use = "a spec does nothing until an operator gets it"]
pub struct StateSpec<F, K = (), S = (), Lifetime = Undecided> {
    pub(crate) function: F,
    pub(crate) initial: Vec<(K, S)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) partitions: Option<usize>,
    lifetime: std::marker::PhantomData<Lifetime>,
}

/// A [`StateSpec`] that does not say yet how long it keeps a state.
#[derive(Debug)]
pub struct Undecided;

/// A [`StateSpec`] that says how long it keeps a state.
#[derive(Debug)]
pub struct Decided;

/// What a `map_with_state` asks of its spec.
#[diagnostic::on_unimplemented(
    message = "this `StateSpec` does not say how long it keeps a state",
    label = "it says neither `.timeout(..)` nor `.unbounded()`",
    note = "state that only grows is a decision that a reader of the program should see",
    note = "add `.timeout(30min)`, or `.unbounded()` if the function removes what is over"
)]
pub trait SaysHowLong {}
impl SaysHowLong for Decided {}

/// Marks a function of key, value and state, which always gives a record.
pub struct Plain<F>(pub(crate) F);

/// Marks a function of time, key, value and state, which may give a record.
pub struct WithTime<F>(pub(crate) F);

impl<F, K, S> StateSpec<Plain<F>, K, S> {
    /// Calls `function(key, value, state)` for each record, and with no value for a key that times out. What it returns goes
    /// to the mapped stream.
    ///
    /// Records of one key in one batch are applied one after the other to the same state.
    pub fn function<V, M>(function: F) -> Self
    where
        F: Fn(&K, Option<V>, &mut State<S>) -> M + Send + Sync + 'static,
    {
        Self::of(Plain(function))
    }
}

impl<F, K, S> StateSpec<WithTime<F>, K, S> {
    /// As [`function`](StateSpec::function), with the time of the batch, and returning an `Option`: `None` adds nothing to
    /// the mapped stream.
    pub fn function_with_time<V, M>(function: F) -> Self
    where
        F: Fn(crate::BatchTime, &K, Option<V>, &mut State<S>) -> Option<M> + Send + Sync + 'static,
    {
        Self::of(WithTime(function))
    }
}

impl<F, K, S> StateSpec<F, K, S> {
    fn of(function: F) -> Self {
        Self { function, initial: Vec::new(), timeout: None, partitions: None, lifetime: std::marker::PhantomData }
    }

    /// Forgets a key that had no record for longer than `idle`, after one last call of the function with no value.
    ///
    /// It fires in the first batch whose time is more than `idle` after the key's last record.
    pub fn timeout(self, idle: Duration) -> StateSpec<F, K, S, Decided> {
        self.decide(Some(idle))
    }

    /// Keeps states until the function removes them.
    pub fn unbounded(self) -> StateSpec<F, K, S, Decided> {
        self.decide(None)
    }

    fn decide(self, timeout: Option<Duration>) -> StateSpec<F, K, S, Decided> {
        let Self { function, initial, partitions, .. } = self;
        StateSpec { function, initial, timeout, partitions, lifetime: std::marker::PhantomData }
    }
}

impl<F, K, S, Lifetime> StateSpec<F, K, S, Lifetime> {
    /// The states before the first batch.
    pub fn initial_state(mut self, states: impl IntoIterator<Item = (K, S)>) -> Self {
        self.initial = states.into_iter().collect();
        self
    }

    /// In how many partitions the state is kept; the parallelism of the context if nothing is said.
    pub fn num_partitions(mut self, partitions: usize) -> Self {
        self.partitions = Some(partitions.max(1));
        self
    }
}

impl<F, K, S, Lifetime> fmt::Debug for StateSpec<F, K, S, Lifetime> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateSpec")
            .field("timeout", &self.timeout)
            .field("initial", &self.initial.len())
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

/// The state of one key, in the hands of the function of a `map_with_state`.
///
/// **Source**: Spark's `State`. Its misuse (updating what was removed, or what is timing out) panics with a message, which
/// fails the batch like every panic of a closure.
#[derive(Debug)]
pub struct State<S> {
    value: Option<S>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Untouched,
    Updated,
    Removed,
    TimingOut,
}

impl<S> State<S> {
    pub(crate) fn new(value: Option<S>) -> Self {
        Self { value, phase: Phase::Untouched }
    }

    pub(crate) fn timing_out(value: S) -> Self {
        Self { value: Some(value), phase: Phase::TimingOut }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn into_parts(self) -> (Option<S>, Phase) {
        (self.value, self.phase)
    }

    /// Whether the key has a state.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.value.is_some()
    }

    /// The state of the key, if it has one.
    #[must_use]
    pub fn get(&self) -> Option<&S> {
        self.value.as_ref()
    }

    /// Whether this is the last call for a key that was idle for too long. Its state is forgotten afterwards.
    #[must_use]
    pub fn is_timing_out(&self) -> bool {
        self.phase == Phase::TimingOut
    }

    /// Sets the state of the key. It may be set again in the same call.
    ///
    /// # Panics
    /// After [`remove`](Self::remove), and while the key [times out](Self::is_timing_out).
    pub fn update(&mut self, state: S) {
        self.check("update");
        self.value = Some(state);
        self.phase = Phase::Updated;
    }

    /// Forgets the state of the key. Removing a state that does not exist has no effect.
    ///
    /// # Panics
    /// After another `remove` in the same call, and while the key [times out](Self::is_timing_out).
    pub fn remove(&mut self) {
        self.check("remove");
        self.value = None;
        self.phase = Phase::Removed;
    }

    fn check(&self, doing: &str) {
        match self.phase {
            Phase::Removed => panic!("cannot {doing} a state that was removed in the same call"),
            Phase::TimingOut => panic!("cannot {doing} a state that is timing out: it is forgotten after this call"),
            Phase::Untouched | Phase::Updated => {}
        }
    }
}
