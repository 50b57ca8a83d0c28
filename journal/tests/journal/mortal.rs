//! A disk whose process is killed at a chosen call: what was done until then stays as it is in the
//! page cache, names and all, and nothing is done afterwards, not even cleaning up.
//!
//! A power cut takes more away, and other tests have it; a kill leaves what a power cut never does:
//! names and bytes that nobody synced.

use std::io;
use std::sync::{Arc, Mutex};

use doorbuster_journal::{Access, Disk, DiskFile, Mapped, MemoryDisk, MemoryFile, MemoryMapped};

#[derive(Debug, Default)]
struct Life {
    /// Calls that change something, as an operation and the name it is done to.
    calls: Vec<String>,
    /// The number of the last call; `None` for no end.
    last: Option<usize>,
}

/// A directory in memory as one process sees it. Clones share its life.
#[derive(Clone, Debug)]
pub(crate) struct MortalDisk {
    pub(crate) inner: MemoryDisk,
    life: Arc<Mutex<Life>>,
}

/// How far a call comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    Through,
    /// The kill meets it on the way.
    Halfway,
    Nowhere,
}

impl MortalDisk {
    /// Killed on the way of this call, counted from 0.
    pub(crate) fn killed_at(inner: MemoryDisk, last: Option<usize>) -> Self {
        Self { inner, life: Arc::new(Mutex::new(Life { calls: Vec::new(), last })) }
    }

    /// Another directory of the same process.
    pub(crate) fn beside(&self, inner: MemoryDisk) -> Self {
        Self { inner, life: Arc::clone(&self.life) }
    }

    /// All calls that were tried while it lived.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.life.lock().unwrap().calls.clone()
    }

    fn call(&self, operation: &str, name: &str) -> Comes {
        let mut life = self.life.lock().unwrap();
        let number = life.calls.len();
        if life.last.is_some_and(|last| number > last) {
            return Comes::Nowhere;
        }
        life.calls.push(format!("{operation} {name}").trim_end().to_owned());
        if life.last == Some(number) { Comes::Halfway } else { Comes::Through }
    }

    /// A call that is done as a whole or not at all.
    fn whole<T>(
        &self,
        operation: &str,
        name: &str,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.call(operation, name) {
            Comes::Through => act(),
            Comes::Halfway | Comes::Nowhere => Err(killed()),
        }
    }
}

fn killed() -> io::Error {
    io::Error::other("killed")
}

impl Disk for MortalDisk {
    type File = MortalFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.inner.names()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<MortalFile> {
        match self.call("create", name) {
            Comes::Through => {
                let file = self.inner.create(name, bytes)?;
                Ok(MortalFile { file, name: name.to_owned(), disk: self.clone() })
            }
            Comes::Halfway => {
                // Between the name and its space.
                self.inner.create(name, 0)?;
                Err(killed())
            }
            Comes::Nowhere => Err(killed()),
        }
    }

    fn open(&self, name: &str, access: Access) -> io::Result<MortalFile> {
        let file = self.inner.open(name, access)?;
        Ok(MortalFile { file, name: name.to_owned(), disk: self.clone() })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.whole("rename to", to, || self.inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.whole("remove", name, || self.inner.remove(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.whole("sync the directory", "", || self.inner.sync_directory())
    }

    fn place(&self, name: &str) -> String {
        self.inner.place(name)
    }
}

pub(crate) struct MortalFile {
    file: MemoryFile,
    name: String,
    disk: MortalDisk,
}

impl DiskFile for MortalFile {
    type Mapped = MortalMapped;

    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.disk.call("write", &self.name) {
            Comes::Through => self.file.write_all_at(bytes, offset),
            Comes::Halfway => {
                self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
                Err(killed())
            }
            Comes::Nowhere => Err(killed()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.whole("sync", &self.name, || self.file.sync())
    }

    fn map(self, bytes: u64) -> io::Result<MortalMapped> {
        let Self { file, name, disk } = self;
        disk.whole("map", &name, || Ok(()))?;
        Ok(MortalMapped { mapped: file.map(bytes)?, name, disk })
    }
}

pub(crate) struct MortalMapped {
    mapped: MemoryMapped,
    name: String,
    disk: MortalDisk,
}

impl Mapped for MortalMapped {
    fn store(&mut self, offset: u64, frame: &[u8]) {
        match self.disk.call("store into", &self.name) {
            Comes::Through => self.mapped.store(offset, frame),
            // The length word comes last, in one store.
            Comes::Halfway => self.mapped.store(offset + 4, &frame[4..frame.len() / 2]),
            Comes::Nowhere => {}
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.whole("sync", &self.name, || self.mapped.sync())
    }
}

/// Tells each point at which the process was killed, runs of the same one together.
pub(crate) fn tell_points(what: &str, calls: &[String]) {
    println!("{what}: killed at each of {} points", calls.len());
    for same in calls.chunk_by(|one, other| one == other) {
        println!("  {:>5} x {}", same.len(), same[0]);
    }
}
