//! The plain variables that closures use.
//!
//! Closures run long after the function has returned, on other threads, so they own copies; and all plain statements
//! are executed before the topology is built, so a name must mean the same throughout.

use std::collections::HashSet;

use syn::visit::Visit;
use syn::{Ident, Pat, Stmt, Type, TypeParamBound};

use crate::diagnostics::{Diagnostics, Mistake};
use crate::parse::{Argument, Function, Parameter, Statement, StreamExpr};
use crate::scan;

pub(super) fn check(function: &Function, diagnostics: &Diagnostics) {
    let used: Vec<Vec<Ident>> = function
        .statements
        .iter()
        .map(|statement| match statement {
            Statement::Stream { value, .. } => uses(value),
            Statement::Plain(_) => Vec::new(),
        })
        .collect();
    parameters(function, &used, diagnostics);
    order(function, &used, diagnostics);
}

/// Parameters that no closure can own.
fn parameters(function: &Function, used: &[Vec<Ident>], diagnostics: &Diagnostics) {
    for parameter in &function.parameters {
        let Parameter::Plain { names, ty } = parameter else { continue };
        let Some(name) = names.iter().find(|name| used.iter().flatten().any(|used| used == *name)) else { continue };
        match &**ty {
            Type::Reference(reference) if reference.lifetime.as_ref().is_none_or(|l| l.ident != "static") => {
                let owned = match &*reference.elem {
                    Type::Path(path) if path.path.is_ident("str") => "String".into(),
                    Type::Slice(slice) => format!("Vec<{}>", compact(&slice.elem)),
                    other => compact(other),
                };
                let mistake = Mistake::on(ty, format!("`{name}` is a reference, which closures cannot capture"))
                    .reason("closures run after the function has returned, and own what they use")
                    .help(format!("take it by value, for instance `{name}: {owned}`"));
                diagnostics.add(mistake);
            }
            Type::ImplTrait(bounds) if is_bare_function(bounds) => {
                let mistake = Mistake::on(ty, format!("closures cannot capture `{name}`"))
                    .reason("what closures capture is copied once per stage and used on any thread")
                    .help("add `+ Clone + Send + Sync + 'static` to its type");
                diagnostics.add(mistake);
            }
            _ => {}
        }
    }
}

/// Whether the bounds are a closure's alone. Other traits may imply what is missing here.
fn is_bare_function(ty: &syn::TypeImplTrait) -> bool {
    let named = |wanted: &[&str]| {
        ty.bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|last| wanted.iter().any(|name| last.ident == name))
            }
            TypeParamBound::Lifetime(lifetime) => wanted.contains(&"'static") && lifetime.ident == "static",
            _ => false,
        })
    };
    let complete = named(&["Clone", "Copy"]) && named(&["Send"]) && named(&["Sync"]) && named(&["'static"]);
    named(&["Fn", "FnMut", "FnOnce"]) && !complete
}

/// A plain statement that changes what an earlier closure sees, although it is executed before it.
fn order(function: &Function, used: &[Vec<Ident>], diagnostics: &Diagnostics) {
    let mut mutable: HashSet<String> = HashSet::new();
    for (at, statement) in function.statements.iter().enumerate() {
        let Statement::Plain(stmt) = statement else { continue };
        let used_before = |name: &Ident| used[..at].iter().flatten().any(|used| used == name);
        if let Stmt::Local(local) = stmt {
            for name in scan::pattern_names(&local.pat).iter().filter(|name| used_before(name)) {
                let mistake =
                    Mistake::at(name.span(), format!("`{name}` is declared again after a closure has used it"))
                        .reason("plain statements are executed first, so the closure would see this value")
                        .help("give it a name of its own");
                diagnostics.add(mistake);
            }
        }
        let changed = scan::mentions(stmt).into_iter().filter(|name| mutable.contains(&name.to_string()));
        for name in changed.filter(|name| used_before(name)) {
            let mistake = Mistake::at(name.span(), format!("`{name}` may change here, after a closure has used it"))
                .reason("plain statements are executed first, so the closure would see the change")
                .help("move this statement before the operators that use it");
            diagnostics.add(mistake);
        }
        mutable.extend(mutable_names(stmt));
    }
}

/// The names that a statement declares as `mut`.
fn mutable_names(stmt: &Stmt) -> Vec<String> {
    struct Mutable(Vec<String>);
    impl<'ast> Visit<'ast> for Mutable {
        fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
            if pat.mutability.is_some() {
                self.0.push(pat.ident.to_string());
            }
        }
    }
    let Stmt::Local(local) = stmt else { return Vec::new() };
    let mut mutable = Mutable(Vec::new());
    let pat: &Pat = &local.pat;
    mutable.visit_pat(pat);
    mutable.0
}

/// The variables that the arguments of a chain use.
fn uses(value: &StreamExpr) -> Vec<Ident> {
    let of = |arguments: &[Argument]| arguments.iter().flat_map(argument_uses).collect::<Vec<_>>();
    match value {
        StreamExpr::Step(step) => {
            let mut names = uses(&step.receiver);
            names.extend(of(&step.arguments));
            names
        }
        StreamExpr::Call(call) => of(&call.arguments),
        StreamExpr::Tuple(parts) => parts.iter().flat_map(uses).collect(),
        StreamExpr::Name(_) | StreamExpr::Refused(_) => Vec::new(),
    }
}

fn argument_uses(argument: &Argument) -> Vec<Ident> {
    match argument {
        Argument::Stream(stream) => uses(stream),
        Argument::Closure(closure) => scan::free_names(closure),
        Argument::Path(path) => scan::mentions(path),
        // A value is used where it stands, before any closure exists.
        Argument::Value(value) => scan::mentions(value),
    }
}

/// A type as its author would write it.
fn compact(ty: &Type) -> String {
    let text = quote::ToTokens::to_token_stream(ty).to_string();
    text.replace(" < ", "<").replace(" >", ">").replace(" :: ", "::").replace(" , ", ", ").replace("& ", "&")
}
