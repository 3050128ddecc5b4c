//! `print`: a look at the first records of every batch.

use std::fmt::{self, Debug, Write as _};
use std::io::Write as _;
use std::sync::Arc;

use super::blocks;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::record::{Block, Record};
use crate::run::Run;
use crate::time::BatchTime;
use crate::topology::{NodeId, OutputOperation};

const RULE: &str = "-------------------------------------------";

impl<T: Record + Debug + ?Sized> DStream<T> {
    /// Prints the first `n` records of every batch on the standard output.
    ///
    /// ```text
    /// -------------------------------------------
    /// Time: 1710000001000 ms
    /// -------------------------------------------
    /// ("be", 2)
    /// ("or", 1)
    /// ...
    ///
    /// ```
    ///
    /// Strings are printed as they are, other records by `Debug`; `...` says that there are more. The partitions are
    /// printed one after the other. Records need not be `Clone`.
    ///
    /// **Cost**: one locked write per batch; the records that are not printed are not looked at.
    /// **Errors**: when the standard output cannot be written the batch fails, except that a closed pipe ends the printing
    /// in silence.
    /// **Source**: Spark's `print`, which prints by `toString`.
    ///
    /// # Examples
    /// ```
    /// use streamflow::BatchContext;
    ///
    /// let ctx = BatchContext::new()?;
    /// ctx.text("to be\nor not").print(10);
    /// ctx.run()?;
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn print(&self, n: usize) {
        self.add_output("print", Print::<T> { node: self.node(), records: n, record: std::marker::PhantomData });
    }
}

struct Print<T: ?Sized> {
    node: NodeId,
    records: usize,
    record: std::marker::PhantomData<fn() -> Box<T>>,
}

impl<T: Record + Debug + ?Sized> OutputOperation for Print<T> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        let blocks = blocks::<T>(run, self.node)?;
        let text = crate::run::guard(|| render::<T>(run.time(), &blocks, self.records))?;
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Nobody reads any more, as with `| head`.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Error::io("cannot print to the standard output", error).in_batch(run.time())),
            Ok(()) => Ok(()),
        }
    }
}

fn render<T: Record + Debug + ?Sized>(time: BatchTime, blocks: &[Arc<T::Block>], n: usize) -> String {
    let mut text = format!("{RULE}\nTime: {time}\n{RULE}\n");
    let records = blocks.iter().flat_map(|block| (0..block.len()).map(move |index| T::peek(block, index)));
    for (index, record) in records.take(n.saturating_add(1)).enumerate() {
        if index == n {
            text.push_str("...\n");
        } else {
            writeln!(text, "{}", Shown(record)).expect("a string takes any text");
        }
    }
    text.push('\n');
    text
}

/// Strings as they are, everything else by `Debug`.
struct Shown<'a, T: ?Sized>(&'a T);

impl<T: Record + Debug + ?Sized> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_text() {
            Some(text) => f.write_str(text),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TextBlock;

    fn printed<T: Debug + Send + Sync + 'static>(blocks: Vec<Vec<T>>, n: usize) -> String {
        let blocks: Vec<Arc<Vec<T>>> = blocks.into_iter().map(Arc::new).collect();
        let text = render::<T>(BatchTime::from_millis(1_000), &blocks, n);
        let body = text.strip_prefix(&format!("{RULE}\nTime: 1000 ms\n{RULE}\n")).expect("the header").to_owned();
        assert_eq!(RULE.len(), 43);
        body
    }

    #[test]
    fn the_first_records_and_a_hint_at_more() {
        assert_eq!(printed(vec![vec![1, 2], vec![], vec![3]], 2), "1\n2\n...\n\n");
        assert_eq!(printed(vec![vec![1, 2], vec![3]], 3), "1\n2\n3\n\n");
        assert_eq!(printed(Vec::<Vec<u8>>::new(), 3), "\n");
        assert_eq!(printed(vec![vec![1]], 0), "...\n\n");
        assert_eq!(printed(vec![vec![1]], usize::MAX), "1\n\n");
    }

    #[test]
    fn strings_without_quotes_and_the_rest_by_debug() {
        assert_eq!(printed(vec![vec!["a \"b\"".to_owned()]], 1), "a \"b\"\n\n");
        assert_eq!(printed(vec![vec!["static"]], 1), "static\n\n");
        assert_eq!(printed(vec![vec![("be".to_owned(), 2)]], 1), "(\"be\", 2)\n\n");
        let lines = [Arc::new(TextBlock::lines("to be\nor"))];
        assert!(render::<str>(BatchTime::default(), &lines, 5).ends_with("-\nto be\nor\n\n"));
    }

    #[test]
    fn records_need_not_be_clone() {
        #[derive(Debug)]
        struct Unique;
        assert_eq!(printed(vec![vec![Unique]], 1), "Unique\n\n");
    }
}
