//! Which names a piece of code mentions and which it binds.
//!
//! The macro sees tokens, not resolved names, so both answers are approximations, and each caller needs the side on
//! which they err: [`mentions`] may name too much (a local of a nested block counts as well), never too little. It looks
//! into macro calls and into the `{name}` captures of their format strings.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Ident, Literal, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::visit::Visit;

/// The identifiers in `tokens` that may name a variable, in order of appearance, without repetitions.
pub(crate) fn mentions(tokens: &impl ToTokens) -> Vec<Ident> {
    let mut scan = Scan { found: Vec::new(), seen: HashSet::new() };
    scan.tokens(tokens.to_token_stream(), false);
    scan.found
}

/// The names that a pattern binds, or that any pattern inside an expression does.
pub(crate) fn bound_names(visit: impl FnOnce(&mut Bound)) -> Vec<Ident> {
    let mut bound = Bound(Vec::new());
    visit(&mut bound);
    bound.0
}

/// The names that `pat` binds.
pub(crate) fn pattern_names(pat: &syn::Pat) -> Vec<Ident> {
    bound_names(|bound| bound.visit_pat(pat))
}

/// The names that `closure` uses and does not get from its own parameters.
pub(crate) fn free_names(closure: &syn::ExprClosure) -> Vec<Ident> {
    let own: Vec<Ident> = closure.inputs.iter().flat_map(pattern_names).collect();
    mentions(&closure.body).into_iter().filter(|name| !own.contains(name)).collect()
}

/// Collects the names that patterns bind.
pub(crate) struct Bound(Vec<Ident>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pat: &'ast syn::PatIdent) {
        self.0.push(pat.ident.clone());
        syn::visit::visit_pat_ident(self, pat);
    }
}

struct Scan {
    found: Vec<Ident>,
    seen: HashSet<String>,
}

impl Scan {
    fn tokens(&mut self, tokens: TokenStream, in_macro: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(name) if may_be_variable(&tokens, at) => self.found(name.clone()),
                TokenTree::Group(group) => {
                    let in_macro = in_macro || is_macro_input(&tokens, at) && group.delimiter() != Delimiter::None;
                    self.tokens(group.stream(), in_macro);
                }
                TokenTree::Literal(literal) if in_macro => {
                    format_captures(literal).into_iter().for_each(|name| self.found(name));
                }
                _ => {}
            }
        }
    }

    fn found(&mut self, name: Ident) {
        if self.seen.insert(name.to_string()) {
            self.found.push(name);
        }
    }
}

/// Fields, methods, path segments, labels, macro names and `name:` of a struct literal are no variables.
fn may_be_variable(tokens: &[TokenTree], at: usize) -> bool {
    let punct = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == wanted);
    let before = |back: usize, wanted: char| at >= back && punct(at - back, wanted);
    let field = before(1, '.') && !before(2, '.');
    let segment = before(1, ':') && before(2, ':');
    let label = before(1, '\'');
    let macro_name = punct(at + 1, '!') && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)));
    let path_or_named = punct(at + 1, ':');
    !(field || segment || label || macro_name || path_or_named)
}

/// Whether the group at `at` follows `name!`.
fn is_macro_input(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2
        && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '!' && p.spacing() == Spacing::Alone)
        && matches!(&tokens[at - 2], TokenTree::Ident(_))
}

/// The names that a format string captures: `{name}`, `{name:?}`, and the widths and precisions of `{:name$.name$}`.
fn format_captures(literal: &Literal) -> Vec<Ident> {
    let syn::Lit::Str(text) = syn::Lit::new(literal.clone()) else { return Vec::new() };
    let text = text.value().replace("{{", "");
    let holes = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(hole, _)| hole);
    let names = holes.flat_map(|hole| {
        let (name, spec) = hole.split_once(':').unwrap_or((hole, ""));
        let sizes = spec.split('$').rev().skip(1).map(|before| {
            let start = before.rfind(|c: char| c != '_' && !c.is_alphanumeric()).map_or(0, |at| at + 1);
            &before[start..]
        });
        std::iter::once(name.trim()).chain(sizes).map(str::to_owned).collect::<Vec<_>>()
    });
    names
        .filter(|name| syn::parse_str::<Ident>(name).is_ok())
        .map(|name| format_ident!("{name}", span = literal.span()))
        .collect()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn names(tokens: TokenStream) -> Vec<String> {
        mentions(&tokens).iter().map(Ident::to_string).collect()
    }

    #[test]
    fn variables_are_told_from_fields_paths_and_labels() {
        let tokens = quote! { a.field + module::item + b..c + Foo { key: d, e } + 'label: loop {} };
        let found = names(tokens);
        for name in ["a", "b", "c", "d", "e"] {
            assert!(found.contains(&name.to_owned()), "{name} is missing in {found:?}");
        }
        for name in ["field", "module", "item", "key", "label"] {
            assert!(!found.contains(&name.to_owned()), "{name} is no variable");
        }
    }

    #[test]
    fn macro_calls_and_their_format_strings_are_read() {
        assert_eq!(
            names(quote! { format!("{a} {b:?} {:c$.d$} {{e}} {0}", f) }),
            ["a", "b", "d", "c", "f"],
            "escaped braces and positions are no names"
        );
        assert_eq!(names(quote! { "{a}" }), Vec::<String>::new(), "outside a macro a string is a string");
    }

    #[test]
    fn a_closure_owns_its_parameters() {
        let closure = syn::parse_quote! { |(a, b): (u32, u32)| a + b + c };
        let free: Vec<String> = free_names(&closure).iter().map(Ident::to_string).collect();
        assert_eq!(free, ["c"]);
    }
}
