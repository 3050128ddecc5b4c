//! The passes, one after the other.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, ItemFn};

use crate::diagnostics::{Diagnostics, compile_errors};
use crate::lower::Listing;
use crate::parse::Options;
use crate::{check, emit, lower, model, parse};

/// Expands `#[stream]`.
pub(crate) fn stream(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        // Half-typed code goes back as it is, so that editors keep completing it.
        Err(error) => return [item, error.to_compile_error()].into_iter().collect(),
    };
    let show = is_asked(&function.sig.ident);
    let expansion = expand_function(attribute, function);
    if show {
        eprintln!("{expansion}");
    }
    expansion
}

fn expand_function(attribute: TokenStream, item: ItemFn) -> TokenStream {
    let diagnostics = Diagnostics::new();
    let options = Options::parse(attribute, &diagnostics);
    let function = parse::function(item, &diagnostics);
    let topology = model::build(&function, &diagnostics);
    check::check(&function, &topology, &options, &diagnostics);
    match diagnostics.finish().as_slice() {
        [] => {
            let program = lower::lower(&topology);
            if is_asked(&function.item.sig.ident) {
                eprintln!("{topology}\n{}", Listing(&program, &topology));
            }
            emit::emit(&function, &topology, &program, &options)
        }
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

/// Whether `STREAMFLOW_EXPAND` names the function: then its topology, its stages and its expansion are printed.
fn is_asked(name: &Ident) -> bool {
    std::env::var("STREAMFLOW_EXPAND").is_ok_and(|wanted| name == &wanted)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The messages for a function, in the order in which they were found.
    pub(crate) fn mistakes(attribute: TokenStream, item: TokenStream) -> Vec<String> {
        let diagnostics = Diagnostics::new();
        let options = Options::parse(attribute, &diagnostics);
        let function = parse::function(syn::parse2(item).expect("a function"), &diagnostics);
        let topology = model::build(&function, &diagnostics);
        check::check(&function, &topology, &options, &diagnostics);
        diagnostics.finish().iter().map(ToString::to_string).collect()
    }

    /// The topology of a function.
    pub(crate) fn topology(item: TokenStream) -> model::Topology {
        let diagnostics = Diagnostics::new();
        let function = parse::function(syn::parse2(item).expect("a function"), &diagnostics);
        let topology = model::build(&function, &diagnostics);
        diagnostics.finish();
        topology
    }

    /// The topology and the program of a function without mistakes.
    pub(crate) fn listing(item: TokenStream) -> (String, String) {
        let (diagnostics, options) = (Diagnostics::new(), Options::default());
        let function = parse::function(syn::parse2(item).expect("a function"), &diagnostics);
        let topology = model::build(&function, &diagnostics);
        check::check(&function, &topology, &options, &diagnostics);
        let errors = diagnostics.finish();
        assert!(errors.is_empty(), "{errors:?}");
        (topology.to_string(), Listing(&lower::lower(&topology), &topology).to_string())
    }

    #[test]
    fn half_typed_code_comes_back() {
        let tokens = stream(TokenStream::new(), quote! { fn f(lines: DStream<str>) { lines. } });
        let text = tokens.to_string();
        assert!(text.contains("lines .") && text.contains("compile_error"), "{text}");
    }

    #[test]
    fn after_a_mistake_the_signature_stays() {
        let item = quote! { pub fn f<T: Clone>(xs: DStream<T>) -> DStream<u64> { xs.flter(|x| true).count() } };
        let text = stream(TokenStream::new(), item).to_string();
        assert!(text.contains("compile_error"), "{text}");
        assert!(text.contains("pub fn f < T : Clone > (xs : DStream < T >) -> DStream < u64 > { loop { } }"), "{text}");
    }
}
