//! The seam between the journal and a disk.
//!
//! Owns the few operations that the journal asks of a disk. Never knows a frame. The same journal
//! code runs on [`crate::FileDisk`] in the server and on [`crate::MemoryDisk`] in tests and
//! simulations.

use std::io;

/// The access to an opened file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only: enough for a scan, and safe while a server runs.
    Read,
    /// Reading and writing.
    ReadAndWrite,
}

/// A directory of files on something that can lose power.
///
/// Names are plain file names. Every operation hides interruptions by signals. A create, a rename
/// or a removal is durable only after [`Disk::sync_directory`].
pub trait Disk: Send + Sync + 'static {
    /// An opened file.
    type File: DiskFile;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// The error of the directory.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Creates a file of this size and allocates its space. Fails if the name is taken.
    ///
    /// # Errors
    /// Reports a full disk here and not at a later store; an empty or shorter file may remain.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Self::File>;

    /// Opens an existing file.
    ///
    /// # Errors
    /// The error of the file system.
    fn open(&self, name: &str, access: Access) -> io::Result<Self::File>;

    /// Renames a file and replaces any file of the new name.
    ///
    /// # Errors
    /// The error of the file system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` if there is none; otherwise the error of the file system.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all creates, renames and removals durable.
    ///
    /// # Errors
    /// The error of the device.
    fn sync_directory(&self) -> io::Result<()>;

    /// The path of the file for messages; of the directory for an empty name.
    fn place(&self, name: &str) -> String;
}

/// An opened file.
pub trait DiskFile: Send + Sized {
    /// The file mapped into memory.
    type Mapped: Mapped;

    /// Its size, in bytes.
    ///
    /// # Errors
    /// The error of the file system.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills the whole buffer from this offset. Uses plain reads.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; otherwise the error of the device.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all bytes at this offset.
    ///
    /// # Errors
    /// The error of the device.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes all bytes written so far durable.
    ///
    /// # Errors
    /// After an error it is unknown what is durable, and a second call does not tell.
    fn sync(&self) -> io::Result<()>;

    /// Drops the cached pages of the file, as far as the system can, so that the next read asks the
    /// device. Changes no stored byte.
    ///
    /// # Errors
    /// The error of the system.
    fn forget_cached(&self) -> io::Result<()> {
        Ok(())
    }

    /// Maps the first `bytes` bytes and brings every page into memory.
    ///
    /// # Errors
    /// The error of the kernel.
    fn map(self, bytes: u64) -> io::Result<Self::Mapped>;
}

/// A file mapped into memory.
pub trait Mapped: Send + 'static {
    /// Stores one frame: first everything after its first four bytes, then these four bytes in one
    /// store with release ordering.
    ///
    /// # Panics
    /// If the frame is shorter than four bytes, the offset is not a multiple of four, or the frame
    /// would end after the mapping.
    fn store(&mut self, offset: u64, frame: &[u8]);

    /// Makes all frames stored so far durable.
    ///
    /// # Errors
    /// After an error it is unknown what is durable, and a second call does not tell.
    fn sync(&self) -> io::Result<()>;
}
