//! Durations as literals: `500ms`, `30s`, `1min`, `2h`, and `250us`.
//!
//! The lexer keeps any suffix of a number until a type is needed, so the macro sees it, and replaces the literal by a
//! `Duration`.

use proc_macro2::Span;
use quote::quote_spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Lit};

use crate::diagnostics::{Diagnostics, Mistake};

const UNITS: &[(&str, u128)] = &[
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60 * 1_000_000_000),
    ("h", 60 * 60 * 1_000_000_000),
];

/// Suffixes that somebody may try, with the one that works.
const NEAR_MISSES: &[(&str, &str)] = &[
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("micros", "us"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
];

/// A duration that was written as a literal.
pub(crate) struct Literal {
    pub(crate) nanos: u128,
    pub(crate) span: Span,
}

impl Literal {
    /// The duration that `literal` stands for; `None` if it is an ordinary literal.
    pub(crate) fn of(literal: &Lit) -> Option<syn::Result<Self>> {
        match literal {
            Lit::Int(number) => {
                let suffix = number.suffix();
                if let Some((_, unit)) = UNITS.iter().find(|(name, _)| *name == suffix) {
                    return Some(
                        number
                            .base10_parse::<u64>()
                            .map(|count| Literal { nanos: u128::from(count) * unit, span: number.span() }),
                    );
                }
                let (_, unit) = NEAR_MISSES.iter().find(|(name, _)| *name == suffix)?;
                let mistake = Mistake::at(number.span(), format!("`{suffix}` is no unit of time"))
                    .reason("durations are written with `us`, `ms`, `s`, `min` or `h`")
                    .help(format!("write `{}{unit}`", number.base10_digits()));
                Some(Err(mistake.into()))
            }
            Lit::Float(number) if UNITS.iter().any(|(name, _)| *name == number.suffix()) => {
                let mistake = Mistake::at(number.span(), "a duration is a whole number of its unit")
                    .help("write it in a smaller unit, for instance `1500ms`");
                Some(Err(mistake.into()))
            }
            _ => None,
        }
    }

    /// The duration as an expression.
    pub(crate) fn to_expr(&self) -> syn::Result<Expr> {
        let seconds = u64::try_from(self.nanos / 1_000_000_000)
            .map_err(|_| syn::Error::from(Mistake::at(self.span, "this duration does not fit a `Duration`")))?;
        let nanos = u32::try_from(self.nanos % 1_000_000_000).expect("a remainder of a second");
        syn::parse2(quote_spanned! {self.span=> ::core::time::Duration::new(#seconds, #nanos) })
    }
}

/// Replaces all duration literals of a block. Macro calls are left alone: their tokens mean what the macro says.
pub(crate) fn replace_literals(block: &mut Block, diagnostics: &Diagnostics) {
    Replace { diagnostics }.visit_block_mut(block);
}

struct Replace<'a> {
    diagnostics: &'a Diagnostics,
}

impl VisitMut for Replace<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if let Expr::Lit(literal) = expr
            && let Some(duration) = Literal::of(&literal.lit)
        {
            match duration.and_then(|duration| duration.to_expr()) {
                Ok(call) => *expr = call,
                Err(error) => {
                    self.diagnostics.add(error);
                    *expr = syn::parse_quote!(::core::time::Duration::ZERO);
                }
            }
            return;
        }
        visit_mut::visit_expr_mut(self, expr);
    }
}

/// The nanoseconds of a duration that is written out, after [`replace_literals`].
///
/// `Duration::from_secs(30)` and its like count as written out.
pub(crate) fn nanos_of(expr: &Expr) -> Option<u128> {
    let Expr::Call(call) = expr else { return None };
    let Expr::Path(path) = &*call.func else { return None };
    let mut segments = path.path.segments.iter().rev();
    let (constructor, ty) = (segments.next()?, segments.next()?);
    if ty.ident != "Duration" {
        return None;
    }
    let numbers: Option<Vec<u128>> = call.args.iter().map(number).collect();
    match (constructor.ident.to_string().as_str(), numbers?.as_slice()) {
        ("new", [seconds, nanos]) => Some(seconds * 1_000_000_000 + nanos),
        ("from_hours", [count]) => Some(count * 60 * 60 * 1_000_000_000),
        ("from_mins", [count]) => Some(count * 60 * 1_000_000_000),
        ("from_secs", [count]) => Some(count * 1_000_000_000),
        ("from_millis", [count]) => Some(count * 1_000_000),
        ("from_micros", [count]) => Some(count * 1_000),
        ("from_nanos", [count]) => Some(*count),
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<u128> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse::<u64>().ok().map(u128::from),
            _ => None,
        },
        _ => None,
    }
}

/// A duration as a literal, in the largest unit in which it is a whole number.
pub(crate) fn literal(nanos: u128) -> String {
    let fitting = UNITS.iter().rev().find(|(_, unit)| nanos.is_multiple_of(*unit));
    fitting.map_or_else(|| format!("{nanos}ns"), |(name, unit)| format!("{}{name}", nanos / unit))
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    fn replaced(mut block: Block) -> (String, Vec<String>) {
        let diagnostics = Diagnostics::new();
        replace_literals(&mut block, &diagnostics);
        let errors = diagnostics.finish().iter().map(ToString::to_string).collect();
        (block.to_token_stream().to_string(), errors)
    }

    #[test]
    fn every_unit_becomes_a_duration() {
        let (code, errors) = replaced(syn::parse_quote! {{ f(500ms, 30s, 1min, 2h, 7us, 3u8) }});
        let new = |s: u64, n: u32| quote!(::core::time::Duration::new(#s, #n)).to_string();
        for part in [new(0, 500_000_000), new(30, 0), new(60, 0), new(7200, 0), new(0, 7000), "3u8".into()] {
            assert!(code.contains(&part), "{part} is missing in {code}");
        }
        assert!(errors.is_empty());
    }

    #[test]
    fn wrong_units_are_named_with_the_right_one() {
        let (_, errors) = replaced(syn::parse_quote! {{ f(5m, 1.5s) }});
        assert!(errors[0].contains("write `5min`"), "{errors:?}");
        assert!(errors[1].contains("smaller unit"), "{errors:?}");
    }

    #[test]
    fn what_is_written_out_is_read_again() {
        let read = |expr: Expr| nanos_of(&expr).map(literal);
        assert_eq!(read(syn::parse_quote!(::core::time::Duration::new(90u64, 0u32))).as_deref(), Some("90s"));
        assert_eq!(read(syn::parse_quote!(Duration::from_millis(120_000))).as_deref(), Some("2min"));
        assert_eq!(read(syn::parse_quote!(std::time::Duration::from_millis(1500))).as_deref(), Some("1500ms"));
        assert_eq!(read(syn::parse_quote!(Duration::from_secs(n))), None);
        assert_eq!(read(syn::parse_quote!(window())), None);
    }
}
