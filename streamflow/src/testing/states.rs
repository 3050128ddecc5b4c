//! States of keys, for tests that call the function of a `map_with_state` themselves.

use crate::state::State;
use crate::state::spec::Phase;

/// The state of a key, as the function of a `map_with_state` gets it for a record: with a value, or without one for a key
/// that has no state yet.
///
/// A function that is tested by itself needs no context and no batches. What it did to the state is asked of the handle, or
/// of [`state_change`].
///
/// **Source**: Spark's own tests wrap values in a `StateImpl`, which is not public there.
///
/// # Examples
/// ```
/// use streamflow::State;
/// use streamflow::testing::{StateChange, state, state_change, state_timing_out};
///
/// /// Counts the visits of a user, and says how many there were when the user stays away.
/// fn visits(user: &str, visit: Option<u64>, count: &mut State<u64>) -> Option<String> {
///     if count.is_timing_out() {
///         return count.get().map(|count| format!("{user}: {count}"));
///     }
///     count.update(count.get().copied().unwrap_or(0) + visit?);
///     None
/// }
///
/// let mut count = state(None);
/// assert_eq!(visits("ada", Some(2), &mut count), None);
/// assert_eq!((count.get(), state_change(&count)), (Some(&2), StateChange::Updated));
/// assert_eq!(visits("ada", None, &mut state_timing_out(7)).as_deref(), Some("ada: 7"));
/// ```
#[must_use]
pub fn state<S>(value: Option<S>) -> State<S> {
    State::new(value)
}

/// The state of a key that was idle for too long, as the function of a `map_with_state` gets it in its last call for the
/// key. It can be looked at only.
///
/// # Examples
/// ```
/// use streamflow::testing::state_timing_out;
///
/// let last = state_timing_out("open");
/// assert!(last.is_timing_out() && last.get() == Some(&"open"));
/// ```
#[must_use]
pub fn state_timing_out<S>(value: S) -> State<S> {
    State::timing_out(value)
}

/// What a function did to the state that it was called with; see [`state_change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// It only looked at it. With a timeout the record keeps the key alive all the same.
    Unchanged,
    /// It set it, to the same value or another one.
    Updated,
    /// It removed it.
    Removed,
}

/// What was done to a state since it was made by [`state`] or [`state_timing_out`].
///
/// # Examples
/// ```
/// use streamflow::testing::{StateChange, state, state_change};
///
/// let mut count = state(Some(3));
/// assert_eq!(state_change(&count), StateChange::Unchanged);
/// count.remove();
/// assert_eq!(state_change(&count), StateChange::Removed);
/// ```
#[must_use]
pub fn state_change<S>(state: &State<S>) -> StateChange {
    match state.phase() {
        Phase::Untouched | Phase::TimingOut => StateChange::Unchanged,
        Phase::Updated => StateChange::Updated,
        Phase::Removed => StateChange::Removed,
    }
}
