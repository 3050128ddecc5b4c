//! Values that are kept for each key from batch to batch.
//!
//! A state operator has one [`StateTable`](table::StateTable) for each partition. A key always goes to the same partition,
//! so tables need no locks but the one that hands them from batch to batch.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | the tables of all partitions of an operator, saved and restored |
//! | [`codec`] | how keys and states are written to a checkpoint |
//! | [`checkpointed`] | what a checkpoint asks of windows and state operators |
//! | [`table`] | keys, their states, when they were touched, and which are due |
//! | [`spec`] | [`StateSpec`] and the [`State`] handle of `map_with_state` |

pub(crate) mod checkpointed;
pub(crate) mod codec;
pub(crate) mod spec;
pub(crate) mod store;
pub(crate) mod table;

pub use self::spec::{State, StateSpec};
