//! A `map_with_state`: an operator with two results.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};

use super::Emitter;
use crate::hygiene;
use crate::model::{Argument, NodeId};
use crate::ops::Kind;
use crate::ops::state::Spec;

/// Makes the node of the operator, and a node for every stream of its states.
pub(super) fn finish(emitter: &Emitter<'_>, node: NodeId, sink: &proc_macro2::Ident) -> TokenStream {
    let applied = emitter.applied(node);
    let span = hygiene::at(applied.name.span());
    let (index, handle) = (emitter.program.index_of(node), emitter.handle(node));
    let finished = match &applied.arguments[0] {
        Argument::Value(value) if applied.form.is_some() => {
            let spec = Spec::of(value).expect("the form says that there is one");
            let (function, variable) = (function(emitter, &spec), hygiene::local("spec", span));
            let methods = methods(&spec, variable.to_token_stream());
            quote_spanned!(span=> #sink.finish_function(&__OPERATORS[#index], #function, |#variable| #methods))
        }
        value => {
            let value = emitter.argument(value);
            quote_spanned!(span=> #sink.finish(&__OPERATORS[#index], #value))
        }
    };
    let shared = emitter.shared(node);
    let snapshots: Vec<NodeId> = emitter
        .topology
        .consumers(node)
        .map(|(consumer, _)| consumer)
        .filter(|id| emitter.topology.node(*id).applied().is_some_and(|a| matches!(a.operator.kind, Kind::Snapshots)))
        .collect();
    let both = hygiene::numbered("states", node.0, span);
    let snapshots = snapshots.iter().map(|id| {
        let span = hygiene::at(emitter.topology.node(*id).span);
        let (handle, ty, shared) = (emitter.handle(*id), emitter.declared(*id), emitter.shared(*id));
        quote_spanned!(span=> let #handle #ty = #both.state_snapshots(); #shared)
    });
    let kept = emitter.kept(node, &both);
    quote_spanned!(span=> let #both = #finished; #kept #(#snapshots)* let #handle = #both.into_mapped(); #shared)
}

/// The function apart from the rest of the spec, so that the types of its parameters are known.
fn function(emitter: &Emitter<'_>, spec: &Spec<'_>) -> TokenStream {
    match spec.function {
        syn::Expr::Closure(closure) => emitter.argument(&Argument::Closure(closure.clone())),
        other => other.to_token_stream(),
    }
}

/// The methods of the spec, called on `receiver`.
fn methods(spec: &Spec<'_>, receiver: TokenStream) -> TokenStream {
    spec.methods.iter().fold(receiver, |receiver, call| {
        let syn::ExprMethodCall { dot_token, method, turbofish, args, .. } = call;
        quote_spanned!(method.span()=> #receiver #dot_token #method #turbofish (#args))
    })
}
