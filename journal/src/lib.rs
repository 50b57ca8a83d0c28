//! The journal: memory-mapped, zero-filled segments of frames of opaque records.
//!
//! It owns the bytes on disk: how they are stored ([`Journal`]), when they are durable
//! ([`Journal::sync`]), what is still there after a crash ([`scan`]), how a start continues from that
//! ([`Journal::resume`]), what is given up once an image holds it ([`prune`]), how a first part of it
//! comes to another directory ([`copy_prefix`]), and what an operator
//! needs on a bad day ([`verify_segment`], [`dump`], [`plan_repair`], [`repair`]). It never knows
//! what a record means, reads no clock (stamps are passed in), retries no failed sync, cuts no file
//! shorter, and uses no segment twice.
//! [`populate`] and [`release_freed_memory`] stand here only because `mapped.rs` is where `unsafe` is:
//! they are about memory, not about what is on disk.
//!
//! Where to read next: `FORMAT.md` beside this crate is the layout byte by byte; [`Verdict`] is the
//! table of everything a scan can find; `journal.rs` is the hot path; `disk.rs` is the seam below
//! which a test or a simulator puts a disk of its own.
//!
//! Invariants of absence: no lock and no allocation in [`Journal::push`] and [`Journal::finish`],
//! but for the few bytes of an end mark once per segment; no `unsafe` outside `mapped.rs`; no panic
//! on any content of any file.
//!
//! ```
//! use doorbuster_journal::{
//!     Journal, JournalId, MemoryDisk, Options, Origin, SEGMENT_BYTES_MIN, scan_with,
//! };
//!
//! # fn main() -> Result<(), doorbuster_journal::JournalError> {
//! let disk = MemoryDisk::default(); // or `FileDisk::open(directory)?`
//! let options = Options { segment_bytes: SEGMENT_BYTES_MIN };
//! let mut journal = Journal::create(disk.clone(), options, JournalId([7; 16]))?;
//! journal.begin(1, 1_700_000_000_000);
//! assert_eq!(journal.push(|frame| frame.extend_from_slice(b"sold"))?, 1);
//! journal.finish()?;
//! assert_eq!(journal.sync()?, 1);
//! journal.close()?;
//!
//! let mut records = Vec::new();
//! let found = scan_with(&disk, Origin::Genesis, &mut |frame| {
//!     records.extend(frame.records().map(|(sequence, record)| (sequence, record.to_vec())));
//!     Ok(())
//! })?;
//! assert_eq!(records, [(1, b"sold".to_vec())]);
//! let mut journal = Journal::resume(disk, options, found)?;
//! # journal.begin(2, 1_700_000_000_001);
//! # Ok(())
//! # }
//! ```

mod ballast;
mod carry;
mod disk;
mod dump;
mod error;
#[cfg(test)]
mod forged_tests;
mod format;
mod frame;
mod glance;
mod journal;
mod mapped;
mod memory_disk;
mod opened;
mod origin;
mod plan;
mod planted;
mod prefix;
mod preparer;
mod prune;
mod regions;
mod repair;
mod resume;
mod salvage;
mod scan;
mod scrub;
mod segment;
mod spares;
mod steps;
mod tail;
mod verdict;
mod vouch;
mod walk;
mod window;

pub use ballast::Ballast;
pub use disk::{Access, DIRECTORY_MODE, Disk, DiskFile, FILE_MODE, FileDisk, Mapped};
pub use dump::{DumpContent, DumpItem, dump};
pub use error::{JournalError, Refusal, VisitError};
pub use format::{
    FORMAT_VERSION, FRAME_BYTES_MAX, JournalId, Options, RECORD_BYTES_MAX, SEAL_TOTALS_BYTES_MAX,
    SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, turn_bytes_max,
};
pub use frame::{Frame, Kind, Records};
pub use glance::{journal_id, sequence_at};
pub use journal::{Journal, Room};
pub use mapped::{MappedFile, OpenFile, populate, release_freed_memory};
pub use memory_disk::{MemoryDisk, MemoryFile, MemoryMapped};
pub use origin::{ImageEnd, Origin};
pub use plan::{Loss, RepairPlan, plan_repair};
#[cfg(feature = "planted")]
pub use planted::plant;
pub use planted::{Bug, planted};
pub use prefix::{Behind, Copied, Space, begin_behind, copy_prefix, sync_scanned};
pub use preparer::SpareMaker;
pub use prune::{Pruned, Pruner, prune};
pub use regions::Gap;
pub use repair::{Repaired, repair};
pub use scan::{Dropped, Scan, SegmentScan, scan, scan_with};
pub use scrub::{Link, Scrubbed, verify_segment};
pub use spares::Spare;
pub use tail::{Sought, Tail};
pub use verdict::Verdict;
