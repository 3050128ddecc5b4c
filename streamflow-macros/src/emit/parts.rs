//! Records that were written as tuples.
//!
//! They leave the loop part by part, so that a literal in one takes the type that is declared for the result.

use syn::{Expr, Stmt};

use crate::model::{Applied, Argument};

/// The parts of a value, as far as they can be read off the closure that made it.
#[derive(Clone, Default)]
pub(super) enum Parts {
    #[default]
    Unknown,
    Tuple(Vec<Parts>),
}

impl Parts {
    /// The parts of the records that an operator makes of others.
    pub(super) fn made_by(applied: &Applied, record: &Parts) -> Parts {
        let result = || match applied.arguments.first() {
            Some(Argument::Closure(closure)) => Parts::of(&closure.body),
            _ => Parts::Unknown,
        };
        let [key, value] = record.pair();
        match applied.operator.name {
            "map" => result(),
            "key_by" => Parts::Tuple(vec![result(), record.clone()]),
            "map_values" => Parts::Tuple(vec![key, result()]),
            "flat_map_values" => Parts::Tuple(vec![key, Parts::Unknown]),
            "swap" => Parts::Tuple(vec![value, key]),
            "keys" => key,
            "values" => value,
            _ => Parts::Unknown,
        }
    }

    /// Key and value of a record that is a pair.
    pub(super) fn pair(&self) -> [Parts; 2] {
        match self {
            Parts::Tuple(parts) if parts.len() == 2 => [parts[0].clone(), parts[1].clone()],
            _ => [Parts::Unknown, Parts::Unknown],
        }
    }

    fn of(body: &Expr) -> Parts {
        match body {
            // The runtime knows tuples of these lengths.
            Expr::Tuple(tuple) if (2..=6).contains(&tuple.elems.len()) => {
                Parts::Tuple(tuple.elems.iter().map(Parts::of).collect())
            }
            Expr::Paren(inner) => Parts::of(&inner.expr),
            Expr::Block(block) => match block.block.stmts.last() {
                Some(Stmt::Expr(tail, None)) => Parts::of(tail),
                _ => Parts::Unknown,
            },
            _ => Parts::Unknown,
        }
    }
}
