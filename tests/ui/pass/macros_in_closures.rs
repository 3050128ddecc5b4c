//! Macro calls in closures, whose results may borrow like any other.

use streamflow::prelude::*;

#[stream]
fn short(lines: DStream<str>, mark: String) -> DStream<(String, String)> {
    lines
        .inspect(|line| assert!(!line.contains('\n'), "a line is one line"))
        .filter(|line| !matches!(line.len(), 0 | 1))
        .map(|line: &str| vec![line.to_owned(); 2].concat())
        .map(|line| (&line[..2], format!("{mark}{line}")))
}

fn main() -> streamflow::Result<()> {
    let ctx = streamflow::BatchContext::with(1, 1)?;
    let out = ctx.collect(short(ctx.text("abc\nd\nef"), ">".into()))?;
    assert_eq!(out, [("ab".to_owned(), ">abcabc".to_owned()), ("ef".to_owned(), ">efef".to_owned())]);
    Ok(())
}
