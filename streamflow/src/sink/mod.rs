//! Outputs: what is done with the batches of a stream.
