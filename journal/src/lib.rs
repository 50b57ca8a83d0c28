//! The journal: memory-mapped, zero-filled segments of frames of opaque records.
//!
//! It owns the bytes on disk: how they are stored ([`Journal`]), when they are durable
//! ([`Journal::sync`]), what a crash left ([`scan`]), how a start continues from that
//! ([`Journal::resume`]), what can be removed once a snapshot holds it ([`prune`]), how its first
//! part is copied to another directory ([`copy_prefix`]), how a copy of a live journal grows frame by
//! frame ([`RawTail`], [`Journal::copy`]), begins ([`Journal::begin_at`]) and gives up what another
//! writer's journal replaces ([`common_end`], [`cut`]), and what an operator needs on a bad day
//! ([`verify_segment`], [`dump`], [`plan_repair`], [`repair`]). It never knows what a record means,
//! reads no clock (the caller passes stamps), retries no failed sync, truncates no file, and uses
//! no segment twice. [`populate`] and [`release_freed_memory`] are here only because
//! `disk/mapped_file.rs` holds the `unsafe`: they concern memory of the process, not of a file.
//!
//! Where to read next: `FORMAT.md` beside this crate is the layout byte by byte; [`Verdict`] is the
//! table of everything that a scan can find. Then the folders, each with a table of contents in its
//! `mod.rs`: `format`, `disk` (the seam below which a test or a simulator puts a disk of its own),
//! `append` (`append/journal.rs` is the hot path), `read`, `repair`, `upkeep`.
//!
//! Invariants of absence: no lock and no allocation in [`Journal::push`] and [`Journal::finish`],
//! except the few bytes of an end mark once per segment; no `unsafe` outside `disk/mapped_file.rs`;
//! no panic on any content of any file; no two files that use one another.
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

#![warn(missing_docs)]

mod append;
mod disk;
mod error;
mod format;
mod read;
mod repair;
mod upkeep;

pub use append::begin_at::JournalBeginning;
pub use append::journal::{FreeSpace, Journal};
pub use append::segment_allocator::SegmentAllocator;
pub use append::spares::Spare;
#[cfg(feature = "failpoints")]
pub use disk::failpoints::armed as failpoint_armed;
pub use disk::file_disk::{DIRECTORY_MODE, FILE_MODE, FileDisk};
pub use disk::mapped_file::{MappedFile, OpenFile, populate, release_freed_memory};
pub use disk::memory_disk::{MemoryDisk, MemoryFile, MemoryMapped};
pub use disk::traits::{Access, Disk, DiskFile, Mapped};
pub use error::{JournalError, Refusal, VisitError};
pub use format::bytes;
pub use format::discontinuity::Discontinuity;
pub use format::frame::{Frame, Kind, Records};
pub use format::history::{
    CommonEnd, EPOCHS_MAX, EpochStart, EpochTable, FramePlace, JournalEnd, JournalHistory,
    common_end,
};
pub use format::layout::{
    FORMAT_VERSION, FRAME_BYTES_MAX, JournalId, RECORD_BYTES_MAX, SEAL_TOTALS_BYTES_MAX,
    SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, turn_bytes_max,
};
pub use format::options::Options;
pub use format::origin::{Origin, SnapshotEnd};
pub use format::verdict::Verdict;
pub use read::peek::{journal_id, sequence_at};
pub use read::raw_tail::{RawTail, RawVisit};
pub use read::scan::{scan, scan_with};
pub use read::scan_result::{Dropped, Scan, SegmentScan};
pub use read::tail::{SeekResult, Tail};
pub use read::verify_end::verify_end;
pub use repair::cut::{CutLimits, CutTail, cut};
pub use repair::dump::{DumpContent, DumpItem, dump};
pub use repair::execute::{Repaired, repair};
pub use repair::frame_search::Gap;
pub use repair::loss::Loss;
pub use repair::plan::{RepairPlan, plan_repair};
pub use upkeep::ballast::Ballast;
pub use upkeep::copy::{
    Copied, Space, StartAfterSnapshot, copy_prefix, create_after_snapshot, sync_scanned,
};
pub use upkeep::prune::{Pruned, Pruner, prune};
pub use upkeep::scrub::{Link, Scrubbed, verify_segment};
