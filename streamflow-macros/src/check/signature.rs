//! What kind of function can be a topology.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{FnArg, ReturnType, Safety, Signature};

use crate::diagnostics::{Diagnostics, Mistake};
use crate::parse::{Function, Parameter};

pub(super) fn check(function: &Function, diagnostics: &Diagnostics) {
    let signature = &function.item.sig;
    plain_function(signature, diagnostics);
    no_self(signature, diagnostics);
    has_stream(function, diagnostics);
}

/// `async`, `unsafe`, `const` and `extern` say how a function is called; a topology is only declared.
fn plain_function(signature: &Signature, diagnostics: &Diagnostics) {
    let refuse = |span: Span, word: &str, reason: &str| {
        let mistake = Mistake::at(span, format!("a stream function cannot be `{word}`"));
        diagnostics.add(mistake.reason(reason).help(format!("remove `{word}`")));
    };
    let declared = "the function declares a topology and returns at once";
    if let Some(token) = &signature.asyncness {
        refuse(token.span(), "async", declared);
    }
    if let Safety::Unsafe(token) = &signature.safety {
        refuse(token.span(), "unsafe", "declaring a topology has no obligations");
    }
    if let Some(token) = &signature.constness {
        refuse(token.span(), "const", "a topology is registered with its context at run time");
    }
    if let Some(abi) = &signature.abi {
        refuse(abi.extern_token.span(), "extern", "streams have no meaning outside Rust");
    }
    if let Some(variadic) = &signature.variadic {
        refuse(variadic.dots.span(), "...", "the parameters of a topology are known at compile time");
    }
}

fn no_self(signature: &Signature, diagnostics: &Diagnostics) {
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        let mistake = Mistake::at(receiver.self_token.span(), "a stream function cannot take `self`")
            .reason("closures run on other threads and own what they use")
            .help("take the fields that the closures use as parameters");
        diagnostics.add(mistake);
    }
}

fn has_stream(function: &Function, diagnostics: &Diagnostics) {
    let has_stream = function.parameters.iter().any(|parameter| matches!(parameter, Parameter::Stream { .. }));
    // Parameters that were refused have their own message.
    if has_stream || !diagnostics.is_clean() {
        return;
    }
    let signature = &function.item.sig;
    let mistake = match &signature.output {
        ReturnType::Default => Mistake::at(signature.ident.span(), "this function has no stream"),
        ReturnType::Type(..) => Mistake::at(signature.ident.span(), "this function has no stream parameter"),
    };
    let mistake = mistake.reason("every chain of operators starts at a parameter of type `DStream<..>`");
    diagnostics.add(mistake.help("add one, for instance `lines: DStream<str>`, or remove `#[stream]`"));
}
