//! The arguments of operators: how many, and of which kind.

use syn::spanned::Spanned;

use crate::diagnostics::{Diagnostics, Mistake};
use crate::model::{Applied, Argument, Topology};
use crate::ops::{Kind, Takes};

pub(super) fn check(topology: &Topology, diagnostics: &Diagnostics) {
    for (_, node) in topology.nodes() {
        if let Some(applied) = node.applied()
            && count(applied, diagnostics)
        {
            kinds(applied, diagnostics);
        }
    }
}

/// Whether the number of arguments is right.
fn count(applied: &Applied, diagnostics: &Diagnostics) -> bool {
    let takes = applied.takes();
    let least = takes.iter().filter(|takes| !takes.is_optional()).count();
    let most = if takes.contains(&Takes::Streams) { usize::MAX } else { takes.len() };
    let given = applied.arguments.len();
    if (least..=most).contains(&given) {
        return true;
    }
    let expected = match most {
        usize::MAX => format!("at least {least}"),
        most if most == least => least.to_string(),
        most => format!("{least} to {most}"),
    };
    let what =
        format!("`{}` takes {expected} argument{}, not {given}", applied.name, if expected == "1" { "" } else { "s" });
    let mistake =
        Mistake::at(applied.name.span(), what).reason(format!("`{}` is {}", applied.name, applied.operator.doc));
    diagnostics.add(mistake.help(format!("`{}` takes {}", applied.name, applied.describe_arguments())));
    false
}

fn kinds(applied: &Applied, diagnostics: &Diagnostics) {
    for (argument, place) in applied.arguments.iter().zip(&applied.places) {
        let takes = applied.takes()[*place];
        match takes {
            Takes::Function(parameters) => function(applied, argument, parameters, diagnostics),
            Takes::Stream | Takes::Streams => stream(applied, argument, diagnostics),
            Takes::Length | Takes::Slide => duration(applied, argument, diagnostics),
            Takes::Filter => function(applied, argument, 1, diagnostics),
            Takes::StreamOrTable => not_closure(applied, argument, "a stream or a static table", diagnostics),
            Takes::Partitions => partitions(applied, argument, diagnostics),
            // A value may be anything but a stream.
            Takes::Value | Takes::OptionalValue(_) => {}
        }
        let may_be_stream = matches!(takes, Takes::Stream | Takes::Streams | Takes::StreamOrTable);
        if argument.stream().is_some() && !may_be_stream {
            let what = format!("`{}` does not take a stream here", applied.name);
            let mistake = Mistake::at(applied.name.span(), what);
            diagnostics.add(mistake.help(format!("it takes {}", applied.describe_arguments())));
        }
    }
}

fn function(applied: &Applied, argument: &Argument, parameters: usize, diagnostics: &Diagnostics) {
    // Methods of handles have several forms, and types that say what they take.
    if matches!(applied.operator.kind, Kind::Transform(_) | Kind::Output) {
        return;
    }
    let name = &applied.name;
    match argument {
        Argument::Closure(closure) if closure.inputs.len() != parameters => {
            let given = closure.inputs.len();
            let what = format!("the closure of `{name}` has {}, not {given}", plural(parameters));
            let mistake = match (parameters, closure.inputs.is_empty()) {
                (_, true) => Mistake::at(closure.inputs_begin.span(), what),
                _ => Mistake::on(&closure.inputs, what),
            };
            let mistake = match (parameters, given) {
                _ if name == "update_state_by_key" => {
                    mistake.help("write `|values, state| ..`, or `|time, key, values, state| ..`")
                }
                (1, 2) => mistake.help("take a pair apart with a pattern: `|(key, value)| ..`"),
                (1, _) => mistake.help("write `|record| ..`"),
                _ => mistake.help("write `|a, b| ..`"),
            };
            diagnostics.add(mistake);
        }
        Argument::Value(syn::Expr::Lit(literal)) => {
            let mistake = Mistake::at(literal.span(), format!("`{name}` takes a function here, not a literal"));
            diagnostics.add(mistake.help(format!("it takes {}", applied.describe_arguments())));
        }
        _ => {}
    }
}

fn stream(applied: &Applied, argument: &Argument, diagnostics: &Diagnostics) {
    let mistake = match argument {
        Argument::Stream(_) => return,
        Argument::Closure(closure) => Mistake::at(closure.inputs_begin.span(), expects_stream(applied)),
        Argument::Path(path) => Mistake::on(path, expects_stream(applied)),
        Argument::Value(value) => Mistake::on(value, expects_stream(applied)),
    };
    let mistake = mistake.reason("a stream is a parameter of type `DStream<..>` or a variable bound to a chain");
    diagnostics.add(mistake.help(format!("it takes {}", applied.describe_arguments())));
}

fn expects_stream(applied: &Applied) -> String {
    format!("`{}` takes a stream here", applied.name)
}

fn not_closure(applied: &Applied, argument: &Argument, wanted: &str, diagnostics: &Diagnostics) {
    if let Argument::Closure(closure) = argument {
        let what = format!("`{}` takes {wanted} here, not a closure", applied.name);
        diagnostics.add(Mistake::at(closure.inputs_begin.span(), what));
    }
}

/// The length or the slide of a window. What they may be to each other is a rule of windows.
fn duration(applied: &Applied, argument: &Argument, diagnostics: &Diagnostics) {
    match argument {
        Argument::Value(syn::Expr::Lit(literal)) => {
            let mistake = Mistake::on(literal, "a duration needs a unit");
            diagnostics.add(mistake.help("write for instance `500ms`, `30s`, `1min` or `2h`"));
        }
        Argument::Closure(closure) => {
            let mistake = Mistake::at(closure.inputs_begin.span(), "a duration stands here, not a closure");
            diagnostics.add(mistake.help(format!("`{}` takes {}", applied.name, applied.describe_arguments())));
        }
        _ => {}
    }
}

fn partitions(applied: &Applied, argument: &Argument, diagnostics: &Diagnostics) {
    match argument {
        Argument::Closure(closure) if applied.name == "reduce_by_key_and_window" => {
            let what = format!("`{}` takes a filter only behind an inverse function", applied.name);
            let mistake = Mistake::at(closure.inputs_begin.span(), what)
                .reason("without an inverse a key that has left the window is gone by itself");
            diagnostics.add(mistake.help("filter the result instead: `.filter(..)`"));
        }
        argument => not_closure(applied, argument, "a number of partitions", diagnostics),
    }
}

fn plural(parameters: usize) -> String {
    if parameters == 1 { "1 parameter".into() } else { format!("{parameters} parameters") }
}
