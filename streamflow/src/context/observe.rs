//! How a context is observed: its figures, the watch that warns, and the page.

use std::sync::Arc;

use super::{Core, Life, StreamingContext};
use crate::error::Result;
use crate::metrics::Metrics;
use crate::metrics::meters::Meters;
use crate::metrics::watch::Watch;
use crate::scheduler::generator::SharedInput;
use crate::scheduler::jobs::BatchHook;
use crate::scheduler::listener::CheckpointEvents;
#[cfg(feature = "ui")]
use crate::time::lock;
use crate::topology::Graph;

impl StreamingContext {
    /// The figures of batches, inputs, stages, streams and outputs since the start; empty before it. They stay when the
    /// context is stopped.
    ///
    /// **Cost**: a copy of all names and counters. Batches do not wait for it.
    ///
    /// # Examples
    /// ```
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// test.output(&test.input(vec![vec![1, 2, 3], vec![4]]));
    /// test.run_batches(2)?;
    /// let metrics = test.context().metrics();
    /// assert_eq!((metrics.batches.completed, metrics.batches.records), (2, 4));
    /// assert_eq!(metrics.inputs[0].last_records, 1);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.core().meters.get().map(|meters| meters.snapshot()).unwrap_or_default()
    }

    /// Reads the figures without keeping the context alive.
    #[cfg(feature = "metrics")]
    pub(crate) fn metrics_reader(&self) -> impl Fn() -> Option<Metrics> + Send + Sync + use<> {
        let core = Arc::downgrade(self.core());
        move || Some(core.upgrade()?.meters.get()?.snapshot())
    }

    /// Where the page of [`StreamingContextBuilder::ui`](crate::StreamingContextBuilder::ui) is served; nothing while the context is not active.
    #[cfg(feature = "ui")]
    #[must_use]
    pub fn ui_address(&self) -> Option<std::net::SocketAddr> {
        lock(&self.core().life).ui.as_ref().map(crate::ui::Server::address)
    }
}

impl Core {
    /// Begins to count, and serves the page if that was asked for.
    pub(super) fn observe(
        &self,
        life: &mut Life,
        graph: &Arc<Graph>,
        inputs: &[SharedInput],
        checkpoints: &CheckpointEvents,
    ) -> Result<&Arc<Meters>> {
        let names = inputs.iter().map(|input| Arc::clone(&input.name));
        let durable = Arc::clone(checkpoints.meter());
        let meters = self.meters.get_or_init(|| Arc::new(Meters::new(Arc::clone(graph), names, durable)));
        #[cfg(feature = "ui")]
        self.start_ui(life, graph, meters)?;
        #[cfg(not(feature = "ui"))]
        let _ = life;
        Ok(meters)
    }

    /// What hears of every batch.
    pub(super) fn hooks(&self, meters: &Arc<Meters>) -> Vec<Arc<dyn BatchHook>> {
        let mut hooks = self.config.hooks.clone();
        hooks.push(Arc::new(Watch::new(self.config.interval, Arc::clone(meters))));
        hooks
    }

    #[cfg(feature = "ui")]
    fn start_ui(&self, life: &mut Life, graph: &Graph, meters: &Arc<Meters>) -> Result<()> {
        let Some(address) = &self.config.ui else { return Ok(()) };
        let history = Arc::new(crate::ui::History::new());
        self.bus.add(Arc::clone(&history) as _);
        let hub = crate::ui::Hub {
            name: self.config.name.clone(),
            interval: self.config.interval,
            clock: Arc::clone(&self.config.clock),
            explanation: crate::Explanation::of(graph),
            meters: Arc::clone(meters),
            history,
            exporter: crate::metrics::Exporter::reading(&self.config.name, Arc::clone(meters)),
        };
        let server = crate::ui::Server::start(address, hub)?;
        eprintln!("streamflow: `{}` is shown at http://{}/", self.config.name, server.address());
        life.ui = Some(server);
        Ok(())
    }

    /// The last that is seen of a context.
    pub(super) fn close_ui(&self, life: &mut Life) {
        #[cfg(feature = "ui")]
        drop(life.ui.take());
        #[cfg(not(feature = "ui"))]
        let _ = life;
    }
}
