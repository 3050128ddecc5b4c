//! Tests of streaming programs.

pub use crate::fs::{IoFailure, SimulatedFs};
