//! Macro calls in closures, whose results may borrow like any other.

use streamflow::prelude::*;

macro_rules! first_two {
    ($text:expr) => {
        $text.get(..2).unwrap_or($text)
    };
}

#[stream]
fn short(lines: DStream<str>, mark: String) -> DStream<(String, String)> {
    lines
        .inspect(|line| assert!(!line.contains('\n'), "a line is one line"))
        .filter(|line| !matches!(line.len(), 0 | 1))
        .map(|line: &str| line.to_owned())
        .map(|line| (first_two!(line.as_str()), format!("{mark}{line}")))
}

fn main() -> streamflow::Result<()> {
    let ctx = streamflow::BatchContext::with(1, 1)?;
    let out = ctx.collect(short(ctx.text("abc\nd\nef"), ">".into()))?;
    assert_eq!(out, [("ab".to_owned(), ">abc".to_owned()), ("ef".to_owned(), ">ef".to_owned())]);
    Ok(())
}
