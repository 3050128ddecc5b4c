//! How fast a receiver may store.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::time::{BatchTime, Clock, lock};

/// A producer that was held up may catch up so much: timers are late by milliseconds, and the rate is meant on average.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Holds a producer to a number of records per second; without a limit it costs a lock.
///
/// **Source**: Spark's `RateLimiter`: an update never raises the rate above the maximum, and updates that are not
/// positive are ignored.
pub(crate) struct RateLimiter {
    clock: Arc<dyn Clock>,
    max: Option<u64>,
    state: Mutex<State>,
}

struct State {
    rate: Option<u64>,
    /// When the next record may pass, in nanoseconds since the epoch.
    next: u128,
}

impl RateLimiter {
    /// A limiter that begins with the smaller of `initial` and `max` records per second.
    pub(crate) fn new(clock: Arc<dyn Clock>, max: Option<u64>, initial: Option<u64>) -> Self {
        let rate = match (initial, max) {
            (Some(initial), Some(max)) => Some(initial.min(max)),
            (initial, max) => initial.or(max),
        };
        Self { clock, max, state: Mutex::new(State { rate, next: 0 }) }
    }

    /// Sets the rate, in records per second.
    pub(crate) fn update(&self, rate: i64) {
        if let Some(rate) = u64::try_from(rate).ok().filter(|rate| *rate > 0) {
            lock(&self.state).rate = Some(self.max.map_or(rate, |max| rate.min(max)));
        }
    }

    /// The present rate; nothing if there is no limit.
    pub(crate) fn rate(&self) -> Option<u64> {
        lock(&self.state).rate
    }

    /// Waits until `records` more may pass; `false` if `stop` was set before.
    pub(crate) fn acquire(&self, records: usize, stop: &AtomicBool) -> bool {
        let due = {
            let mut state = lock(&self.state);
            let Some(rate) = state.rate else { return true };
            let now = u128::from(self.clock.now().as_millis()) * 1_000_000;
            let start = state.next.max(now.saturating_sub(CATCH_UP.as_nanos()));
            state.next = start + records as u128 * 1_000_000_000 / u128::from(rate);
            if start <= now {
                return true;
            }
            BatchTime::from_millis(u64::try_from(start.div_ceil(1_000_000)).unwrap_or(u64::MAX))
        };
        self.clock.wait_until(due, stop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn updates_stay_below_the_maximum() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
        let limiter = RateLimiter::new(Arc::clone(&clock), Some(100), None);
        assert_eq!(limiter.rate(), Some(100));
        for (update, rate) in [(50, 50), (500, 100), (0, 100), (-3, 100), (7, 7)] {
            limiter.update(update);
            assert_eq!(limiter.rate(), Some(rate));
        }
        let initial = |max, initial| RateLimiter::new(Arc::clone(&clock), max, initial).rate();
        assert_eq!(initial(None, None), None);
        assert_eq!(initial(Some(5), Some(9)), Some(5));
        assert_eq!(initial(None, Some(9)), Some(9));
    }

    #[test]
    fn the_rate_holds_on_average() {
        let clock = ManualClock::at(BatchTime::from_millis(10_000));
        let limiter = RateLimiter::new(Arc::new(clock.clone()), Some(1_000), None);
        let stopped = AtomicBool::new(true);
        let mut passed = 0;
        for _ in 0..1_000 {
            // A stopped limiter does not wait, so what passes is what needs no wait.
            while limiter.acquire(1, &stopped) {
                passed += 1;
            }
            clock.advance(Duration::from_millis(2));
        }
        let allowed = 2_000 + CATCH_UP.as_millis() as i64;
        assert!(passed <= allowed && passed >= 900, "{passed} passed, {allowed} may");
    }
}
