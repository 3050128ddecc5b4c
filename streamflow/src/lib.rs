//! Discretised streams for Rust.
