//! Record types that follow from those that the user declared.
//!
//! An operator that keeps the type of its records carries it both ways: a stream of views that is only filtered is still
//! one of views, and what is declared behind a `top_by` is what the `reduce_by_key` before it yields.

use syn::Type;

use crate::model::{Node, NodeId, Shape, Topology};
use crate::ops::Kind;

/// What is known of the records of each node.
pub(crate) struct Types {
    /// The view, such as `str`, that the records are.
    views: Vec<Option<Type>>,
    /// The type that is declared for the node, or behind it.
    wanted: Vec<Option<Type>>,
}

impl Types {
    pub(crate) fn of(topology: &Topology) -> Self {
        let views = views(topology);
        let wanted = wanted(topology, &views);
        Self { views, wanted }
    }

    /// The view that the records are, if nothing else is wanted.
    pub(crate) fn view(&self, node: NodeId) -> Option<&Type> {
        self.wanted[node.0].as_ref().or(self.views[node.0].as_ref()).filter(|record| is_view(record))
    }

    /// The type that the records of a node must have, which helps to infer what its sink is given.
    pub(crate) fn wanted(&self, node: NodeId) -> Option<&Type> {
        self.wanted[node.0].as_ref()
    }
}

/// Whether records of this type are views, borrowed from their batch.
pub(crate) fn is_view(record: &Type) -> bool {
    match record {
        Type::Slice(_) => true,
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "str"),
        _ => false,
    }
}

/// From the declarations on, down the chains.
fn views(topology: &Topology) -> Vec<Option<Type>> {
    let mut views: Vec<Option<Type>> = Vec::new();
    for (_, node) in topology.nodes() {
        let mut of_inputs = node.inputs.iter().map(|input| views[input.0].as_ref());
        let view = match &node.record {
            Some(declared) => Some(declared).filter(|record| is_view(record)),
            // A shuffle owns what it takes in.
            None if keeps_type(node) && !is_shuffle(node) => {
                of_inputs.next().flatten().filter(|_| of_inputs.all(|other| other.is_some()))
            }
            None => None,
        };
        views.push(view.cloned());
    }
    views
}

/// From the declarations on, up the chains.
fn wanted(topology: &Topology, views: &[Option<Type>]) -> Vec<Option<Type>> {
    let mut wanted: Vec<Option<Type>> = topology.nodes().map(|(_, node)| node.record.clone()).collect();
    let nodes: Vec<_> = topology.nodes().collect();
    for (id, node) in nodes.into_iter().rev() {
        let Some(record) = wanted[id.0].clone().filter(|record| keeps_type(node) && !is_view(record)) else { continue };
        for input in &node.inputs {
            // A shuffle may take in views where it yields owned records.
            if wanted[input.0].is_none() && !(is_shuffle(node) && views[input.0].is_some()) {
                wanted[input.0] = Some(record.clone());
            }
        }
    }
    wanted
}

fn keeps_type(node: &Node) -> bool {
    node.applied().is_some_and(|applied| applied.operator.keeps_type())
}

fn is_shuffle(node: &Node) -> bool {
    node.shape() == Shape::Handle
        && node.applied().is_some_and(|applied| matches!(applied.operator.kind, Kind::Wide(_)))
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;
    use crate::expand::tests::topology;

    /// What is said of the first node with that operator.
    fn of(item: proc_macro2::TokenStream, operator: &str) -> (Option<String>, Option<String>) {
        let topology = topology(item);
        let mut nodes = topology.nodes().filter(|(_, node)| node.applied().is_some_and(|a| a.name == operator));
        let (id, _) = nodes.next().expect("the operator is there");
        let types = Types::of(&topology);
        let text = |ty: Option<&Type>| ty.map(|ty| ty.to_token_stream().to_string());
        (text(types.view(id)), text(types.wanted(id)))
    }

    #[test]
    fn what_is_only_filtered_stays_a_view() {
        let item = quote! { fn f(a: DStream<str>, b: DStream<str>) { a.union(b).filter(g).print(); } };
        assert_eq!(of(item, "filter"), (Some("str".into()), None));
        let item = quote! { fn f(a: DStream<str>, b: DStream<String>) { a.union(b).filter(g).print(); } };
        assert_eq!(of(item, "filter"), (None, None), "one of them is owned");
        let item = quote! { fn f(a: DStream<str>) -> DStream<String> { a.filter(g) } };
        assert_eq!(of(item, "filter"), (None, Some("String".into())), "the declared type counts");
        let item = quote! { fn f(a: DStream<str>) -> DStream<String> { a.filter(g).window(l).distinct() } };
        assert_eq!(of(item, "filter"), (Some("str".into()), None), "the shuffle owns");
    }

    #[test]
    fn a_declared_type_reaches_the_shuffle_that_makes_the_records() {
        let item = quote! { fn f(a: DStream<str>) -> DStream<(String, u64)> {
            a.map(g).reduce_by_key(h).filter(i).top_by(3, k)
        } };
        assert_eq!(of(item, "reduce_by_key").1, Some("(String , u64)".into()));
        let item = quote! { fn f(a: DStream<str>) -> DStream<u64> { a.map(g).reduce_by_key(h).map(i).distinct() } };
        assert_eq!(of(item, "reduce_by_key").1, None, "`map` makes other records");
    }
}
