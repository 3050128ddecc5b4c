//! What a checkpoint holds beside state: the grid of batches and where the inputs stood.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::time::BatchTime;

/// The program's own part of a checkpoint. The topology is not in it: that is code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The batch after which the checkpoint was taken.
    pub(crate) batch: BatchTime,
    pub(crate) zero: BatchTime,
    /// When the program was started first.
    pub(crate) began: BatchTime,
    pub(crate) interval: Duration,
    /// For each input, the encoded ranges that still matter to it, oldest first.
    pub(crate) inputs: BTreeMap<String, Vec<(BatchTime, Vec<u8>)>>,
}

impl Program {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(self).map_err(|error| Error::output("a checkpoint cannot be encoded").because(error))
    }

    pub(crate) fn decode(bytes: &[u8], dir: &Path) -> Result<Self> {
        postcard::from_bytes(bytes).map_err(|error| {
            Error::input(format!("the checkpoint in `{}` has another form than this program writes", dir.display()))
                .because(error)
        })
    }
}
