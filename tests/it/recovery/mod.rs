//! Recovery: a program that is started again goes on as if nothing had happened.
//!
//! [`every_operation`] interrupts a program at each operation on its files; [`damage`] damages what it keeps at each byte. The
//! other modules look at one thing each: receivers, directories of files, batches that wait or were missed, programs that
//! changed, windows that did, the checkpoint directory, what listeners are told, SQLite.

mod batches;
mod changes;
mod damage;
mod directory;
mod every_operation;
mod files;
mod receivers;
#[cfg(feature = "sqlite")]
mod sqlite;
mod told;
mod windows;

use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{ManualClock, Result, StreamingContextBuilder};

/// A program's surroundings that outlive it: its files and its clock.
struct World {
    files: SimulatedFs,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        Self { files: SimulatedFs::new(1), clock: ManualClock::new() }
    }

    /// A driver with a checkpoint every second batch.
    fn driver(&self) -> Driver {
        self.driver_with(|builder| builder).expect("these settings can be used")
    }

    fn driver_with(&self, settings: impl FnOnce(StreamingContextBuilder) -> StreamingContextBuilder) -> Result<Driver> {
        Driver::with_clock(self.clock.clone(), |builder| {
            let every_second = 2 * std::time::Duration::from_secs(1);
            settings(builder.simulated_files(&self.files).checkpoint("checkpoint").checkpoint_interval(every_second))
        })
    }

    /// The same after the process was killed.
    fn restarted(self) -> Self {
        Self { files: self.files.restart(), clock: self.clock }
    }
}

/// The message of an error and of all its causes.
fn message(error: &streamflow::Error) -> String {
    format!("{error:?}")
}
