//! Parameters and results: which are streams.

use syn::visit::{self, Visit};
use syn::{FnArg, GenericArgument, Pat, PatType, PathArguments, ReturnType, Signature, Type};

use super::Parameter;
use crate::diagnostics::{Diagnostics, Mistake};
use crate::scan;

/// The parameters of the function, streams told from plain values.
pub(super) fn parameters(signature: &Signature, diagnostics: &Diagnostics) -> Vec<Parameter> {
    let typed = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    typed.filter_map(|typed| parameter(typed, diagnostics)).collect()
}

fn parameter(typed: &PatType, diagnostics: &Diagnostics) -> Option<Parameter> {
    if let Some(record) = record_type(&typed.ty) {
        return match &*typed.pat {
            Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => {
                Some(Parameter::Stream { name: pat.ident.clone(), record: Box::new(record.clone()) })
            }
            pat => {
                let mistake = Mistake::on(pat, "a stream parameter needs a name");
                diagnostics.add(mistake.help("write for instance `lines: DStream<str>`"));
                None
            }
        };
    }
    if let Type::Reference(reference) = &*typed.ty
        && let Some(record) = record_type(&reference.elem)
    {
        let mistake = Mistake::on(&typed.ty, "a stream is taken by value")
            .reason("a stream is a cheap handle, and the function may use it any number of times")
            .help(format!("write `DStream<{}>`", quote::quote!(#record)));
        diagnostics.add(mistake);
        // It was meant as a stream, and the body uses it as one.
        if let Pat::Ident(pat) = &*typed.pat {
            return Some(Parameter::Stream { name: pat.ident.clone(), record: Box::new(record.clone()) });
        }
    } else if mentions_stream_type(&typed.ty) {
        let mistake = Mistake::on(&typed.ty, "a stream inside another type")
            .reason("the topology is known at compile time, so every stream is a parameter of its own")
            .help("take each stream as a parameter of type `DStream<..>`");
        diagnostics.add(mistake);
    }
    Some(Parameter::Plain { names: scan::pattern_names(&typed.pat), ty: typed.ty.clone() })
}

/// The record types of the streams that the function returns.
///
/// Without a stream among the parameters this is the smaller mistake, so it is not reported.
pub(super) fn results(signature: &Signature, has_stream: bool, diagnostics: &Diagnostics) -> Vec<Type> {
    let ReturnType::Type(_, ty) = &signature.output else { return Vec::new() };
    let records = match &**ty {
        Type::Tuple(tuple) => tuple.elems.iter().map(record_type).collect::<Option<Vec<_>>>(),
        single => record_type(single).map(|record| vec![record]),
    };
    records.map(|records| records.into_iter().cloned().collect()).unwrap_or_else(|| {
        let mistake = Mistake::on(ty, "a stream function returns streams")
            .reason("its result is the end of a topology, not a value")
            .help("return `DStream<..>`, a tuple of them, or nothing");
        if has_stream {
            diagnostics.add(mistake);
        }
        Vec::new()
    })
}

/// `T` of `DStream<T>`.
pub(super) fn record_type(ty: &Type) -> Option<&Type> {
    let path = match ty {
        Type::Path(path) => path,
        Type::Paren(inner) => return record_type(&inner.elem),
        Type::Group(inner) => return record_type(&inner.elem),
        _ => return None,
    };
    let last = path.path.segments.last().filter(|last| last.ident == "DStream")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(record) => Some(record),
        _ => None,
    })
}

fn mentions_stream_type(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type(&mut self, ty: &'ast Type) {
            self.0 |= record_type(ty).is_some();
            visit::visit_type(self, ty);
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}
