//! Copies of what a cut takes away, in another directory.
//!
//! Owns a copy of a part of a segment: its header page and the frames that go, at their places, and
//! nothing else. A copy gets its name after it was synced and read back, so one with this name is
//! always whole. Never changes the journal. Read `cut.rs` for what goes, `execute.rs` for the copies
//! that a repair makes of whole files.

use crate::disk::remove::remove_if_present;
use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::layout::*;
use crate::format::segment::SegmentHeader;

/// The bytes that are copied at once.
const COPY_BYTES: usize = 64 * 1024;

/// The part of a segment that goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) header: SegmentHeader,
    /// The offset of its first byte.
    pub(crate) start: u64,
    /// The offset after its last byte that is not zero.
    pub(crate) end: u64,
    /// The number of whole frames in it.
    pub(crate) frames: u64,
    /// The first and last sequence in them.
    pub(crate) sequences: Option<(u64, u64)>,
}

impl Part {
    pub(crate) fn bytes(&self) -> u64 {
        self.end - self.start
    }

    pub(crate) fn name(&self) -> String {
        segment_name(self.header.number)
    }
}

/// Checks that these are two directories. A copy in the same one would be taken as the original.
pub(crate) fn check_apart<D: Disk, Q: Disk>(disk: &D, other: &Q) -> Result<(), JournalError> {
    const PROBE: &str = "probe.copying";
    let io = |operation| JournalError::io(operation, other.place(PROBE), 0);
    remove_if_present(other, PROBE)?;
    other.create(PROBE, SECTOR_BYTES as u64).map_err(io("create"))?;
    let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0));
    other.remove(PROBE).map_err(io("remove"))?;
    if names?.iter().any(|name| name == PROBE) {
        let (file, reason) = (other.place(""), "it is the journal's own directory");
        return Err(JournalError::Quarantine { file, reason });
    }
    Ok(())
}

/// Copies a part, unless an earlier attempt has. What that attempt has overwritten with zeros
/// already is in the copy.
pub(crate) fn set_aside<D: Disk, A: Disk>(
    disk: &D,
    aside: &A,
    part: &Part,
) -> Result<(), JournalError> {
    let name = part.name();
    let io = |operation| JournalError::io(operation, aside.place(&name), 0);
    let source = disk.open(&name, Access::Read);
    let source = source.map_err(JournalError::io("open", disk.place(&name), 0))?;
    let copying = Copying { source: &source, source_place: disk.place(&name), part };
    if aside.names().map_err(io("list"))?.contains(&name) {
        copying.compare(aside, &name, Zeros::MayStand)?;
        // The attempt may have been killed before its name was durable.
        return aside.sync_directory().map_err(io("sync the directory of"));
    }
    let temporary = format!("{name}.copying");
    remove_if_present(aside, &temporary)?;
    copying.write(aside, &temporary)?;
    copying.compare(aside, &temporary, Zeros::Differ)?;
    aside.rename(&temporary, &name).map_err(io("rename"))?;
    aside.sync_directory().map_err(io("sync the directory of"))
}

/// Whether zeros in the journal may stand for whatever the copy has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zeros {
    MayStand,
    Differ,
}

struct Copying<'s, F> {
    source: &'s F,
    source_place: String,
    part: &'s Part,
}

impl<F: DiskFile> Copying<'_, F> {
    /// The pieces of the part: offset and length.
    fn pieces(&self) -> impl Iterator<Item = (u64, usize)> {
        let Part { start, end, .. } = *self.part;
        let piece = move |offset: u64| (offset, (end - offset).min(COPY_BYTES as u64) as usize);
        (start..end).step_by(COPY_BYTES).map(piece)
    }

    fn read(&self, block: &mut [u8], offset: u64) -> Result<(), JournalError> {
        let read = self.source.read_exact_at(block, offset);
        read.map_err(JournalError::io("read", self.source_place.clone(), offset))
    }

    /// Writes the copy and syncs it. It has the size of the segment, and takes the space of what
    /// goes, if the file system can do that.
    fn write<A: Disk>(&self, aside: &A, name: &str) -> Result<(), JournalError> {
        let io = |operation, offset| JournalError::io(operation, aside.place(name), offset);
        let header = self.part.header;
        let copy = aside.create(name, 0).map_err(io("create", 0))?;
        let last = header.bytes - PAGE_BYTES as u64;
        copy.write_all_at(&[0; PAGE_BYTES], last).map_err(io("write", last))?;
        copy.write_all_at(&header.encode(), 0).map_err(io("write", 0))?;
        let mut block = vec![0; COPY_BYTES];
        for (offset, length) in self.pieces() {
            self.read(&mut block[..length], offset)?;
            copy.write_all_at(&block[..length], offset).map_err(io("write", offset))?;
        }
        copy.sync().map_err(io("sync", 0))
    }

    /// Reads the copy back and compares it with what goes.
    fn compare<A: Disk>(&self, aside: &A, name: &str, zeros: Zeros) -> Result<(), JournalError> {
        let io = |operation, offset| JournalError::io(operation, aside.place(name), offset);
        let copy = aside.open(name, Access::Read).map_err(io("open", 0))?;
        copy.forget_cached().map_err(io("drop the cached pages of", 0))?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        copy.read_exact_at(&mut header, 0).map_err(io("read", 0))?;
        let mut same = header == self.part.header.encode()
            && copy.bytes().map_err(io("measure", 0))? == self.part.header.bytes;
        let (mut one, mut other) = (vec![0; COPY_BYTES], vec![0; COPY_BYTES]);
        for (offset, length) in self.pieces() {
            self.read(&mut one[..length], offset)?;
            copy.read_exact_at(&mut other[..length], offset).map_err(io("read", offset))?;
            let mut pairs = one[..length].iter().zip(&other[..length]);
            same &= pairs.all(|(source, copied)| {
                source == copied || (zeros == Zeros::MayStand && *source == 0)
            });
        }
        if same {
            return Ok(());
        }
        let (file, reason) = (aside.place(name), "it is no copy of what is to be cut off");
        Err(JournalError::Quarantine { file, reason })
    }
}
