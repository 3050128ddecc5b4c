//! `#[record(owned = Name, key, derive(..))]`.

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, DeriveInput, Ident, Path, Token};

use crate::diagnostics::Mistake;

/// What the user asks of the derive.
pub(super) struct Options {
    /// The name of the owned type.
    pub(super) owned: Ident,
    /// Whether records are keys.
    pub(super) key: bool,
    /// What the owned type derives in addition to `Clone`.
    pub(super) derives: Vec<Path>,
    /// An option that has no sense without a companion.
    companion_only: Option<proc_macro2::Span>,
}

impl Options {
    pub(super) fn of(input: &DeriveInput) -> syn::Result<Self> {
        let owned = Ident::new(&format!("Owned{}", input.ident), input.ident.span());
        let mut options = Options { owned, key: false, derives: Vec::new(), companion_only: None };
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("record")) {
            options.read(attribute)?;
        }
        Ok(options)
    }

    fn read(&mut self, attribute: &Attribute) -> syn::Result<()> {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("owned") {
                self.companion_only = Some(meta.path.span());
                self.owned = meta.value()?.parse()?;
            } else if meta.path.is_ident("key") {
                self.key = true;
            } else if meta.path.is_ident("derive") {
                self.companion_only = Some(meta.path.span());
                let list;
                syn::parenthesized!(list in meta.input);
                self.derives.extend(Punctuated::<Path, Token![,]>::parse_terminated(&list)?);
            } else {
                let mistake = Mistake::on(&meta.path, "unknown option of `#[record]`");
                return Err(mistake.help("the options are `owned = Name`, `key` and `derive(..)`").into());
            }
            Ok(())
        })
    }

    /// A type without lifetimes has no companion that these options could shape.
    pub(super) fn refuse_for_owned(&self) -> syn::Result<()> {
        match self.companion_only {
            None => Ok(()),
            Some(span) => {
                let mistake = Mistake::at(span, "this type has no owned companion");
                let mistake = mistake.reason("a type without lifetimes owns its data already");
                Err(mistake.help("remove the option").into())
            }
        }
    }

    /// The traits that the owned type derives, each once. `Hash` is written out for keys.
    pub(super) fn all_derives(&self) -> Vec<Path> {
        let mut derives: Vec<Path> = vec![syn::parse_quote!(::core::clone::Clone)];
        if self.key {
            derives.extend([syn::parse_quote!(::core::cmp::PartialEq), syn::parse_quote!(::core::cmp::Eq)]);
        }
        let last = |path: &Path| path.segments.last().map(|segment| segment.ident.to_string());
        for derive in &self.derives {
            let known = derives.iter().any(|known| last(known) == last(derive));
            let written_out = self.key && last(derive).is_some_and(|name| name == "Hash");
            if !known && !written_out {
                derives.push(derive.clone());
            }
        }
        derives
    }
}
