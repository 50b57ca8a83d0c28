//! A disk of which one call fails, whichever it is: reads, looks and writes alike.
//!
//! Owns the counting of calls and the one that fails; what was done before and after it is done. A
//! disk that fails for good, or a process that dies, is in
//! `journal/tests/journal/mortal.rs`.

use std::io;
use std::sync::{Arc, Mutex};

use doorbuster_journal::{Access, Disk, DiskFile, Mapped, MemoryDisk, MemoryFile, MemoryMapped};

/// What the call that fails says.
pub const SAID: &str = "failed as it was told to";

#[derive(Debug)]
struct Calls {
    so_far: usize,
    failing: Option<usize>,
}

/// A directory in memory. Clones count together.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    /// What is on it.
    pub inner: MemoryDisk,
    calls: Arc<Mutex<Calls>>,
}

impl FaultyDisk {
    /// One of which this call fails, counted from 0.
    pub fn failing_at(inner: MemoryDisk, failing: Option<usize>) -> Self {
        Self { inner, calls: Arc::new(Mutex::new(Calls { so_far: 0, failing })) }
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.lock().unwrap().so_far
    }

    fn call<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut calls = self.calls.lock().unwrap();
        let fails = calls.failing == Some(calls.so_far);
        calls.so_far += 1;
        if fails { Err(io::Error::other(SAID)) } else { act() }
    }

    fn file(&self, file: MemoryFile) -> FaultyFile {
        FaultyFile { file, disk: self.clone() }
    }
}

impl Disk for FaultyDisk {
    type File = FaultyFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.call(|| self.inner.names())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<FaultyFile> {
        self.call(|| self.inner.create(name, bytes)).map(|file| self.file(file))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<FaultyFile> {
        self.call(|| self.inner.open(name, access)).map(|file| self.file(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call(|| self.inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call(|| self.inner.remove(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.call(|| self.inner.sync_directory())
    }

    fn place(&self, name: &str) -> String {
        self.inner.place(name)
    }
}

/// A file of it.
pub struct FaultyFile {
    file: MemoryFile,
    disk: FaultyDisk,
}

impl DiskFile for FaultyFile {
    type Mapped = FaultyMapped;

    fn bytes(&self) -> io::Result<u64> {
        self.disk.call(|| self.file.bytes())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.call(|| self.file.read_exact_at(buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.call(|| self.file.write_all_at(bytes, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.call(|| self.file.sync())
    }

    fn forget_cached(&self) -> io::Result<()> {
        self.disk.call(|| self.file.forget_cached())
    }

    fn map(self, bytes: u64) -> io::Result<FaultyMapped> {
        let Self { file, disk } = self;
        let mapped = disk.call(|| file.map(bytes))?;
        Ok(FaultyMapped { mapped, disk })
    }
}

/// A mapping of such a file.
pub struct FaultyMapped {
    mapped: MemoryMapped,
    disk: FaultyDisk,
}

impl Mapped for FaultyMapped {
    fn store(&mut self, offset: u64, frame: &[u8]) {
        self.mapped.store(offset, frame);
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.call(|| self.mapped.sync())
    }
}
