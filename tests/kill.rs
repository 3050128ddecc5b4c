//! Real kills: examples are fed files and lines over TCP, killed with SIGKILL at arbitrary moments, and started again with
//! other numbers of threads.
//!
//! `checkpointed` must give each file's words in exactly one batch, and of each TCP connection a piece from its beginning: a
//! plain peer does not repeat what was on its way to a batch. `acknowledged` must save each line once, since its
//! peer repeats what was not answered.
//!
//! Nothing here depends on how fast the machine is: moments are seeded, but wherever the process is then, it must recover.
//! `STREAMFLOW_KILLS` says how many kills there are in each test; 50 if it is not set.

#![expect(clippy::disallowed_methods, reason = "another process is watched, whose end nothing here can wait on")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

type Counts = BTreeMap<String, u64>;

/// Looks at the outputs of the last start, each after a pause: it is given up, not judged, when they run out.
const PATIENCE: usize = 3_000;
const PAUSE: Duration = Duration::from_millis(50);

fn kills() -> usize {
    std::env::var("STREAMFLOW_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(50)
}

/// An example, built as this test was.
fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a test knows where it is");
    let profile = this.parent().and_then(Path::parent).expect("tests lie in `deps` of their profile");
    let target = profile.parent().expect("a profile is in a target directory");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", name, "--target-dir"]).arg(target);
    if profile.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
    assert!(built.success(), "the example `{name}` cannot be built");
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// A program and its directories.
struct World {
    root: tempfile::TempDir,
    program: PathBuf,
    random: fastrand::Rng,
    arguments: Vec<String>,
}

/// Ends the process however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// When something happens to a program that is killed again and again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Running,
    Killed,
}

impl World {
    /// `arguments` are those beside the interval, the threads, the checkpoint and the output.
    fn new(name: &str, seed: u64, arguments: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("there is a temporary directory");
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { root, program: example(name), random: fastrand::Rng::with_seed(seed), arguments }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start(&mut self) -> Running {
        let threads = self.random.usize(1..5).to_string();
        let child = Command::new(&self.program)
            .args(["--interval", "100", "--threads", &threads])
            .args(&self.arguments)
            .arg("--checkpoint")
            .arg(self.at("checkpoint"))
            .arg("--out")
            .arg(self.at("out"))
            .current_dir(self.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.at("stderr")).expect("it can be written"))
            .spawn();
        Running(child.expect("the example can be started"))
    }

    /// Starts the program again and again, and kills it after a while in which `meanwhile` is called now and then.
    fn kill_again_and_again(&mut self, mut meanwhile: impl FnMut(&mut Self, Moment)) {
        for kill in 0..kills() {
            let mut running = self.start();
            // From the first instructions to some batches later.
            for _ in 0..self.random.usize(0..14) {
                meanwhile(self, Moment::Running);
                sleep(Duration::from_millis(self.random.u64(5..60)));
            }
            self.still_runs(&mut running, &format!("start {kill}"));
            drop(running);
            meanwhile(self, Moment::Killed);
        }
    }

    /// Starts the program a last time and lets it run until `is_done`, and for some batches more.
    fn run_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        let mut running = self.start();
        let mut looks = 0;
        while !is_done(self) && looks < PATIENCE {
            self.still_runs(&mut running, "the last start");
            sleep(PAUSE);
            looks += 1;
        }
        // Some batches more, which must not add anything.
        sleep(PAUSE * 20);
    }

    fn still_runs(&self, running: &mut Running, which: &str) {
        let ended = running.0.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "{which} ended by itself: {ended:?}\n{}", self.complaint());
    }

    fn complaint(&self) -> String {
        fs::read_to_string(self.at("stderr")).unwrap_or_default()
    }

    /// The rows of each batch of an output, oldest first.
    fn outputs(&self, output: &str) -> BTreeMap<u64, Vec<String>> {
        let Ok(entries) = fs::read_dir(self.at("out")) else { return BTreeMap::new() };
        let batches = entries.filter_map(|entry| {
            let path = entry.expect("it can be listed").path();
            let name = path.file_name()?.to_str()?.to_owned();
            let time = name.strip_prefix(output)?.strip_prefix('-')?.strip_suffix(".txt")?.parse().ok()?;
            // A running program may replace it at this moment.
            Some((time, rows(&path).ok()?))
        });
        batches.collect()
    }

    /// The same of an output whose rows are words with their counts.
    fn counts(&self, output: &str) -> BTreeMap<u64, Counts> {
        self.outputs(output).into_iter().map(|(time, rows)| (time, counts(time, &rows))).collect()
    }
}

