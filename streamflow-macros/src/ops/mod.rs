//! The table of operators: the one place that says what an operator is.
//!
//! Name lookup, argument checks, suggestions, lowering and emission all read these records; an operator is added by
//! writing one, with its emitter if it is narrow, in the file of its family.

mod join;
mod keyed;
mod narrow;
mod output;
mod shuffle;
pub(crate) mod state;
mod suggest;
mod transform;
mod window;

use proc_macro2::TokenStream;

pub(crate) use self::suggest::suggest;
use crate::emit::Site;
use crate::model::Argument;

/// One operator of the language.
pub(crate) struct Operator {
    /// The method's name, Spark's in snake case.
    pub(crate) name: &'static str,
    /// Inputs and outputs in one line, for messages and the manual.
    pub(crate) doc: &'static str,
    /// Whether it needs `(key, value)` records.
    pub(crate) keyed: bool,
    /// What stands between the parentheses.
    pub(crate) arguments: &'static [Takes],
    /// Other ways to write them; the first that applies is taken.
    pub(crate) forms: &'static [Form],
    pub(crate) kind: Kind,
}

/// Another way to write the arguments of an operator, with something else at run time.
pub(crate) struct Form {
    /// Whether arguments are written in this way.
    pub(crate) applies: fn(&[Given<'_>]) -> bool,
    pub(crate) arguments: &'static [Takes],
    /// The sink's type, or the method of the handle.
    pub(crate) runtime: &'static str,
}

/// An argument as it was written.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) argument: &'a Argument,
    /// Whether it reads as a function: a closure, or a path that names one.
    pub(crate) is_function: bool,
}

/// What becomes of an operator at run time.
pub(crate) enum Kind {
    /// Fused into the loop of its stage.
    Narrow(Narrow),
    /// Fused as well, but it sees a partition as a whole.
    Partition(fn(&Site<'_>) -> TokenStream),
    /// Nothing: the operators behind it are fused into each branch.
    Union,
    /// A shuffle: a sink of the stages before it, the head of a stage behind it.
    Wide(Wide),
    /// A method of the stream's handle that yields another handle.
    Transform(Keeps),
    /// The states behind a wide operator that has [`Wide::states`].
    Snapshots,
    /// A method of the stream's handle that ends the chain.
    Output,
}

/// What is particular about a shuffle.
pub(crate) struct Wide {
    pub(crate) inputs: usize,
    /// Whether it only looks at records, which need not be owned then.
    pub(crate) by_reference: bool,
    /// What it is with a static table in the place of its second stream.
    pub(crate) with_table: Option<Narrow>,
    /// Whether its states can be asked for beside its records.
    pub(crate) states: bool,
    pub(crate) keeps: Keeps,
    /// Whether what it yields has the type of what it reads.
    pub(crate) same_type: bool,
}

impl Wide {
    const ONE: Wide =
        Wide { inputs: 1, by_reference: false, with_table: None, states: false, keeps: None, same_type: false };
    const SAME: Wide = Wide { same_type: true, ..Wide::ONE };
    const TWO: Wide = Wide { inputs: 2, ..Wide::ONE };
}

/// The method of the handle that names the types of what an operator keeps from batch to batch, if they are the user's:
/// what can be written to a checkpoint depends on them.
pub(crate) type Keeps = Option<&'static str>;

/// How a narrow operator stands in the loop.
#[derive(Clone, Copy)]
pub(crate) struct Narrow {
    /// Whether it only looks at the record, which then stays usable for others without a clone.
    pub(crate) by_reference: bool,
    /// Whether the names that its closure binds are visible to the operators behind it.
    pub(crate) leaks: bool,
    pub(crate) emit: fn(&Site<'_>) -> TokenStream,
}

/// One argument of an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    /// A closure or function with this many parameters.
    Function(usize),
    /// Another stream.
    Stream,
    /// One or more streams.
    Streams,
    /// A stream, or a static table.
    StreamOrTable,
    /// A value.
    Value,
    /// A value that may be left out; then this expression stands for it.
    OptionalValue(&'static str),
    /// The length of a window.
    Length,
    /// The slide of a window, which may be left out.
    Slide,
    /// The number of partitions of the result, which may be left out.
    Partitions,
    /// A function that says which records to keep, as the last argument; it may be left out.
    Filter,
}

impl Takes {
    pub(crate) fn is_optional(self) -> bool {
        matches!(self, Takes::OptionalValue(_) | Takes::Slide | Takes::Partitions | Takes::Filter)
    }

    /// The argument as a message names it.
    pub(crate) fn describe(self) -> String {
        match self {
            Takes::Function(1) => "a closure with one parameter".into(),
            Takes::Function(n) => format!("a closure with {n} parameters"),
            Takes::Stream => "a stream".into(),
            Takes::Streams => "one or more streams".into(),
            Takes::StreamOrTable => "a stream or a static table".into(),
            Takes::Value => "a value".into(),
            Takes::OptionalValue(_) => "optionally a value".into(),
            Takes::Length => "a length such as `30s`".into(),
            Takes::Slide => "optionally a slide such as `10s`".into(),
            Takes::Partitions => "optionally a number of partitions".into(),
            Takes::Filter => "optionally a filter".into(),
        }
    }
}

/// What an operator takes, as a message says it.
pub(crate) fn describe_all(takes: &[Takes]) -> String {
    let parts: Vec<String> = takes.iter().map(|takes| takes.describe()).collect();
    match parts.as_slice() {
        [] => "no arguments".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// For each given argument, the place in `takes` that it fills.
pub(crate) fn places(takes: &[Takes], given: &[Given<'_>]) -> Vec<usize> {
    let required = takes.iter().filter(|takes| !takes.is_optional()).count();
    let mut places: Vec<usize> = (0..given.len()).map(|at| at.min(takes.len().saturating_sub(1))).collect();
    if let (Some(Takes::Filter), Some(last), Some(place)) = (takes.last(), given.last(), places.last_mut())
        && last.is_function
        && given.len() > required
    {
        *place = takes.len() - 1;
    }
    places
}

impl Operator {
    /// Whether its records have the type of those that it reads.
    pub(crate) fn keeps_type(&self) -> bool {
        match &self.kind {
            Kind::Narrow(narrow) => narrow.by_reference,
            Kind::Union => true,
            Kind::Wide(wide) => wide.same_type,
            // A window yields the batches that it keeps.
            Kind::Transform(keeps) => keeps.is_some(),
            Kind::Partition(_) | Kind::Snapshots | Kind::Output => false,
        }
    }

    /// How the types of what it keeps are asked for.
    pub(crate) fn keeps(&self) -> Keeps {
        match &self.kind {
            Kind::Wide(wide) => wide.keeps,
            Kind::Transform(keeps) => *keeps,
            _ => None,
        }
    }

    /// The type of the operator's sink: its name in camel case.
    pub(crate) fn sink(&self) -> String {
        self.name
            .split('_')
            .map(|word| {
                let (head, tail) = word.split_at(1);
                head.to_uppercase() + tail
            })
            .collect()
    }
}

/// All operators, family by family.
pub(crate) fn all() -> impl Iterator<Item = &'static Operator> {
    [
        narrow::OPERATORS,
        keyed::OPERATORS,
        shuffle::OPERATORS,
        join::OPERATORS,
        window::OPERATORS,
        state::OPERATORS,
        transform::OPERATORS,
        output::OPERATORS,
    ]
    .into_iter()
    .flatten()
}

/// The operator of that name.
pub(crate) fn find(name: &str) -> Option<&'static Operator> {
    all().find(|operator| operator.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operator_has_one_name_and_a_line_of_documentation() {
        let mut names = HashSet::new();
        for operator in all() {
            assert!(names.insert(operator.name), "`{}` stands in the table twice", operator.name);
            assert!(operator.doc.contains('→'), "`{}` says what goes in and what comes out", operator.name);
        }
    }

    #[test]
    fn optional_arguments_stand_last() {
        for operator in all() {
            let forms = operator.forms.iter().map(|form| form.arguments);
            for arguments in forms.chain([operator.arguments]) {
                let first = arguments.iter().position(|takes| takes.is_optional());
                let required_after = first.is_some_and(|at| arguments[at..].iter().any(|t| !t.is_optional()));
                assert!(!required_after, "`{}`", operator.name);
            }
        }
    }

    #[test]
    fn sinks_are_named_after_their_operator() {
        assert_eq!(find("reduce_by_key").expect("in the table").sink(), "ReduceByKey");
    }
}
