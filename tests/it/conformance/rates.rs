//! The tables about rates: what backpressure estimates, and to what a receiver is held.

use std::time::Duration;

use serde_json::Value as Json;
use streamflow::source::{Receiver, ReceiverOptions, ReceiverSource, Source, SourceCx, Store};
use streamflow::testing::Driver;
use streamflow::{BatchTime, PidRateEstimator};

use super::extra::millis;

/// The estimator of backpressure, call by call.
pub(super) fn pid(json: &Json) -> Result<(), String> {
    let settings = &json["constructor"];
    let number = |name: &str| settings[name].as_f64().ok_or_else(|| format!("no {name}"));
    let interval = Duration::from_millis(millis(&settings["batch_ms"])?);
    let estimator = PidRateEstimator::new(interval)
        .and_then(|pid| {
            pid.weights(
                number("proportional").unwrap_or(-1.0),
                number("integral").unwrap_or(-1.0),
                number("derivative").unwrap_or(-1.0),
            )
        })
        .and_then(|pid| pid.min_rate(number("min_rate").unwrap_or(-1.0)));
    let mut estimator = estimator.map_err(|error| error.to_string())?;
    for call in json["calls"].as_array().ok_or("no calls")? {
        // What Spark's suite calls a negative number of records or time is none.
        let at_least_zero = |name: &str| call[name].as_i64().map_or(0, |number| u64::try_from(number).unwrap_or(0));
        let got = estimator.estimate(
            at_least_zero("time_ms"),
            at_least_zero("elements"),
            Duration::from_millis(at_least_zero("processing_ms")),
            Duration::from_millis(at_least_zero("scheduling_ms")),
        );
        let same = match (got, call["expected"].as_f64()) {
            (Some(got), Some(expected)) => (got - expected).abs() <= expected.abs() * 1e-9,
            (got, expected) => got.is_none() && expected.is_none(),
        };
        if !same {
            return Err(format!("{call} gives {got:?}"));
        }
    }
    Ok(())
}

/// The rate of a receiver after an update, as the metrics of its input show it.
pub(super) fn limiter(json: &Json) -> Result<(), String> {
    // What Spark's suite calls a negative rate is none.
    let update = u64::try_from(json["update"].as_i64().ok_or("no update")?).unwrap_or(0);
    let options = ReceiverOptions::new();
    let options = json["max_rate"].as_u64().map_or(options.clone(), |max| options.max_rate(max));
    let receiver = ReceiverSource::new("idle", Idle, options).map_err(|error| error.to_string())?;
    let driver = Driver::new().map_err(|error| error.to_string())?;
    let stream = driver.context().source("idle", Updated { receiver, update }).map_err(|error| error.to_string())?;
    driver.output(&stream);
    driver.context().start().map_err(|error| error.to_string())?;
    let rate = driver.context().metrics().inputs[0].rate_limit;
    if rate == json["expected"].as_u64() { Ok(()) } else { Err(format!("the rate is {rate:?}")) }
}

/// A receiver that stores nothing.
struct Idle;

impl Receiver for Idle {
    type Record = u32;
    fn receive(&mut self, store: &Store<u32>) -> streamflow::Result<()> {
        while store.wait(Duration::from_secs(1)) {}
        Ok(())
    }
}

/// The receiver as a source that is told a rate as soon as it runs.
struct Updated {
    receiver: ReceiverSource<Idle>,
    update: u64,
}

impl Source for Updated {
    type Record = u32;
    type Range = <ReceiverSource<Idle> as Source>::Range;

    fn start(&mut self, cx: &SourceCx) -> streamflow::Result<()> {
        self.receiver.start(cx)?;
        self.receiver.set_rate(self.update);
        Ok(())
    }

    fn next_range(&mut self, batch: BatchTime) -> streamflow::Result<Self::Range> {
        self.receiver.next_range(batch)
    }

    fn read(&mut self, range: &Self::Range) -> streamflow::Result<Vec<Vec<u32>>> {
        self.receiver.read(range)
    }

    fn stop(&mut self) {
        self.receiver.stop();
    }
}
