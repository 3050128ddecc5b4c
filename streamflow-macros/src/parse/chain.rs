//! Expressions: is it a stream, and if so, which chain of operators?
//!
//! Only the outermost chain that starts at a stream is the language. A stream in any other place is a mistake, and the
//! message depends on the place.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Expr, ExprCall, ExprMethodCall, Ident, Token};

use super::{Argument, Call, Names, Step, StreamExpr};
use crate::diagnostics::{Diagnostics, Mistake};
use crate::scan::bound_names;

/// What an expression is.
pub(super) enum Value {
    Stream(StreamExpr),
    Plain,
}

/// Reads an expression in a place where a stream may stand.
pub(super) fn value(expr: &Expr, known: &Names, diagnostics: &Diagnostics) -> Value {
    match expr {
        Expr::Paren(inner) => value(&inner.expr, known, diagnostics),
        Expr::Group(inner) => value(&inner.expr, known, diagnostics),
        Expr::Path(path) => match path.path.get_ident().filter(|name| known.is_stream(name)) {
            Some(name) => Value::Stream(StreamExpr::Name(name.clone())),
            None => Value::Plain,
        },
        Expr::MethodCall(call) => method(call, known, diagnostics),
        Expr::Call(call) => function_call(call, known, diagnostics),
        Expr::Tuple(tuple) => tuple_of_streams(tuple, known, diagnostics),
        Expr::Return(ret) => {
            let streams = streams_of([expr], known);
            if streams.is_empty() {
                return Value::Plain;
            }
            let mistake = Mistake::at(ret.return_token.span(), "`return` in the body of a stream function")
                .reason("the topology is the same in every run, so nothing can leave it early")
                .help("make the result the last expression, without `return`");
            diagnostics.add(mistake);
            Value::Stream(StreamExpr::Refused(streams))
        }
        other => {
            let streams = streams_of([other], known);
            let Some(first) = streams.first() else { return Value::Plain };
            diagnostics.add(misplaced(other, first));
            Value::Stream(StreamExpr::Refused(streams))
        }
    }
}

fn method(call: &ExprMethodCall, known: &Names, diagnostics: &Diagnostics) -> Value {
    let receiver = match value(&call.receiver, known, diagnostics) {
        Value::Stream(receiver) => receiver,
        Value::Plain => {
            let streams = streams_of(&call.args, known);
            let Some(first) = streams.first() else { return Value::Plain };
            let mistake =
                Mistake::at(first.span(), format!("the stream `{first}` is an argument of `{}`", call.method))
                    .reason("this method is called on a plain value, so the stream would leave the topology")
                    .help("start the chain at a stream, or call a `#[stream]` function");
            diagnostics.add(mistake);
            return Value::Stream(StreamExpr::Refused(streams));
        }
    };
    if let Some(turbofish) = &call.turbofish {
        let mistake = Mistake::on(turbofish, format!("`{}` takes no type arguments", call.method))
            .help("annotate the closure instead, for instance `|x: u64|` or `|x| -> u64 { .. }`");
        diagnostics.add(mistake);
    }
    let arguments = arguments(&call.args, known, diagnostics);
    Value::Stream(StreamExpr::Step(Box::new(Step { receiver, name: call.method.clone(), arguments })))
}

fn function_call(call: &ExprCall, known: &Names, diagnostics: &Diagnostics) -> Value {
    let streams = streams_of(call.args.iter().chain([&*call.func]), known);
    if streams.is_empty() {
        return Value::Plain;
    }
    let arguments = arguments(&call.args, known, diagnostics);
    let is_stream =
        |argument: &Argument| matches!(argument, Argument::Stream(stream) if !matches!(stream, StreamExpr::Refused(_)));
    let passes_stream = arguments.iter().any(is_stream);
    if !passes_stream {
        // A closure or value that mentions a stream; reported where it was read.
        return Value::Stream(StreamExpr::Refused(streams));
    }
    if !matches!(&*call.func, Expr::Path(_)) {
        let mistake = Mistake::on(&call.func, "only a function can be called with a stream")
            .help("write the path of a `#[stream]` function");
        diagnostics.add(mistake);
        return Value::Stream(StreamExpr::Refused(streams));
    }
    Value::Stream(StreamExpr::Call(Call { function: (*call.func).clone(), arguments }))
}

fn tuple_of_streams(tuple: &syn::ExprTuple, known: &Names, diagnostics: &Diagnostics) -> Value {
    let streams = streams_of(&tuple.elems, known);
    if streams.is_empty() {
        return Value::Plain;
    }
    let parts = tuple.elems.iter().map(|part| match value(part, known, diagnostics) {
        Value::Stream(stream) => stream,
        Value::Plain => {
            let mistake = Mistake::on(part, "a tuple of streams holds only streams")
                .help("bind the plain value in a statement of its own");
            diagnostics.add(mistake);
            StreamExpr::Refused(Vec::new())
        }
    });
    Value::Stream(StreamExpr::Tuple(parts.collect()))
}

