//! Tokens to syntax: what of a function is topology, and what is plain Rust.
//!
//! Streams are known by name: the parameters of type `DStream<..>`, and the variables bound to a chain that starts at
//! one. Everything that mentions no stream is kept as it stands. This pass knows the grammar only, no operator.

mod body;
mod chain;
pub(crate) mod duration;
mod options;
mod plain;
mod signature;

use std::collections::HashSet;

use syn::{Expr, ExprClosure, ExprPath, Ident, ItemFn, Stmt, Type};

pub(crate) use self::options::Options;
pub(crate) use self::plain::PlainNames;
use crate::diagnostics::Diagnostics;

/// A function of streams, as written.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) parameters: Vec<Parameter>,
    /// The types of the records of the streams that it returns.
    pub(crate) results: Vec<Type>,
    pub(crate) statements: Vec<Statement>,
}

pub(crate) enum Parameter {
    Stream { name: Ident, record: Box<Type> },
    Plain { names: Vec<Ident>, ty: Box<Type> },
}

pub(crate) enum Statement {
    /// Touches no stream: runs once, when the topology is built.
    Plain(Stmt),
    Stream {
        binding: Binding,
        value: StreamExpr,
    },
}

/// What becomes of the stream of a statement.
pub(crate) enum Binding {
    Let(Vec<Bound>),
    /// An expression statement.
    Output,
    /// The function's last expression.
    Result,
}

pub(crate) struct Bound {
    pub(crate) name: Ident,
    /// `T` of an annotation `: DStream<T>`.
    pub(crate) record: Option<Type>,
}

/// An expression whose value is a stream, or several.
pub(crate) enum StreamExpr {
    Name(Ident),
    Step(Box<Step>),
    Call(Call),
    Tuple(Vec<StreamExpr>),
    /// A mistake, reported already, with the streams that it mentions.
    Refused(Vec<Ident>),
}

/// One operator of a chain.
pub(crate) struct Step {
    pub(crate) receiver: StreamExpr,
    pub(crate) name: Ident,
    pub(crate) arguments: Vec<Argument>,
}

/// A call of another function of streams.
pub(crate) struct Call {
    pub(crate) function: Expr,
    pub(crate) arguments: Vec<Argument>,
}

pub(crate) enum Argument {
    Stream(StreamExpr),
    Closure(ExprClosure),
    Path(ExprPath),
    Value(Expr),
}

/// Reads a function. Mistakes are added to `diagnostics`; what is sound is returned all the same.
pub(crate) fn function(mut item: ItemFn, diagnostics: &Diagnostics) -> Function {
    duration::replace_literals(&mut item.block, diagnostics);
    let parameters = signature::parameters(&item.sig, diagnostics);
    let streams = parameters.iter().filter_map(|parameter| match parameter {
        Parameter::Stream { name, .. } => Some(name.to_string()),
        Parameter::Plain { .. } => None,
    });
    let mut known = Names { streams: streams.collect() };
    let results = signature::results(&item.sig, !known.streams.is_empty(), diagnostics);
    let statements = body::statements(&item.block, &mut known, diagnostics);
    Function { item, parameters, results, statements }
}

/// The streams that are in scope.
pub(crate) struct Names {
    streams: HashSet<String>,
}

impl Names {
    fn is_stream(&self, name: &Ident) -> bool {
        self.streams.contains(&name.to_string())
    }

    /// The streams that `tokens` mention.
    fn streams_in(&self, tokens: &impl quote::ToTokens) -> Vec<Ident> {
        crate::scan::mentions(tokens).into_iter().filter(|name| self.is_stream(name)).collect()
    }
}
