//! One mistake after the other.

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Diagnostics;
use crate::expand::tests::mistakes;
use crate::model::Argument;

/// Asserts that a function has exactly these mistakes, each given by a part of its message.
#[track_caller]
fn assert_mistakes(item: TokenStream, expected: &[&str]) {
    let found = mistakes(TokenStream::new(), item);
    let all = found.len() == expected.len() && found.iter().zip(expected).all(|(found, part)| found.contains(part));
    assert!(all, "expected {expected:#?}, found {found:#?}");
}

/// The same for the body of a function of two streams and a number.
#[track_caller]
fn assert_body(body: TokenStream, expected: &[&str]) {
    assert_mistakes(quote! { fn f(a: DStream<u32>, _b: DStream<u32>, n: usize) { #body } }, expected);
}

#[test]
fn unknown_operators_come_with_a_suggestion() {
    assert_body(quote! { a.reduceByKey(|a, b| a + b).print(); }, &["help: write `reduce_by_key`"]);
    assert_body(quote! { a.flter(|x| true).print(); }, &["did you mean `filter`?"]);
    assert_body(quote! { a.frobnicate().print(); }, &["unknown operator `frobnicate`"]);
}

#[test]
fn methods_of_values_are_explained() {
    for (method, part) in
        [("len", ".count()"), ("iter", "nothing to iterate"), ("clone", "any number"), ("collect", "no end")]
    {
        let method = quote::format_ident!("{method}");
        assert_body(quote! { a.#method().print(); }, &[part]);
    }
}

#[test]
fn arguments_are_counted_and_their_kinds_checked() {
    assert_body(quote! { a.map().print(); }, &["`map` takes 1 argument, not 0"]);
    assert_body(quote! { a.count(1).print(); }, &["`count` takes 0 arguments, not 1"]);
    assert_body(quote! { a.distinct(1, 2).print(); }, &["`distinct` takes 0 to 1 arguments, not 2"]);
    assert_body(quote! { a.union().print(); }, &["`union` takes at least 1 argument"]);
    assert_body(quote! { a.union(n).print(); }, &["`union` takes a stream here"]);
    assert_body(quote! { a.map(|k, v| k).print(); }, &["take a pair apart with a pattern"]);
    assert_body(quote! { a.reduce(|a| a).print(); }, &["help: write `|a, b| ..`"]);
    assert_body(quote! { a.map(_b).print(); }, &["`map` does not take a stream here"]);
    assert_body(quote! { a.map::<u32>(|x| x).print(); }, &["takes no type arguments"]);
}

#[test]
fn a_topology_is_static() {
    assert_body(quote! { if n > 1 { a.print(1); } }, &["the stream `a` under `if`"]);
    assert_body(quote! { for _ in 0..n { a.print(1); } }, &["the stream `a` under `for`"]);
    assert_body(quote! { match n { _ => a.print(1) } }, &["the stream `a` under `match`"]);
    assert_body(quote! { { a.print(1); } }, &["in a nested block"]);
    assert_body(quote! { println!("{}", a); }, &["in a macro call"]);
    assert_body(quote! { println!("{a}"); }, &["in a macro call"]);
    assert_body(quote! { a.print(1); if n > 1 { return; } }, &["`return` in the body"]);
    assert_body(quote! { return a.print(1); }, &["`return` in the body"]);
}

#[test]
fn streams_stay_out_of_closures_and_values() {
    assert_body(quote! { a.map(|x| _b.len()).print(); }, &["the stream `_b` inside a closure"]);
    assert_body(quote! { a.map(|x| { let _b = x; _b }).print(); }, &[]);
    assert_body(quote! { let v: Vec<u32> = list.iter().map(|a| a + 1).collect(); a.print(1); }, &[]);
    assert_body(quote! { for a in 0..n { drop(a); } a.print(1); }, &[]);
    assert_body(quote! { a.union(&_b).print(); }, &["a stream is not borrowed"]);
    assert_body(quote! { let v = vec.push(a); }, &["an argument of `push`"]);
    assert_body(quote! { let v = a.0; }, &["`a` is a stream and has no parts"]);
    assert_body(quote! { let v = [a]; }, &["the stream `a` is no value"]);
}

#[test]
fn every_stream_is_used() {
    assert_body(quote! { a.print(1); let c = a.map(|x| x); }, &["`c` is declared, but no output"]);
    assert_body(quote! { a.print(1); a.map(|x| x); }, &["no output or result depends on this `map`"]);
    assert_mistakes(quote! { fn f(a: DStream<u32>, b: DStream<u32>) { a.print(1); } }, &["`b` is declared"]);
}

#[test]
fn names_of_streams_are_unique_and_simple() {
    assert_body(quote! { let a = a.map(|x| x); a.print(1); }, &["`a` is already the name"]);
    assert_body(quote! { let a = 1; a.print(1); }, &["`a` is already the name of a stream"]);
    assert_body(quote! { let Some(c) = a.map(|x| x); }, &["cannot be taken apart", "this `map`"]);
    assert_body(quote! { let c: u32 = a.map(|x| x); c.print(1); }, &["`c` is a stream, not a `u32`"]);
    assert_body(quote! { let (c, d) = a.map(|x| x); c.print(1); }, &["2 names for 1 stream"]);
}

#[test]
fn outputs_end_a_chain() {
    assert_body(quote! { a.print(1).map(|x| x).print(1); }, &["`print` is an output"]);
    assert_body(quote! { let x = a.print(1); }, &["`print` is an output"]);
    assert_body(quote! { a; }, &["the stream `a` stands alone"]);
}

#[test]
fn the_function_is_an_ordinary_one() {
    let body = quote! { { a.print(1); } };
    assert_mistakes(quote! { async fn f(a: DStream<u32>) #body }, &["cannot be `async`"]);
    assert_mistakes(quote! { unsafe fn f(a: DStream<u32>) #body }, &["cannot be `unsafe`"]);
    assert_mistakes(quote! { const fn f(a: DStream<u32>) #body }, &["cannot be `const`"]);
    assert_mistakes(quote! { extern "C" fn f(a: DStream<u32>) #body }, &["cannot be `extern`"]);
    assert_mistakes(quote! { fn f(&self, a: DStream<u32>) #body }, &["cannot take `self`"]);
    assert_mistakes(quote! { fn f(n: usize) {} }, &["has no stream"]);
    assert_mistakes(quote! { fn f(a: &DStream<u32>) {} }, &["taken by value"]);
    assert_mistakes(quote! { fn f(a: Vec<DStream<u32>>) {} }, &["inside another type"]);
    assert_mistakes(quote! { fn f(a: DStream<u32>) -> u32 { a.print(1); 3 } }, &["a stream function returns streams"]);
    assert_mistakes(quote! { fn f(a: DStream<u32>) -> DStream<u32> { a.map(|x| x); } }, &["does not end"]);
}

#[test]
fn closures_own_what_they_use() {
    let by = |ty: TokenStream| quote! { fn f(a: DStream<u32>, p: #ty) { a.filter(|x| p(x)).print(1); } };
    assert_mistakes(by(quote!(&str)), &["for instance `p: String`"]);
    assert_mistakes(by(quote!(&[u32])), &["for instance `p: Vec<u32>`"]);
    assert_mistakes(by(quote!(&'static str)), &[]);
    assert_mistakes(by(quote!(impl Fn(&u32) -> bool)), &["add `+ Clone + Send + Sync + 'static`"]);
    assert_mistakes(by(quote!(impl Fn(&u32) -> bool + Copy + Send + Sync + 'static)), &[]);
}

#[test]
fn plain_statements_do_not_change_what_closures_have_seen() {
    assert_body(quote! { a.filter(|x| *x > n).print(1); let n = 3; }, &["`n` is declared again"]);
    assert_body(quote! { let mut m = 1; a.filter(|x| *x > m).print(1); m += 1; }, &["`m` may change here"]);
    assert_body(quote! { let mut m = 1; m += 1; a.filter(|x| *x > m).print(1); }, &[]);
}

#[test]
fn jumps_stay_in_the_closure() {
    assert_body(quote! { a.map(|x| { if x > 1 { continue; } x }).print(1); }, &["`continue` outside of a loop"]);
    assert_body(quote! { a.map(|x| { loop { break x; } }).print(1); }, &[]);
}

#[test]
fn durations_are_positive() {
    let check = |value: syn::Expr| {
        let diagnostics = Diagnostics::new();
        super::arguments::duration(&Argument::Value(value), &diagnostics);
        diagnostics.finish().iter().map(ToString::to_string).collect::<String>()
    };
    assert!(check(syn::parse_quote!(::core::time::Duration::new(0u64, 0u32))).contains("a duration of zero"));
    assert!(check(syn::parse_quote!(30)).contains("needs a unit"));
    assert_eq!(check(syn::parse_quote!(::core::time::Duration::new(30u64, 0u32))), "");
}

#[test]
fn all_mistakes_of_a_function_are_reported() {
    assert_body(
        quote! {
            a.flatMap(|x| x).print(1);
            a.map().print(1);
            let c = a.count();
        },
        &["unknown operator `flatMap`", "`map` takes 1 argument", "`c` is declared"],
    );
}
