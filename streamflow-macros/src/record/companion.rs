//! The owned type, and how a record becomes one.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, Field, Fields};

use super::options::Options;
use super::{owned_generics, pattern, types, variables, variants};

/// Declares the owned type of a type with lifetimes, with `Own` for both.
pub(super) fn companion(input: &DeriveInput, options: &Options) -> TokenStream {
    let declaration = declaration(input, options);
    let (name, owned) = (&input.ident, &options.owned);
    let (generics, arguments, predicates) = input.generics.split_for_impl();
    let owned_generics = owned_generics(&input.generics);
    let (own_generics, own_arguments, _) = owned_generics.split_for_impl();
    let arms = variants(&input.data).into_iter().map(|(variant, fields)| {
        let from = pattern(name, (variant, fields), "field");
        let members = fields.members();
        let values = fields.iter().zip(variables(fields, "field")).map(|(field, value)| own(field, &value));
        let into = super::path(owned, variant);
        quote!(#from => #into { #(#members: #values),* })
    });
    quote! {
        #declaration
        #[automatically_derived]
        impl #generics ::streamflow::__private::Own for #name #arguments #predicates {
            type Owned = #owned #own_arguments;
            fn own(self) -> Self::Owned {
                match self { #(#arms,)* }
            }
        }
        #[automatically_derived]
        impl #generics ::streamflow::__private::Borrowing for #name #arguments #predicates {}
        #[automatically_derived]
        impl #own_generics ::streamflow::__private::Own for #owned #own_arguments {
            type Owned = Self;
            fn own(self) -> Self {
                self
            }
        }
    }
}

fn own(field: &Field, value: &syn::Ident) -> TokenStream {
    if types::borrows(&field.ty) { quote!(::streamflow::__private::Own::own(#value)) } else { quote!(#value) }
}

fn declaration(input: &DeriveInput, options: &Options) -> TokenStream {
    let (vis, owned, derives) = (&input.vis, &options.owned, options.all_derives());
    let generics = owned_generics(&input.generics);
    let mut docs: Vec<TokenStream> = documentation(&input.attrs);
    let form = format!("The owned form of [`{}`].", input.ident);
    if !docs.is_empty() {
        docs.push(quote!(#[doc = ""]));
    }
    docs.push(quote!(#[doc = #form]));
    let head = quote! { #(#docs)* #[derive(#(#derives),*)] };
    match &input.data {
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let (docs, name, fields) = (documentation(&variant.attrs), &variant.ident, fields(&variant.fields));
                quote!(#(#docs)* #name #fields)
            });
            quote!(#head #vis enum #owned #generics { #(#variants),* })
        }
        Data::Struct(data) => {
            let fields = fields(&data.fields);
            let end = (!matches!(data.fields, Fields::Named(_))).then(|| quote!(;));
            quote!(#head #vis struct #owned #generics #fields #end)
        }
        Data::Union(_) => TokenStream::new(),
    }
}

fn fields(fields: &Fields) -> TokenStream {
    let declared = fields.iter().map(|field| {
        let (docs, vis, ty) = (documentation(&field.attrs), &field.vis, types::owned(&field.ty));
        let name = field.ident.as_ref().map(|name| quote!(#name:));
        quote!(#(#docs)* #vis #name #ty)
    });
    match fields {
        Fields::Named(_) => quote!({ #(#declared),* }),
        Fields::Unnamed(_) => quote!((#(#declared),*)),
        Fields::Unit => TokenStream::new(),
    }
}

fn documentation(attributes: &[Attribute]) -> Vec<TokenStream> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).map(ToTokens::to_token_stream).collect()
}
