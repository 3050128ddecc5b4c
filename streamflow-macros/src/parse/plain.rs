//! The variables of a function that are no streams.

use std::collections::HashSet;

use syn::visit::Visit;
use syn::{Expr, ExprPath, Ident, Pat, Stmt, Type, TypeParamBound};

use super::{Function, Parameter, Statement};
use crate::scan;

/// Names of plain variables, and which of them hold functions.
pub(crate) struct PlainNames {
    all: HashSet<String>,
    functions: HashSet<String>,
}

impl PlainNames {
    pub(crate) fn of(function: &Function) -> Self {
        let mut names = PlainNames { all: HashSet::new(), functions: HashSet::new() };
        let generics: Vec<&Ident> = function.item.sig.generics.type_params().map(|param| &param.ident).collect();
        for parameter in &function.parameters {
            if let Parameter::Plain { names: declared, ty } = parameter {
                names.add(declared, is_function_type(ty, &generics));
            }
        }
        for statement in &function.statements {
            if let Statement::Plain(Stmt::Local(local)) = statement {
                let is_closure = local.init.as_ref().is_some_and(|init| matches!(&*init.expr, Expr::Closure(_)));
                names.add(&scan::pattern_names(&local.pat), is_closure && matches!(local.pat, Pat::Ident(_)));
            }
        }
        names
    }

    fn add(&mut self, declared: &[Ident], are_functions: bool) {
        self.all.extend(declared.iter().map(Ident::to_string));
        if are_functions {
            self.functions.extend(declared.iter().map(Ident::to_string));
        }
    }

    pub(crate) fn contains(&self, name: &Ident) -> bool {
        self.all.contains(&name.to_string())
    }

    /// Whether a path reads as the name of a function: constants and variants start with a capital letter.
    pub(crate) fn is_function(&self, path: &ExprPath) -> bool {
        match path.path.get_ident().filter(|name| self.contains(name)) {
            Some(variable) => self.functions.contains(&variable.to_string()),
            None => path.path.segments.last().is_some_and(|last| {
                last.ident.to_string().trim_start_matches('_').starts_with(|first: char| first.is_lowercase())
            }),
        }
    }
}

/// Whether values of the type can be called, as far as the type shows it. A type parameter counts: nobody makes the
/// length of a window generic.
fn is_function_type(ty: &Type, generics: &[&Ident]) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_param_bound(&mut self, bound: &'ast TypeParamBound) {
            if let TypeParamBound::Trait(bound) = bound
                && let Some(last) = bound.path.segments.last()
            {
                self.0 |= ["Fn", "FnMut", "FnOnce"].iter().any(|name| last.ident == name);
            }
        }
    }
    match ty {
        Type::FnPtr(_) => true,
        Type::Path(path) => path.path.get_ident().is_some_and(|name| generics.contains(&name)),
        ty => {
            let mut finder = Finder(false);
            finder.visit_type(ty);
            finder.0
        }
    }
}
