//! A topology as text and as a drawing.

use std::fmt::{self, Write};

use crate::topology::{Graph, Node};

/// A declared topology: its inputs, its stages with their fused operators, and its outputs.
///
/// Shown as text by `{}`, as a drawing by [`to_dot`](Self::to_dot) (Graphviz) and [`to_mermaid`](Self::to_mermaid).
///
/// # Examples
/// ```
/// use streamflow::testing::Driver;
///
/// let test = Driver::new()?;
/// let numbers = test.input(vec![vec![3, 1]]);
/// test.output(&numbers.transform(|batch| batch.sort_by(|n| *n)));
/// let plan = test.context().explain();
/// let text = plan.to_string();
/// assert!(text.contains("`input`: i32"));
/// assert!(text.contains("reads `input`"));
/// assert!(plan.to_dot().starts_with("digraph"));
/// # Ok::<(), streamflow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    streams: Vec<Stream>,
    stages: Vec<Loop>,
    outputs: Vec<Sink>,
}

/// A stream that exists at run time.
#[derive(Clone, Debug)]
struct Stream {
    name: String,
    made_by: String,
    place: Option<String>,
    /// Length and slide, if it is a window.
    window: Option<String>,
    record: String,
    parents: Vec<usize>,
    writers: Vec<usize>,
    is_input: bool,
}

/// A stage: a fused loop.
#[derive(Clone, Debug)]
struct Loop {
    reads: usize,
    operators: Vec<Step>,
}

/// A narrow operator of a stage.
#[derive(Clone, Debug)]
struct Step {
    depth: usize,
    name: &'static str,
    place: String,
}

/// An output.
#[derive(Clone, Debug)]
struct Sink {
    name: &'static str,
    place: String,
    reads: usize,
}

impl Explanation {
    pub(crate) fn of(graph: &Graph) -> Self {
        let stages = graph.stages.iter().map(|stage| {
            let operators = stage.plan().fused.iter().map(|fused| Step {
                depth: usize::from(fused.depth),
                name: fused.operator.name,
                place: place(fused.operator.function.file, fused.operator.line),
            });
            Loop { reads: stage.input().0, operators: operators.collect() }
        });
        let outputs = graph.outputs.iter().map(|output| Sink {
            name: output.name,
            place: place(output.location.file(), output.location.line()),
            reads: output.node.0,
        });
        Self {
            streams: graph.nodes.iter().map(Stream::of).collect(),
            stages: stages.collect(),
            outputs: outputs.collect(),
        }
    }

