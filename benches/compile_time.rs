//! What the library costs at build time: `cargo bench --bench compile_time`, a few minutes.
//!
//! It generates a crate with a topology of thirty operators and one without, builds both alternately, debug and release,
//! and prints by how much the first takes longer; then it builds `streamflow` alone, in debug, from nothing. All builds
//! are `cargo`'s own, without a network, in a folder below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Builds of each variant and profile; the least time counts, because a busy machine only ever adds to it.
const ROUNDS: usize = 5;

/// Seconds that must not be exceeded.
const BAR_DEBUG: f64 = 2.0;
const BAR_RELEASE: f64 = 5.0;
const BAR_CLEAN: f64 = 60.0;

const MANIFEST: &str = r#"[package]
name = "compile-time"
version = "0.0.0"
edition = "2024"

[dependencies]
streamflow = { path = "STREAMFLOW" }

[workspace]
"#;

/// The program in both variants.
const MAIN: &str = r#"
fn main() -> streamflow::Result<()> {
    let ctx = streamflow::BatchContext::new()?;
    let lines = ctx.text("to be or not to be");
    RUN
}
"#;

/// Thirty operators: twenty-two narrow ones, eight shuffles.
const TOPOLOGY: &str = r#"
use streamflow::prelude::*;

#[stream]
fn thirty(lines: DStream<str>, shortest: usize) -> DStream<(String, (u64, u64))> {
    let words = lines
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .flat_map(|line| line.split(' '))
        .filter(|word| word.len() >= shortest)
        .map(|word| (word, 1_u64));
    let counts = words
        .reduce_by_key(|a, b| a + b)
        .filter(|(_, count)| *count > 0)
        .map_values(|count| count * 2)
        .inspect(|pair| assert!(pair.1 > 0));
    let by_length = counts
        .map(|(word, count)| (word.len(), count))
        .reduce_by_key(|a, b| a.max(b))
        .flat_map_values(|count| [count, count + 1])
        .group_by_key()
        .map(|(length, counts)| (length as u64, counts.len() as u64))
        .filter_map(|(length, count)| (count > 0).then_some((length, count)))
        .swap()
        .aggregate_by_key(0_u64, |sum, value| sum + value, |a, b| a + b)
        .key_by(|(key, _)| key % 3)
        .map_values(|(_, value)| value)
        .fold_by_key(0_u64, |a, b| a + b)
        .values()
        .distinct()
        .map(|value| (value.to_string(), value));
    let totals = counts
        .map(|(word, count)| (word, count))
        .left_outer_join(by_length)
        .map_values(|(count, value)| (count, value.unwrap_or_default()))
        .filter(|(word, _)| word.len() < 100)
        .map(|(word, counts)| (word.to_lowercase(), counts));
    totals
        .reduce_by_key(|a, b| (a.0 + b.0, a.1.max(b.1)))
        .map_values(|(count, value)| (count + 1, value))
        .filter(|(_, (count, _))| *count > 0)
}
"#;

fn main() {
    // Cargo hands `--bench` to every bench; there is nothing to choose.
    let crates = Crates::generate();
    for (profile, bar) in [("debug", BAR_DEBUG), ("release", BAR_RELEASE)] {
        let added = crates.added(profile);
        report(&format!("thirty operators added to a {profile} build"), added, bar);
    }
    report("clean debug build of streamflow", clean_build(), BAR_CLEAN);
}

fn report(what: &str, seconds: f64, bar: f64) {
    let verdict = if seconds <= bar { "within" } else { "OVER" };
    println!("{what}: {seconds:.2} s ({verdict} the bar of {bar} s)");
}

/// The generated crates, `with` and `without` the topology; they share the builds of their dependencies.
struct Crates {
    with: PathBuf,
    without: PathBuf,
    target: PathBuf,
}

impl Crates {
    fn generate() -> Self {
        let folder = folder();
        let runtime = workspace().join("streamflow");
        let manifest = MANIFEST.replace("STREAMFLOW", runtime.to_str().expect("the path of the checkout is text"));
        let lock = fs::read_to_string(workspace().join("Cargo.lock")).expect("the workspace has a lock file");
        let create = |name: &str, main: String| {
            let path = folder.join(name);
            fs::create_dir_all(path.join("src")).expect("the target directory can be written");
            for (file, text) in [("Cargo.toml", &manifest), ("Cargo.lock", &lock), ("src/main.rs", &main)] {
                fs::write(path.join(file), text).expect("the target directory can be written");
            }
            path
        };
        let run = "ctx.collect(thirty(lines, 1)).map(|records| println!(\"{records:?}\"))";
        let with = create("with", MAIN.replace("RUN", run) + TOPOLOGY);
        let run = "ctx.collect(lines.transform(|batch| batch.map(str::len))).map(|records| println!(\"{records:?}\"))";
        let without = create("without", MAIN.replace("RUN", run));
        Self { with, without, target: folder.join("target") }
    }

    /// Seconds that the topology adds to a build.
    fn added(&self, profile: &str) -> f64 {
        let (mut with, mut without) = (f64::INFINITY, f64::INFINITY);
        // The first round builds the dependencies.
        for round in 0..=ROUNDS {
            let (a, b) = (self.rebuild(&self.with, profile), self.rebuild(&self.without, profile));
            if round > 0 {
                (with, without) = (with.min(a.as_secs_f64()), without.min(b.as_secs_f64()));
            }
        }
        with - without
    }

    /// Builds the crate itself again.
    fn rebuild(&self, path: &Path, profile: &str) -> Duration {
        let main = path.join("src/main.rs");
        let text = fs::read(&main).expect("it was written above");
        fs::write(&main, text).expect("the target directory can be written");
        let arguments: &[&str] = if profile == "release" { &["--release"] } else { &[] };
        build(path, &self.target, arguments)
    }
}

/// Builds `streamflow` with default features where nothing is built yet.
fn clean_build() -> f64 {
    let target = folder().join("clean");
    if target.exists() {
        fs::remove_dir_all(&target).expect("the last build can be removed");
    }
    let time = build(&workspace().join("streamflow"), &target, &["--package", "streamflow"]);
    fs::remove_dir_all(&target).expect("the build can be removed");
    time.as_secs_f64()
}

#[allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]
fn build(path: &Path, target: &Path, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--target-dir"])
        .arg(target)
        .args(arguments)
        // Incremental builds are the default of the debug profile; a rebuild after `touch` would then measure nothing.
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("CARGO_TARGET_DIR")
        .current_dir(path)
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time")
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
