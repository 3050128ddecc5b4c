//! What is wrong with a function, collected so that all mistakes show at once.
//!
//! A [`Mistake`] is one message: what is wrong, the rule behind it, and what to type instead, each on a line of its
//! own. Every pass adds its mistakes to one [`Diagnostics`] and goes on as far as it can.
//!
//! *Invariant*: a collector cannot be dropped unread, so no mistake gets lost between two passes.

use std::cell::RefCell;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// One message to the user, at the smallest wrong token.
#[must_use = "a mistake is reported with `Diagnostics::add`"]
pub(crate) struct Mistake {
    place: Place,
    text: String,
}

enum Place {
    Span(Span),
    Tokens(TokenStream),
}

impl Mistake {
    /// A mistake at one token.
    pub(crate) fn at(span: Span, what: impl Into<String>) -> Self {
        Mistake { place: Place::Span(span), text: what.into() }
    }

    /// A mistake that takes all of `tokens` to show.
    pub(crate) fn on(tokens: &impl ToTokens, what: impl Into<String>) -> Self {
        Mistake { place: Place::Tokens(tokens.to_token_stream()), text: what.into() }
    }

    /// The rule behind the mistake.
    pub(crate) fn reason(mut self, reason: impl AsRef<str>) -> Self {
        self.text.push_str("\nreason: ");
        self.text.push_str(reason.as_ref());
        self
    }

    /// What to type instead.
    pub(crate) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.text.push_str("\nhelp: ");
        self.text.push_str(help.as_ref());
        self
    }
}

impl From<Mistake> for syn::Error {
    fn from(mistake: Mistake) -> Self {
        match mistake.place {
            Place::Span(span) => syn::Error::new(span, mistake.text),
            Place::Tokens(tokens) => syn::Error::new_spanned(tokens, mistake.text),
        }
    }
}

/// The mistakes of one item, in the order in which the passes found them.
pub(crate) struct Diagnostics {
    /// `None` once they have been read.
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Diagnostics {
    pub(crate) fn new() -> Self {
        Diagnostics { errors: RefCell::new(Some(Vec::new())) }
    }

    /// Keeps a mistake for the report.
    pub(crate) fn add(&self, mistake: impl Into<syn::Error>) {
        self.errors.borrow_mut().as_mut().expect("mistakes are added before they are read").push(mistake.into());
    }

    /// Whether no pass has found a mistake so far.
    pub(crate) fn is_clean(&self) -> bool {
        self.errors.borrow().as_ref().is_some_and(Vec::is_empty)
    }

    /// Reads the mistakes.
    pub(crate) fn finish(self) -> Vec<syn::Error> {
        self.errors.borrow_mut().take().expect("mistakes are read once")
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.errors.get_mut().is_some() {
            panic!("mistakes were collected and never reported");
        }
    }
}

/// The `compile_error!` calls that show `errors`.
pub(crate) fn compile_errors(errors: &[syn::Error]) -> TokenStream {
    errors.iter().map(syn::Error::to_compile_error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_one_message_of_three_lines() {
        let error: syn::Error = Mistake::at(Span::call_site(), "what").reason("why").help("how").into();
        assert_eq!(error.to_string(), "what\nreason: why\nhelp: how");
    }

    #[test]
    #[should_panic(expected = "never reported")]
    fn a_collector_cannot_be_dropped_unread() {
        drop(Diagnostics::new());
    }
}
