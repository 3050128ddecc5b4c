//! Ctrl-C and SIGTERM as a graceful stop.
//!
//! Signals belong to the process, so there is one hub for all contexts. It is made when the first context asks for it;
//! until then the process keeps the system's behaviour. A signal stops all contexts that asked. When none of them runs, or
//! all were already asked to stop, a signal does what it would do without the library: it ends the process.

use std::sync::{Mutex, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::{Error, Result};
use crate::time::lock;

/// Asks a context to stop; `false` when that is of no use, because it was asked already or has stopped.
pub(crate) type AskToStop = Box<dyn Fn() -> bool + Send>;

static HUB: OnceLock<Mutex<Vec<AskToStop>>> = OnceLock::new();
static MAKING: Mutex<()> = Mutex::new(());

/// From now on the signals call `ask`.
pub(crate) fn subscribe(ask: AskToStop) -> Result<()> {
    let _making = lock(&MAKING);
    if let Some(hub) = HUB.get() {
        lock(hub).push(ask);
        return Ok(());
    }
    let signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| Error::io("cannot watch for Ctrl-C and SIGTERM", error))?;
    let hub = HUB.get_or_init(|| Mutex::new(vec![ask]));
    std::thread::Builder::new()
        .name("streamflow-signals".to_owned())
        .spawn(move || watch(hub, signals))
        .map_err(|error| Error::io("cannot start the thread that watches for signals", error))?;
    Ok(())
}

fn watch(hub: &Mutex<Vec<AskToStop>>, mut signals: Signals) {
    for signal in signals.forever() {
        let mut contexts = lock(hub);
        contexts.retain(|ask| ask());
        if contexts.is_empty() {
            drop(contexts);
            let _ = emulate_default_handler(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Driver;

    #[test]
    fn a_signal_stops_the_contexts_that_asked() {
        let (mut test, mut other) =
            (Driver::with(|builder| builder.stop_on_signals(true)).unwrap(), Driver::new().unwrap());
        for driver in [&mut test, &mut other] {
            let out = driver.output(&driver.input(vec![vec![1]]));
            driver.run_batches(1).unwrap();
            assert_eq!(out.batches(), [[1]]);
        }
        signal_hook::low_level::raise(SIGTERM).unwrap();
        test.context().await_termination().unwrap();
        other.run_batches(1).unwrap();
    }
}
