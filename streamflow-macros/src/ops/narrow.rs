//! Operators on one record, fused into the loop of their stage.
//!
//! Every emitter finds the record in the variable [`Site::record`] and leaves a record there for [`Site::inner`], the
//! code of all operators behind it.

use proc_macro2::TokenStream;
use quote::quote_spanned;

use super::{Kind, Narrow, Operator, Takes};
use crate::emit::{Called, Site};

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "map",
        doc: "`T` → `U`: the function's result for every record",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: true, emit: map }),
    },
    Operator {
        name: "flat_map",
        doc: "`T` → `U`: every item that the function yields for a record",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: true, emit: flat_map }),
    },
    Operator {
        name: "filter",
        doc: "`T` → `T`: the records for which the function is true",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: true, leaks: false, emit: filter }),
    },
    Operator {
        name: "filter_map",
        doc: "`T` → `U`: what the function returns in `Some`",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: true, emit: filter_map }),
    },
    Operator {
        name: "inspect",
        doc: "`T` → `T`: the same records, each shown to the function",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: true, leaks: false, emit: inspect }),
    },
    Operator {
        name: "key_by",
        doc: "`T` → `(K, T)`: every record behind the key that the function gives it",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Narrow(Narrow { by_reference: false, leaks: false, emit: key_by }),
    },
    Operator {
        name: "map_partitions",
        doc: "`T` → `U`: every item that the function yields for an iterator over a partition",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Partition(map_partitions),
    },
    Operator {
        name: "glom",
        doc: "`T` → `Vec<T>`: one record per partition, with all of its records",
        keyed: false,
        arguments: &[],
        forms: &[],
        kind: Kind::Partition(glom),
    },
    Operator {
        name: "union",
        doc: "`T`, `T` … → `T`: the records of all streams",
        keyed: false,
        arguments: &[Takes::Streams],
        forms: &[],
        kind: Kind::Union,
    },
];

fn map(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.by_value(&x));
    let (enter, leave) = site.guard();
    quote_spanned! {site.span()=> #bind #enter let #x = #value; #leave #inner }
}

fn flat_map(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.by_value(&x));
    let (enter, leave) = site.guard();
    quote_spanned! {site.span()=> #bind #enter for #x in #value { #inner } #leave }
}

fn filter(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.by_reference(&x));
    let (enter, leave) = site.guard();
    let keep = site.local("keep");
    quote_spanned! {site.span()=> if { #enter let #keep: bool = { #bind #value }; #leave #keep } { #inner } }
}

fn filter_map(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.by_value(&x));
    let (enter, leave) = site.guard();
    quote_spanned! {site.span()=>
        #bind #enter let #x = #value; #leave
        if let ::core::option::Option::Some(#x) = #x { #inner }
    }
}

fn inspect(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.by_reference(&x));
    let (enter, leave) = site.guard();
    quote_spanned! {site.span()=> { #enter let () = { #bind #value }; #leave } #inner }
}

fn key_by(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.by_reference(&x));
    let (enter, leave) = site.guard();
    let key = site.local("k");
    quote_spanned! {site.span()=>
        #enter let #key = { #bind #value }; #leave
        let #x = (#key, #x);
        #inner
    }
}

fn map_partitions(site: &Site<'_>) -> TokenStream {
    let (x, inner) = (site.record(), site.inner());
    let Called { bind, value } = site.call(0, site.partition());
    let (enter, leave) = site.guard();
    quote_spanned! {site.span()=> #bind #enter for #x in #value { #inner } #leave }
}

fn glom(site: &Site<'_>) -> TokenStream {
    let (x, partition, inner) = (site.record(), site.partition(), site.inner());
    quote_spanned! {site.span()=> let #x = #partition; #inner }
}
