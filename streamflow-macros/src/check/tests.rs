//! One mistake after the other.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::tests::mistakes;

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
fn names_of_streams_are_simple() {
    assert_body(quote! { let a = a.map(|x| x); a.print(1); }, &[]);
    assert_body(quote! { let b = a.map(|x| x); let b = a.map(|x| x); b.print(1); }, &["`b` is declared, but no"]);
    assert_body(quote! { let (c, c) = f(a); c.print(1); }, &["`c` stands for two streams", "`c` is declared"]);
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
    assert_mistakes(quote! { fn f(a: &DStream<u32>) { a.print(1); } }, &["taken by value"]);
    assert_mistakes(quote! { fn f(a: Vec<DStream<u32>>) {} }, &["inside another type"]);
    assert_mistakes(quote! { fn f(a: DStream<u32>) -> u32 { a.print(1); 3 } }, &["a stream function returns streams"]);
    assert_mistakes(quote! { fn f(a: DStream<u32>) -> DStream<u32> { a.map(|x| x); } }, &["remove the semicolon"]);
    assert_mistakes(quote! { fn f(a: DStream<u32>) -> DStream<u32> { a.print(1); } }, &["does not end"]);
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
fn chained_diamonds_do_not_explode() {
    let diamonds = |number: usize| {
        let step = |at: usize| {
            let (from, to) = (quote::format_ident!("s{at}"), quote::format_ident!("s{}", at + 1));
            quote! { let #to = #from.map(|x| x + 1).union(#from.map(|x| x + 2)); }
        };
        let steps: TokenStream = (0..number).map(step).collect();
        let last = quote::format_ident!("s{number}");
        quote! { let s0 = a.filter(|x| true); #steps #last.print(); }
    };
    assert_body(diamonds(6), &[]);
    assert_body(diamonds(10), &["this union has 128 branches"]);
}

#[test]
fn jumps_stay_in_the_closure() {
    assert_body(quote! { a.map(|x| { if x > 1 { continue; } x }).print(1); }, &["`continue` outside of a loop"]);
    assert_body(quote! { a.map(|x| { loop { break x; } }).print(1); }, &[]);
}

#[test]
fn windows_hold_something() {
    assert_body(quote! { a.window(0s, 1s).print(); }, &["a window length of zero holds nothing"]);
    assert_body(quote! { a.window(10s, Duration::from_secs(0)).print(); }, &["a window slide of zero"]);
    assert_body(quote! { a.count_by_window(30).print(); }, &["a duration needs a unit"]);
    assert_body(quote! { a.count_by_window(30s).print(); }, &[]);
    assert_body(quote! { a.count_by_window(span()).print(); }, &[]);
}

#[test]
fn windows_fit_the_stream_that_they_stand_on() {
    assert_body(
        quote! { a.window(20s, 10s).map(|x| x).window(25s, 10s).print(); },
        &["window length 25s is not a multiple of the slide 10s of its parent"],
    );
    assert_body(
        quote! { let w = a.window(20s, 10s); w.window(20s, 5s).print(); },
        &["slide 5s is not a multiple of the slide 10s of its parent\nreason: a window holds whole batches of the \
           stream that it stands on\nhelp: use `10s`"],
    );
    assert_body(quote! { a.window(20s, 10s).window(40s).window(30s).print(); }, &[]);
    assert_body(quote! { a.window(20s, n).window(25s, 10s).print(); }, &[]);
    assert_body(quote! { a.window(25s, 10s).print(); }, &[]);
    let found = mistakes(
        quote!(batch = 2s),
        quote! { fn f(a: DStream<u32>) { a.window(25s, 1min).print(); a.reduce_by_window(add, 30s, 3s).print(); } },
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("length 25s is not a multiple of the slide 2s") && found[0].ends_with("`24s` or `26s`"));
    assert!(found[1].contains("slide 3s is not a multiple of the slide 2s"));
}

#[test]
fn streams_that_meet_have_one_slide() {
    assert_body(
        quote! { a.window(20s, 10s).join(_b.window(20s, 5s)).print(); },
        &["`join` takes streams that yield batches every 10s and every 5s"],
    );
    assert_body(quote! { a.window(20s, 10s).union(_b).print(); }, &[]);
    let item = quote! { fn f(a: DStream<u32>) { a.union(a.window(20s, 10s)).print(); } };
    let found = mistakes(quote!(batch = 2s), item);
    assert!(matches!(&found[..], [one] if one.contains("every 2s and every 10s")), "{found:?}");
}

#[test]
fn the_forms_of_a_window_are_told_apart() {
    let by_key = |rest: TokenStream| quote! { a.reduce_by_key_and_window(|a, b| a + b, #rest).print(); };
    assert_body(by_key(quote!(30s)), &[]);
    assert_body(by_key(quote!(30s, 10s, n)), &[]);
    assert_body(by_key(quote!(|a, b| a - b, 30s)), &[]);
    assert_body(by_key(quote!(subtract, 30s, 10s, 4, |(_, v)| *v > 0)), &[]);
    assert_body(by_key(quote!(subtract, 30s, 10s, |(_, v)| *v > 0)), &[]);
    assert_body(by_key(quote!(subtract, 30s, is_some)), &[]);
    assert_body(by_key(quote!(LENGTH, SLIDE)), &[]);
    assert_body(by_key(quote!(n, n)), &[]);
    assert_body(by_key(quote!(30s, 10s, |(_, v)| *v > 0)), &["a filter only behind an inverse function"]);
    assert_body(by_key(quote!(|a| a, 30s)), &["the closure of `reduce_by_key_and_window` has 2 parameters, not 1"]);
    assert_body(by_key(quote!(subtract)), &["takes 3 to 6 arguments, not 2"]);
}

#[test]
fn how_long_a_state_is_kept_is_written_down() {
    let spec = |spec: TokenStream| quote! { a.map_with_state(#spec).print(); };
    assert_body(spec(quote!(StateSpec::function(|k, v, s| ()).timeout(30min))), &[]);
    assert_body(spec(quote!(StateSpec::function(count).initial_state([]).unbounded())), &[]);
    assert_body(spec(quote!(StateSpec::function(count).initial_state([]))), &["this state is kept for ever"]);
    assert_body(spec(quote!(streamflow::StateSpec::function_with_time(count))), &["this state is kept for ever"]);
    assert_body(spec(quote!(StateSpec::function(count).timeout(0s))), &["a timeout of zero"]);
    assert_body(spec(quote!(my_spec())), &[]);
}

#[test]
fn states_are_those_of_a_map_with_state() {
    let spec = quote!(StateSpec::function(count).unbounded());
    assert_body(quote! { let m = a.map_with_state(#spec); m.state_snapshots().print(); m.print(); }, &[]);
    assert_body(quote! { a.map_with_state(#spec).state_snapshots().print(); }, &[]);
    assert_body(quote! { a.state_snapshots().print(); }, &["a stream that comes from elsewhere"]);
    assert_body(quote! { a.map_with_state(#spec).map(|x| x).state_snapshots().print(); }, &["`map` keeps no state"]);
    assert_body(quote! { a.update_state_by_key(f).state_snapshots().print(); }, &["remove `.state_snapshots()`"]);
}

#[test]
fn the_forms_of_update_state_are_told_apart() {
    assert_body(quote! { a.update_state_by_key(|v, s| s).print(); }, &[]);
    assert_body(quote! { a.update_state_by_key(|t, k, v, s| s, [], 4).print(); }, &[]);
    assert_body(quote! { a.update_state_by_key(|k, v, s| s).print(); }, &["write `|values, state| ..`, or `|time"]);
    assert_body(quote! { a.update_state_by_key(f, 4).print(); }, &["write `[], 4`"]);
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
