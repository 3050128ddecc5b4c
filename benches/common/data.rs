//! The data of the benches, the same in every run: a seed decides all of it.

use std::sync::Arc;

use streamflow::TextBlock;

/// Lines, words and distinct words of [`text`].
pub const LINES: usize = 200_000;
pub const WORDS: usize = 2_000_000;
pub const DISTINCT_WORDS: usize = 100_000;
/// Pairs of [`pairs`], and the keys that they are drawn from.
pub const PAIRS: usize = 2_000_000;
pub const KEYS: u64 = 1_000_000;
/// Lines of [`log`].
pub const LOG_LINES: usize = 1_000_000;
/// Numbers of [`numbers`].
pub const NUMBERS: usize = 8_000_000;

/// A small generator of good quality (splitmix64): equal seeds give equal data on every machine.
pub struct Random(u64);

impl Random {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// A number in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A word for each rank: short for the most frequent ranks, four or six letters for the others.
fn word(rank: usize) -> String {
    const CONSONANTS: &[u8; 20] = b"bcdfghjklmnpqrstvwxz";
    const VOWELS: &[u8; 5] = b"aeiou";
    let mut syllables = Vec::new();
    let mut rest = rank;
    loop {
        syllables.push(rest % 100);
        if rest < 100 {
            break;
        }
        rest = rest / 100 - 1;
    }
    let letters = syllables.iter().rev().flat_map(|s| [CONSONANTS[s / 5], VOWELS[s % 5]]);
    letters.map(char::from).collect()
}

/// Text of ten words a line. Each word occurs at least once; beyond that frequencies follow Zipf's law.
pub fn text() -> String {
    let mut random = Random::new(1);
    let mut total = 0.0;
    let cumulative: Vec<f64> = (1..=DISTINCT_WORDS)
        .map(|rank| {
            total += 1.0 / rank as f64;
            total
        })
        .collect();
    let mut ranks: Vec<usize> = (0..DISTINCT_WORDS).collect();
    ranks.extend((DISTINCT_WORDS..WORDS).map(|_| {
        let place = random.fraction() * total;
        cumulative.partition_point(|sum| *sum < place).min(DISTINCT_WORDS - 1)
    }));
    for last in (1..ranks.len()).rev() {
        ranks.swap(last, random.below(last as u64 + 1) as usize);
    }
    let words: Vec<String> = (0..DISTINCT_WORDS).map(word).collect();
    let mut text = String::new();
    for line in ranks.chunks(WORDS / LINES) {
        for (place, rank) in line.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { " " });
            text.push_str(&words[*rank]);
        }
        text.push('\n');
    }
    text
}

/// Pairs whose keys are drawn evenly from [`KEYS`] numbers that are spread over all 64 bits.
pub fn pairs() -> Vec<(u64, u64)> {
    let mut random = Random::new(2);
    (0..PAIRS).map(|_| (Random::new(random.below(KEYS)).next(), random.below(1_000))).collect()
}

/// Lines of a web service's log, about 90 bytes each; one in ten is an error.
pub fn log() -> String {
    const SERVICES: [&str; 5] = ["gateway", "checkout", "search", "profile", "inventory"];
    const PATHS: [&str; 4] = ["/v1/cart/items", "/v1/search", "/v2/users/me", "/health"];
    let mut random = Random::new(3);
    let mut text = String::new();
    for line in 0..LOG_LINES {
        let level = ["INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "DEBUG", "WARN", "ERROR"]
            [random.below(10) as usize];
        let service = SERVICES[random.below(5) as usize];
        let path = PATHS[random.below(4) as usize];
        let (millis, request) = (random.below(3_000), random.next());
        text.push_str(&format!(
            "2026-03-01T12:{:02}:{:02}.{:03}Z {level} {service} request={request:016x} path={path} took {millis} ms\n",
            line / 60 % 60,
            line % 60,
            line % 1_000,
        ));
    }
    text
}

/// Numbers without a pattern.
pub fn numbers() -> Vec<u64> {
    let mut random = Random::new(4);
    (0..NUMBERS).map(|_| random.next()).collect()
}

/// A text as a source hands it to a batch: its lines, in `partitions` blocks.
pub fn text_blocks(text: &str, partitions: usize) -> Vec<Arc<TextBlock>> {
    TextBlock::lines(text).split(partitions).into_iter().map(Arc::new).collect()
}

/// Records as a source hands them to a batch: in `partitions` blocks.
pub fn blocks<T: Clone>(records: &[T], partitions: usize) -> Vec<Arc<Vec<T>>> {
    records.chunks(records.len().div_ceil(partitions)).map(|part| Arc::new(part.to_vec())).collect()
}