fn rows(directory: &Path) -> io::Result<Vec<String>> {
    let mut rows = Vec::new();
    for part in fs::read_dir(directory)? {
        rows.extend(fs::read_to_string(part?.path())?.lines().map(str::to_owned));
    }
    Ok(rows)
}

fn counts(time: u64, rows: &[String]) -> Counts {
    let mut counts = Counts::new();
    for row in rows {
        let (word, count) = row.split_once(' ').expect("a row is a word and its count");
        let earlier = counts.insert(word.to_owned(), count.parse().expect("a count is a number"));
        assert!(earlier.is_none(), "`{word}` is twice in batch {time}");
    }
    counts
}

fn add(sum: &mut Counts, batch: &Counts) {
    for (word, count) in batch {
        *sum.entry(word.clone()).or_default() += count;
    }
}

/// The counts of the words of all batches: those of files, and those of the socket.
fn sums(batches: &BTreeMap<u64, Counts>) -> (Counts, Counts) {
    let mut all = Counts::new();
    batches.values().for_each(|batch| add(&mut all, batch));
    all.into_iter().partition(|(word, _)| word.starts_with('w'))
}

fn assert_no_gap(times: impl Iterator<Item = u64>) {
    let times: Vec<u64> = times.collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 100), "a batch is missing: {times:?}");
}

/// Files that are moved into the watched directory, and their words.
#[derive(Default)]
struct Files {
    number: usize,
    fed: Counts,
}

impl Files {
    fn feed(&mut self, world: &mut World) {
        let random = &mut world.random;
        let words: Vec<String> = (0..random.usize(1..30)).map(|_| format!("w{}", random.u32(0..12))).collect();
        self.number += 1;
        let (aside, place) = (world.at("aside"), world.at(&format!("in/{}", self.number)));
        fs::write(&aside, words.join(" ")).expect("it can be written");
        fs::rename(aside, place).expect("it can be moved");
        for word in words {
            *self.fed.entry(word).or_default() += 1;
        }
    }
}

/// A peer on a thread of its own, to which the program connects.
struct Peer<T> {
    address: String,
    /// Connections end, and new ones too.
    ends: Arc<AtomicBool>,
    /// No further connection is waited for.
    is_over: Arc<AtomicBool>,
    state: Arc<Mutex<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Default + Send + 'static> Peer<T> {
    /// Calls `talk` for each connection; it returns when the connection ends, and soon after the flag is set.
    fn start(mut talk: impl FnMut(TcpStream, &AtomicBool, &Mutex<T>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (ends, is_over, state) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::default());
        let (its_end, its_state, all_over) = (Arc::clone(&ends), Arc::clone(&state), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !all_over.load(Ordering::SeqCst)
                && let Ok((connection, _)) = listener.accept()
            {
                if !its_end.load(Ordering::SeqCst) {
                    talk(connection, &its_end, &its_state);
                }
            }
        });
        Self { address, ends, is_over, state, thread: Some(thread) }
    }

    /// Ends all connections, also those that dead processes made and nobody looked at yet.
    fn drain(&self) {
        self.ends.store(true, Ordering::SeqCst);
        // Connections are taken in their order, so this one is the last.
        let mut last = TcpStream::connect(&self.address).expect("the peer listens");
        let _ = last.read(&mut [0]);
        self.ends.store(false, Ordering::SeqCst);
    }

    fn look<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Drop for Peer<T> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.ends.store(true, Ordering::SeqCst);
        // It waits for a connection, perhaps.
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What a plain peer has sent: for each connection the number of its words, `CONNECTION.NUMBER`.
#[derive(Default)]
struct Sent {
    words: Vec<u64>,
    /// No more words, and the connection stays open.
    pauses: bool,
}

