//! Work beside the writer or on a stopped directory: old segments removed, closed ones checked,
//! copies made.
//!
//! In reading order:
//!
//! - `prune`: segments removed that a snapshot has made unnecessary
//! - `scrub`: a closed segment read again
//! - `copy`: a journal, or its first part, copied to another directory
//! - `ballast`: disk space held back for when the disk is full

pub(crate) mod ballast;
pub(crate) mod copy;
pub(crate) mod prune;
pub(crate) mod scrub;
