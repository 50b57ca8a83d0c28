//! Image files of opaque bytes: written, verified, listed, pruned.
//!
//! It owns the way of an encoded image to the disk and back: an image gets its name only after it
//! is whole, synced and read back ([`ImageWriter`]); bytes are checked before they are handed out
//! ([`ImageReader`]); a start finds the newest image that it can trust ([`newest_valid`]); old
//! images are removed only after newer ones were verified ([`prune`]). It never knows what an image
//! means, reads no clock, retries no failed sync, and changes no image that has its name.
//!
//! Where to read next: `FORMAT.md` beside this crate is the layout byte by byte; `writer.rs` is the
//! order in which an image is written; [`Damage`] lists everything that can be wrong. The seam
//! below which a test puts a disk of its own is the journal's [`doorbuster_journal::Disk`].
//!
//! Invariants of absence: no `unsafe`; no panic on any content of any file; no more memory than one
//! block per reader or writer, however long the image; no use of a length from a file before it was
//! checked; no two files that use one another.

#![forbid(unsafe_code)]

mod catalog;
mod error;
mod format;
mod header;
mod prune;
mod reader;
mod trailer;
mod writer;

pub use catalog::{ImageState, Listed, Newest, PassedOver, list, newest_valid};
pub use error::{Damage, LoadError, SnapshotError};
pub use format::{
    BLOCK_BYTES_MAX, BLOCK_PAYLOAD_BYTES_MAX, FORMAT_VERSION, KEPT_IMAGES_MIN, PAYLOAD_BYTES_MAX,
    TOTALS_BYTES_MAX, image_bytes, image_name,
};
pub use header::Meta;
pub use prune::{Keep, Pruned, prune, remove_leftovers};
pub use reader::{ImageReader, Verified, no_pause, verify, verify_with};
pub use writer::ImageWriter;