fn arguments(args: &Punctuated<Expr, Token![,]>, known: &Names, diagnostics: &Diagnostics) -> Vec<Argument> {
    args.iter().map(|arg| argument(arg, known, diagnostics)).collect()
}

fn argument(arg: &Expr, known: &Names, diagnostics: &Diagnostics) -> Argument {
    match arg {
        Expr::Closure(closure) => {
            let streams = streams_of([arg], known);
            let Some(stream) = streams.first() else { return Argument::Closure(closure.clone()) };
            diagnostics.add(in_closure(stream));
            Argument::Stream(StreamExpr::Refused(streams))
        }
        Expr::Reference(reference) => match value(&reference.expr, known, diagnostics) {
            Value::Stream(stream) => {
                let mistake = Mistake::at(reference.and_token.span(), "a stream is not borrowed")
                    .reason("a stream may be used any number of times as it is")
                    .help("remove the `&`");
                diagnostics.add(mistake);
                Argument::Stream(stream)
            }
            Value::Plain => Argument::Value(arg.clone()),
        },
        other => match value(other, known, diagnostics) {
            Value::Stream(stream) => Argument::Stream(stream),
            Value::Plain => match other {
                Expr::Path(path) => Argument::Path(path.clone()),
                other => Argument::Value(other.clone()),
            },
        },
    }
}

/// The streams that expressions mention, other than as names of variables of their own.
fn streams_of<'a>(exprs: impl IntoIterator<Item = &'a Expr>, known: &Names) -> Vec<Ident> {
    let in_one = |expr: &Expr| {
        let own = bound_names(|bound| bound.visit_expr(expr));
        known.streams_in(expr).into_iter().filter(move |name| !own.contains(name)).collect::<Vec<_>>()
    };
    exprs.into_iter().flat_map(in_one).collect()
}

/// The message for a stream in a place that is not a chain.
fn misplaced(place: &Expr, stream: &Ident) -> Mistake {
    match place {
        Expr::If(_) => in_control_flow("if", stream),
        Expr::Match(_) => in_control_flow("match", stream),
        Expr::ForLoop(_) => in_control_flow("for", stream),
        Expr::While(_) => in_control_flow("while", stream),
        Expr::Loop(_) => in_control_flow("loop", stream),
        Expr::Block(_) | Expr::Unsafe(_) | Expr::Const(_) => in_block(stream),
        Expr::Async(_) | Expr::Await(_) => Mistake::at(stream.span(), format!("the stream `{stream}` in async code"))
            .reason("a stream is no future: the runtime calls the operators, batch by batch"),
        Expr::Macro(_) => in_macro(stream),
        Expr::Closure(_) => in_closure(stream),
        Expr::Assign(_) => Mistake::at(stream.span(), format!("the stream `{stream}` in an assignment"))
            .reason("a topology is static: a name stands for one stream")
            .help("declare another stream with `let`"),
        Expr::Field(field) => not_a_value(&field.member.to_token_stream(), stream),
        Expr::Index(index) => not_a_value(&index.index.to_token_stream(), stream),
        _ => Mistake::at(stream.span(), format!("the stream `{stream}` is no value"))
            .reason("a stream starts a chain of operators, or is an argument of an operator or a `#[stream]` function")
            .help(format!("write for instance `{stream}.map(..)`")),
    }
}

fn in_control_flow(keyword: &str, stream: &Ident) -> Mistake {
    Mistake::at(stream.span(), format!("the stream `{stream}` under `{keyword}`"))
        .reason("a topology is static: it is the same in every run and for every batch")
        .help("decide inside a closure, for instance `.filter(move |x| ..)`, or write two stream functions")
}

fn in_block(stream: &Ident) -> Mistake {
    Mistake::at(stream.span(), format!("the stream `{stream}` in a nested block"))
        .reason("the whole topology stands in the function's own statements")
        .help("move the statements out of the block")
}

pub(super) fn in_macro(stream: &Ident) -> Mistake {
    Mistake::at(stream.span(), format!("the stream `{stream}` in a macro call"))
        .reason("the topology is read before other macros are expanded, and a stream has no value to show")
        .help(format!("write an operator, for instance `{stream}.print(10)`"))
}

fn in_closure(stream: &Ident) -> Mistake {
    Mistake::at(stream.span(), format!("the stream `{stream}` inside a closure"))
        .reason("a closure sees one record at a time, on any thread; a stream is known to the topology only")
        .help("use `join`, `cogroup` or `transform_with` to bring two streams together")
}

fn not_a_value(tokens: &proc_macro2::TokenStream, stream: &Ident) -> Mistake {
    Mistake::on(tokens, format!("`{stream}` is a stream and has no parts"))
        .reason("its records exist only while a batch is processed")
        .help("use an operator such as `map`")
}
