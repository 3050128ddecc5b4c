//! The measured programs without the library, as fast as we can write them for two threads.
//!
//! Common to all: threads are started once, the text is one piece of memory, keys borrow from it, a key is hashed once and
//! the hash is kept where it is worth its memory, and both the first pass and the merge use both threads.

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::ThreadPool;

/// A word with its hash and its count.
type Count<'a> = (u64, &'a str, u64);

fn add<'a>(table: &mut HashTable<Count<'a>>, (hash, word, count): Count<'a>) {
    match table.entry(hash, |entry| entry.0 == hash && entry.1 == word, |entry| entry.0) {
        Entry::Occupied(mut entry) => entry.get_mut().2 += count,
        Entry::Vacant(entry) => {
            entry.insert((hash, word, count));
        }
    }
}

/// How often each word occurs: each thread counts its half of the text in two tables by a bit of the hash, then each
/// thread merges the two tables of one value of the bit.
pub fn word_count<'a>(threads: &ThreadPool, text: &'a str) -> Vec<Vec<(&'a str, u64)>> {
    let middle = text.len() / 2;
    let middle = middle + memchr::memchr(b'\n', &text.as_bytes()[middle..]).map_or(0, |end| end + 1);
    let hasher = RandomState::with_seeds(1, 2, 3, 4);
    let count = |text: &'a str| {
        let mut tables = [HashTable::new(), HashTable::new()];
        let mut start = 0;
        // Words are short: looking at each byte is faster than calling a search for the next separator.
        for (end, byte) in text.bytes().enumerate() {
            if byte == b' ' || byte == b'\n' {
                let word = &text[start..end];
                let hash = hasher.hash_one(word);
                add(&mut tables[(hash >> 32 & 1) as usize], (hash, word, 1));
                start = end + 1;
            }
        }
        tables
    };
    let merge = |mut all: HashTable<Count<'a>>, other: HashTable<Count<'a>>| {
        for entry in other {
            add(&mut all, entry);
        }
        all.into_iter().map(|(_, word, count)| (word, count)).collect::<Vec<_>>()
    };
    let (first, second) = text.split_at(middle);
    let ([a0, a1], [b0, b1]) = threads.install(|| rayon::join(|| count(first), || count(second)));
    let (zero, one) = threads.install(|| rayon::join(|| merge(a0, b0), || merge(a1, b1)));
    vec![zero, one]
}

/// A text whose lines are known, as those of a batch are: one piece of memory, and the place of each line in it.
pub struct Lines {
    text: String,
    places: Vec<(u32, u32)>,
}

impl Lines {
    /// Finds the lines of a text.
    pub fn new(text: String) -> Self {
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        let places = ends.map(|end| (std::mem::replace(&mut start, end as u32 + 1), end as u32)).collect();
        Self { text, places }
    }
}

/// How many lines contain the pattern.
pub fn grep(threads: &ThreadPool, lines: &Lines) -> u64 {
    let finder = memchr::memmem::Finder::new(super::PATTERN);
    let text = lines.text.as_bytes();
    let found = |&&(start, end): &&(u32, u32)| finder.find(&text[start as usize..end as usize]).is_some();
    let count = |places: &[(u32, u32)]| places.iter().filter(found).count() as u64;
    let (first, second) = lines.places.split_at(lines.places.len() / 2);
    let (a, b) = threads.install(|| rayon::join(|| count(first), || count(second)));
    a + b
}

/// The same without looking at lines: a search through all of the text that looks for the end of a line only after a match.
/// No program that handles records one by one can do that; it shows what handling them costs.
pub fn grep_whole_text(threads: &ThreadPool, lines: &Lines) -> u64 {
    let text = lines.text.as_bytes();
    let middle = lines.places[lines.places.len() / 2].0 as usize;
    let finder = memchr::memmem::Finder::new(super::PATTERN);
    let count = |mut text: &[u8]| {
        let mut lines = 0;
        while let Some(found) = finder.find(text) {
            lines += 1;
            let Some(end) = memchr::memchr(b'\n', &text[found..]) else { break };
            text = &text[found + end..];
        }
        lines
    };
    let (first, second) = text.split_at(middle);
    let (a, b): (u64, u64) = threads.install(|| rayon::join(|| count(first), || count(second)));
    a + b
}

/// Pieces that [`key_sum`] cuts the pairs of a thread into, so that the table of a piece stays in the nearest caches.
const PIECES: usize = 64;

/// The sum of the values of each key. Most keys are new, so the first pass does not sum: it moves each pair to the piece of
/// its hash. Then the threads share the pieces and sum one after the other.
pub fn key_sum(threads: &ThreadPool, pairs: &[(u64, u64)]) -> Vec<Vec<(u64, u64)>> {
    type Pieces = Vec<Vec<(u64, u64)>>;
    let hasher = RandomState::with_seeds(1, 2, 3, 4);
    let scatter = |pairs: &[(u64, u64)]| {
        let expected = pairs.len() / PIECES;
        let mut pieces: Pieces = (0..PIECES).map(|_| Vec::with_capacity(expected + expected / 8)).collect();
        for &pair in pairs {
            pieces[(hasher.hash_one(pair.0) >> 32) as usize % PIECES].push(pair);
        }
        pieces
    };
    let sum = |left: &[Vec<(u64, u64)>], right: &[Vec<(u64, u64)>]| {
        let mut sums = Vec::with_capacity(left.iter().chain(right).map(Vec::len).sum());
        let mut table: HashTable<(u64, u64)> = HashTable::new();
        for (left, right) in left.iter().zip(right) {
            for &(key, value) in left.iter().chain(right) {
                match table.entry(hasher.hash_one(key), |e| e.0 == key, |e| hasher.hash_one(e.0)) {
                    Entry::Occupied(mut entry) => entry.get_mut().1 += value,
                    Entry::Vacant(entry) => {
                        entry.insert((key, value));
                    }
                }
            }
            sums.extend(table.drain());
        }
        sums
    };
    let (first, second) = pairs.split_at(pairs.len() / 2);
    let (a, b) = threads.install(|| rayon::join(|| scatter(first), || scatter(second)));
    let half = PIECES / 2;
    let (zero, one) = threads.install(|| rayon::join(|| sum(&a[..half], &b[..half]), || sum(&a[half..], &b[half..])));
    vec![zero, one]
}

/// The sum of the numbers that pass the chain.
pub fn stateless_chain(threads: &ThreadPool, numbers: &[u64]) -> u64 {
    let sum = |numbers: &[u64]| {
        let mut sum = 0_u64;
        for &n in numbers {
            let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if n % 10 < 7 {
                let (high, low) = (n >> 40, n & 0xffff);
                if high > low
                    && let Some(n) = high.checked_sub(low * 3)
                {
                    sum = sum.wrapping_add(n ^ (n >> 5));
                }
            }
        }
        sum
    };
    let (first, second) = numbers.split_at(numbers.len() / 2);
    let (a, b) = threads.install(|| rayon::join(|| sum(first), || sum(second)));
    a.wrapping_add(b)
}
