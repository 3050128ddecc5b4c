//! The passes, one after the other.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

use crate::diagnostics::{Diagnostics, compile_errors};
use crate::parse::Options;
use crate::{check, emit, lower, model, parse};

/// Expands `#[stream]`.
pub(crate) fn stream(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        // Half-typed code goes back as it is, so that editors keep completing it.
        Err(error) => return [item, error.to_compile_error()].into_iter().collect(),
    };
    let name = function.sig.ident.to_string();
    let expansion = expand_function(attribute, function);
    show_if_asked(&name, &expansion);
    expansion
}

fn expand_function(attribute: TokenStream, item: ItemFn) -> TokenStream {
    let diagnostics = Diagnostics::new();
    let _options = Options::parse(attribute, &diagnostics);
    let function = parse::function(item, &diagnostics);
    let topology = model::build(&function, &diagnostics);
    check::check(&function, &topology, &diagnostics);
    match diagnostics.finish().as_slice() {
        [] => emit::emit(&function, &topology, &lower::lower(&topology)),
        errors => {
            let (errors, fallback) = (compile_errors(errors), emit::fallback(&function.item));
            quote! { #errors #fallback }
        }
    }
}

/// Expands `#[derive(Record)]`.
pub(crate) fn record(item: TokenStream) -> TokenStream {
    syn::parse2(item).and_then(|input| crate::record::derive(&input)).unwrap_or_else(|error| error.to_compile_error())
}

/// Prints the expansion of the function that `STREAMFLOW_EXPAND` names.
fn show_if_asked(name: &str, expansion: &TokenStream) {
    if std::env::var("STREAMFLOW_EXPAND").is_ok_and(|wanted| wanted == name) {
        eprintln!("{expansion}");
    }
}
