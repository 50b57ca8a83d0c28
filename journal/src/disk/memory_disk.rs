//! A disk in memory that can lose power, fill up and fail to sync.
//!
//! Owns two versions of every file: the bytes that a reader sees, and the durable ones. Never waits
//! and never reads a clock, so that all that runs on it can be repeated. Tests of this crate and of
//! others run the journal's own code on it.

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
    /// The number of further calls that still change something; `None` without a limit.
    calls_left: Option<u32>,
}

impl Directory {
    /// Counts a call that changes something. Fails it if power is gone.
    fn change(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.calls_left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("power is gone"))?;
        }
        Ok(())
    }
}

type Content = Arc<Mutex<Snapshots>>;

#[derive(Debug, Default)]
struct Snapshots {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty_sectors: BTreeSet<u64>,
    /// The bytes whose reads fail.
    unreadable: Range<u64>,
}

impl Snapshots {
    fn settled(bytes: Vec<u8>) -> Content {
        let durable = bytes.clone();
        Arc::new(Mutex::new(Self { live: bytes, durable, ..Self::default() }))
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        let start = usize::try_from(offset).expect("an offset fits the address space");
        // As in a real file, bytes between the end and a write after the end read as zeros.
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

/// A panic elsewhere leaves bytes as they are, exactly as on a disk.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDisk {
    /// The disk as it would be after a power loss now: synced bytes, and of the others the sectors
    /// (512 bytes, counted from the start of the file) for which `persists` returns true.
    ///
    /// With `|_, _| true` this is a copy of what a killed process leaves.
    pub fn after_power_loss(&self, mut persists: impl FnMut(&str, u64) -> bool) -> Self {
        let directory = lock(&self.shared);
        let mut files = BTreeMap::new();
        for (name, content) in &directory.durable {
            let mut snapshots = lock(content);
            let lost = snapshots.durable.clone();
            for sector in snapshots.dirty_sectors.clone() {
                if persists(name, sector) {
                    snapshots.persist(sector);
                }
            }
            let kept = std::mem::replace(&mut snapshots.durable, lost);
            files.insert(name.clone(), Snapshots::settled(kept));
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

    /// Stores a file durably and replaces any file of this name.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Snapshots::settled(bytes);
        let mut directory = lock(&self.shared);
        directory.live.insert(name.to_owned(), Arc::clone(&content));
        directory.durable.insert(name.to_owned(), content);
    }

    /// Makes all further reads of these bytes fail, as those of a bad sector do.
    ///
    /// # Errors
    /// `NotFound` if there is no file of this name.
    pub fn fail_reads(&self, name: &str, bytes: Range<u64>) -> io::Result<()> {
        lock(&self.file(name)?.content).unreadable = bytes;
        Ok(())
    }

    /// Decides whether new files find space.
    pub fn set_full(&self, full: bool) {
        lock(&self.shared).full = full;
    }

    /// Makes the next `count` syncs of files fail as on Linux: the pages are marked clean, readers
    /// see the new data, the disk has the old.
    pub fn fail_syncs(&self, count: u32) {
        lock(&self.shared).failing_syncs = count;
    }

    /// Lets the next `calls` calls that create, write, sync, rename or remove succeed, and fails
    /// all later ones without a change. [`after_power_loss`](Self::after_power_loss) then gives
    /// what is left.
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
            // As in a real file system, the name and part of the space are taken by then.
            directory.live.insert(name.to_owned(), Snapshots::settled(Vec::new()));
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content = Snapshots::settled(vec![0; length]);
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
        let snapshots = lock(&self.content);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        if offset < snapshots.unreadable.end && snapshots.unreadable.start < end as u64 {
            return Err(io::Error::other("the sector cannot be read"));
        }
        buffer.copy_from_slice(snapshots.live.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
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
        let mut snapshots = lock(&self.content);
        let sectors = std::mem::take(&mut snapshots.dirty_sectors);
        if failing {
            return Err(io::Error::other("the disk failed to sync, as it was told to"));
        }
        sectors.into_iter().for_each(|sector| snapshots.persist(sector));
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
