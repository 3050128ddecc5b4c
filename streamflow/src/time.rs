//! Time: the names of batches, and the clock that makes them due.
//!
//! Nothing else in the library asks the system for the time, so a program whose clock is a [`ManualClock`] is
//! deterministic: a test steps the clock and never sleeps.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The time of a batch: the end of its interval, which names the batch. Milliseconds since the Unix epoch.
///
/// A batch named `t` with an interval `i` holds what arrived in `(t - i, t]`. Batch times lie on the grid of the
/// interval: a program started at 20:23 with an interval of 15 minutes has its first batch at 20:30.
///
/// **Source**: Spark's `Time`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::BatchTime;
///
/// let time = BatchTime::from_millis(10_000);
/// assert_eq!(time + Duration::from_secs(1), BatchTime::from_millis(11_000));
/// assert_eq!(BatchTime::from_millis(1_350).floor(Duration::from_millis(500)), BatchTime::from_millis(1_000));
/// assert!(time.is_multiple_of(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct BatchTime(u64);

impl BatchTime {
    /// The batch that ends `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The last multiple of `interval` that is not after this time.
    ///
    /// # Panics
    /// If the interval is shorter than a millisecond.
    #[must_use]
    pub fn floor(self, interval: Duration) -> Self {
        Self(self.0 - self.0 % millis(interval))
    }

    /// The first multiple of `interval` strictly after this time.
    ///
    /// # Panics
    /// If the interval is shorter than a millisecond.
    #[must_use]
    pub fn next(self, interval: Duration) -> Self {
        self.floor(interval) + interval
    }

    /// The last time that is a multiple of `interval` from `grid` on and not after this time.
    pub(crate) fn floor_from(self, grid: BatchTime, interval: Duration) -> Self {
        Self(self.0 - self.0.saturating_sub(grid.0) % millis(interval))
    }

    /// Whether this time is a multiple of `interval`.
    ///
    /// # Panics
    /// If the interval is shorter than a millisecond.
    #[must_use]
    pub fn is_multiple_of(self, interval: Duration) -> bool {
        self.0.is_multiple_of(millis(interval))
    }

    /// The time from `earlier` to this time; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: BatchTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The times `self, self + step, …` before `end`.
    ///
    /// # Panics
    /// If the step is shorter than a millisecond.
    pub fn until(self, end: BatchTime, step: Duration) -> impl Iterator<Item = BatchTime> {
        let step = millis(step);
        (self.0..end.0).step_by(usize::try_from(step).unwrap_or(usize::MAX)).map(BatchTime)
    }

    /// The times `self, self + step, …` up to and including `end`.
    ///
    /// # Panics
    /// If the step is shorter than a millisecond.
    pub fn to(self, end: BatchTime, step: Duration) -> impl Iterator<Item = BatchTime> {
        self.until(BatchTime(end.0 + 1), step)
    }
}

impl fmt::Display for BatchTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl std::ops::Add<Duration> for BatchTime {
    type Output = BatchTime;
    fn add(self, duration: Duration) -> BatchTime {
        BatchTime(self.0 + duration.as_millis() as u64)
    }
}

/// Saturates at zero.
impl std::ops::Sub<Duration> for BatchTime {
    type Output = BatchTime;
    fn sub(self, duration: Duration) -> BatchTime {
        BatchTime(self.0.saturating_sub(duration.as_millis() as u64))
    }
}

fn millis(interval: Duration) -> u64 {
    let millis = interval.as_millis() as u64;
    assert!(millis > 0, "an interval of {interval:?} is shorter than a millisecond");
    millis
}

/// Checks that a duration is a positive whole number of milliseconds, the unit of batch times.
pub(crate) fn whole_millis(what: &str, duration: Duration) -> Result<Duration> {
    if duration.is_zero() || !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(Error::invalid(format!(
            "{what} of {duration:?} cannot be used: it must be a whole number of milliseconds, at least one"
        )));
    }
    Ok(duration)
}

/// Tells the time and waits for it.
///
/// # Contract
/// `now` never goes back. `wait_until` returns when the time has come or `stop` is set, whichever is first;
/// [`wake`](Clock::wake) makes every waiter look at its `stop` again.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> BatchTime;
    /// Blocks until `time` has come, and returns `true`; or until `stop` is set and the clock woken, and returns `false`.
    fn wait_until(&self, time: BatchTime, stop: &AtomicBool) -> bool;
    /// Makes all waiters check whether they should stop.
    fn wake(&self);
}