    /// The topology in the language of Graphviz: `dot -Tsvg` draws it.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph topology {\n  rankdir=LR;\n  node [shape=box];\n");
        self.draw(&mut |line| {
            let _ = match line {
                Line::Vertex { id, shape, lines } => {
                    let shape = match shape {
                        Shape::Input => "cylinder",
                        Shape::Wide => "ellipse",
                        Shape::Stage => "box",
                        Shape::Output => "note",
                    };
                    let label: Vec<String> = lines.iter().map(|line| escape_dot(line)).collect();
                    writeln!(dot, "  {id} [shape={shape}, label=\"{}\"];", label.join("\\n"))
                }
                Line::Edge { from, to, record } => {
                    writeln!(dot, "  {from} -> {to} [label=\"{}\"];", escape_dot(record))
                }
            };
        });
        dot.push_str("}\n");
        dot
    }

    /// The topology as a Mermaid flowchart, which Markdown viewers draw.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut chart = String::from("flowchart LR\n");
        self.draw(&mut |line| {
            let _ = match line {
                Line::Vertex { id, shape, lines } => {
                    let (open, close) = match shape {
                        Shape::Input => ("[(", ")]"),
                        Shape::Wide => ("([", "])"),
                        Shape::Stage => ("[", "]"),
                        Shape::Output => ("[/", "/]"),
                    };
                    let label: Vec<String> = lines.iter().map(|line| escape_mermaid(line)).collect();
                    writeln!(chart, "  {id}{open}\"{}\"{close}", label.join("<br>"))
                }
                Line::Edge { from, to, record } => {
                    writeln!(chart, "  {from} -->|\"{}\"| {to}", escape_mermaid(record))
                }
            };
        });
        chart
    }

    /// The topology as vertices and edges.
    pub(crate) fn draw(&self, line: &mut dyn FnMut(Line<'_>)) {
        for (index, stream) in self.streams.iter().enumerate() {
            let shape = if stream.is_input { Shape::Input } else { Shape::Wide };
            let mut lines = vec![stream.name.clone()];
            if !stream.name.ends_with(&stream.made_by) {
                lines.push(stream.made_by.clone());
            }
            lines.extend(stream.window.clone());
            lines.extend(stream.place.clone());
            line(Line::Vertex { id: format!("n{index}"), shape, lines });
            for parent in &stream.parents {
                let record = &self.streams[*parent].record;
                line(Line::Edge { from: format!("n{parent}"), to: format!("n{index}"), record });
            }
            for writer in &stream.writers {
                line(Line::Edge { from: format!("s{writer}"), to: format!("n{index}"), record: "" });
            }
        }
        for (index, stage) in self.stages.iter().enumerate() {
            let operators = stage.operators.iter().map(|step| format!("{} ({})", step.name, step.place));
            let lines = std::iter::once(format!("stage {index}")).chain(operators).collect();
            line(Line::Vertex { id: format!("s{index}"), shape: Shape::Stage, lines });
            let record = &self.streams[stage.reads].record;
            line(Line::Edge { from: format!("n{}", stage.reads), to: format!("s{index}"), record });
        }
        for (index, output) in self.outputs.iter().enumerate() {
            let lines = vec![output.name.to_owned(), output.place.clone()];
            line(Line::Vertex { id: format!("o{index}"), shape: Shape::Output, lines });
            let record = &self.streams[output.reads].record;
            line(Line::Edge { from: format!("n{}", output.reads), to: format!("o{index}"), record });
        }
    }

    fn write_stage(&self, f: &mut fmt::Formatter<'_>, index: usize) -> fmt::Result {
        let stage = &self.stages[index];
        writeln!(f, "  stage {index}: reads `{}`", self.streams[stage.reads].name)?;
        let width = stage.operators.iter().map(|step| step.name.len() + 2 * step.depth).max().unwrap_or(0);
        for step in &stage.operators {
            let operator = format!("{:indent$}{}", "", step.name, indent = 2 * step.depth);
            writeln!(f, "    {operator:width$}  {}", step.place)?;
        }
        Ok(())
    }
}

/// One node after the other, each with the stages that feed it and the outputs that read it.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (streams, stages, outputs) = (self.streams.len(), self.stages.len(), self.outputs.len());
        writeln!(f, "{}, {}, {}", plural(streams, "stream"), plural(stages, "stage"), plural(outputs, "output"))?;
        // A stage that feeds several streams is shown with the first.
        let mut shown = vec![false; stages];
        for (index, stream) in self.streams.iter().enumerate() {
            writeln!(f)?;
            write!(f, "`{}`: {}  by {}", stream.name, stream.record, stream.made_by)?;
            match &stream.place {
                Some(place) => writeln!(f, "  {place}")?,
                None => writeln!(f)?,
            }
            if let Some(window) = &stream.window {
                writeln!(f, "  {window}")?;
            }
            for parent in &stream.parents {
                writeln!(f, "  reads `{}`", self.streams[*parent].name)?;
            }
            for &writer in &stream.writers {
                if std::mem::replace(&mut shown[writer], true) {
                    writeln!(f, "  stage {writer}, see above")?;
                } else {
                    self.write_stage(f, writer)?;
                }
            }
            for (id, output) in self.outputs.iter().enumerate().filter(|(_, output)| output.reads == index) {
                writeln!(f, "  output {id}: {}  {}", output.name, output.place)?;
            }
        }
        Ok(())
    }
}

