//! Real kills: the example `checkpointed` is fed files, killed with SIGKILL at arbitrary moments, started again with other
//! numbers of threads, and must give each file's words in exactly one batch.
//!
//! Nothing here depends on how fast the machine is: moments are seeded, but wherever the process is then, it must recover.
//! `STREAMFLOW_KILLS` says how many kills there are; 50 if it is not set.

#![allow(clippy::disallowed_methods, reason = "this harness waits for another process")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

type Counts = BTreeMap<String, u64>;

/// Looks at the outputs of the last start, each after a pause: it is given up, not judged, when they run out.
const PATIENCE: usize = 3_000;
const PAUSE: Duration = Duration::from_millis(50);

/// The example, built as this test was.
fn example() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it is");
    let profile = this.parent().and_then(Path::parent).expect("tests lie in `deps` of their profile");
    let target = profile.parent().expect("a profile is in a target directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", "checkpointed", "--target-dir"]).arg(target);
    if profile.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
    assert!(built.success(), "the example cannot be built");
    profile.join("examples").join(format!("checkpointed{}", std::env::consts::EXE_SUFFIX))
}

/// The directories of a program, and what it was fed.
struct World {
    root: tempfile::TempDir,
    program: PathBuf,
    random: fastrand::Rng,
    files: usize,
    fed: Counts,
}

/// Ends the process however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let root = tempfile::tempdir().expect("there is a temporary directory");
        fs::create_dir(root.path().join("in")).expect("it can be written");
        Self { root, program: example(), random: fastrand::Rng::with_seed(seed), files: 0, fed: Counts::new() }
    }

    fn start(&mut self) -> Running {
        let at = |name: &str| self.root.path().join(name);
        let threads = self.random.usize(1..5).to_string();
        let child = Command::new(&self.program)
            .args(["--interval", "100", "--threads", &threads])
            .arg("--checkpoint")
            .arg(at("checkpoint"))
            .arg("--dir")
            .arg(at("in"))
            .arg("--out")
            .arg(at("out"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(at("stderr")).expect("it can be written"))
            .spawn();
        Running(child.expect("the example can be started"))
    }

    /// Moves a file with some words into the watched directory.
    fn feed(&mut self) {
        let words: Vec<String> =
            (0..self.random.usize(1..30)).map(|_| format!("w{}", self.random.u32(0..12))).collect();
        self.files += 1;
        let (aside, place) = (self.root.path().join("aside"), self.root.path().join(format!("in/{}", self.files)));
        fs::write(&aside, words.join(" ")).expect("it can be written");
        fs::rename(aside, place).expect("it can be moved");
        for word in words {
            *self.fed.entry(word).or_default() += 1;
        }
    }

    /// Feeds a running program for a while.
    fn feed_for(&mut self, pieces: usize) {
        for _ in 0..pieces {
            if self.random.bool() {
                self.feed();
            }
            sleep(Duration::from_millis(self.random.u64(5..60)));
        }
    }

    fn complaint(&self) -> String {
        fs::read_to_string(self.root.path().join("stderr")).unwrap_or_default()
    }

    /// The counts of each batch of an output, oldest first.
    fn outputs(&self, output: &str) -> BTreeMap<u64, Counts> {
        let Ok(entries) = fs::read_dir(self.root.path().join("out")) else { return BTreeMap::new() };
        let batches = entries.filter_map(|entry| {
            let path = entry.expect("it can be listed").path();
            let name = path.file_name()?.to_str()?.to_owned();
            let time = name.strip_prefix(output)?.strip_prefix('-')?.strip_suffix(".txt")?.parse().ok()?;
            // A running program may replace it at this moment.
            Some((time, counts(&path).ok()?))
        });
        batches.collect()
    }
}

fn counts(directory: &Path) -> io::Result<Counts> {
    let mut counts = Counts::new();
    for part in fs::read_dir(directory)? {
        for row in fs::read_to_string(part?.path())?.lines() {
            let (word, count) = row.split_once(' ').expect("a row is a word and its count");
            let earlier = counts.insert(word.to_owned(), count.parse().expect("a count is a number"));
            assert!(earlier.is_none(), "`{word}` is twice in {}", directory.display());
        }
    }
    Ok(counts)
}

fn add(sum: &mut Counts, batch: &Counts) {
    for (word, count) in batch {
        *sum.entry(word.clone()).or_default() += count;
    }
}

fn sum(batches: &BTreeMap<u64, Counts>) -> Counts {
    let mut all = Counts::new();
    batches.values().for_each(|batch| add(&mut all, batch));
    all
}

#[test]
fn killed_again_and_again_it_counts_every_word_once() {
    let kills = std::env::var("STREAMFLOW_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50);
    let mut world = World::new(20);
    for kill in 0..kills {
        let mut running = world.start();
        // From the first instructions to some batches later.
        let pieces = world.random.usize(0..14);
        world.feed_for(pieces);
        let ended = running.0.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "start {kill} ended by itself: {ended:?}\n{}", world.complaint());
        drop(running);
        // Sometimes files arrive while nothing runs.
        if kill % 4 == 0 {
            world.feed();
        }
    }
    let mut running = world.start();
    let mut looks = 0;
    while sum(&world.outputs("batch")) != world.fed && looks < PATIENCE {
        let ended = running.0.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "the last start ended by itself: {ended:?}\n{}", world.complaint());
        sleep(PAUSE);
        looks += 1;
    }
    // Some batches more, which must not add anything.
    sleep(PAUSE * 20);
    drop(running);

    let batches = world.outputs("batch");
    assert_eq!(sum(&batches), world.fed, "of {} files\n{}", world.files, world.complaint());
    let mut so_far = Counts::new();
    let totals = world.outputs("total");
    for (time, batch) in &batches {
        add(&mut so_far, batch);
        // The last batches may have been killed between the two outputs.
        if let Some(total) = totals.get(time) {
            assert_eq!(*total, so_far, "the totals of batch {time}");
        }
    }
    let times: Vec<u64> = batches.keys().copied().collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 100), "a batch is missing: {times:?}");
    assert!(totals.len() + 1 >= batches.len(), "{} totals of {} batches", totals.len(), batches.len());
    println!("{kills} kills, {} files, {} batches: nothing missing, nothing twice", world.files, batches.len());
}
