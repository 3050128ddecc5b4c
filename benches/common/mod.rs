//! What the benches share: data, and each measured program in three forms.
//!
//! A [`Group`] is one task on one set of data; its [`Program`]s do the same work and give the same result:
//!
//! | program | what it is |
//! |---|---|
//! | `fused` | a `#[stream]` function as a user writes it ([`topologies`]) |
//! | `hand_written` | the best two-thread program without the library that we can write ([`hand_written`]) |
//! | `unfused` | the same topology with every operator in a function of its own ([`unfused`]) |

#![allow(dead_code, reason = "each bench uses a part of it")]
#![allow(unreachable_pub, reason = "a module of several benches: `pub` says what they use")]

pub mod data;
pub mod hand_written;
pub mod hand_written_states;
pub mod hand_written_windows;
pub mod states;
pub mod streaming;
pub mod topologies;
pub mod unfused;
pub mod windows;

use std::hash::Hash;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use ahash::RandomState;
use criterion::{Criterion, Throughput};
use streamflow::{BatchContext, DStream};

/// Threads of every program.
pub const THREADS: usize = 2;
/// What `grep` looks for.
pub const PATTERN: &str = "ERROR";

/// One task on one set of data.
pub struct Group {
    /// Its name: an interface, used by whoever compares results over time.
    pub name: &'static str,
    /// Records that go in: lines, words, pairs or numbers.
    pub elements: usize,
    /// The programs that do it.
    pub programs: Vec<Program>,
}

impl Group {
    /// The program of this name.
    pub fn program(&mut self, name: &str) -> &mut Program {
        self.programs.iter_mut().find(|program| program.name == name).expect("a pair names programs of its group")
    }
}

/// Measures the programs of a group.
pub fn measure(criterion: &mut Criterion, (name, make): Maker) {
    let mut group = make();
    let mut bench = criterion.benchmark_group(name);
    bench.throughput(Throughput::Elements(group.elements as u64));
    for program in &mut group.programs {
        bench.bench_function(program.name, |bencher| bencher.iter(|| program.run()));
    }
    bench.finish();
}

/// Settings for programs of some milliseconds.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args()
}

/// One way to do the task.
pub struct Program {
    /// `fused`, `hand_written`, `unfused`, or a further program of the group.
    pub name: &'static str,
    work: Box<dyn Work>,
}

impl Program {
    fn new<R: Outcome>(name: &'static str, run: impl FnMut() -> R + 'static) -> Self {
        Self { name, work: Box::new(run) }
    }

    fn topology<T, D>(name: &'static str, declare: D) -> Self
    where
        T: Hash + Send + Sync + 'static,
        D: Fn(&BatchContext) -> DStream<T> + 'static,
    {
        let threads = BatchContext::with(THREADS, THREADS).expect("threads can be started");
        Self { name, work: Box::new(Topology { threads, declare }) }
    }

    /// Does the task once, and frees the result.
    pub fn run(&mut self) {
        self.work.run();
    }

    /// Does the task once, and returns a number that is the same for equal results, whatever their order.
    pub fn digest(&mut self) -> u64 {
        self.work.digest()
    }
}

/// A program: a closure, or a topology.
pub trait Work {
    fn run(&mut self);
    fn digest(&mut self) -> u64;
}

impl<R: Outcome, F: FnMut() -> R> Work for F {
    fn run(&mut self) {
        black_box(self());
    }

