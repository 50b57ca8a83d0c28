//! Reading: what a start finds, and how a live journal is followed. No file here writes.
//!
//! In reading order:
//!
//! - `scan`: the whole journal, or all of it behind an image
//! - `open_segments`: the checks before the first frame
//! - `walk`: from frame to frame
//! - `evidence`: what follows a bad frame
//! - `block_reader`: a segment read in blocks
//! - `tail`: reading on beside the writer
//! - `peek`: what headers and first frames alone can tell

pub(crate) mod block_reader;
pub(crate) mod evidence;
#[cfg(test)]
mod forged_tests;
pub(crate) mod open_segments;
pub(crate) mod peek;
pub(crate) mod scan;
pub(crate) mod tail;
pub(crate) mod walk;
