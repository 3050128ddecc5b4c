//! What a program with streams usually needs: `use streamflow::prelude::*;`.

pub use std::time::Duration;

pub use crate::{Batch, DStream, Record, State, StateSpec, StaticTable, StreamingContext, stream};
