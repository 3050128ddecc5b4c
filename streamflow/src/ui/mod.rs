//! The live page of a context: a small web server on a thread of its own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`server`] | addresses, routes, headers |
//! | [`history`] | a listener that keeps the last batches, in bounded memory |
//! | [`json`] | what the page is told |
//! | [`layout`] | places for the boxes of the topology |
//!
//! The page itself is in `page/`: HTML, CSS and JavaScript as they are sent. It fetches the topology and the batches once,
//! then hears of changes by server-sent events.
//!
//! *Cost*: batches only pay for the listener's events. Requests are answered from the history and the meters on the
//! server's thread, which batches do not wait for. *Safety*: the server listens on loopback unless told otherwise, and
//! answers there only if it was addressed so; it takes no input but paths; the page sets what comes from the program as
//! text, and its policy forbids scripts other than its own.

mod history;
mod json;
mod layout;
mod server;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::history::History;
use self::history::Memory;
pub(crate) use self::server::{Address, Server};
use crate::metrics::Exporter;
use crate::metrics::meters::Meters;
use crate::plan::explain::Explanation;
use crate::time::Clock;

/// A program keeps up while its oldest unfinished batch waits for no more than so many intervals.
const TOLERATED_INTERVALS: u32 = 3;
/// But a short interval is no reason to call a hiccup a failure.
const TOLERATED_LAG: Duration = Duration::from_secs(1);

/// What the server reads.
pub(crate) struct Hub {
    pub(crate) name: String,
    pub(crate) interval: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) explanation: Explanation,
    pub(crate) meters: Arc<Meters>,
    pub(crate) history: Arc<History>,
    pub(crate) exporter: Exporter,
}

impl Hub {
    /// How long the oldest unfinished batch has been waiting and processed.
    fn lag(&self, memory: &Memory) -> Duration {
        let oldest = memory.active.values().next();
        oldest.map_or(Duration::ZERO, |row| self.clock.now().since(row.submitted))
    }

    /// How much of that is normal.
    fn tolerance(&self) -> Duration {
        self.interval.saturating_mul(TOLERATED_INTERVALS).max(TOLERATED_LAG)
    }
}
