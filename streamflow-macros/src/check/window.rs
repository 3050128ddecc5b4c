//! Lengths and slides of windows.
//!
//! A window holds whole batches of the stream that it stands on, so its length and its slide are multiples of that
//! stream's slide. Slides are followed along the streams of the function, as far as they are written out; the start of
//! the context checks all of them again, with the same words.

use std::time::Duration;

use proc_macro2::Span;
use syn::spanned::Spanned;

use crate::diagnostics::{Diagnostics, Mistake};
use crate::model::{Applied, Argument, NodeKind, Topology};
use crate::ops::Takes;
use crate::parse::duration;

/// A duration in nanoseconds.
type Nanos = u128;

/// Checks all windows. `batch` is the interval that the function is written for.
pub(super) fn check(topology: &Topology, batch: Option<Nanos>, diagnostics: &Diagnostics) {
    let mut slides: Vec<Option<Nanos>> = Vec::new();
    for (_, node) in topology.nodes() {
        let slide = match &node.kind {
            NodeKind::Parameter(_) => batch,
            // What another function does to its streams is not known here.
            NodeKind::Call { .. } | NodeKind::CallResult { .. } => None,
            NodeKind::Operator(applied) => {
                let inputs: Vec<Nanos> = node.inputs.iter().filter_map(|input| slides[input.0]).collect();
                slide_of(applied, &inputs, diagnostics)
            }
        };
        slides.push(slide);
    }
}

/// The slide of an operator's result, from the known ones of its inputs.
fn slide_of(applied: &Applied, inputs: &[Nanos], diagnostics: &Diagnostics) -> Option<Nanos> {
    let parent = inputs.first().copied();
    if let (Some(first), Some(other)) = (parent, inputs.iter().find(|slide| Some(**slide) != parent)) {
        let (first, other) = (show(first), show(*other));
        let what = format!("`{}` takes streams that yield batches every {first} and every {other}", applied.name);
        let mistake = Mistake::at(applied.name.span(), what)
            .reason("the batches of its streams are brought together by their times");
        diagnostics.add(mistake.help("give both the same slide, for instance by a window"));
        return None;
    }
    let Some(length) = applied.given(Takes::Length) else { return parent };
    let is_sound = fits("length", length, parent, diagnostics);
    match applied.given(Takes::Slide) {
        Some(slide) => (fits("slide", slide, parent, diagnostics) && is_sound).then(|| written(slide))?.map(|(n, _)| n),
        None => parent,
    }
}

/// Whether a length or a slide is possible over a stream of slide `parent`.
fn fits(what: &str, argument: &Argument, parent: Option<Nanos>, diagnostics: &Diagnostics) -> bool {
    let Some((nanos, span)) = written(argument) else { return true };
    if nanos == 0 {
        let mistake = Mistake::at(span, format!("a window {what} of zero holds nothing"))
            .reason("a window holds whole batches, and time advances by one batch interval at a time");
        let example = parent.map_or_else(|| "30s".into(), duration::literal);
        diagnostics.add(mistake.help(format!("write a multiple of the batch interval, for instance `{example}`")));
        return false;
    }
    let Some(parent) = parent.filter(|parent| !nanos.is_multiple_of(*parent)) else { return true };
    let mistake = Mistake::at(
        span,
        format!("window {what} {} is not a multiple of the slide {} of its parent", show(nanos), show(parent)),
    );
    diagnostics.add(
        mistake
            .reason("a window holds whole batches of the stream that it stands on")
            .help(nearest(nanos / parent * parent, parent)),
    );
    false
}

/// The multiples of `parent` next to a duration that is none.
fn nearest(below: Nanos, parent: Nanos) -> String {
    let above = duration::literal(below + parent);
    match below {
        0 => format!("use `{above}`"),
        below => format!("use `{}` or `{above}`", duration::literal(below)),
    }
}

fn written(argument: &Argument) -> Option<(Nanos, Span)> {
    match argument {
        Argument::Value(value) => duration::nanos_of(value).map(|nanos| (nanos, value.span())),
        _ => None,
    }
}

/// A duration as the runtime's messages show it.
fn show(nanos: Nanos) -> String {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let nanos = u32::try_from(nanos % 1_000_000_000).expect("a remainder of a second");
    format!("{:?}", Duration::new(seconds, nanos))
}
