//! `save_as_text_files`: a directory of text files for every batch.

use std::fmt::Display;
use std::marker::PhantomData;

use super::blocks;
use super::directory::BatchDirectory;
use crate::dstream::DStream;
use crate::error::Result;
use crate::record::{Block, Record};
use crate::run::Run;
use crate::topology::{NodeId, OutputOperation};

impl<T: Record + Display + ?Sized> DStream<T> {
    /// Saves every batch as a directory `prefix-<ms>[.suffix]` of text files, one line a record.
    ///
    /// `<ms>` is the time of the batch. The directory holds `part-00000`, `part-00001` …, one file per partition, and an
    /// empty file `_SUCCESS`. The prefix may contain directories, which are created; with an empty prefix the name is
    /// `<ms>[.suffix]`. Records are written by `Display`, so pairs are mapped to text first; they need not be `Clone`.
    ///
    /// The directory is written under a hidden name, made durable, and renamed: it is there as a whole or not at all. A
    /// batch that is run again replaces it, so this output is exactly once.
    ///
    /// **Cost**: one `fsync` per partition and batch, and two per batch.
    /// **Errors**: when a file cannot be written the batch fails and its directory is absent.
    /// **Source**: Spark's `saveAsTextFiles`, which writes by `toString` and leaves a partial directory when it fails.
    ///
    /// # Examples
    /// ```
    /// use streamflow::BatchContext;
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path().to_str().unwrap();
    /// let ctx = BatchContext::with(1, 1)?;
    /// ctx.text("to be\nor not").save_as_text_files(format!("{dir}/lines"), "txt");
    /// ctx.run()?;
    /// // The one batch of batch mode has the time zero.
    /// assert_eq!(std::fs::read_to_string(format!("{dir}/lines-0.txt/part-00000"))?, "to be\nor not\n");
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_files(&self, prefix: impl Into<String>, suffix: impl Into<String>) {
        self.add_output("save_as_text_files", save::<T>(self.node(), prefix.into(), suffix.into()));
    }
}

fn save<T: ?Sized>(node: NodeId, prefix: String, suffix: String) -> TextFiles<T> {
    TextFiles { node, directory: BatchDirectory::new(prefix, suffix), record: PhantomData }
}

struct TextFiles<T: ?Sized> {
    node: NodeId,
    directory: BatchDirectory,
    record: PhantomData<fn() -> Box<T>>,
}

impl<T: Record + Display + ?Sized> OutputOperation for TextFiles<T> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        let blocks = blocks::<T>(run, self.node)?;
        let weight = blocks.iter().map(|block| block.len()).sum();
        self.directory.write(run, blocks.len(), weight, |part, file| {
            let block = &blocks[part];
            (0..block.len()).try_for_each(|index| match T::peek(block, index) {
                record if record.as_text().is_some() => {
                    // Formatting would cost more than the text.
                    file.write_all(record.as_text().unwrap_or_default().as_bytes())?;
                    file.write_all(b"\n")
                }
                record => writeln!(file, "{record}"),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use super::super::test_support::run;
    use super::*;
    use crate::batch_context::BatchContext;
    use crate::fs::{IoFailure, SimulatedFs};
    use crate::time::BatchTime;

    fn listing(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn names_follow_prefix_and_suffix() {
        let name = |prefix: &str, suffix: &str| {
            let directory = BatchDirectory::new(prefix.into(), suffix.into());
            directory.path(BatchTime::from_millis(7)).into_os_string().into_string().unwrap()
        };
        assert_eq!(name("out/counts", "txt"), "out/counts-7.txt");
        assert_eq!(name("counts", ""), "counts-7");
        assert_eq!(name("", "txt"), "7.txt");
        assert_eq!(name("", ""), "7");
    }

    #[test]
    fn a_batch_run_again_replaces_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("deep/n").into_os_string().into_string().unwrap();
        let target = dir.path().join("deep/n-0");
        for records in [vec![1, 2, 3], vec![4]] {
            run(records, |stream| stream.save_as_text_files(&prefix, "")).unwrap();
            assert_eq!(listing(&target), ["_SUCCESS", "part-00000", "part-00001"]);
        }
        assert_eq!(fs::read_to_string(target.join("part-00000")).unwrap(), "");
        assert_eq!(fs::read_to_string(target.join("part-00001")).unwrap(), "4\n");
        assert_eq!(listing(&dir.path().join("deep")), ["n-0"], "nothing else is left");
    }

    #[test]
    fn records_need_not_be_clone() {
        struct Unique(u8);
        impl Display for Unique {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "<{}>", self.0)
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("u").into_os_string().into_string().unwrap();
        run(vec![1, 2], |stream| {
            stream.transform(|batch| batch.map(Unique)).save_as_text_files(&prefix, "");
        })
        .unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("u-0/part-00001")).unwrap(), "<2>\n");
    }

    #[test]
    fn a_full_disk_fails_the_batch_and_leaves_no_half_of_a_directory() {
        let disk = SimulatedFs::new(7);
        let save = |disk: &SimulatedFs, records: Vec<i32>| {
            let ctx = BatchContext::with(2, 2).unwrap().with_files(Arc::new(disk.clone()));
            ctx.records(records).save_as_text_files("out/n", "");
            ctx.run()
        };
        save(&disk, vec![1, 2]).unwrap();
        let operations = disk.operations();
        for operation in operations.. {
            let full = disk.copy();
            full.fail_from(operation - operations, IoFailure::NoSpace);
            let outcome = save(&full, vec![3, 4]);
            let part = full.contents("out/n-0/part-00000");
            let Err(error) = outcome else {
                assert_eq!(part.unwrap(), b"3\n");
                break;
            };
            assert!(error.to_string().contains("n-0") && error.kind() == crate::ErrorKind::Io, "{error}");
            assert!(part.is_none_or(|part| part == b"1\n" || part == b"3\n"), "complete, of one run, or absent");
        }
    }
}
