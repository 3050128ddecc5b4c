//! How a closure's body can stand in a loop.
//!
//! A body is inlined so that what it returns may borrow from its argument. Inside a loop, though, `return`, `?`, `break`
//! and `continue` would mean something else than in a closure; this module finds them.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprClosure, Label, Lifetime};

/// How the body of a closure becomes part of the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// As a block.
    Inline,
    /// As a labelled block, which `return` leaves.
    Labelled,
    /// Not at all: the closure is called.
    Called,
}

/// How `closure` can stand in the loop. `looks_only`: its result borrows nothing, so that it may be called as well.
pub(crate) fn entry(closure: &ExprClosure, looks_only: bool) -> Entry {
    let flow = Flow::of(&closure.body);
    let is_async = closure.asyncness.is_some();
    let opaque = flow.hidden_jump || looks_only && flow.macro_call;
    if flow.question || opaque || closure.inputs.len() != 1 || is_async || !closure.attrs.is_empty() {
        Entry::Called
    } else if flow.returns {
        Entry::Labelled
    } else {
        Entry::Inline
    }
}

/// Where a `break` or `continue` of the body would reach a loop around the closure.
pub(crate) fn escapes(closure: &ExprClosure) -> Vec<(Span, &'static str)> {
    Flow::of(&closure.body).escapes
}

/// The body with every `return` of its own leaving the block `label`.
pub(crate) fn return_to(label: &Lifetime, mut body: Expr) -> Expr {
    Returns { label }.visit_expr_mut(&mut body);
    body
}

/// What of a body acts on the flow of control around it.
#[derive(Default)]
struct Flow {
    returns: bool,
    question: bool,
    /// A macro call that may hold any of these.
    hidden_jump: bool,
    macro_call: bool,
    escapes: Vec<(Span, &'static str)>,
    loops: usize,
    labels: Vec<String>,
}

impl Flow {
    fn of(body: &Expr) -> Self {
        let mut flow = Flow::default();
        flow.visit_expr(body);
        flow
    }

    fn jump(&mut self, keyword: (Span, &'static str), label: Option<&Lifetime>) {
        let inside = match label {
            Some(label) => self.labels.contains(&label.ident.to_string()),
            None => self.loops > 0,
        };
        if !inside {
            self.escapes.push(keyword);
        }
    }

    /// Visits what stands inside a loop or labelled block.
    fn inside(&mut self, label: Option<&Label>, is_loop: bool, visit: impl FnOnce(&mut Self)) {
        self.labels.extend(label.map(|label| label.name.ident.to_string()));
        self.loops += usize::from(is_loop);
        visit(self);
        self.loops -= usize::from(is_loop);
        if label.is_some() {
            self.labels.pop();
        }
    }
}

impl<'ast> Visit<'ast> for Flow {
    fn visit_expr_return(&mut self, expr: &'ast syn::ExprReturn) {
        self.returns = true;
        visit::visit_expr_return(self, expr);
    }

    fn visit_expr_try(&mut self, expr: &'ast syn::ExprTry) {
        self.question = true;
        visit::visit_expr_try(self, expr);
    }

    fn visit_expr_break(&mut self, expr: &'ast syn::ExprBreak) {
        self.jump((expr.break_token.span(), "break"), expr.label.as_ref());
        visit::visit_expr_break(self, expr);
    }

    fn visit_expr_continue(&mut self, expr: &'ast syn::ExprContinue) {
        self.jump((expr.continue_token.span(), "continue"), expr.label.as_ref());
    }

    fn visit_expr_loop(&mut self, expr: &'ast syn::ExprLoop) {
        self.inside(expr.label.as_ref(), true, |flow| visit::visit_expr_loop(flow, expr));
    }

    fn visit_expr_while(&mut self, expr: &'ast syn::ExprWhile) {
        self.inside(expr.label.as_ref(), true, |flow| visit::visit_expr_while(flow, expr));
    }

    fn visit_expr_for_loop(&mut self, expr: &'ast syn::ExprForLoop) {
        self.visit_expr(&expr.expr);
        self.inside(expr.label.as_ref(), true, |flow| flow.visit_block(&expr.body));
    }

