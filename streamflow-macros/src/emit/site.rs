//! What the emitter of a narrow operator sees: one operator at its place in the loop.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprClosure, Lifetime};

use super::parts::Parts;
use crate::closure::{self, Entry};
use crate::hygiene;
use crate::model::{Applied, Argument, NodeId};
use crate::parse::PlainNames;

/// One fused operator, with the code of everything behind it.
pub(crate) struct Site<'a> {
    pub(super) applied: &'a Applied,
    pub(super) node: NodeId,
    /// The operator's place in the plan.
    pub(super) index: usize,
    pub(super) entry: Entry,
    pub(super) plain: &'a PlainNames,
    /// The records of the whole partition, for operators that see it.
    pub(super) partition: TokenStream,
    pub(super) inner: TokenStream,
}

/// A user's function applied to an argument.
pub(crate) struct Called {
    /// Brings the argument into scope under the user's pattern.
    pub(crate) bind: TokenStream,
    /// The expression for the result.
    pub(crate) value: TokenStream,
}

impl Site<'_> {
    /// The user's word for the operator.
    pub(crate) fn span(&self) -> Span {
        hygiene::at(self.applied.name.span())
    }

    pub(crate) fn local(&self, name: &str) -> Ident {
        hygiene::local(name, self.span())
    }

    /// The variable of the current record.
    pub(crate) fn record(&self) -> Ident {
        self.local("x")
    }

    pub(crate) fn inner(&self) -> &TokenStream {
        &self.inner
    }

    pub(crate) fn partition(&self) -> TokenStream {
        self.partition.clone()
    }

    pub(crate) fn by_value(&self, variable: &Ident) -> TokenStream {
        quote!(#variable)
    }

    pub(crate) fn by_reference(&self, variable: &Ident) -> TokenStream {
        quote_spanned!(self.span()=> &#variable)
    }

    /// Statements around user code that make a panic in it name the operator.
    pub(crate) fn guard(&self) -> (TokenStream, TokenStream) {
        guard(self.index, self.span())
    }

    /// The parts of a pair: their variables, and the statement that fills them.
    pub(crate) fn pair(&self) -> (Ident, Ident, TokenStream) {
        pair(self.applied)
    }

    /// A copy of the key in `variable`, for one of several items.
    pub(crate) fn fork_key(&self, variable: &Ident) -> TokenStream {
        fork_to("every_item", variable, self.span())
    }

    /// How the value in `variable` is looked up and owned.
    pub(crate) fn how(&self, variable: &Ident) -> TokenStream {
        how(variable, self.span())
    }

    /// The variable of the static table.
    pub(crate) fn table(&self) -> Ident {
        hygiene::numbered("table", self.node.0, self.span())
    }

    /// The user's function at `position`, applied to `input`.
    pub(crate) fn call(&self, position: usize, input: TokenStream) -> Called {
        let span = self.span();
        let callee = match &self.applied.arguments[position] {
            Argument::Closure(closure) if self.entry != Entry::Called => return self.inline(closure, &input),
            Argument::Closure(closure) => {
                // Called at once, so it may borrow what it would otherwise move out of the stage.
                let closure = ExprClosure { capture: None, ..closure.clone() };
                quote!(#closure)
            }
            Argument::Path(path) => match path.path.get_ident().filter(|name| self.plain.contains(name)) {
                Some(name) => quote_spanned!(span=> &#name),
                None => quote!(#path),
            },
            Argument::Value(_) | Argument::Stream(_) => {
                let function = hygiene::numbered("function", self.node.0, span);
                quote_spanned!(span=> &#function)
            }
        };
        let value = quote_spanned!(span=> ::streamflow::__private::apply(#input, #callee));
        Called { bind: TokenStream::new(), value }
    }

    fn inline(&self, closure: &ExprClosure, input: &TokenStream) -> Called {
        let pattern = closure.inputs.first().expect("an inlined closure has one parameter");
        let span = hygiene::at(pattern.span());
        let bind = quote_spanned!(span=> let #pattern = #input;);
        let label = Lifetime::new("'__body", hygiene::at(closure.body.span()));
        let value = match self.entry {
            Entry::Labelled => {
                let body = closure::return_to(&label, (*closure.body).clone());
                block(&body, Some(&label))
            }
            _ => block(&closure.body, None),
        };
        let value = match &closure.output {
            syn::ReturnType::Default => value,
            syn::ReturnType::Type(_, ty) => {
                let (span, result) = (hygiene::at(ty.span()), self.local("result"));
                quote_spanned!(span=> { let #result: #ty = #value; #result })
            }
        };
        Called { bind, value }
    }
}

/// The body of a closure as a block.
fn block(body: &Expr, label: Option<&Lifetime>) -> TokenStream {
    let span = hygiene::at(body.span());
    match (body, label) {
        (Expr::Block(block), None) if block.label.is_none() && block.attrs.is_empty() => block.to_token_stream(),
        (Expr::Block(block), Some(label)) if block.label.is_none() && block.attrs.is_empty() => {
            quote_spanned!(span=> #label: #block)
        }
        (body, None) => quote_spanned!(span=> { #body }),
        (body, Some(label)) => quote_spanned!(span=> #label: { #body }),
    }
}

/// Statements around code of operator `index` that make a panic in it name the operator.
pub(super) fn guard(index: usize, span: Span) -> (TokenStream, TokenStream) {
    let at = hygiene::numbered("at", index, span);
    (
        quote_spanned!(span=> let #at = ::streamflow::__private::At(&__OPERATORS[#index]);),
        quote_spanned!(span=> ::core::mem::forget(#at);),
    )
}

/// Splits the current record into key and value.
pub(super) fn pair(applied: &Applied) -> (Ident, Ident, TokenStream) {
    let span = hygiene::at(applied.name.span());
    let [x, key, value] = ["x", "k", "v"].map(|name| hygiene::local(name, span));
    let name = Ident::new(applied.operator.name, span);
    let split = quote_spanned!(span=> let (#key, #value) = ::streamflow::__private::pair_of::#name(#x););
    (key, value, split)
}

/// A copy of the record in `variable`, for `consumer`.
pub(super) fn fork_to(consumer: &str, variable: &Ident, span: Span) -> TokenStream {
    let consumer = Ident::new(consumer, span);
    quote_spanned!(span=> ::streamflow::__private::fork_to::#consumer(&#variable))
}

/// The record in `variable` on its way out of the loop. A tuple that was written as such goes part by part, so that a
/// literal in it takes the type that is declared for the result.
pub(super) fn lift_record(variable: &Ident, parts: &Parts, span: Span) -> TokenStream {
    let Parts::Tuple(parts) = parts else { return lift(variable, span) };
    let names: Vec<Ident> = (0..parts.len()).map(|part| hygiene::numbered("t", part, span)).collect();
    let lifted = names.iter().zip(parts).map(|(name, part)| lift_record(name, part, span));
    quote_spanned!(span=> { let (#(#names),*) = #variable; (#(#lifted),*) })
}

/// A record or a part of one on its way out of the loop: owned there, and only if it has to be.
fn lift(value: &Ident, span: Span) -> TokenStream {
    let lifted = hygiene::local("l", span);
    let how = how(&lifted, span);
    quote_spanned!(span=> { let #lifted = #value; #how.lift(#lifted) })
}

/// Selects by the type of `variable` how it is owned.
///
/// Each reference is a step at which the compiler looks for a method `how`, so the first implementation that fits
/// wins, also while the type is still inferred.
fn how(variable: &Ident, span: Span) -> TokenStream {
    quote_spanned!(span=> (&&&&::streamflow::__private::tag(&#variable)).how())
}
