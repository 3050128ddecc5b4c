//! Narrow operators on the parts of a `(key, value)` record.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::{Kind, Narrow, Operator, Takes};
use crate::emit::{Called, Site};

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "map_values",
        doc: "`(K, V)` → `(K, U)`: the function's result for every value",
        keyed: true,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: true, emit: map_values }),
    },
    Operator {
        name: "flat_map_values",
        doc: "`(K, V)` → `(K, U)`: the key with every item that the function yields for the value",
        keyed: true,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: true, emit: flat_map_values }),
    },
    Operator {
        name: "keys",
        doc: "`(K, V)` → `K`",
        keyed: true,
        arguments: &[],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: false, emit: keys }),
    },
    Operator {
        name: "values",
        doc: "`(K, V)` → `V`",
        keyed: true,
        arguments: &[],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: false, emit: values }),
    },
    Operator {
        name: "swap",
        doc: "`(K, V)` → `(V, K)`",
        keyed: true,
        arguments: &[],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: false, emit: swap }),
    },
];

fn map_values(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let (key, value, split) = site.pair();
    let Called { bind, value: result } = site.call(0, site.by_value(&value));
    let (enter, leave) = site.guard();
    quote_spanned! {site.span()=>
        #split #bind #enter let #value = #result; #leave
        let #x = (#key, #value);
        #inner
    }
}

fn flat_map_values(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let (key, value, split) = site.pair();
    let Called { bind, value: items } = site.call(0, site.by_value(&value));
    let (enter, leave) = site.guard();
    let key = site.fork_key(&key);
    quote_spanned! {site.span()=>
        #split #bind #enter
        for #value in #items { let #x = (#key, #value); #inner }
        #leave
    }
}

fn keys(site: &Site<'_>) -> TokenStream {
    let (key, _, _) = site.pair();
    rearrange(site, quote!(#key))
}

fn values(site: &Site<'_>) -> TokenStream {
    let (_, value, _) = site.pair();
    rearrange(site, quote!(#value))
}

fn swap(site: &Site<'_>) -> TokenStream {
    let (key, value, _) = site.pair();
    rearrange(site, quote!((#value, #key)))
}

/// The operators without a function: another record of the same parts.
fn rearrange(site: &Site<'_>, record: TokenStream) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let (_, _, split) = site.pair();
    quote_spanned! {site.span()=> #split let #x = #record; #inner }
}
