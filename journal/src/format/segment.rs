//! One segment file: its header, and how it is made.
//!
//! Owns identity (magic, format, journal, number, size) and preparation. Never reads or writes a
//! frame. Read `segment_allocator.rs` next for who calls [`prepare`] while the server runs.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::file_disk::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::layout::*;
use crate::format::verdict::Evidence;
use crate::planted::{Bug, planted};

/// How many bytes of a new segment are synced at once. The journal's own syncs wait behind it:
/// measured beside a preparation of 64 MiB, the longest took 30 ms with one sync of all, 4 ms with
/// steps of 4 MiB; steps of 1 MiB raise the 99.9th percentile from 0.2 to 0.65 ms.
const PREPARE_STEP_BYTES: u64 = 4 * 1024 * 1024;

/// The identity of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: JournalId,
    pub(crate) number: u64,
    pub(crate) bytes: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut page = [0; SEGMENT_HEADER_BYTES];
        write_at(&mut page, SEGMENT_MAGIC_AT, SEGMENT_MAGIC);
        write_at(&mut page, SEGMENT_FORMAT_AT, FORMAT_VERSION.to_le_bytes());
        write_at(&mut page, SEGMENT_ID_AT, self.id.0);
        write_at(&mut page, SEGMENT_NUMBER_AT, self.number.to_le_bytes());
        write_at(&mut page, SEGMENT_BYTES_AT, self.bytes.to_le_bytes());
        let crc = header_checksum(&page);
        write_at(&mut page, SEGMENT_CRC_AT, crc.to_le_bytes());
        page
    }

    /// Reads a header page; says what is wrong with it otherwise.
    ///
    /// The checksum comes before the format, and both keep their place in every format, so that a
    /// flipped bit never passes for another version.
    pub(crate) fn decode(page: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, Evidence> {
        let intact = page[SEGMENT_MAGIC_AT..SEGMENT_FORMAT_AT] == SEGMENT_MAGIC
            && read_u32(page, SEGMENT_CRC_AT) == header_checksum(page);
        if !intact {
            return Err(Evidence::HeaderDamaged);
        }
        let format = read_u32(page, SEGMENT_FORMAT_AT);
        if format != FORMAT_VERSION {
            return Err(Evidence::OtherFormat { format });
        }
        let mut id = [0; 16];
        id.copy_from_slice(&page[SEGMENT_ID_AT..SEGMENT_NUMBER_AT]);
        let header = Self {
            id: JournalId(id),
            number: read_u64(page, SEGMENT_NUMBER_AT),
            bytes: read_u64(page, SEGMENT_BYTES_AT),
        };
        if segment_bytes_allowed(header.bytes) { Ok(header) } else { Err(Evidence::HeaderDamaged) }
    }

    /// The identity of the segment that follows this one.
    pub(crate) fn successor(&self, options: &Options) -> Self {
        Self { number: self.number + 1, bytes: options.segment_bytes, ..*self }
    }

    /// What every checksum of this segment's frames starts from.
    pub(crate) fn seed(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.id.0);
        hasher.update(&self.number.to_le_bytes());
        hasher.finalize()
    }
}

fn header_checksum(page: &[u8; SEGMENT_HEADER_BYTES]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..SEGMENT_CRC_AT]);
    hasher.update(&page[SEGMENT_ID_AT..]);
    hasher.finalize()
}

/// A segment ready for its first frame, or for its next.
pub(crate) struct ReadySegment<D: Disk> {
    pub(crate) header: SegmentHeader,
    pub(crate) mapped: <D::File as DiskFile>::Mapped,
}

/// Makes a segment of zeros and puts it in place; returns `None` if told to stop meanwhile.
///
/// The space is allocated and the zeros are written before the file gets its name, so that no
/// later store can meet a full disk, and a later sync has only data to write. Zeros go through the
/// page cache in 4 KiB pieces: larger writes make the kernel build large folios, which every small
/// sync then writes whole (measured on Linux 6.18 with ext4: 2,400 instead of 8,000 syncs/s).
pub(crate) fn prepare<D: Disk>(
    disk: &D,
    header: SegmentHeader,
    stop: &AtomicBool,
) -> Result<Option<ReadySegment<D>>, JournalError> {
    let (temporary, name) = (preparing_name(header.number), segment_name(header.number));
    remove_if_present(disk, &temporary)?;
    let file = match write_zeros(disk, &temporary, header, stop) {
        Ok(Some(file)) => file,
        other => {
            // What was allocated is space that a full disk needs; the next start removes it, too.
            let _ = disk.remove(&temporary);
            return other.map(|_| None);
        }
    };
    disk.rename(&temporary, &name).map_err(JournalError::io("rename", disk.place(&name), 0))?;
    if !planted(Bug::DirectorySyncSkipped) {
        disk.sync_directory().map_err(JournalError::io(
            "sync the directory of",
            disk.place(&name),
            0,
        ))?;
    }
    let mapped = file.map(header.bytes).map_err(JournalError::io("map", disk.place(&name), 0))?;
    Ok(Some(ReadySegment { header, mapped }))
}

fn write_zeros<D: Disk>(
    disk: &D,
    name: &str,
    header: SegmentHeader,
    stop: &AtomicBool,
) -> Result<Option<D::File>, JournalError> {
    const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];
    let file = disk.create(name, header.bytes).map_err(JournalError::io(
        "allocate",
        disk.place(name),
        0,
    ))?;
    let mut page = header.encode();
    let written = if planted(Bug::SpaceUnwritten) { PAGE_BYTES as u64 } else { header.bytes };
    for offset in (0..written).step_by(PAGE_BYTES) {
        file.write_all_at(&page, offset).map_err(JournalError::io(
            "write",
            disk.place(name),
            offset,
        ))?;
        page = ZEROS;
        let end = offset + PAGE_BYTES as u64;
        if end.is_multiple_of(PREPARE_STEP_BYTES) || end == written {
            file.sync().map_err(JournalError::io("sync", disk.place(name), offset))?;
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
    }
    Ok(Some(file))
}

pub(crate) fn remove_if_present<D: Disk>(disk: &D, name: &str) -> Result<(), JournalError> {
    match disk.remove(name) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(JournalError::Io { operation: "remove", file: disk.place(name), offset: 0, cause })
        }
        _ => Ok(()),
    }
}

/// Removes what an interrupted preparation left behind.
pub(crate) fn remove_leftovers<D: Disk>(disk: &D) -> Result<(), JournalError> {
    let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
    let mut removed = false;
    for name in names.iter().filter(|name| is_preparing_name(name)) {
        remove_if_present(disk, name)?;
        removed = true;
    }
    if removed {
        disk.sync_directory().map_err(JournalError::io("sync", disk.place(""), 0))?;
    }
    Ok(())
}

/// Maps a segment that exists, as a scan found it.
pub(crate) fn reopen<D: Disk>(
    disk: &D,
    header: SegmentHeader,
) -> Result<ReadySegment<D>, JournalError> {
    let name = segment_name(header.number);
    let file = disk.open(&name, Access::ReadAndWrite).map_err(JournalError::io(
        "open",
        disk.place(&name),
        0,
    ))?;
    let mapped = file.map(header.bytes).map_err(JournalError::io("map", disk.place(&name), 0))?;
    Ok(ReadySegment { header, mapped })
}
