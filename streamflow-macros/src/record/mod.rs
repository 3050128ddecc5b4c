//! `#[derive(Record)]`: how a record that borrows becomes one that owns.
//!
//! For a type with lifetimes it generates the owned companion and the conversions between the two; a type without
//! lifetimes owns already, and is its own companion. With `#[record(key)]` both hash and compare alike, so that a key can
//! be looked up by its view.

mod companion;
mod key;
mod options;
mod types;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Fields, GenericParam, Generics, Ident};

use self::options::Options;
use crate::diagnostics::Mistake;
use crate::hygiene;

/// Expands the derive.
pub(crate) fn derive(input: &DeriveInput) -> syn::Result<TokenStream> {
    if let Data::Union(data) = &input.data {
        let mistake = Mistake::at(data.union_token.span, "`Record` cannot be derived for a union");
        return Err(mistake.reason("nobody knows which of its fields to own").help("use an enum").into());
    }
    let options = Options::of(input)?;
    match input.generics.lifetimes().next() {
        None => own_companion(input, &options),
        Some(_) => with_companion(input, &options),
    }
}

/// A type without lifetimes: owning is the identity.
fn own_companion(input: &DeriveInput, options: &Options) -> syn::Result<TokenStream> {
    options.refuse_for_owned()?;
    let name = &input.ident;
    let (generics, arguments, _) = input.generics.split_for_impl();
    // A type parameter may stand for anything, so the bounds are on the whole type.
    let bounded = |bounds: TokenStream| {
        let predicates = input.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        quote!(where #(#predicates,)* Self: #bounds)
    };
    let send = bounded(quote!(::core::marker::Send + ::core::marker::Sync + 'static));
    let hash = bounded(quote! {
        ::core::marker::Send + ::core::marker::Sync + 'static + ::core::hash::Hash + ::core::cmp::Eq
    });
    let key = options.key.then(|| {
        quote! {
            #[automatically_derived]
            impl #generics ::streamflow::__private::OwnKey for #name #arguments #hash {
                fn hash_view<__H: ::core::hash::Hasher>(&self, __state: &mut __H) {
                    ::core::hash::Hash::hash(self, __state);
                }
                fn same(&self, __owned: &Self) -> bool {
                    self == __owned
                }
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::streamflow::__private::Own for #name #arguments #send {
            type Owned = Self;
            fn own(self) -> Self {
                self
            }
        }
        #key
    })
}

/// A type with lifetimes: the owned type, and the way there.
fn with_companion(input: &DeriveInput, options: &Options) -> syn::Result<TokenStream> {
    if let Some(parameter) = input.generics.type_params().next() {
        let mistake = Mistake::at(parameter.ident.span(), "`Record` cannot own a type parameter beside a lifetime");
        let mistake = mistake.reason("whether the parameter borrows, too, is not known here");
        return Err(mistake.help("write the type without the parameter, or own it by hand").into());
    }
    let companion = companion::companion(input, options);
    let key = options.key.then(|| key::key(input, options));
    Ok(quote! { #companion #key })
}

/// The generics without lifetimes: those of the owned type.
fn owned_generics(generics: &Generics) -> Generics {
    let params = generics.params.iter().filter(|param| !matches!(param, GenericParam::Lifetime(_))).cloned().collect();
    Generics { params, where_clause: None, ..generics.clone() }
}

/// The variants of a type with their fields; a struct is one variant without a name.
fn variants(data: &Data) -> Vec<(Option<&Ident>, &Fields)> {
    match data {
        Data::Struct(data) => vec![(None, &data.fields)],
        Data::Enum(data) => data.variants.iter().map(|variant| (Some(&variant.ident), &variant.fields)).collect(),
        Data::Union(_) => Vec::new(),
    }
}

/// A pattern for a variant that binds field `i` to `<prefix>i`; the same syntax also constructs it.
fn pattern(ty: &Ident, (variant, fields): (Option<&Ident>, &Fields), prefix: &str) -> TokenStream {
    let path = path(ty, variant);
    let (members, variables) = (fields.members(), variables(fields, prefix));
    quote!(#path { #(#members: #variables),* })
}

/// The variables that [`pattern`] binds.
fn variables(fields: &Fields, prefix: &str) -> Vec<Ident> {
    (0..fields.len()).map(|index| hygiene::numbered(prefix, index, Span::mixed_site())).collect()
}

fn path(ty: &Ident, variant: Option<&Ident>) -> TokenStream {
    match variant {
        None => quote!(#ty),
        Some(variant) => quote!(#ty::#variant),
    }
}

#[cfg(test)]
mod tests;