impl Stream {
    fn of(node: &Node) -> Self {
        let operator = node.operator.map(|operator| place(operator.function.file, operator.line));
        Self {
            name: node.name.clone(),
            made_by: node.label.clone(),
            place: operator.or_else(|| node.location.map(|location| place(location.file(), location.line()))),
            window: node.window.map(|window| match window.slide {
                Some(slide) => format!("window of {:?} every {slide:?}", window.length),
                None => format!("window of {:?}", window.length),
            }),
            record: node.record.clone(),
            parents: node.parents.iter().chain(&node.follows).map(|parent| parent.0).collect(),
            writers: node.writers.iter().map(|stage| stage.0).collect(),
            is_input: node.compute.is_none(),
        }
    }
}

/// A line of a drawing.
pub(crate) enum Line<'a> {
    Vertex { id: String, shape: Shape, lines: Vec<String> },
    Edge { from: String, to: String, record: &'a str },
}

pub(crate) enum Shape {
    Input,
    Wide,
    Stage,
    Output,
}

fn place(file: &str, line: u32) -> String {
    format!("{file}:{line}")
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn escape_dot(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn escape_mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '#' => escaped.push_str("#35;"),
            _ => escaped.push(symbol),
        }
    }
    escaped
}

/// The name of a record type without the paths of its parts.
pub(crate) fn type_name<T: ?Sized>() -> String {
    strip_paths(std::any::type_name::<T>())
}

fn strip_paths(name: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for symbol in name.chars() {
        match symbol {
            ':' => word.clear(),
            _ if symbol.is_alphanumeric() || symbol == '_' => word.push(symbol),
            _ => {
                short.push_str(&word);
                word.clear();
                short.push(symbol);
            }
        }
    }
    short + &word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_paths() {
        assert_eq!(type_name::<(String, Vec<std::time::Duration>)>(), "(String, Vec<Duration>)");
        assert_eq!(type_name::<str>(), "str");
    }

    #[test]
    fn a_plan_is_shown_as_text_and_drawn() {
        let plan = Explanation {
            streams: vec![
                Stream {
                    name: "lines".into(),
                    made_by: "socket".into(),
                    place: Some("main.rs:3".into()),
                    window: None,
                    record: "str".into(),
                    parents: vec![],
                    writers: vec![],
                    is_input: true,
                },
                Stream {
                    name: "counts.reduce_by_key".into(),
                    made_by: "reduce_by_key".into(),
                    place: Some("main.rs:8".into()),
                    window: Some("window of 10s every 5s".into()),
                    record: "Vec<u64>".into(),
                    parents: vec![],
                    writers: vec![0],
                    is_input: false,
                },
            ],
            stages: vec![Loop {
                reads: 0,
                operators: vec![
                    Step { depth: 0, name: "flat_map", place: "main.rs:6".into() },
                    Step { depth: 1, name: "map", place: "main.rs:7".into() },
                ],
            }],
            outputs: vec![Sink { name: "print", place: "main.rs:4".into(), reads: 1 }],
        };
        let text = "2 streams, 1 stage, 1 output

`lines`: str  by socket  main.rs:3

`counts.reduce_by_key`: Vec<u64>  by reduce_by_key  main.rs:8
  window of 10s every 5s
  stage 0: reads `lines`
    flat_map  main.rs:6
      map     main.rs:7
  output 0: print  main.rs:4
";
        assert_eq!(plan.to_string(), text);
        assert!(plan.to_dot().contains(r#"s0 [shape=box, label="stage 0\nflat_map (main.rs:6)\nmap (main.rs:7)"];"#));
        assert!(plan.to_dot().contains(r#"n0 -> s0 [label="str"];"#));
        assert!(plan.to_mermaid().contains("n1([\"counts.reduce_by_key<br>window of 10s every 5s<br>main.rs:8\"])"));
        assert!(plan.to_mermaid().contains("n1 -->|\"Vec#lt;u64#gt;\"| o0"));
    }
}
