//! What the derive generates, and what it refuses.

use syn::parse_quote;

use super::derive;

fn error(input: &syn::DeriveInput) -> String {
    derive(input).expect_err("a mistake").to_string()
}

fn expansion(input: &syn::DeriveInput) -> String {
    let tokens = derive(input).expect("no mistake");
    let file = syn::parse2(tokens).expect("the expansion is Rust");
    prettyplease::unparse(&file)
}

#[test]
fn a_type_without_lifetimes_owns_itself() {
    let code = expansion(&parse_quote! { struct Point<T> { x: T, y: T } });
    assert!(code.contains("type Owned = Self;"), "{code}");
    assert!(!code.contains("struct"), "{code}");
}

#[test]
fn borrowed_fields_are_projected_and_the_others_kept() {
    let code = expansion(&parse_quote! {
        /// A request.
        #[record(owned = HitBuf, key, derive(Debug, PartialEq))]
        pub struct Hit<'a> { pub path: &'a str, ms: u32, at: chrono::DateTime<Utc> }
    });
    assert!(code.contains("pub struct HitBuf {"), "{code}");
    assert!(code.contains("pub path: <&'static str as ::streamflow::__private::Own>::Owned,"), "{code}");
    assert!(code.contains("at: chrono::DateTime<Utc>,"), "{code}");
    assert!(code.contains("/// A request."), "{code}");
    assert_eq!(code.matches("PartialEq").count(), 1, "{code}");
}

#[test]
fn the_default_name_says_what_the_type_is() {
    let code = expansion(&parse_quote! { enum Event<'a> { Open(&'a str), Close } });
    assert!(code.contains("enum OwnedEvent {"), "{code}");
}

#[test]
fn what_cannot_be_owned_is_refused() {
    assert!(error(&parse_quote! { union U { a: u32, b: f32 } }).contains("union"));
    assert!(error(&parse_quote! { struct S<'a, T> { x: &'a T } }).contains("type parameter"));
    assert!(error(&parse_quote! { #[record(owned = B)] struct S { x: u32 } }).contains("no owned companion"));
    assert!(error(&parse_quote! { #[record(name = B)] struct S<'a> { x: &'a str } }).contains("unknown option"));
}
