//! A disk in memory that can lose power, fill up and fail to sync.
//!
//! Owns two images of every file: what a reader sees, and what is durable. Never waits and never
//! reads a clock, so whatever runs on it is repeatable. A simulator runs the journal's own code on
//! it; the crate's tests do, too.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::traits::{Access, Disk, DiskFile, Mapped};
use crate::format::layout::SECTOR_BYTES;

/// A directory in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    shared: Arc<Mutex<Directory>>,
}

#[derive(Debug, Default)]
struct Directory {
    live: BTreeMap<String, Content>,
    durable: BTreeMap<String, Content>,
    full: bool,
    failing_syncs: u32,
    /// How many more calls change anything; `None` for no end.
    calls_left: Option<u32>,
}

impl Directory {
    /// Counts a call that changes something; fails it if power is gone by then.
    fn change(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.calls_left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("power is gone"))?;
        }
        Ok(())
    }
}

type Content = Arc<Mutex<Images>>;

#[derive(Debug, Default)]
struct Images {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty_sectors: BTreeSet<u64>,
    /// Bytes that no read gives.
    unreadable: Range<u64>,
}

impl Images {
    fn settled(bytes: Vec<u8>) -> Content {
        let durable = bytes.clone();
        Arc::new(Mutex::new(Self { live: bytes, durable, ..Self::default() }))
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        let start = usize::try_from(offset).expect("an offset fits the address space");
        // As in a real file, what lies between the end and a write behind it reads as zeros.
        let grown = self.live.len().max(start + bytes.len());
        self.live.resize(grown, 0);
        self.durable.resize(grown, 0);
        self.live[start..start + bytes.len()].copy_from_slice(bytes);
        let sector = |at: usize| (at / SECTOR_BYTES) as u64;
        self.dirty_sectors.extend(sector(start)..=sector((start + bytes.len()).max(1) - 1));
    }

    fn persist(&mut self, sector: u64) {
        let start = sector as usize * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(self.live.len());
        self.durable[start..end].copy_from_slice(&self.live[start..end]);
    }
}

/// A panic elsewhere leaves bytes as they are: exactly what a disk does.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDisk {
    /// What is on the disk after power was lost now: what was synced, and of the rest the sectors
    /// (512 bytes, counted from the start of the file) for which `persists` says yes.
    ///
    /// With `|_, _| true` this is what a killed process leaves behind, as a copy.
    pub fn after_power_loss(&self, mut persists: impl FnMut(&str, u64) -> bool) -> Self {
        let directory = lock(&self.shared);
        let mut files = BTreeMap::new();
        for (name, content) in &directory.durable {
            let mut images = lock(content);
            let lost = images.durable.clone();
            for sector in images.dirty_sectors.clone() {
                if persists(name, sector) {
                    images.persist(sector);
                }
            }
            let kept = std::mem::replace(&mut images.durable, lost);
            files.insert(name.clone(), Images::settled(kept));
        }
        let directory = Directory { live: files.clone(), durable: files, ..Directory::default() };
        Self { shared: Arc::new(Mutex::new(directory)) }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// `NotFound` if there is none of this name.
    pub fn contents(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(lock(&self.file(name)?.content).live.clone())
    }

    /// Puts a file in place, durably, whatever was there before.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Images::settled(bytes);
        let mut directory = lock(&self.shared);
        directory.live.insert(name.to_owned(), Arc::clone(&content));
        directory.durable.insert(name.to_owned(), content);
    }

    /// From now on reads of these bytes fail, as those of a bad sector do.
    ///
    /// # Errors
    /// `NotFound` if there is no file of this name.
    pub fn fail_reads(&self, name: &str, bytes: Range<u64>) -> io::Result<()> {
        lock(&self.file(name)?.content).unreadable = bytes;
        Ok(())
    }

    /// From now on new files find no space, or find it again.
    pub fn set_full(&self, full: bool) {
        lock(&self.shared).full = full;
    }

    /// Lets the next `count` syncs of files fail the way Linux does: the pages are marked clean,
    /// readers see the new data, the disk has the old.
    pub fn fail_syncs(&self, count: u32) {
        lock(&self.shared).failing_syncs = count;
    }

    /// Lets the next `calls` calls that create, write, sync, rename or remove do what they should,
    /// and fails all that follow, changing nothing. [`after_power_loss`](Self::after_power_loss)
    /// then tells what is left.
    pub fn lose_power_after(&self, calls: u32) {
        lock(&self.shared).calls_left = Some(calls);
    }

    fn file(&self, name: &str) -> io::Result<MemoryFile> {
        let content = lock(&self.shared).live.get(name).cloned();
        let content = content.ok_or(io::ErrorKind::NotFound)?;
        Ok(MemoryFile { content, disk: self.clone() })
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.shared).live.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<MemoryFile> {
        let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut directory = lock(&self.shared);
        directory.change()?;
        if directory.live.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if directory.full {
            // As with a real file system, the name and a part of the space are taken by then.
            directory.live.insert(name.to_owned(), Images::settled(Vec::new()));
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content = Images::settled(vec![0; length]);
        directory.live.insert(name.to_owned(), Arc::clone(&content));
        Ok(MemoryFile { content, disk: self.clone() })
    }

    fn open(&self, name: &str, _access: Access) -> io::Result<MemoryFile> {
        self.file(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut directory = lock(&self.shared);
        directory.change()?;
        let content = directory.live.remove(from).ok_or(io::ErrorKind::NotFound)?;
        directory.live.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut directory = lock(&self.shared);
        directory.change()?;
        directory.live.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut directory = lock(&self.shared);
        directory.change()?;
        directory.durable = directory.live.clone();
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        format!("memory:{name}")
    }
}

/// A file of a [`MemoryDisk`], opened or mapped.
#[derive(Clone, Debug)]
pub struct MemoryFile {
    content: Content,
    disk: MemoryDisk,
}

impl DiskFile for MemoryFile {
    type Mapped = MemoryMapped;

    fn bytes(&self) -> io::Result<u64> {
        Ok(lock(&self.content).live.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let images = lock(&self.content);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        if offset < images.unreadable.end && images.unreadable.start < end as u64 {
            return Err(io::Error::other("the sector cannot be read"));
        }
        buffer.copy_from_slice(images.live.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        lock(&self.disk.shared).change()?;
        lock(&self.content).write(bytes, offset);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut directory = lock(&self.disk.shared);
        directory.change()?;
        let failing = directory.failing_syncs > 0;
        directory.failing_syncs = directory.failing_syncs.saturating_sub(1);
        drop(directory);
        let mut images = lock(&self.content);
        let sectors = std::mem::take(&mut images.dirty_sectors);
        if failing {
            return Err(io::Error::other("the disk failed to sync, as it was told to"));
        }
        sectors.into_iter().for_each(|sector| images.persist(sector));
        Ok(())
    }

    fn map(self, _bytes: u64) -> io::Result<MemoryMapped> {
        Ok(MemoryMapped { file: self })
    }
}

/// A file of a [`MemoryDisk`], mapped.
#[derive(Clone, Debug)]
pub struct MemoryMapped {
    file: MemoryFile,
}

impl Mapped for MemoryMapped {
    fn store(&mut self, offset: u64, frame: &[u8]) {
        lock(&self.file.content).write(frame, offset);
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
