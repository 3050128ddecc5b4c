//! Operators that keep a value for each key from batch to batch.

use syn::{Expr, ExprClosure, ExprMethodCall, Ident};

use super::{Form, Given, Kind, Operator, Takes, Wide};
use crate::model::Argument;

/// The state before the first batch, where nothing was said.
const NO_STATE: Takes = Takes::OptionalValue("::core::iter::empty()");

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "update_state_by_key",
        doc: "`(K, V)` → `(K, S)`: the new state of every key, from its values in the batch and its old state",
        keyed: true,
        arguments: &[Takes::Function(2), NO_STATE, Takes::Partitions],
        forms: &[Form {
            applies: |given| closure(given).is_some_and(|closure| closure.inputs.len() == 4),
            arguments: &[Takes::Function(4), NO_STATE, Takes::Partitions],
            runtime: "UpdateStateByKeyWithTime",
        }],
        kind: Kind::Wide(Wide { keeps: Some("pair_tag"), ..Wide::ONE }),
    },
    Operator {
        name: "update_state_by_partition",
        doc: "`(K, V)` → `(K, S)`: the new state of a partition, from all of its keys with their values and old states",
        keyed: true,
        arguments: &[Takes::Function(2), NO_STATE, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide { keeps: Some("pair_tag"), ..Wide::ONE }),
    },
    Operator {
        name: "map_with_state",
        doc: "`(K, V)` → `M`: the function's result for every record, given the state of its key",
        keyed: true,
        arguments: &[Takes::Value],
        forms: &[
            Form {
                applies: |given| spec_function(given).is_some_and(|name| name == "function"),
                arguments: &[Takes::Value],
                runtime: "MapWithStatePlain",
            },
            Form {
                applies: |given| spec_function(given).is_some_and(|name| name == "function_with_time"),
                arguments: &[Takes::Value],
                runtime: "MapWithStateTime",
            },
        ],
        kind: Kind::Wide(Wide { states: true, keeps: Some("pair_tag"), ..Wide::ONE }),
    },
    Operator {
        name: "state_snapshots",
        doc: "`map_with_state` → `(K, S)`: the states of all keys after every batch",
        keyed: false,
        arguments: &[],
        forms: &[],
        kind: Kind::Snapshots,
    },
];

fn closure<'a>(given: &[Given<'a>]) -> Option<&'a ExprClosure> {
    match given.first()?.argument {
        Argument::Closure(closure) => Some(closure),
        _ => None,
    }
}

/// The constructor of a spec that is written in place around a closure.
fn spec_function<'a>(given: &[Given<'a>]) -> Option<&'a Ident> {
    let Argument::Value(value) = given.first()?.argument else { return None };
    let spec = Spec::of(value)?;
    matches!(spec.function, Expr::Closure(_)).then_some(spec.constructor)
}

/// `StateSpec::function(function).timeout(..)`, taken apart.
pub(crate) struct Spec<'a> {
    /// `function` or `function_with_time`.
    pub(crate) constructor: &'a Ident,
    pub(crate) function: &'a Expr,
    /// The methods behind it, the first one first.
    pub(crate) methods: Vec<&'a ExprMethodCall>,
}

impl<'a> Spec<'a> {
    pub(crate) fn of(value: &'a Expr) -> Option<Self> {
        match value {
            Expr::MethodCall(method) => {
                let mut spec = Spec::of(&method.receiver)?;
                spec.methods.push(method);
                Some(spec)
            }
            Expr::Call(call) => {
                let Expr::Path(path) = &*call.func else { return None };
                let mut segments = path.path.segments.iter().rev();
                let (constructor, ty) = (segments.next()?, segments.next()?);
                let known = constructor.ident == "function" || constructor.ident == "function_with_time";
                let function =
                    call.args.first().filter(|_| ty.ident == "StateSpec" && known && call.args.len() == 1)?;
                Some(Spec { constructor: &constructor.ident, function, methods: Vec::new() })
            }
            Expr::Paren(inner) => Spec::of(&inner.expr),
            Expr::Group(inner) => Spec::of(&inner.expr),
            _ => None,
        }
    }
}
