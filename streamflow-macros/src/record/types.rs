//! Types with and without the lifetimes of a record.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{BoundLifetimes, Lifetime, Type};

/// Whether a field of this type borrows. What names no lifetime owns already, also if it knows nothing of records.
pub(super) fn borrows(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            self.0 |= lifetime.ident != "static";
        }
        // Lifetimes of its own, as in `for<'a> fn(&'a str)`, are no loans.
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}

/// The type of a field in the owned companion.
pub(super) fn owned(ty: &Type) -> TokenStream {
    if !borrows(ty) {
        return ty.to_token_stream();
    }
    let mut ty = ty.clone();
    Static { bound: Vec::new() }.visit_type_mut(&mut ty);
    quote!(<#ty as ::streamflow::__private::Own>::Owned)
}

/// Replaces the lifetimes of the record by `'static`.
struct Static {
    bound: Vec<Lifetime>,
}

impl VisitMut for Static {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if !self.bound.contains(lifetime) {
            *lifetime = Lifetime::new("'static", lifetime.span());
        }
    }

    fn visit_bound_lifetimes_mut(&mut self, binder: &mut BoundLifetimes) {
        for parameter in &binder.lifetimes {
            if let syn::GenericParam::Lifetime(parameter) = parameter {
                self.bound.push(parameter.lifetime.clone());
            }
        }
        visit_mut::visit_bound_lifetimes_mut(self, binder);
    }
}