/// The clock of the machine. Steps of the system's clock are not seen: it is read once, then time runs monotonically.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    origin: Duration,
    speed: u32,
    lock: Mutex<()>,
    changed: Condvar,
}

impl SystemClock {
    /// A clock that starts at the system's present time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    pub fn new() -> Self {
        let origin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), origin, speed: 1, lock: Mutex::new(()), changed: Condvar::new() }
    }

    /// A clock that starts at the system's present time and runs `speed` times as fast: for demonstrations, and for data of
    /// the past that is played back.
    ///
    /// # Panics
    /// If the speed is zero.
    ///
    /// # Examples
    /// ```
    /// use streamflow::{Clock, SystemClock};
    ///
    /// let clock = SystemClock::with_speed(1_000);
    /// let soon = clock.now() + std::time::Duration::from_secs(1);
    /// assert!(clock.wait_until(soon, &false.into())); // after a millisecond
    /// assert!(clock.now() >= soon);
    /// ```
    #[must_use]
    pub fn with_speed(speed: u32) -> Self {
        assert!(speed > 0, "a clock with a speed of zero stands still: use a `ManualClock`");
        Self { speed, ..Self::new() }
    }

    fn since_epoch(&self) -> Duration {
        self.origin + self.started.elapsed() * self.speed
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> BatchTime {
        BatchTime(self.since_epoch().as_millis() as u64)
    }

    fn wait_until(&self, time: BatchTime, stop: &AtomicBool) -> bool {
        let due = Duration::from_millis(time.0);
        let mut guard = lock(&self.lock);
        loop {
            if stop.load(Ordering::SeqCst) {
                return false;
            }
            let now = self.since_epoch();
            if now >= due {
                return true;
            }
            guard =
                self.changed.wait_timeout(guard, (due - now) / self.speed).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wake(&self) {
        let _guard = lock(&self.lock);
        self.changed.notify_all();
    }
}

/// Measures how long a task takes, for metrics: nothing that a program computes depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a task takes real time also under a manual clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is told the time: for tests, and for runs that must be repeatable.
///
/// Clones are the same clock.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::{BatchTime, Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now(), BatchTime::from_millis(3_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<ManualTime>);

#[derive(Debug, Default)]
struct ManualTime {
    now: Mutex<u64>,
    changed: Condvar,
}

impl ManualClock {
    /// A clock that shows zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that shows `time`.
    #[must_use]
    pub fn at(time: BatchTime) -> Self {
        let clock = Self::default();
        clock.set(time);
        clock
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock; it does not go back.
    pub fn set(&self, time: BatchTime) {
        let mut now = lock(&self.0.now);
        *now = time.0.max(*now);
        self.0.changed.notify_all();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> BatchTime {
        BatchTime(*lock(&self.0.now))
    }

    fn wait_until(&self, time: BatchTime, stop: &AtomicBool) -> bool {
        let mut now = lock(&self.0.now);
        while *now < time.0 {
            if stop.load(Ordering::SeqCst) {
                return false;
            }
            now = self.0.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    fn wake(&self) {
        let _now = lock(&self.0.now);
        self.0.changed.notify_all();
    }
}

/// Locks a mutex whose data is sound at every instant, so that a panic elsewhere does not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> BatchTime {
        BatchTime::from_millis(millis)
    }

    #[test]
    fn floors_to_the_grid() {
        let cases = [(1350, 200, 1200), (1200, 200, 1200), (199, 200, 0)];
        for (time, interval, floor) in cases {
            assert_eq!(at(time).floor(Duration::from_millis(interval)), at(floor));
        }
        assert_eq!(at(1200).next(Duration::from_millis(200)), at(1400));
    }

    #[test]
    fn ranges_exclude_and_include_their_end() {
        let step = Duration::from_millis(100);
        assert_eq!(at(0).until(at(300), step).collect::<Vec<_>>(), [at(0), at(100), at(200)]);
        assert_eq!(at(0).to(at(300), step).count(), 4);
    }

    #[test]
    fn a_stopped_wait_returns_at_once() {
        let stop = AtomicBool::new(true);
        assert!(!ManualClock::new().wait_until(at(1), &stop));
        assert!(!SystemClock::new().wait_until(BatchTime(u64::MAX / 2), &stop));
    }

    #[test]
    fn durations_must_be_whole_milliseconds() {
        assert!(whole_millis("the batch interval", Duration::ZERO).is_err());
        assert!(whole_millis("the batch interval", Duration::from_micros(1500)).is_err());
        assert!(whole_millis("the batch interval", Duration::from_millis(1)).is_ok());
    }
}
