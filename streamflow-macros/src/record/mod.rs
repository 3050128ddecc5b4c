//! `#[derive(Record)]`.

use proc_macro2::TokenStream;
use syn::DeriveInput;

pub(crate) fn derive(_input: &DeriveInput) -> syn::Result<TokenStream> {
    Ok(TokenStream::new())
}
