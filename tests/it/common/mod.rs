//! What the tests share: the naive model, and how a topology is run.

pub(crate) mod harness;
pub(crate) mod model;
