//! Real kills of a program that writes to SQLite: the example `sqlite_totals` is killed with SIGKILL at arbitrary moments and
//! started again, and must have each order in its database once. And what a second process meets in its checkpoint directory.
//!
//! Nothing here depends on how fast the machine is: moments are seeded, but wherever the process is then, it must recover.
//! `STREAMFLOW_KILLS` says how many kills there are; 50 if it is not set.

#![expect(clippy::disallowed_methods, reason = "another process is watched, which nothing here can wait on")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use streamflow::sink::rusqlite::Connection;

/// Looks at the last start, each after a pause: it is given up, not judged, when they run out.
const PATIENCE: usize = 6_000;
const PAUSE: Duration = Duration::from_millis(50);

/// The example, built as this test was.
fn example() -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it is");
    let profile = this.parent().and_then(Path::parent).expect("tests lie in `deps` of their profile");
    let target = profile.parent().expect("a profile is in a target directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--features", "sqlite", "--example", "sqlite_totals", "--target-dir"]).arg(target);
    if profile.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
    assert!(built.success(), "the example cannot be built");
    profile.join("examples").join(format!("sqlite_totals{}", std::env::consts::EXE_SUFFIX))
}

/// Ends the process however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The directory of a program, and what is in its database.
struct Shop {
    root: tempfile::TempDir,
    program: PathBuf,
    orders: String,
}

impl Shop {
    fn new(orders: u64) -> Self {
        let root = tempfile::tempdir().expect("there is a temporary directory");
        Self { root, program: example(), orders: orders.to_string() }
    }

    fn start(&self) -> Running {
        let child = Command::new(&self.program)
            .args(["--interval", "20", "--batch", "10", "--orders", &self.orders])
            .arg("--dir")
            .arg(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.root.path().join("stderr")).expect("it can be written"))
            .spawn();
        Running(child.expect("the example can be started"))
    }

    fn complaint(&self) -> String {
        fs::read_to_string(self.root.path().join("stderr")).unwrap_or_default()
    }

    /// A number from the database.
    fn number(&self, query: &str) -> u64 {
        let database = Connection::open(self.root.path().join("totals.db")).expect("it can be opened");
        let number = database.query_row(query, (), |row| row.get(0));
        number.unwrap_or_else(|error| panic!("`{query}`: {error}"))
    }
}

/// Waits until something is so.
fn until(mut so: impl FnMut() -> bool) -> bool {
    (0..PATIENCE).any(|_| {
        let is = so();
        if !is {
            sleep(PAUSE);
        }
        is
    })
}

#[test]
fn killed_again_and_again_it_has_every_order_once() {
    let kills = std::env::var("STREAMFLOW_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50_u64);
    // So many that a start seldom comes to the end by itself.
    let (orders, mut random) = (kills * 80, fastrand::Rng::with_seed(4));
    let shop = Shop::new(orders);
    let mut killed = 0;
    for start in 0..kills {
        let mut running = shop.start();
        // From the first instructions to some batches later.
        sleep(Duration::from_millis(random.u64(0..400)));
        match running.0.try_wait().expect("it can be asked") {
            None => killed += 1,
            Some(status) => assert!(status.success(), "start {start} ended by itself: {status}\n{}", shop.complaint()),
        }
    }
    let mut running = shop.start();
    let mut ended = None;
    assert!(until(|| {
        ended = running.0.try_wait().expect("it can be asked");
        ended.is_some()
    }));
    assert!(ended.is_some_and(|status| status.success()), "the last start: {ended:?}\n{}", shop.complaint());

    assert_eq!(shop.number("SELECT count(*) FROM orders"), orders);
    assert_eq!(shop.number("SELECT count(DISTINCT id) FROM orders"), orders);
    assert_eq!(shop.number("SELECT sum(orders) FROM revenue"), orders);
    assert_eq!(shop.number("SELECT sum(cents) FROM revenue"), shop.number("SELECT sum(cents) FROM orders"));
    assert!(killed > 0);
    println!("{killed} kills, {orders} orders: nothing missing, nothing twice");
}

#[test]
fn a_second_process_is_told_who_has_the_directory_until_that_is_killed() {
    let shop = Shop::new(u64::from(u32::MAX));
    let lock = shop.root.path().join("checkpoint/lock");
    let first = shop.start();
    let holder = format!("process {} (`sqlite_totals`)", first.0.id());
    assert!(until(|| fs::read_to_string(&lock).is_ok_and(|note| note == holder)), "{}", shop.complaint());

    let mut second = shop.start();
    let status = second.0.wait().expect("it can be waited for");
    let complaint = shop.complaint();
    assert!(!status.success());
    assert!(complaint.contains(&holder) && complaint.contains("checkpoint` is in use by"), "{complaint}");

    drop(first);
    let third = shop.start();
    let holder = format!("process {} (`sqlite_totals`)", third.0.id());
    assert!(until(|| fs::read_to_string(&lock).is_ok_and(|note| note == holder)), "{}", shop.complaint());
}
