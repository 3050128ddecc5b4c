//! A set of small numbers, a bit for each.

/// Numbers in a word.
pub(crate) const WORD: u32 = u64::BITS;

/// A set of numbers, which grows with the largest.
#[derive(Default)]
pub(crate) struct Bits(Vec<u64>);

/// The word of a number, and its bit there.
#[inline]
fn place(number: u32) -> (usize, u64) {
    ((number / WORD) as usize, 1 << (number % WORD))
}

/// The numbers of a word.
#[inline]
pub(crate) fn numbers(word: usize, mut bits: u64) -> impl Iterator<Item = u32> {
    let first = word as u32 * WORD;
    std::iter::from_fn(move || {
        let bit = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(first + bit)
    })
}

impl Bits {
    #[inline]
    pub(crate) fn contains(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Adds numbers.
    pub(crate) fn extend(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.insert(number);
        }
    }

    /// Adds a number; returns whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        let (word, bit) = place(number);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let before = self.0[word];
        self.0[word] = before | bit;
        before & bit == 0
    }

    #[inline]
    pub(crate) fn remove(&mut self, number: u32) {
        let (word, bit) = place(number);
        if let Some(bits) = self.0.get_mut(word) {
            *bits &= !bit;
        }
    }

    /// How many words there are.
    #[inline]
    pub(crate) fn words(&self) -> usize {
        self.0.len()
    }

    /// A word; 0 beyond the last.
    #[inline]
    pub(crate) fn word(&self, word: usize) -> u64 {
        self.0.get(word).copied().unwrap_or(0)
    }

    /// A word that exists.
    #[inline]
    pub(crate) fn word_mut(&mut self, word: usize) -> &mut u64 {
        &mut self.0[word]
    }

    /// The numbers, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().flat_map(|(word, &bits)| numbers(word, bits))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_and_go_in_order() {
        let mut bits = Bits::default();
        for number in [200, 0, 63, 64, 127] {
            assert!(bits.insert(number) && !bits.insert(number));
        }
        bits.remove(64);
        bits.remove(1_000);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 127, 200]);
        assert!(bits.contains(63) && !bits.contains(64) && !bits.contains(1_000));
        assert_eq!((bits.words(), bits.word(3), bits.word(9)), (4, 1 << 8, 0));
    }
}
