//! Distributions of delays in bounded memory.
//!
//! A delay is counted in a bucket whose width is an eighth of its lower bound, so a quantile is exact up to 12.5 %, and
//! below 8 ms to the millisecond, the resolution of batch times. 400 buckets cover every delay.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets for each doubling.
const STEPS: u64 = 8;
/// Enough for delays up to 2^50 ms.
const BUCKETS: usize = 400;

/// Counts delays; one thread adds, any thread reads.
pub(crate) struct Delays {
    buckets: Box<[AtomicU64]>,
    sum_millis: AtomicU64,
    last_millis: AtomicU64,
    max_millis: AtomicU64,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            buckets: std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect(),
            sum_millis: AtomicU64::default(),
            last_millis: AtomicU64::default(),
            max_millis: AtomicU64::default(),
        }
    }
}

impl Delays {
    /// Counts a delay.
    pub(crate) fn add(&self, delay: Duration) {
        let millis = delay.as_millis() as u64;
        self.buckets[bucket(millis)].fetch_add(1, Ordering::Relaxed);
        self.sum_millis.fetch_add(millis, Ordering::Relaxed);
        self.last_millis.store(millis, Ordering::Relaxed);
        self.max_millis.fetch_max(millis, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn snapshot(&self) -> DelayMetrics {
        let buckets: Vec<u64> = self.buckets.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        DelayMetrics {
            count: buckets.iter().sum(),
            sum: Duration::from_millis(self.sum_millis.load(Ordering::Relaxed)),
            last: Duration::from_millis(self.last_millis.load(Ordering::Relaxed)),
            max: Duration::from_millis(self.max_millis.load(Ordering::Relaxed)),
            buckets,
        }
    }
}

/// The bucket of a delay. The first hold one millisecond each.
fn bucket(millis: u64) -> usize {
    if millis < STEPS {
        return millis as usize;
    }
    let doubling = u64::from(millis.ilog2());
    let step = (millis >> (doubling - STEPS.ilog2() as u64)) - STEPS;
    (((doubling - STEPS.ilog2() as u64 + 1) * STEPS + step) as usize).min(BUCKETS - 1)
}

/// The smallest delay of a bucket, in milliseconds.
fn lower_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    (STEPS + bucket % STEPS) << doubling
}

/// The distribution of a delay over the batches of a context, in whole milliseconds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DelayMetrics {
    /// Number of batches.
    pub count: u64,
    /// All delays together.
    pub sum: Duration,
    /// That of the last batch.
    pub last: Duration,
    /// The longest.
    pub max: Duration,
    buckets: Vec<u64>,
}

impl DelayMetrics {
    /// The delay that this share of the batches did not exceed: `quantile(0.99)` is the 99th percentile. It is exact up to an
    /// eighth, and never more than [`max`](Self::max). Zero if there was no batch.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::metrics::DelayMetrics;
    ///
    /// assert_eq!(DelayMetrics::default().quantile(0.5), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                let upper = lower_bound(bucket + 1).saturating_sub(1).max(lower_bound(bucket));
                return Duration::from_millis(upper).min(self.max);
            }
        }
        self.max
    }

    /// The mean; zero if there was no batch.
    #[must_use]
    pub fn mean(&self) -> Duration {
        if self.count == 0 { Duration::ZERO } else { self.sum.div_f64(self.count as f64) }
    }

    /// How many delays were at most each of these bounds, which ascend.
    #[cfg(feature = "metrics")]
    pub(crate) fn up_to(&self, bounds: &[Duration]) -> Vec<u64> {
        let within = |bound: &Duration| {
            let millis = bound.as_millis() as u64;
            self.buckets.iter().enumerate().filter(|(bucket, _)| lower_bound(*bucket) <= millis).map(|(_, n)| n).sum()
        };
        bounds.iter().map(within).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_delay_once() {
        for millis in (0..5_000).chain([1 << 20, (1 << 20) + 1, 1 << 40]) {
            let bucket = bucket(millis);
            assert!(lower_bound(bucket) <= millis && millis < lower_bound(bucket + 1), "{millis} in {bucket}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_exact_up_to_an_eighth() {
        let delays = Delays::default();
        (1..=1_000).for_each(|millis| delays.add(Duration::from_millis(millis)));
        let all = delays.snapshot();
        for (share, exact) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0)] {
            let found = all.quantile(share).as_millis() as f64;
            assert!(found >= exact && found <= exact * 1.125, "{share}: {found}");
        }
        assert_eq!(all.quantile(1.0), Duration::from_millis(1_000));
        assert_eq!(all.mean(), Duration::from_micros(500_500));
        assert_eq!((all.count, all.last), (1_000, Duration::from_millis(1_000)));
    }
}