    fn visit_expr_block(&mut self, expr: &'ast syn::ExprBlock) {
        self.inside(expr.label.as_ref(), false, |flow| visit::visit_expr_block(flow, expr));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.macro_call = true;
        self.hidden_jump |= jumps(call);
    }

    // What these contain leaves them, not the closure.
    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
    fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

/// Macros that are known not to leave the code around them, unless their input does.
const TAME: [&str; 32] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "column",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include_bytes",
    "include_str",
    "json",
    "line",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "stringify",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
];

/// Whether a macro call may leave the closure: a macro of the user's may hold a `return` that cannot be seen here.
fn jumps(call: &syn::Macro) -> bool {
    let tame = call.path.segments.last().is_some_and(|name| TAME.iter().any(|tame| name.ident == tame));
    !tame || jump_in(call.tokens.clone())
}

fn jump_in(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => ["return", "break", "continue"].iter().any(|jump| word == jump),
        TokenTree::Punct(punct) => punct.as_char() == '?',
        TokenTree::Group(group) => jump_in(group.stream()),
        TokenTree::Literal(_) => false,
    })
}

struct Returns<'a> {
    label: &'a Lifetime,
}

impl VisitMut for Returns<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        if let Expr::Return(ret) = expr {
            *expr = Expr::Break(syn::ExprBreak {
                attrs: std::mem::take(&mut ret.attrs),
                break_token: syn::Token![break](ret.return_token.span()),
                label: Some(self.label.clone()),
                expr: ret.expr.take(),
            });
        }
    }

    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_expr_async_mut(&mut self, _: &mut syn::ExprAsync) {}
    fn visit_item_mut(&mut self, _: &mut syn::Item) {}
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn returns_are_labelled_and_questions_called() {
        assert_eq!(entry(&parse_quote! { |x| x + 1 }, false), Entry::Inline);
        assert_eq!(entry(&parse_quote! { |x| { if x { return 1; } 2 } }, false), Entry::Labelled);
        assert_eq!(entry(&parse_quote! { |x| Some(x? + 1) }, false), Entry::Called);
        assert_eq!(entry(&parse_quote! { |x| xs.map(|y| { return y; }) }, false), Entry::Inline, "its own closure");
    }

    #[test]
    fn macros_are_inlined_only_when_they_cannot_jump() {
        assert_eq!(entry(&parse_quote! { |x| format!("{x:?}") }, false), Entry::Inline);
        assert_eq!(entry(&parse_quote! { |x| matches!(x?, 1) }, false), Entry::Called);
        assert_eq!(entry(&parse_quote! { |x| println!("{}", return) }, false), Entry::Called);
        assert_eq!(entry(&parse_quote! { |x| my::pair!(x, 1) }, false), Entry::Called, "nobody knows what is in it");
        assert_eq!(entry(&parse_quote! { |x| println!("{x}") }, true), Entry::Called, "nothing borrows from it");
        assert_eq!(entry(&parse_quote! { |x| anyhow::ensure!(x > 1) }, false), Entry::Called);
    }

    #[test]
    fn jumps_out_of_the_closure_are_found() {
        let jumps = |closure: ExprClosure| escapes(&closure).iter().map(|(_, jump)| *jump).collect::<Vec<_>>();
        assert_eq!(jumps(parse_quote! { |x| { continue } }), ["continue"]);
        assert_eq!(jumps(parse_quote! { |x| { for y in x { break } } }), Vec::<&str>::new());
        assert_eq!(jumps(parse_quote! { |x| { 'a: { break 'a 1 } } }), Vec::<&str>::new());
        assert_eq!(jumps(parse_quote! { |x| { loop { break 'b } } }), ["break"]);
    }

    #[test]
    fn a_return_leaves_the_labelled_block() {
        let body = return_to(
            &parse_quote!('out),
            parse_quote!({
                if a {
                    return b;
                }
                f(|d| {
                    return c;
                })
            }),
        );
        assert_eq!(
            body.to_token_stream().to_string(),
            quote::quote!({
                if a {
                    break 'out b;
                }
                f(|d| {
                    return c;
                })
            })
            .to_string()
        );
    }
}
