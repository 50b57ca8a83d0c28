//! The seam below the journal, and the two disks on this side of it.
//!
//! In reading order:
//!
//! - `traits`: what the journal asks of a disk
//! - `file_disk`: a real directory
//! - `mapped_file`: a real file and its mapping; the only `unsafe` of the crate
//! - `kill_points`: where a build with the feature `faults` can kill the process
//! - `memory_disk`: a directory in memory that can lose power
//! - `remove`: files removed that may not be there

pub(crate) mod file_disk;
pub(crate) mod kill_points;
pub(crate) mod mapped_file;
pub(crate) mod memory_disk;
pub(crate) mod remove;
pub(crate) mod traits;
