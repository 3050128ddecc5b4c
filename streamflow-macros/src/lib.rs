//! Procedural macros of `streamflow`.
