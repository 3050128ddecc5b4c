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

    fn to_expr(&self) -> syn::Result<Expr> {
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

/// Whether `expr` is a duration literal of zero, after [`replace_literals`].
pub(crate) fn is_zero(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    let zero = |arg: &Expr| matches!(arg, Expr::Lit(l) if matches!(&l.lit, Lit::Int(n) if n.base10_digits() == "0"));
    let constructor: Expr = syn::parse_quote!(::core::time::Duration::new);
    *call.func == constructor && call.args.iter().all(zero)
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
    fn zero_is_seen_after_replacement() {
        let zero: Expr = syn::parse_quote!(::core::time::Duration::new(0u64, 0u32));
        assert!(is_zero(&zero));
        let some: Expr = syn::parse_quote!(::core::time::Duration::new(1u64, 0u32));
        assert!(!is_zero(&some));
    }
}
