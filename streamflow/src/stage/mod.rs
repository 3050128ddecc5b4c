//! What stays at run time: fused loops, the sinks that they write to, and what the sinks' writers become.
//!
//! A wide operator is a [`Gather`]: it makes writers, one for each task of the stages before it, and turns what they wrote
//! into the data set of its node. A [`Sink`] is a `Gather` under construction: the emitted code creates it, lets stages
//! write to its [`Port`]s, and finishes it with the operator's arguments, which is when their types are known.
//!
//! ```text
//!   node ──stage (fused loop)──▶ writer ┐
//!   node ──stage (fused loop)──▶ writer ┴─▶ gather ─▶ node
//! ```
//!
//! One file holds the fused loop ([`narrow`]), each other one a wide operator or a family of them.

pub(crate) mod collect;
pub(crate) mod combine;
pub(crate) mod group;
pub(crate) mod join;
pub(crate) mod map_with_state;
pub(crate) mod narrow;
pub(crate) mod repartition;
pub(crate) mod sink;
pub(crate) mod static_table;
pub(crate) mod total;
pub(crate) mod transform;
pub(crate) mod update_state_by_key;
pub(crate) mod window;

pub(crate) use self::sink::{Gather, GatherCx};
