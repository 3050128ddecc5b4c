//! What a program with streams usually needs: `use streamflow::prelude::*;`.

pub use crate::{Batch, DStream, Record, State, StateSpec, StaticTable, stream};
