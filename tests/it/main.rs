//! The integration tests: one binary, one module for each theme.

mod common;
mod conformance;
mod language;
mod laws;
