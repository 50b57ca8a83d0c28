//! Carrying out a plan: first the originals into quarantine, then the changes, one by one.
//!
//! Owns the order that makes a crash harmless. Every file that changes or goes is first copied byte
//! for byte, synced and read back; a new segment is written beside the old one, synced, read back
//! and renamed over it. Never truncates or overwrites a file in place. Read `plan.rs` for what is
//! changed, and for the reason of the order.

use std::collections::BTreeSet;
use std::io;

use crate::disk::remove::remove_if_present;
use crate::disk::traits::{Access, Disk, DiskFile};
use crate::error::JournalError;
use crate::format::layout::*;
use crate::format::origin::Origin;
use crate::read::scan::scan;
use crate::read::scan_result::Scan;
use crate::repair::new_segment::{Content, NewSegment};
use crate::repair::plan::{RepairPlan, Step, plan_repair};
use crate::repair::relocate;
use crate::repair::salvage::{SegmentSurveys, select_candidates};
use crate::repair::set_aside::check_apart;

/// The bytes that are copied at once.
const COPY_BYTES: usize = 64 * 1024;

/// A repaired journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The result of a scan after the repair.
    pub scan: Scan,
    /// The paths of the copies of the originals.
    pub copies: Vec<String>,
}

/// Carries out a plan, if a person accepts the loss by its first sequence: `accept_loss_from` must
/// be the plan's [`first_sequence_lost`](RepairPlan::first_sequence_lost).
///
/// `quarantine` is another directory. The originals of all files that change or go are copied there
/// under their names before the first change. A crash at any step leaves either the repaired
/// journal or one that is refused as before, for which the same repair can be made again with the
/// same quarantine. Hold the lock of the data directory during plan and repair.
///
/// # Errors
/// [`JournalError::NotAccepted`], [`JournalError::PlanOutdated`] and [`JournalError::Quarantine`]
/// before the first change; [`JournalError::Io`] also later.
pub fn repair<D: Disk, Q: Disk>(
    disk: &D,
    quarantine: &Q,
    plan: &RepairPlan,
    accept_loss_from: u64,
) -> Result<Repaired, JournalError> {
    let first_sequence_lost = plan.first_sequence_lost;
    if accept_loss_from != first_sequence_lost {
        return Err(JournalError::NotAccepted { accepted: accept_loss_from, first_sequence_lost });
    }
    let snapshot = match plan.origin {
        Origin::Genesis => None,
        Origin::GenesisBeside(snapshot) | Origin::Snapshot(snapshot) => Some(snapshot),
    };
    if plan_repair(disk, snapshot)?.as_ref() != Some(plan) {
        return Err(JournalError::PlanOutdated);
    }
    check_apart(disk, quarantine)?;
    let names = disk.names().map_err(JournalError::io("list", disk.place(""), 0))?;
    let touched: BTreeSet<String> = plan.steps.iter().map(Step::name).collect();
    let mut copies = Vec::new();
    for name in touched.iter().filter(|name| names.contains(name)) {
        copy_aside(disk, quarantine, name)?;
        copies.push(quarantine.place(name));
    }
    let io = |operation, name: &str| JournalError::io(operation, disk.place(name), 0);
    for step in &plan.steps {
        match step {
            Step::Remove { name } => disk.remove(name).map_err(io("remove", name))?,
            Step::Put(segment) => put(disk, segment)?,
        }
        disk.sync_directory().map_err(io("sync", ""))?;
    }
    Ok(Repaired { scan: scan(disk, plan.origin)?, copies })
}

impl Step {
    fn name(&self) -> String {
        match self {
            Self::Remove { name } => name.clone(),
            Self::Put(segment) => segment_name(segment.header.number),
        }
    }
}

/// Copies a file. The copy gets its name after it was synced and read back, so a copy with this
/// name is always whole.
fn copy_aside<D: Disk, Q: Disk>(disk: &D, quarantine: &Q, name: &str) -> Result<(), JournalError> {
    let io = |operation| JournalError::io(operation, quarantine.place(name), 0);
    let source = disk.open(name, Access::Read);
    let source = source.map_err(JournalError::io("open", disk.place(name), 0))?;
    if quarantine.names().map_err(io("list"))?.iter().any(|taken| taken == name) {
        // An earlier attempt, which a crash ended, copied it, perhaps before its name was durable.
        check_copy(&source, disk, quarantine, name, name)?;
        return quarantine.sync_directory().map_err(io("sync the directory of"));
    }
    let temporary = format!("{name}.copying");
    remove_if_present(quarantine, &temporary)?;
    let bytes = source.bytes().map_err(JournalError::io("measure", disk.place(name), 0))?;
    let copy = quarantine.create(&temporary, bytes).map_err(io("create"))?;
    let mut block = vec![0; COPY_BYTES];
    for offset in (0..bytes).step_by(COPY_BYTES) {
        let block = &mut block[..(bytes - offset).min(COPY_BYTES as u64) as usize];
        let read = source.read_exact_at(block, offset);
        read.map_err(JournalError::io("read", disk.place(name), offset))?;
        copy.write_all_at(block, offset).map_err(io("write"))?;
    }
    copy.sync().map_err(io("sync"))?;
    drop(copy);
    check_copy(&source, disk, quarantine, name, &temporary)?;
    quarantine.rename(&temporary, name).map_err(io("rename"))?;
    quarantine.sync_directory().map_err(io("sync the directory of"))
}

