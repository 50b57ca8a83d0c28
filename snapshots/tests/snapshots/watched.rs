//! A disk that is watched: it can fail at a chosen call, and every call can be looked at from
//! outside, as a loss of power would.

use std::io;
use std::sync::{Arc, Mutex};

use doorbuster_journal::{Access, Disk, DiskFile, MemoryDisk, MemoryFile, MemoryMapped};

/// What happens at a call.
type Hook = Box<dyn FnMut(&Call) -> io::Result<()> + Send>;

/// One call of the disk, before and after it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Which call this is, counted from 0.
    pub(crate) number: usize,
    pub(crate) operation: &'static str,
    pub(crate) done: bool,
}

#[derive(Clone)]
pub(crate) struct WatchedDisk {
    pub(crate) inner: MemoryDisk,
    hook: Arc<Mutex<(usize, Hook)>>,
}

impl WatchedDisk {
    pub(crate) fn new(
        inner: MemoryDisk,
        hook: impl FnMut(&Call) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self { inner, hook: Arc::new(Mutex::new((0, Box::new(hook)))) }
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.hook.lock().unwrap().0
    }

    fn call<T>(
        &self,
        operation: &'static str,
        action: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let (number, hook) = &mut *self.hook.lock().unwrap();
        let call = Call { number: *number, operation, done: false };
        *number += 1;
        hook(&call)?;
        let result = action()?;
        hook(&Call { done: true, ..call })?;
        Ok(result)
    }
}

impl Disk for WatchedDisk {
    type File = WatchedFile;

    fn names(&self) -> io::Result<Vec<String>> {
        self.call("names", || self.inner.names())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<WatchedFile> {
        let inner = self.call("create", || self.inner.create(name, bytes))?;
        Ok(WatchedFile { inner, disk: self.clone() })
    }

    fn open(&self, name: &str, access: Access) -> io::Result<WatchedFile> {
        let inner = self.call("open", || self.inner.open(name, access))?;
        Ok(WatchedFile { inner, disk: self.clone() })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call("rename", || self.inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call("remove", || self.inner.remove(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.call("sync_directory", || self.inner.sync_directory())
    }

    fn place(&self, name: &str) -> String {
        self.inner.place(name)
    }
}

pub(crate) struct WatchedFile {
    inner: MemoryFile,
    disk: WatchedDisk,
}

impl DiskFile for WatchedFile {
    type Mapped = MemoryMapped;

    fn bytes(&self) -> io::Result<u64> {
        self.disk.call("bytes", || self.inner.bytes())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.call("read", || self.inner.read_exact_at(buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // A write that fails may have written a part.
        self.inner.write_all_at(&bytes[..bytes.len() / 2], offset)?;
        self.disk.call("write", || self.inner.write_all_at(bytes, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.call("sync", || self.inner.sync())
    }

    fn map(self, bytes: u64) -> io::Result<MemoryMapped> {
        self.inner.map(bytes)
    }
}
