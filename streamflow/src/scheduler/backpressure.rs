//! Backpressure: how fast receivers may store, estimated from how fast batches are processed.

use std::time::Duration;

use crate::error::{Error, Result};

/// A proportional, integral, derivative controller of the rate at which an input may deliver.
///
/// The *error* is the difference between the last rate and the speed at which the last batch was processed; the
/// *accumulated error* are the records that the scheduling delay stands for. The new rate is
/// `rate - proportional · error - integral · accumulated - derivative · change of error per second`, and never below the
/// minimum.
///
/// **Units**: rates are records per second. **Source**: Spark's `PIDRateEstimator`, with its constants as defaults: 1.0, 0.2,
/// 0.0 and at least 100 records per second.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::{PidRateEstimator, Result};
///
/// let mut pid = PidRateEstimator::new(Duration::from_secs(1))?;
/// let (second, half) = (Duration::from_secs(1), Duration::from_millis(500));
/// assert_eq!(pid.estimate(1_000, 1_000, second, Duration::ZERO), None, "the first batch only sets the speed");
/// let rate = pid.estimate(2_000, 1_000, half, Duration::ZERO);
/// assert_eq!(rate, Some(2_000.0), "it took half the interval, so twice as much would fit");
/// # Ok::<(), streamflow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PidRateEstimator {
    interval: Duration,
    proportional: f64,
    integral: f64,
    derivative: f64,
    min_rate: f64,
    /// Time in milliseconds, rate and error of the last batch that counted.
    last: Option<(u64, f64, f64)>,
}

impl PidRateEstimator {
    /// An estimator for batches of this interval, with Spark's constants.
    ///
    /// # Errors
    /// When the interval is zero.
    pub fn new(batch_interval: Duration) -> Result<Self> {
        if batch_interval.is_zero() {
            return Err(Error::invalid("a rate cannot be estimated for a batch interval of zero"));
        }
        let (proportional, integral, derivative, min_rate) = (1.0, 0.2, 0.0, 100.0);
        Ok(Self { interval: batch_interval, proportional, integral, derivative, min_rate, last: None })
    }

    /// Sets the weights of the error, of the accumulated error and of its change.
    ///
    /// # Errors
    /// When one is negative or not a number.
    pub fn weights(self, proportional: f64, integral: f64, derivative: f64) -> Result<Self> {
        if ![proportional, integral, derivative].iter().all(|weight| *weight >= 0.0) {
            return Err(Error::invalid(format!(
                "weights of {proportional}, {integral} and {derivative} cannot be used: none may be negative"
            )));
        }
        Ok(Self { proportional, integral, derivative, ..self })
    }

    /// Sets the lowest rate, in records per second.
    ///
    /// # Errors
    /// When it is not above zero: an input that may deliver nothing would never be measured again.
    pub fn min_rate(self, records_per_second: f64) -> Result<Self> {
        if records_per_second.is_nan() || records_per_second <= 0.0 {
            return Err(Error::invalid(format!(
                "a lowest rate of {records_per_second} cannot be used: it must be above zero"
            )));
        }
        Ok(Self { min_rate: records_per_second, ..self })
    }

    /// The rate after a batch that ended at `time_ms` and held `records`; nothing if the batch tells nothing: the first, one
    /// without records or processing time, one that is not later than the last.
    pub fn estimate(&mut self, time_ms: u64, records: u64, processing: Duration, scheduling: Duration) -> Option<f64> {
        let later = self.last.is_none_or(|(last, ..)| time_ms > last);
        if !later || records == 0 || processing.is_zero() {
            return None;
        }
        let speed = records as f64 / processing.as_secs_f64();
        let Some((last_time, last_rate, last_error)) = self.last else {
            self.last = Some((time_ms, speed, 0.0));
            return None;
        };
        let since = (time_ms - last_time) as f64 / 1_000.0;
        let error = last_rate - speed;
        let accumulated = scheduling.as_secs_f64() * speed / self.interval.as_secs_f64();
        let change = (error - last_error) / since;
        let correction = self.proportional * error + self.integral * accumulated + self.derivative * change;
        let rate = (last_rate - correction).max(self.min_rate);
        self.last = Some((time_ms, rate, error));
        Some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_slow_program_settles_at_the_minimum() {
        let mut pid = PidRateEstimator::new(millis(20)).unwrap().weights(1.0, 1.0, 0.0).unwrap().min_rate(5.0).unwrap();
        let rates: Vec<_> = (0..10).map(|batch| pid.estimate(batch * 20, 1, millis(20), millis(100))).collect();
        assert_eq!(rates[0], None);
        assert!(rates[1..].iter().all(|rate| *rate == Some(5.0)), "{rates:?}");
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let pid = || PidRateEstimator::new(millis(20)).unwrap();
        assert!(PidRateEstimator::new(Duration::ZERO).is_err());
        assert!(pid().weights(-1.0, 0.0, 0.0).is_err() && pid().weights(f64::NAN, 0.0, 0.0).is_err());
        assert!(pid().min_rate(0.0).is_err() && pid().min_rate(f64::NAN).is_err());
    }
}
