//! Operators that bring two streams together by key, or a stream and a static table.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;

use super::{Kind, Narrow, Operator, Takes, Wide};
use crate::emit::Site;

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "join",
        doc: "`(K, V)`, `(K, W)` → `(K, (V, W))`: every pair of values of a key",
        keyed: true,
        arguments: &[Takes::StreamOrTable, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide {
            with_table: Some(Narrow { by_reference: false, leaks: false, emit: join }),
            ..Wide::TWO
        }),
    },
    Operator {
        name: "left_outer_join",
        doc: "`(K, V)`, `(K, W)` → `(K, (V, Option<W>))`: like `join`, and the left values without a partner",
        keyed: true,
        arguments: &[Takes::StreamOrTable, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide {
            with_table: Some(Narrow { by_reference: false, leaks: false, emit: left_outer_join }),
            ..Wide::TWO
        }),
    },
    Operator {
        name: "right_outer_join",
        doc: "`(K, V)`, `(K, W)` → `(K, (Option<V>, W))`: like `join`, and the right values without a partner",
        keyed: true,
        arguments: &[Takes::Stream, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::TWO),
    },
    Operator {
        name: "full_outer_join",
        doc: "`(K, V)`, `(K, W)` → `(K, (Option<V>, Option<W>))`: like `join`, and all values without a partner",
        keyed: true,
        arguments: &[Takes::Stream, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::TWO),
    },
    Operator {
        name: "cogroup",
        doc: "`(K, V)`, `(K, W)` → `(K, (Vec<V>, Vec<W>))`: all values of a key on both sides",
        keyed: true,
        arguments: &[Takes::Stream, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::TWO),
    },
];

fn join(site: &Site<'_>) -> TokenStream {
    look_up(site, "static_join")
}

fn left_outer_join(site: &Site<'_>) -> TokenStream {
    look_up(site, "static_left_outer_join")
}

/// A join with a static table needs no shuffle: the table is at hand in every partition.
fn look_up(site: &Site<'_>, function: &str) -> TokenStream {
    let (x, table, inner) = (site.record(), site.table(), site.inner());
    let (key, value, split) = site.pair();
    let (enter, leave) = site.guard();
    let function = Ident::new(function, site.span());
    let (rows, how) = (site.local("rows"), site.how(&key));
    quote_spanned! {site.span()=>
        #split #enter
        let #rows = #table.rows(&#how.find(&#key));
        for #x in ::streamflow::__private::#function(#rows, #key, #value) { #inner }
        #leave
    }
}
