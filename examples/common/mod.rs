//! What the examples share: the flags `--ui` and `--progress`, and a summary for the end.

use streamflow::listener::{Progress, Summary};
use streamflow::{StreamingContext, StreamingContextBuilder};

/// Ways to watch an example run; `docs/operating.md` says how to read what they show.
#[derive(clap::Args)]
pub(crate) struct Watch {
    /// Serves the live page while the example runs, at this address if one is given.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:4040")]
    ui: Option<String>,
    /// Shows a line with rate and delays on a terminal; best with the other output in a file.
    #[arg(long)]
    pub(crate) progress: bool,
}

impl Watch {
    /// The settings of a context, with the page if it is asked for.
    pub(crate) fn page(&self, builder: StreamingContextBuilder) -> StreamingContextBuilder {
        match &self.ui {
            Some(address) => builder.ui(address),
            None => builder,
        }
    }

    /// Shows the progress of a context if that is asked for. Returns a summary, which is complete when the context has
    /// stopped.
    pub(crate) fn listen(&self, ctx: &StreamingContext) -> Summary {
        if self.progress {
            ctx.add_listener(Progress::new());
        }
        let summary = Summary::new();
        ctx.add_listener(summary.clone());
        summary
    }
}
