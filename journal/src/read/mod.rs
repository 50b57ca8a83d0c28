//! Reading: what a start finds, and how a live journal is followed. No file here writes.
//!
//! In reading order:
//!
//! - `scan`: the whole journal, or all of it after a snapshot
//! - `scan_result`: what it found
//! - `open_segments`: which segments are read, and the checks before the first frame
//! - `segment_file`: one of them
//! - `walk`: from frame to frame
//! - `evidence`: what follows a bad frame, collected; `format::verdict` judges it
//! - `block_reader`: a segment read in blocks
//! - `tail`: reading on beside the writer
//! - `raw_tail`: the same, frames as they lie, for a copy
//! - `verify_end`: whether a journal has a given end
//! - `peek`: what headers and first frames alone can tell

pub(crate) mod block_reader;
pub(crate) mod evidence;
#[cfg(test)]
mod forged_tests;
pub(crate) mod open_segments;
pub(crate) mod peek;
pub(crate) mod raw_tail;
pub(crate) mod scan;
pub(crate) mod scan_result;
pub(crate) mod segment_file;
pub(crate) mod tail;
pub(crate) mod verify_end;
pub(crate) mod walk;
