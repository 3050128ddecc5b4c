//! Records as keys: the view hashes and compares as its owned form does.
//!
//! Both hashes are written here, variant number first and then field by field, so that they agree by construction.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Field, Ident};

use super::options::Options;
use super::{owned_generics, pattern, types, variables, variants};
use crate::hygiene;

/// `OwnKey` for both types, and `Hash` for the owned one.
pub(super) fn key(input: &DeriveInput, options: &Options) -> TokenStream {
    let (name, owned) = (&input.ident, &options.owned);
    let (generics, arguments, predicates) = input.generics.split_for_impl();
    let owned_generics = owned_generics(&input.generics);
    let (own_generics, own_arguments, _) = owned_generics.split_for_impl();
    let (state, other) = (local("state"), local("other"));
    let (hash_view, hash_owned) =
        (hash(input, name, hash_field), hash(input, owned, |_| quote!(::core::hash::Hash::hash)));
    let same = same(input, options);
    quote! {
        #[automatically_derived]
        impl #generics ::streamflow::__private::OwnKey for #name #arguments #predicates {
            fn hash_view<__H: ::core::hash::Hasher>(&self, #state: &mut __H) {
                match self { #hash_view }
            }
            fn same(&self, #other: &Self::Owned) -> bool {
                match (self, #other) { #same }
            }
        }
        #[automatically_derived]
        impl #own_generics ::core::hash::Hash for #owned #own_arguments {
            fn hash<__H: ::core::hash::Hasher>(&self, #state: &mut __H) {
                match self { #hash_owned }
            }
        }
        #[automatically_derived]
        impl #own_generics ::streamflow::__private::OwnKey for #owned #own_arguments {
            fn hash_view<__H: ::core::hash::Hasher>(&self, #state: &mut __H) {
                ::core::hash::Hash::hash(self, #state);
            }
            fn same(&self, #other: &Self) -> bool {
                self == #other
            }
        }
    }
}

/// The arms that hash each variant of `ty`, each field by what `function` gives for it.
fn hash(input: &DeriveInput, ty: &Ident, function: impl Fn(&Field) -> TokenStream) -> TokenStream {
    let state = local("state");
    let arms = variants(&input.data).into_iter().enumerate().map(|(number, (variant, fields))| {
        let pattern = pattern(ty, (variant, fields), "field");
        // A struct has one shape only, which needs no number.
        let number = variant.map(|_| quote!(::core::hash::Hash::hash(&#number, #state);));
        let fields = fields.iter().zip(variables(fields, "field")).map(|(field, value)| {
            let function = function(field);
            quote!(#function(#value, #state);)
        });
        quote!(#pattern => { #number #(#fields)* })
    });
    quote!(#(#arms)*)
}

fn hash_field(field: &Field) -> TokenStream {
    match types::borrows(&field.ty) {
        true => quote!(::streamflow::__private::OwnKey::hash_view),
        false => quote!(::core::hash::Hash::hash),
    }
}

/// The arms that compare a view with an owned record.
fn same(input: &DeriveInput, options: &Options) -> TokenStream {
    let variants = variants(&input.data);
    let several = variants.len() > 1;
    let arms = variants.into_iter().map(|(variant, fields)| {
        let view = pattern(&input.ident, (variant, fields), "view");
        let owned = pattern(&options.owned, (variant, fields), "owned");
        let parts = fields.iter().zip(variables(fields, "view")).zip(variables(fields, "owned"));
        let parts = parts.map(|((field, view), owned)| match types::borrows(&field.ty) {
            true => quote!(::streamflow::__private::OwnKey::same(#view, #owned)),
            false => quote!(#view == #owned),
        });
        quote!((#view, #owned) => true #(&& #parts)*,)
    });
    let otherwise = several.then(|| quote!(_ => false,));
    quote!(#(#arms)* #otherwise)
}

fn local(name: &str) -> Ident {
    hygiene::local(name, Span::mixed_site())
}
