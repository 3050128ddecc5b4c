//! Values that are kept for each key from batch to batch.
//!
//! A state operator has one [`StateTable`](table::StateTable) for each partition. A key always goes to the same partition,
//! so tables need no locks but the one that hands them from batch to batch.
//!
//! | module | what it holds |
//! |---|---|
//! | [`table`] | keys, their states, when they were touched, and which are due |
//! | [`spec`] | [`StateSpec`] and the [`State`] handle of `map_with_state` |

pub(crate) mod spec;
pub(crate) mod table;

pub use self::spec::{State, StateSpec};