/// Sends lines of a few words until the connection ends.
fn talk(mut connection: TcpStream, ends: &AtomicBool, sent: &Mutex<Sent>) {
    let mut random = fastrand::Rng::with_seed(3);
    let number = {
        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.words.push(0);
        sent.words.len() - 1
    };
    while !ends.load(Ordering::SeqCst) {
        let line = {
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            if sent.pauses { Vec::new() } else { words(&mut sent.words[number], number, random.u64(1..5)) }
        };
        let timeout = Duration::from_millis(random.u64(1..8));
        connection.set_read_timeout(Some(timeout)).expect("a timeout can be set");
        // It never answers: this waits, and sees the end.
        if connection.write_all(&line).is_err() || connection.read(&mut [0]).is_ok() {
            break;
        }
    }
}

fn words(sent: &mut u64, connection: usize, count: u64) -> Vec<u8> {
    let words: Vec<String> = (*sent..*sent + count).map(|word| format!("{connection}.{word}")).collect();
    *sent += count;
    (words.join(" ") + "\n").into_bytes()
}

/// Sees that the words of each connection came once, from the first on; returns how many came and were sent.
fn judge_connections(came: &Counts, sent: &[u64]) -> (u64, u64) {
    assert!(came.values().all(|count| *count == 1), "counted twice: {came:?}");
    let mut of_connection = vec![Vec::new(); sent.len()];
    for word in came.keys() {
        let (connection, number) = word.split_once('.').expect("it is a word of a connection");
        let (connection, number): (usize, u64) = (connection.parse().unwrap(), number.parse().unwrap());
        of_connection[connection].push(number);
    }
    for (connection, numbers) in of_connection.iter_mut().enumerate() {
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "a gap in connection {connection}: {numbers:?}");
    }
    (came.len() as u64, sent.iter().sum())
}

#[test]
fn killed_again_and_again_it_counts_every_word_once() {
    let peer = Peer::start(talk);
    let mut world = World::new("checkpointed", 20, &["--dir", "in", "--socket", &peer.address]);
    fs::create_dir(world.at("in")).expect("it can be written");
    let (mut files, mut seen) = (Files::default(), BTreeMap::new());
    world.kill_again_and_again(|world, moment| {
        let feeds = world.random.bool();
        if feeds {
            files.feed(world);
        }
        if moment == Moment::Killed {
            // Whatever was put out stays as it is.
            seen.extend(world.counts("batch"));
        }
    });
    // The last start has a connection that nobody cuts off: all of its words count.
    peer.drain();
    let last = peer.look(|sent| sent.words.len());
    let of_last = |counts: &Counts| counts.keys().filter(|word| word.starts_with(&format!("{last}."))).count() as u64;
    world.run_until(|world| {
        let sent = peer.look(|sent| {
            sent.pauses = sent.words.get(last).is_some_and(|words| *words > 200);
            sent.pauses.then(|| sent.words[last])
        });
        let (of_files, of_socket) = sums(&world.counts("batch"));
        of_files == files.fed && sent == Some(of_last(&of_socket))
    });

    let batches = world.counts("batch");
    let (of_files, of_socket) = sums(&batches);
    assert_eq!(of_files, files.fed, "of {} files\n{}", files.number, world.complaint());
    let sent = peer.look(|sent| sent.words.clone());
    let (came, sent_words) = judge_connections(&of_socket, &sent);
    assert_eq!(sent.len(), last + 1, "the last connection lasts\n{}", world.complaint());
    assert_eq!(of_last(&of_socket), sent[last], "words of the last connection");
    for (time, counts) in &seen {
        assert_eq!(batches.get(time), Some(counts), "batch {time} was put out, and is another now");
    }
    let mut so_far = Counts::new();
    let totals = world.counts("total");
    for (time, batch) in &batches {
        add(&mut so_far, batch);
        // The last batches may have been killed between the two outputs.
        if let Some(total) = totals.get(time) {
            assert_eq!(*total, so_far, "the totals of batch {time}");
        }
    }
    assert_no_gap(batches.keys().copied());
    assert!(totals.len() + 1 >= batches.len(), "{} totals of {} batches", totals.len(), batches.len());
    println!(
        "{} kills, {} files, {} batches: nothing missing, nothing twice; of {} connections {came} of {sent_words} words came, \
         none twice and without gaps",
        kills(),
        files.number,
        batches.len(),
        sent.len()
    );
}

