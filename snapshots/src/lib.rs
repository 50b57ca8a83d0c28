//! Snapshot files of opaque bytes: written, verified, listed, pruned.
//!
//! It owns the way of an encoded snapshot to the disk and back: a snapshot gets its name only after
//! it is whole, synced and read back, whether it is written here ([`SnapshotWriter`]) or comes from
//! another machine ([`SnapshotReceiver`]); bytes are checked before they are handed out
//! ([`SnapshotReader`]); a start finds the newest snapshot that it can trust ([`newest_valid`]); old
//! snapshots are removed only after newer ones were verified ([`prune`]).
//! It never knows what a snapshot means, reads no clock, retries no failed sync, and changes no
//! snapshot that has its name.
//!
//! Where to read next: `FORMAT.md` beside this crate is the layout byte by byte; `writer.rs` is the
//! order in which a snapshot is written; [`Damage`] lists everything that can be wrong. The seam
//! below which a test puts a disk of its own is the journal's [`doorbuster_journal::Disk`].
//!
//! Invariants of absence: no `unsafe`; no panic on any content of any file; no more memory than one
//! block per reader or writer, however long the snapshot; no use of a length from a file before it
//! was checked; no two files that use one another.

#![warn(missing_docs)]
#![forbid(unsafe_code)]

mod catalog;
mod error;
mod format;
mod header;
mod prune;
mod reader;
mod receiver;
mod trailer;
mod writer;

pub use catalog::{Listed, Newest, PassedOver, SnapshotState, list, newest_valid};
pub use error::{Damage, LoadError, SnapshotError};
pub use format::{
    BLOCK_BYTES_MAX, BLOCK_PAYLOAD_BYTES_MAX, FORMAT_VERSION, KEPT_SNAPSHOTS_MIN,
    PAYLOAD_BYTES_MAX, TOTALS_BYTES_MAX, snapshot_bytes, snapshot_name,
};
pub use header::Meta;
pub use prune::{Keep, Pruned, prune, remove_leftovers};
pub use reader::{SnapshotReader, Verified, no_pause, verify, verify_with};
pub use receiver::SnapshotReceiver;
pub use writer::SnapshotWriter;
