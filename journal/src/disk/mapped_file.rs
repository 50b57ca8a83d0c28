//! A real file: plain reads and writes, and the mapping through which frames are stored. Also the
//! prefault of memory.
//!
//! Owns the only `unsafe` of the crate. Never decides what is stored where. No other process may
//! shrink a mapped file: the server holds the lock of its data directory before it opens one.

#![expect(
    unsafe_code,
    reason = "storing into a mapping, and asking for pages, is the purpose of this file"
)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::process::{Resource, getrlimit};

use crate::disk::failpoints::{before_step, stall_sync};
use crate::disk::traits::{DiskFile, Mapped};

/// An opened file of a real directory.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
}

impl OpenFile {
    pub(crate) fn new(file: File) -> Self {
        Self { file }
    }
}

impl DiskFile for OpenFile {
    type Mapped = MappedFile;

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        before_step("write", "a file");
        self.file.write_all_at(bytes, offset).map_err(with_limit)
    }

    fn sync(&self) -> io::Result<()> {
        before_step("sync", "a file");
        self.file.sync_data()
    }

    fn forget_cached(&self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed)?)
    }

    /// Tells the kernel that access is random before it populates the mapping, so that a cold cache
    /// is filled in small pages (measured on Linux 6.18 with ext4: 7,200 instead of 5,300 syncs/s
    /// later).
    fn map(self, bytes: u64) -> io::Result<MappedFile> {
        let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if self.bytes()? < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let map = MmapOptions::new().len(length).map_raw(&self.file)?;
        map.advise(Advice::Random)?;
        loop {
            match map.advise(Advice::PopulateRead) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Before Linux 5.14: each page is read at its first store.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
                other => break other?,
            }
        }
        Ok(MappedFile { map, file: self.file })
    }
}

/// Adds the limit to the error of a file that would exceed it: the system only says that there is
/// one. (Its signal must be handled, or it ends the process.)
pub(crate) fn with_limit(cause: io::Error) -> io::Error {
    let limit = getrlimit(Resource::Fsize).current;
    match limit.filter(|_| cause.kind() == io::ErrorKind::FileTooLarge) {
        Some(bytes) => io::Error::new(
            cause.kind(),
            format!("no file of this process may be over {bytes} bytes (ulimit -f, LimitFSIZE)"),
        ),
        None => cause,
    }
}

/// A file of a real directory, mapped shared and writable.
#[derive(Debug)]
pub struct MappedFile {
    map: MmapRaw,
    /// Stays open: the kernel reports an error of writeback to this descriptor.
    file: File,
}

const WORD_BYTES: usize = size_of::<u32>();

impl Mapped for MappedFile {
    fn store(&mut self, offset: u64, frame: &[u8]) {
        before_step("store", "a frame");
        let (word, body) = frame.split_first_chunk::<WORD_BYTES>().expect("a frame has a word");
        let start = usize::try_from(offset).expect("an offset fits the address space");
        let end = start.checked_add(frame.len()).expect("the end of a frame is no overflow");
        assert!(end <= self.map.len(), "a frame ends at {end}, past {} bytes", self.map.len());
        assert!(start.is_multiple_of(WORD_BYTES), "a frame starts at {start}, not on a word");
        // SAFETY: `start <= end <= len` by the assertion above, so the pointer stays in (or one
        // past) the mapping, which lives as long as `self.map`.
        let place = unsafe { self.map.as_mut_ptr().add(start) };
        // SAFETY: `place + WORD_BYTES .. place + frame.len()` lies within the mapping by the same
        // assertion. `body` is a Rust slice and the mapping is reachable only through this raw
        // pointer, so they do not overlap. `&mut self` makes this the only store in the process;
        // readers of the file go through the kernel and hold no reference into the mapping. The
        // pages exist: the file was allocated and written, and is never cut shorter.
        unsafe { place.add(WORD_BYTES).copy_from_nonoverlapping(body.as_ptr(), body.len()) };
        // SAFETY: `place` is valid for the word, and aligned for it: a mapping starts on a page and
        // `start` is a multiple of the word. It lives as long as the mapping, which outlives this
        // call, and all other access to it in this process is by this same function under
        // `&mut self`.
        let length = unsafe { AtomicU32::from_ptr(place.cast::<u32>()) };
        length.store(u32::from_ne_bytes(*word), Ordering::Release);
    }

