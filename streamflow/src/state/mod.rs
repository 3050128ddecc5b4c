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
//! | [`table`] | the keys of a partition and their states, and what changed |
//! | [`index`] | where a key is, by its hash |
//! | [`slots`] | keys and states side by side |
//! | [`timeouts`] | which keys have been idle for too long |
//! | [`bits`] | a set of small numbers |
//! | [`pages`] | large pages, and asking early |
//! | [`spec`] | [`StateSpec`] and the [`State`] handle of `map_with_state` |

pub(crate) mod bits;
pub(crate) mod checkpointed;
pub(crate) mod codec;
pub(crate) mod index;
pub(crate) mod pages;
pub(crate) mod slots;
pub(crate) mod spec;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod timeouts;

pub use self::spec::{State, StateSpec};
