//! Procedural macros of `streamflow`: the attribute `#[stream]` and the derive `Record`.
//!
//! Use them through `streamflow`, which documents them with examples; emitted code names only `streamflow::__private`.
//!
//! `#[stream]` turns a function over streams into stages. It works in passes, each from one type to the next:
//!
//! | pass | input | output |
//! |---|---|---|
//! | `parse` | tokens | `Function`: which statements are topology |
//! | `model` | that, and the table of operators in `ops` | `Topology`: a graph of operators |
//! | `check` | both | mistakes, in `diagnostics` |
//! | `lower` | the topology | `Program`: stages, sinks, and their order |
//! | `emit` | all of these | tokens |
//!
//! After a mistake the function is still emitted, with its signature and a body that does nothing. The variable
//! `STREAMFLOW_EXPAND=name` in the environment of the compiler prints topology, stages and expansion of one function.

#![forbid(unsafe_code)]

mod check;
mod closure;
mod diagnostics;
mod emit;
mod expand;
mod hygiene;
mod lower;
mod model;
mod ops;
mod parse;
mod record;
mod scan;
mod types;

#[cfg(test)]
mod expansions;

use proc_macro::TokenStream;

/// Turns a function over streams into a topology; documented on its re-export in `streamflow`.
#[proc_macro_attribute]
pub fn stream(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::stream(attribute.into(), item.into()).into()
}

/// Makes a type with lifetimes a record that can be owned; documented on its re-export in `streamflow`.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(item: TokenStream) -> TokenStream {
    expand::record(item.into()).into()
}