fn check_copy<D: Disk, Q: Disk>(
    source: &D::File,
    disk: &D,
    quarantine: &Q,
    name: &str,
    copied: &str,
) -> Result<(), JournalError> {
    let io = |operation, offset| JournalError::io(operation, quarantine.place(copied), offset);
    let differs = || {
        let (file, reason) = (quarantine.place(copied), "it is no copy of what is to be repaired");
        Err(JournalError::Quarantine { file, reason })
    };
    let copy = quarantine.open(copied, Access::Read).map_err(io("open", 0))?;
    copy.forget_cached().map_err(io("drop the cached pages of", 0))?;
    let bytes = source.bytes().map_err(JournalError::io("measure", disk.place(name), 0))?;
    if copy.bytes().map_err(io("measure", 0))? != bytes {
        return differs();
    }
    let (mut one, mut other) = (vec![0; COPY_BYTES], vec![0; COPY_BYTES]);
    for offset in (0..bytes).step_by(COPY_BYTES) {
        let length = (bytes - offset).min(COPY_BYTES as u64) as usize;
        let read = source.read_exact_at(&mut one[..length], offset);
        read.map_err(JournalError::io("read", disk.place(name), offset))?;
        copy.read_exact_at(&mut other[..length], offset).map_err(io("read", offset))?;
        if one[..length] != other[..length] {
            return differs();
        }
    }
    Ok(())
}

/// Writes a segment beside the old one, reads it back and renames it.
fn put<D: Disk>(disk: &D, segment: &NewSegment) -> Result<(), JournalError> {
    let name = segment_name(segment.header.number);
    let temporary = preparing_name(segment.header.number);
    let io = |operation, offset| JournalError::io(operation, disk.place(&temporary), offset);
    let used = used_bytes(disk, segment)?;
    remove_if_present(disk, &temporary)?;
    let file = disk.create(&temporary, segment.header.bytes).map_err(io("create", 0))?;
    // In 4 KiB pieces, for the reason given at [`crate::append::prepare::prepare`].
    for offset in (0..segment.header.bytes).step_by(PAGE_BYTES) {
        file.write_all_at(&page_of(&used, offset), offset).map_err(io("write", offset))?;
    }
    file.sync().map_err(io("sync", 0))?;
    file.forget_cached().map_err(io("drop the cached pages of", 0))?;
    let mut written = [0; PAGE_BYTES];
    for offset in (0..segment.header.bytes).step_by(PAGE_BYTES) {
        file.read_exact_at(&mut written, offset).map_err(io("read", offset))?;
        if written != page_of(&used, offset) {
            return Err(io("read back", offset)(io::ErrorKind::InvalidData.into()));
        }
    }
    disk.rename(&temporary, &name).map_err(JournalError::io("rename", disk.place(&name), 0))
}

/// The bytes of the new segment up to its last one that is not zero: in memory at most one segment.
fn used_bytes<D: Disk>(disk: &D, segment: &NewSegment) -> Result<Vec<u8>, JournalError> {
    let header = segment.header;
    let mut used = match &segment.content {
        Content::Relocated(relocated) => {
            let (candidates, _) = select_candidates(SegmentSurveys::open_all(disk)?, header.id);
            relocate::compose(&candidates, header, relocated)?
        }
        &Content::Kept { end } if end > SEGMENT_HEADER_BYTES as u64 => {
            let name = segment_name(header.number);
            let io = |operation| JournalError::io(operation, disk.place(&name), 0);
            let file = disk.open(&name, Access::Read).map_err(io("open"))?;
            let mut kept = vec![0; end as usize];
            file.read_exact_at(&mut kept, 0).map_err(io("read"))?;
            kept
        }
        Content::Kept { .. } => vec![0; SEGMENT_HEADER_BYTES],
    };
    used[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
    Ok(used)
}

/// The page at this offset of a segment with these used bytes.
fn page_of(used: &[u8], offset: u64) -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    let used = used.get(offset as usize..).unwrap_or_default();
    let bytes = used.len().min(PAGE_BYTES);
    page[..bytes].copy_from_slice(&used[..bytes]);
    page
}
