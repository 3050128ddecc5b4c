//! What the macro hands over beside the closures: constant descriptions of functions, operators and stages.
//!
//! They cost nothing per record. Errors, `explain`, metrics and the identity of state all read them.

pub(crate) mod explain;

use std::fmt;

/// A `#[stream]` function.
#[derive(Debug)]
pub struct Function {
    /// The function's name.
    pub name: &'static str,
    /// The module that it stands in.
    pub module: &'static str,
    /// The source file.
    pub file: &'static str,
}

/// An operator as it is written in a `#[stream]` function.
#[derive(Debug)]
pub struct Operator {
    /// The function that it stands in.
    pub function: &'static Function,
    /// The operator's name, for instance `reduce_by_key`.
    pub name: &'static str,
    /// A name that is unique in the function: the binding and the operator, for instance `counts.reduce_by_key`.
    pub id: &'static str,
    /// Line in the source file, from 1.
    pub line: u32,
    /// Column in that line, from 1.
    pub column: u32,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of `{}` ({}:{})", self.name, self.function.name, self.function.file, self.line)
    }
}

/// The narrow operators that one loop holds.
#[derive(Debug)]
pub struct StagePlan {
    /// The operators in the order in which a record meets them, as a tree.
    pub fused: &'static [Fused],
}

/// One narrow operator of a fused loop.
#[derive(Debug)]
pub struct Fused {
    /// The operator.
    pub operator: &'static Operator,
    /// How deep it stands in the tree: siblings are the branches of a fork.
    pub depth: u16,
}
