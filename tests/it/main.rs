//! The integration tests: one binary, one module for each theme.

#![allow(clippy::type_complexity, reason = "the types of records are what many of these tests are about")]

mod backpressure;
mod common;
mod conformance;
mod context;
mod inputs;
mod language;
mod laws;
mod metrics;
mod outputs;
mod page;
mod recovery;
mod remember;
