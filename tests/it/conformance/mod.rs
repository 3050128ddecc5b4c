//! The engine against Spark's own tables.
//!
//! Every `*.json` of `tests/conformance/`, or of the folder that `STREAMFLOW_CONFORMANCE` names, holds cases: inputs, a
//! pipeline, expected outputs. [`pipeline`] reads the pipeline, [`library`] chains it from functions compiled with
//! `#[stream]`, [`oracle`] from the naive model, and [`case`] compares batch by batch. What cannot run is in one of the
//! lists of [`listed`], with its reason; everything else runs or fails.

mod case;
mod clocks;
mod extra;
mod functions;
mod library;
mod listed;
mod oracle;
mod pipeline;
mod rates;
mod runner;
mod slices;
mod states;
mod topologies;
mod value;
