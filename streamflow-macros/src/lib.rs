//! Procedural macros of `streamflow`.
use proc_macro::TokenStream;

/// Marks a function that declares a topology.
#[proc_macro_attribute]
pub fn stream(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Says how a type with a lifetime becomes owned.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
