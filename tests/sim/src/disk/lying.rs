//! A disk that lies: it says that something is durable, and it is not.
//!
//! Owns the lies, one of them in a run, or none. Stands between the server and the simulated disk,
//! so that neither knows of it. Never lies but in what a server was promised of its disk; what goes
//! wrong openly is `Trouble`. Next: `files`, and `tests/mutants` for the hunt.

use super::SimDisk;
use super::files::{SimFile, SimMapped};
use clap::ValueEnum;
use doorbuster_journal::{Access, Disk, DiskFile, Mapped};
use std::cell::Cell;
use std::io;

/// What a disk lies about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Lie {
    /// Every other data sync of the journal is said to be done.
    SyncSkipped,
    /// A data sync of the journal that failed is asked again, and that is told.
    SyncRetried,
    /// New names in the journal's directory are said to be durable.
    DirectorySyncSkipped,
    /// Snapshots are said to be durable.
    SnapshotUnsynced,
}

/// A directory of the simulated disk, as the server is told of it.
#[derive(Debug, Clone)]
pub(crate) struct LyingDisk {
    disk: SimDisk,
    lie: Option<Lie>,
}

impl LyingDisk {
    /// The journal's directory.
    pub(crate) fn journal(disk: &SimDisk, lie: Option<Lie>) -> Self {
        let lie = lie.filter(|lie| *lie != Lie::SnapshotUnsynced);
        Self { disk: disk.within("journal"), lie }
    }

    /// That of the snapshots.
    pub(crate) fn snapshots(disk: &SimDisk, lie: Option<Lie>) -> Self {
        let lie = lie.filter(|lie| *lie == Lie::SnapshotUnsynced);
        Self { disk: disk.within("snapshots"), lie }
    }

    /// The one above both, which is told the truth.
    pub(crate) fn top(disk: &SimDisk) -> Self {
        Self { disk: disk.within("top"), lie: None }
    }

    /// One that takes what is cut off a journal, of this name; there is one for each cut of a run.
    pub(crate) fn set_aside(disk: &SimDisk, name: &str) -> Self {
        Self { disk: disk.within(format!("set-aside/{name}").leak()), lie: None }
    }

    fn file(&self, file: SimFile) -> LyingFile {
        LyingFile { file, lie: self.lie }
    }
}

impl Disk for LyingDisk {
    type File = LyingFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<LyingFile> {
        self.disk.create(name, bytes).map(|file| self.file(file))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<LyingFile> {
        self.disk.open(name, access).map(|file| self.file(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        match self.lie {
            Some(Lie::DirectorySyncSkipped) => Ok(()),
            _ => self.disk.sync_directory(),
        }
    }

    fn place(&self, name: &str) -> String {
        self.disk.place(name)
    }
}

/// A file of it.
#[derive(Debug)]
pub(crate) struct LyingFile {
    file: SimFile,
    lie: Option<Lie>,
}

impl DiskFile for LyingFile {
    type Mapped = LyingMapped;

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        match self.lie {
            Some(Lie::SnapshotUnsynced) => Ok(()),
            _ => self.file.sync(),
        }
    }

    fn map(self, bytes: u64) -> io::Result<LyingMapped> {
        let mapped = self.file.map(bytes)?;
        Ok(LyingMapped { mapped, lie: self.lie, skips: Cell::new(false) })
    }
}

/// A file of it, mapped.
#[derive(Debug)]
pub(crate) struct LyingMapped {
    mapped: SimMapped,
    lie: Option<Lie>,
    /// The next sync is the other one of two.
    skips: Cell<bool>,
}

impl Mapped for LyingMapped {
    fn store(&mut self, offset: u64, frame: &[u8]) {
        self.mapped.store(offset, frame);
    }

    fn sync(&self) -> io::Result<()> {
        match self.lie {
            Some(Lie::SyncSkipped) if self.skips.replace(!self.skips.get()) => Ok(()),
            Some(Lie::SyncRetried) => self.mapped.sync().or_else(|_| self.mapped.sync()),
            _ => self.mapped.sync(),
        }
    }
}