    fn digest(&mut self) -> u64 {
        self().digest()
    }
}

/// A result that can be compared with those of the other programs.
pub trait Outcome {
    fn digest(&self) -> u64;
}

/// One record in one partition.
impl Outcome for u64 {
    fn digest(&self) -> u64 {
        vec![vec![*self]].digest()
    }
}

/// Partitions of records, each in any order.
impl<T: Hash> Outcome for Vec<Vec<T>> {
    fn digest(&self) -> u64 {
        let hasher = RandomState::with_seeds(5, 6, 7, 8);
        self.iter().flatten().fold(0, |sum, record| sum.wrapping_add(hasher.hash_one(record)))
    }
}

/// A topology that runs again and again, on the same threads.
struct Topology<D> {
    threads: BatchContext,
    declare: D,
}

impl<T, D> Work for Topology<D>
where
    T: Hash + Send + Sync + 'static,
    D: Fn(&BatchContext) -> DStream<T>,
{
    /// Hands the partitions to an output, as a program with streams does: it gets them in the tasks that made them.
    fn run(&mut self) {
        let ctx = self.threads.sibling();
        (self.declare)(&ctx).foreach_partition(|records| {
            black_box(records.size_hint());
        });
        ctx.run().expect("the program succeeds");
    }

    fn digest(&mut self) -> u64 {
        let ctx = self.threads.sibling();
        let result = (self.declare)(&ctx);
        ctx.collect_partitions(result).expect("the program succeeds").digest()
    }
}

fn threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("threads can be started")
}

/// A group by its name, and how to make it; making it makes its data.
pub type Maker = (&'static str, fn() -> Group);

/// The groups of [`fused`](topologies) programs.
pub const FUSED: [Maker; 4] =
    [("word_count", word_count), ("grep", grep), ("key_sum", key_sum), ("stateless_chain", stateless_chain)];

fn word_count() -> Group {
    let text = data::text();
    let blocks = data::text_blocks(&text, THREADS);
    let threads = threads();
    let same = blocks.clone();
    // The text lives as long as the process, so that a result may borrow from it.
    let text: &'static str = text.leak();
    let programs = vec![
        Program::topology("fused", move |ctx| topologies::word_count(ctx.text_blocks(blocks.clone()))),
        Program::new("hand_written", move || hand_written::word_count(&threads, text)),
        Program::topology("unfused", move |ctx| unfused::word_count(ctx.text_blocks(same.clone()))),
    ];
    Group { name: "word_count", elements: data::WORDS, programs }
}

fn grep() -> Group {
    let text = data::log();
    let blocks = data::text_blocks(&text, THREADS);
    let (threads, others) = (threads(), threads());
    let lines = Rc::new(hand_written::Lines::new(text));
    let alike = Rc::clone(&lines);
    let same = blocks.clone();
    let programs = vec![
        Program::topology("fused", move |ctx| topologies::grep(ctx.text_blocks(blocks.clone()))),
        Program::new("hand_written", move || hand_written::grep(&threads, &lines)),
        Program::topology("unfused", move |ctx| unfused::grep(ctx.text_blocks(same.clone()))),
        Program::new("whole_text", move || hand_written::grep_whole_text(&others, &alike)),
    ];
    Group { name: "grep", elements: data::LOG_LINES, programs }
}

fn key_sum() -> Group {
    let pairs = data::pairs();
    let blocks = data::blocks(&pairs, THREADS);
    let threads = threads();
    let same = blocks.clone();
    let programs = vec![
        Program::topology("fused", move |ctx| topologies::key_sum(ctx.partitions(blocks.clone()))),
        Program::new("hand_written", move || hand_written::key_sum(&threads, &pairs)),
        Program::topology("unfused", move |ctx| unfused::key_sum(ctx.partitions(same.clone()))),
    ];
    Group { name: "key_sum", elements: data::PAIRS, programs }
}

fn stateless_chain() -> Group {
    let numbers = data::numbers();
    let blocks = data::blocks(&numbers, THREADS);
    let threads = threads();
    let same = blocks.clone();
    let programs = vec![
        Program::topology("fused", move |ctx| topologies::stateless_chain(ctx.partitions(blocks.clone()))),
        Program::new("hand_written", move || hand_written::stateless_chain(&threads, &numbers)),
        Program::topology("unfused", move |ctx| unfused::stateless_chain(ctx.partitions(same.clone()))),
    ];
    Group { name: "stateless_chain", elements: data::NUMBERS, programs }
}