/// What a peer knows that repeats what was not answered.
#[derive(Default)]
struct Answered {
    /// Number of the last line that was ever sent.
    sent: u64,
    /// The last that was answered.
    answered: u64,
    connections: usize,
    /// Lines that were sent more than once.
    repeated: u64,
    /// No new lines.
    pauses: bool,
}

/// Sends numbered lines, first those without an answer, and reads answers.
fn talk_and_listen(mut connection: TcpStream, ends: &AtomicBool, known: &Mutex<Answered>) {
    let mut random = fastrand::Rng::with_seed(4);
    connection.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout can be set");
    let mut next = {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.connections += 1;
        known.repeated += known.sent - known.answered;
        known.answered + 1
    };
    let (mut answers, mut piece) = (Vec::new(), [0; 4096]);
    while !ends.load(Ordering::SeqCst) {
        let end = {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let end = if known.pauses { known.sent + 1 } else { (next + random.u64(0..20)).max(known.sent + 1) };
            known.sent = end - 1;
            end
        };
        let lines: String = (next..end).map(|number| format!("{number} line {number}\n")).collect();
        next = end;
        if connection.write_all(lines.as_bytes()).is_err() {
            break;
        }
        match connection.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answers.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        // The last whole line counts.
        let Some(end) = answers.iter().rposition(|byte| *byte == b'\n') else { continue };
        let rest = answers.split_off(end + 1);
        let text = String::from_utf8(std::mem::replace(&mut answers, rest)).expect("answers are text");
        let last = text.lines().last().and_then(|answer| answer.parse().ok()).expect("an answer is a number");
        known.lock().unwrap_or_else(PoisonError::into_inner).answered = last;
    }
}

#[test]
fn killed_again_and_again_it_saves_every_line_once() {
    let peer = Peer::start(talk_and_listen);
    let mut world = World::new("acknowledged", 21, &["--peer", &peer.address]);
    world.kill_again_and_again(|_, _| {});
    peer.look(|known| known.pauses = true);
    world.run_until(|world| {
        let all = peer.look(|known| (known.answered == known.sent).then_some(known.sent));
        all.is_some_and(|all| world.outputs("lines").values().map(Vec::len).sum::<usize>() as u64 >= all)
    });
    let batches = world.outputs("lines");
    let mut lines = Counts::new();
    batches.values().flatten().for_each(|line| *lines.entry(line.clone()).or_default() += 1);
    peer.look(|Answered { sent, answered, connections, repeated, .. }| {
        assert_eq!(answered, sent, "all lines are answered\n{}", world.complaint());
        let expected: Counts = (1..=*sent).map(|number| (format!("line {number}"), 1)).collect();
        assert_eq!(lines, expected, "{}", world.complaint());
        println!(
            "{} kills, {} batches: {sent} lines over {connections} connections, {repeated} of them sent again: each is saved once",
            kills(),
            batches.len()
        );
        assert!(*repeated > 0 && *sent > 100, "too little happened");
    });
    assert_no_gap(batches.keys().copied());
}