    fn sync(&self) -> io::Result<()> {
        before_step("sync", "a mapping");
        stall_sync();
        self.file.sync_data()
    }
}

/// The bytes of one request for pages. During a request no other thread of the process can map or
/// unmap memory.
const POPULATED_BYTES: usize = 256 * 1024;

/// Prefaults memory: the system makes many pages present at once, and not one by one at their first
/// touch. Pages that this memory shares with other memory, at most one at each end, are left to
/// their first touch. Changes no content.
///
/// # Errors
/// `InvalidInput` before Linux 5.14; otherwise if there is no memory or a signal arrived.
pub fn populate<T>(memory: &mut [MaybeUninit<T>]) -> io::Result<()> {
    let page_bytes = rustix::param::page_size();
    let bytes = size_of_val(memory);
    let first: *mut u8 = memory.as_mut_ptr().cast();
    let skipped = first.align_offset(page_bytes);
    let whole = bytes.saturating_sub(skipped) / page_bytes * page_bytes;
    let together = POPULATED_BYTES.next_multiple_of(page_bytes);
    for done in (0..whole).step_by(together) {
        let length = together.min(whole - done);
        // SAFETY: `skipped + done + length <= skipped + whole <= bytes`, so the pages lie within
        // `memory`, which is borrowed until this returns. The advice changes none of their bytes:
        // it makes each page present as a first write would, and has no other effect.
        unsafe {
            let page = first.add(skipped + done).cast();
            rustix::mm::madvise(page, length, rustix::mm::Advice::LinuxPopulateWrite)?;
        }
    }
    Ok(())
}

/// Gives memory that was freed back to the system, as whole pages of it. The allocator keeps it
/// otherwise: what a crowd once took, the process would hold for ever. Takes milliseconds a
/// gigabyte, and other threads wait for the part that is looked at. Does nothing where the C
/// library is another than glibc.
pub fn release_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: glibc's, by its documentation callable at any time from any thread
        // (malloc_trim(3): MT-Safe); it takes a number, and touches memory only that nobody holds.
        unsafe extern "C" {
            safe fn malloc_trim(kept_bytes: usize) -> std::ffi::c_int;
        }
        malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_and_place_is_asked_for() {
        let pages = 3 * rustix::param::page_size();
        for bytes in [0, 1, pages - 1, pages, 16 * pages] {
            let mut memory: Vec<u8> = Vec::with_capacity(bytes + 1);
            for skipped in [0, 1] {
                let memory = &mut memory.spare_capacity_mut()[skipped..][..bytes];
                populate(memory).expect("the system is new enough and has memory");
            }
        }
        populate(&mut [MaybeUninit::<()>::uninit(); 3]).expect("nothing is asked for");
    }

    /// From the first page that belongs wholly to the memory to the last.
    #[test]
    fn pages_that_were_asked_for_are_there() {
        // More than an allocator caches, so that no page is present before.
        let mut memory: Vec<u8> = Vec::with_capacity(40 << 20);
        let page_bytes = rustix::param::page_size();
        let first = memory.as_ptr().addr().div_ceil(page_bytes);
        let last = (memory.as_ptr().addr() + memory.capacity()) / page_bytes - 1;
        let map = File::open("/proc/self/pagemap").expect("Linux has it");
        // proc_pid_pagemap(5): bits 62 and 63 of a page's eight bytes.
        let present = |page: usize| {
            let mut entry = [0; 8];
            map.read_exact_at(&mut entry, page as u64 * 8).expect("the memory is mapped");
            entry[7] >> 6 != 0
        };
        assert!(!present(last), "nobody has touched it");
        populate(memory.spare_capacity_mut()).expect("the system is new enough and has memory");
        assert!((first..=last).all(present));
    }

    #[test]
    fn what_was_there_stays() {
        let mut rows: Vec<u64> = (0..100_000).collect();
        rows.reserve(100_000);
        populate(rows.spare_capacity_mut()).expect("the system is new enough and has memory");
        assert!(rows.iter().copied().eq(0..100_000));
    }
}
