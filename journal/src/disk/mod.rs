//! The seam below the journal, and the two disks of this crate.
//!
//! In reading order:
//!
//! - `traits`: what the journal asks of a disk
//! - `file_disk`: a real directory
//! - `mapped_file`: a real file and its mapping; the only `unsafe` of the crate
//! - `failpoints`: where the disk stands still and the process dies on purpose, in a build with the
//!   feature `failpoints`
//! - `memory_disk`: a directory in memory that can lose power
//! - `remove`: removal of files that may not exist

pub(crate) mod failpoints;
pub(crate) mod file_disk;
pub(crate) mod mapped_file;
pub(crate) mod memory_disk;
pub(crate) mod remove;
pub(crate) mod traits;
