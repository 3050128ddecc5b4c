//! The statements of a body: plain ones, and those that declare a part of the topology.

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Local, Pat, Stmt, Type};

use super::chain::{self, Value};
use super::{Binding, Bound, Names, Statement, StreamExpr, signature};
use crate::diagnostics::{Diagnostics, Mistake};
use crate::scan;

/// Reads a body. Streams that it declares are added to `known` as they come into scope.
pub(super) fn statements(block: &Block, known: &mut Names, diagnostics: &Diagnostics) -> Vec<Statement> {
    let mut statements = Vec::with_capacity(block.stmts.len());
    for stmt in &block.stmts {
        let statement = match stmt {
            Stmt::Local(local) => declaration(local, known, diagnostics),
            Stmt::Expr(expr, semicolon) => {
                let binding = if semicolon.is_some() { Binding::Output } else { Binding::Result };
                match chain::value(expr, known, diagnostics) {
                    Value::Stream(value) => Statement::Stream { binding, value },
                    Value::Plain => Statement::Plain(stmt.clone()),
                }
            }
            Stmt::Macro(call) => match known.streams_in(&call.mac) {
                streams if streams.is_empty() => Statement::Plain(stmt.clone()),
                streams => {
                    diagnostics.add(chain::in_macro(&streams[0]));
                    Statement::Stream { binding: Binding::Output, value: StreamExpr::Refused(streams) }
                }
            },
            Stmt::Item(_) => Statement::Plain(stmt.clone()),
        };
        match &statement {
            Statement::Plain(stmt) => refuse_returns(stmt, diagnostics),
            Statement::Stream { .. } => refuse_cfg(stmt, diagnostics),
        }
        statements.push(statement);
    }
    statements
}

fn declaration(local: &Local, known: &mut Names, diagnostics: &Diagnostics) -> Statement {
    let value = match &local.init {
        Some(init) => match chain::value(&init.expr, known, diagnostics) {
            Value::Stream(value) => {
                if let Some((otherwise, _)) = &init.diverge {
                    diagnostics.add(Mistake::at(otherwise.span(), "a stream is always there: `else` cannot happen"));
                }
                value
            }
            Value::Plain => return plain(local, known, diagnostics),
        },
        None => return plain(local, known, diagnostics),
    };
    let bound = bound(&local.pat, None, diagnostics);
    for (index, Bound { name, .. }) in bound.iter().enumerate() {
        if bound[..index].iter().any(|other| other.name == *name) {
            diagnostics.add(Mistake::at(name.span(), format!("`{name}` stands for two streams")));
        }
        // From here on, a name that was another stream's means this one, as in all of Rust.
        known.streams.insert(name.to_string());
    }
    Statement::Stream { binding: Binding::Let(bound), value }
}

fn plain(local: &Local, known: &Names, diagnostics: &Diagnostics) -> Statement {
    for name in scan::pattern_names(&local.pat).iter().filter(|name| known.is_stream(name)) {
        diagnostics.add(shadowed(name));
    }
    Statement::Plain(Stmt::Local(local.clone()))
}

fn shadowed(name: &syn::Ident) -> Mistake {
    Mistake::at(name.span(), format!("`{name}` is already the name of a stream"))
        .reason("what follows would read as a part of the topology, but is a plain value")
        .help("give the value a name of its own")
}

/// The names that a pattern gives to streams, with the record types of annotations.
fn bound(pat: &Pat, annotation: Option<&Type>, diagnostics: &Diagnostics) -> Vec<Bound> {
    match pat {
        Pat::Type(typed) => bound(&typed.pat, Some(&typed.ty), diagnostics),
        Pat::Paren(inner) => bound(&inner.pat, annotation, diagnostics),
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            let record = annotation.and_then(signature::record_type).cloned();
            if let (None, Some(ty)) = (&record, annotation.filter(|ty| !matches!(ty, Type::Infer(_)))) {
                let mistake = Mistake::on(ty, format!("`{}` is a stream, not a `{}`", pat.ident, ty.to_token_stream()));
                diagnostics.add(mistake.help("write `DStream<..>`, or leave the type out"));
            }
            vec![Bound { name: pat.ident.clone(), record }]
        }
        Pat::Tuple(tuple) => {
            let types: Vec<Option<&Type>> = match annotation {
                Some(Type::Tuple(types)) if types.elems.len() == tuple.elems.len() => {
                    types.elems.iter().map(Some).collect()
                }
                _ => vec![None; tuple.elems.len()],
            };
            tuple.elems.iter().zip(types).flat_map(|(pat, ty)| bound(pat, ty, diagnostics)).collect()
        }
        other => {
            let mistake = Mistake::on(other, "a stream cannot be taken apart by this pattern")
                .reason("a stream is bound to a name, several streams to a tuple of names")
                .help("write `let words = ..;` or `let (words, lines) = ..;`");
            diagnostics.add(mistake);
            Vec::new()
        }
    }
}

/// A `return` would leave before the topology is complete.
fn refuse_returns(stmt: &Stmt, diagnostics: &Diagnostics) {
    struct Returns<'a>(&'a Diagnostics);
    impl<'ast> Visit<'ast> for Returns<'_> {
        fn visit_expr_return(&mut self, expr: &'ast syn::ExprReturn) {
            let mistake = Mistake::at(expr.return_token.span(), "`return` in the body of a stream function")
                .reason("the topology is the same in every run, so nothing can leave it early")
                .help("make the result the last expression");
            self.0.add(mistake);
            visit::visit_expr_return(self, expr);
        }
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    Returns(diagnostics).visit_stmt(stmt);
}

/// A topology is one and the same for all of its users, also those with other features.
fn refuse_cfg(stmt: &Stmt, diagnostics: &Diagnostics) {
    let attributes = match stmt {
        Stmt::Local(local) => &local.attrs,
        Stmt::Expr(Expr::MethodCall(call), _) => &call.attrs,
        Stmt::Expr(Expr::Call(call), _) => &call.attrs,
        _ => return,
    };
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
        let mistake = Mistake::on(attribute, "`#[cfg]` on a part of the topology")
            .reason("the macro reads the whole function before attributes of its statements are resolved")
            .help("put the attribute on the function, and write one function for each case");
        diagnostics.add(mistake);
    }
}
