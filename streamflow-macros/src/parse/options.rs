//! What stands in the attribute: nothing, or `batch = 1s`.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, Lit, Token};

use super::duration::Literal;
use crate::diagnostics::{Diagnostics, Mistake};

/// The options of one function.
#[derive(Default)]
pub(crate) struct Options {
    /// The batch interval that the function is written for.
    pub(crate) batch: Option<Literal>,
}

impl Options {
    pub(crate) fn parse(attribute: TokenStream, diagnostics: &Diagnostics) -> Self {
        (|input: ParseStream<'_>| Options::parse_list(input)).parse2(attribute).unwrap_or_else(|error| {
            diagnostics.add(error);
            Options::default()
        })
    }

    fn parse_list(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Options::default();
        while !input.is_empty() {
            let name: Ident = Ident::parse(input).map_err(|error| unknown(error.span()))?;
            if name != "batch" {
                return Err(unknown(name.span()));
            }
            if options.batch.is_some() {
                return Err(Mistake::at(name.span(), "`batch` is given twice").into());
            }
            input.parse::<Token![=]>()?;
            options.batch = Some(interval(&input.parse()?)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn interval(literal: &Lit) -> syn::Result<Literal> {
    let interval = Literal::of(literal).ok_or_else(|| {
        Mistake::at(literal.span(), "the batch interval is no duration").help("write for instance `batch = 500ms`")
    })??;
    if interval.nanos == 0 {
        let mistake = Mistake::at(literal.span(), "the batch interval is zero");
        return Err(mistake.reason("time advances by one interval from batch to batch").into());
    }
    interval.to_expr()?;
    Ok(interval)
}

fn unknown(span: proc_macro2::Span) -> syn::Error {
    Mistake::at(span, "unknown option of `#[stream]`")
        .reason("the only option is the batch interval that the function is written for")
        .help("write `#[stream]` or `#[stream(batch = 1s)]`")
        .into()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn read(attribute: TokenStream) -> Result<Option<u128>, String> {
        let diagnostics = Diagnostics::new();
        let options = Options::parse(attribute, &diagnostics);
        match diagnostics.finish().as_slice() {
            [] => Ok(options.batch.map(|batch| batch.nanos)),
            [error, ..] => Err(error.to_string()),
        }
    }

    #[test]
    fn the_interval_is_kept_and_all_else_refused() {
        assert_eq!(read(quote!()), Ok(None));
        assert_eq!(read(quote!(batch = 500ms)), Ok(Some(500_000_000)));
        assert!(read(quote!(batch = 0s)).expect_err("zero").contains("is zero"));
        assert!(read(quote!(batch = "1s")).expect_err("a string").contains("no duration"));
        assert!(read(quote!(interval = 1s)).expect_err("another name").contains("unknown option"));
        assert!(read(quote!(1s)).expect_err("no name").contains("unknown option"));
    }
}
