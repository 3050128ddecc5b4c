//! The names that emitted code may use.
//!
//! Variables that the macro mints resolve at the macro, so no closure of the user can see or hide them; their *place* is
//! the user's token, so that a type error points there. Items do not have that protection: they start with `__`.

use proc_macro2::{Ident, Span};

/// The place of `span` with the names of the macro.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// A variable of the macro, shown at `span`.
pub(crate) fn local(name: &str, span: Span) -> Ident {
    Ident::new(&format!("__{name}"), at(span))
}

/// A variable of the macro of which there are many.
pub(crate) fn numbered(name: &str, number: usize, span: Span) -> Ident {
    Ident::new(&format!("__{name}{number}"), at(span))
}
