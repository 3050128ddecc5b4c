//! What stands in the place of a function with mistakes: its signature, so that its callers still compile.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

/// The function with a body that has its type and does nothing.
pub(crate) fn fallback(item: &ItemFn) -> TokenStream {
    let ItemFn { attrs, vis, sig, .. } = item;
    quote! {
        #(#attrs)*
        #[allow(unused, unreachable_code, clippy::all, clippy::pedantic)]
        #vis #sig { loop {} }
    }
}
