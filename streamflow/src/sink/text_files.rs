//! `save_as_text_files`: a directory of text files for every batch.

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

use super::blocks;
use super::directory::BatchDirectory;
use crate::dstream::DStream;
use crate::error::Result;
use crate::fs::{Disk, FileSystem};
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
        self.add_output("save_as_text_files", save::<T>(self.node(), prefix.into(), suffix.into(), Arc::new(Disk)));
    }
}

fn save<T: ?Sized>(node: NodeId, prefix: String, suffix: String, fs: Arc<dyn FileSystem>) -> TextFiles<T> {
    TextFiles { node, directory: BatchDirectory::new(prefix, suffix, fs), record: PhantomData }
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
    use std::io;
    use std::path::Path;

    use super::super::test_support::run;
    use super::*;
    use crate::fs::WriteFile;
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
            let directory = BatchDirectory::new(prefix.into(), suffix.into(), Arc::new(Disk));
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

    /// A disk that is full: nothing can be written to its files.
    struct Full;

    struct FullFile;

    impl io::Write for FullFile {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl WriteFile for FullFile {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl FileSystem for Full {
        fn create_dir_all(&self, path: &Path) -> io::Result<()> {
            Disk.create_dir_all(path)
        }
        fn create(&self, _: &Path) -> io::Result<Box<dyn WriteFile>> {
            Ok(Box::new(FullFile))
        }
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            Disk.read(path)
        }
        fn exists(&self, path: &Path) -> io::Result<bool> {
            Disk.exists(path)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            Disk.rename(from, to)
        }
        fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
            Disk.remove_dir_all(path)
        }
        fn sync_dir(&self, path: &Path) -> io::Result<()> {
            Disk.sync_dir(path)
        }
    }

    #[test]
    fn a_full_disk_fails_the_batch_and_leaves_the_earlier_directory() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("n").into_os_string().into_string().unwrap();
        run(vec![1, 2], |stream| stream.save_as_text_files(&prefix, "")).unwrap();
        let error = run(vec![3, 4], |stream| {
            stream.add_output(
                "save_as_text_files",
                save::<i32>(stream.node(), prefix.clone(), String::new(), Arc::new(Full)),
            );
        })
        .unwrap_err();
        assert!(error.to_string().contains("n-0") && error.kind() == crate::ErrorKind::Io, "{error}");
        assert_eq!(listing(dir.path()), ["n-0"]);
        assert_eq!(fs::read_to_string(dir.path().join("n-0/part-00000")).unwrap(), "1\n");
    }
}
