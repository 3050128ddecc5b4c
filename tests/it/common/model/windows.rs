//! Windows, recomputed from their batches at every slide.
//!
//! Lengths and slides are counted in batches of the context. A window at batch `b` holds the parent's data sets of the
//! batches `(b - length, b]` as far as they exist; the result has a data set at every multiple of the slide.

use super::{Batch, Stream, flat, reduced};

/// Length and slide, in batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) length: usize,
    pub(crate) slide: usize,
}

impl Window {
    /// Whether the window that ends at batch `end` holds batch `batch`.
    fn holds(self, end: usize, batch: usize) -> bool {
        batch <= end && batch + self.length > end
    }
}

impl<T: Clone> Stream<T> {
    /// A stream with a data set at each slide, made from the number of the batch.
    fn sliding<U>(&self, slide: usize, mut f: impl FnMut(usize) -> Batch<U>) -> Stream<U> {
        let batches = (1..=self.batches.len()).map(|end| end.is_multiple_of(slide).then(|| f(end))).collect();
        Stream { batches, slide }
    }

    /// The parent's data sets of some batches.
    fn within(&self, wanted: impl Fn(usize) -> bool) -> Batch<T> {
        let numbered = self.batches.iter().enumerate().map(|(index, batch)| (index + 1, batch));
        numbered.filter(|(batch, _)| wanted(*batch)).filter_map(|(_, batch)| batch.clone()).flatten().collect()
    }

    pub(crate) fn window(&self, window: Window) -> Stream<T> {
        self.sliding(window.slide, |end| self.within(|batch| window.holds(end, batch)))
    }

    pub(crate) fn reduce_by_window(&self, f: impl Fn(T, T) -> T, window: Window) -> Stream<T> {
        self.window(window).reduce(f)
    }

    /// The same with an inverse: once there was a record, every later window has a value.
    pub(crate) fn reduce_by_window_with_inverse(
        &self,
        f: impl Fn(T, T) -> T,
        inverse: impl Fn(T, T) -> T,
        window: Window,
    ) -> Stream<T> {
        self.map(|record| ((), record)).reduce_by_key_and_window_with_inverse(f, inverse, |_| true, window).values()
    }

    /// Nothing before the first record, zero for later windows without records.
    pub(crate) fn count_by_window(&self, window: Window) -> Stream<u64> {
        self.map(|_| 1).reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, window)
    }
}

impl<T: Clone + PartialEq> Stream<T> {
    pub(crate) fn count_by_value_and_window(&self, window: Window) -> Stream<(T, u64)> {
        let ones = self.map(|record| (record, 1));
        ones.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, |(_, count)| *count > 0, window)
    }
}

impl<K: Clone + PartialEq, V: Clone> Stream<(K, V)> {
    pub(crate) fn group_by_key_and_window(&self, window: Window) -> Stream<(K, Vec<V>)> {
        self.window(window).group_by_key()
    }

    pub(crate) fn reduce_by_key_and_window(&self, f: impl Fn(V, V) -> V, window: Window) -> Stream<(K, V)> {
        self.window(window).reduce_by_key(f)
    }

    /// The result before, less what left the window, plus what entered it.
    ///
    /// A key stays, with the neutral value in the end, unless `keep` drops it. Batches that lie between two windows, where
    /// the slide is greater than the length, count for neither.
    pub(crate) fn reduce_by_key_and_window_with_inverse(
        &self,
        f: impl Fn(V, V) -> V,
        inverse: impl Fn(V, V) -> V,
        keep: impl Fn(&(K, V)) -> bool,
        window: Window,
    ) -> Stream<(K, V)> {
        let panes = self.reduce_by_key(&f);
        let mut result: Vec<(K, V)> = Vec::new();
        self.sliding(window.slide, |end| {
            let before = |batch| end > window.slide && window.holds(end - window.slide, batch);
            let left = panes.within(|batch| before(batch) && !window.holds(end, batch));
            let entered = panes.within(|batch| window.holds(end, batch) && !before(batch));
            for (key, value) in reduced(&flat(&left), &f) {
                if let Some((_, result)) = result.iter_mut().find(|(known, _)| *known == key) {
                    *result = inverse(result.clone(), value);
                }
            }
            for (key, value) in reduced(&flat(&entered), &f) {
                match result.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, result)) => *result = f(result.clone(), value),
                    None => result.push((key, value)),
                }
            }
            result.retain(&keep);
            vec![result.clone()]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(batches: &[&[i64]]) -> Stream<i64> {
        Stream::source(&batches.iter().map(|batch| batch.to_vec()).collect::<Vec<_>>(), 1)
    }

    #[test]
    fn first_windows_are_partial_and_outputs_come_at_slides() {
        let sums = numbers(&[&[1], &[2], &[3], &[4]]).reduce_by_window(|a, b| a + b, Window { length: 3, slide: 2 });
        assert_eq!(sums.records(), [[3], [9]]);
        assert!(sums.batches[0].is_none() && sums.batches[2].is_none());
    }

    #[test]
    fn with_an_inverse_a_window_without_records_is_neutral() {
        let window = Window { length: 1, slide: 1 };
        let input = numbers(&[&[], &[5], &[], &[2, 3]]);
        let sums = input.reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, window);
        assert_eq!(sums.records(), [vec![], vec![5], vec![0], vec![5]]);
        assert_eq!(input.reduce_by_window(|a, b| a + b, window).records(), [vec![], vec![5], vec![], vec![5]]);
    }

    #[test]
    fn batches_between_two_windows_count_for_neither() {
        let window = Window { length: 1, slide: 3 };
        let pairs = numbers(&[&[1], &[2], &[3], &[4], &[5], &[6]]).map(|n| ('k', n));
        let sums = pairs.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, |_| true, window);
        assert_eq!(sums.records(), [[('k', 3)], [('k', 6)]]);
        assert_eq!(sums, pairs.reduce_by_key_and_window(|a, b| a + b, window));
    }

    #[test]
    fn a_window_of_windows_holds_each_of_its_panes() {
        let pairs = numbers(&[&[1], &[2], &[3], &[4]]).window(Window { length: 2, slide: 2 });
        assert_eq!(pairs.window(Window { length: 4, slide: 4 }).records(), [[1, 2, 3, 4]]);
        let groups = numbers(&[&[1], &[2]]).map(|n| (0, n)).group_by_key_and_window(Window { length: 2, slide: 2 });
        assert_eq!(groups.records(), [[(0, vec![1, 2])]]);
    }
}
