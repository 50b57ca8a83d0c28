//! The seam between the journal and a disk.
//!
//! Owns the few operations that the journal asks of a disk. Never knows a frame. The same journal
//! code runs on [`crate::FileDisk`] in the server and on [`crate::MemoryDisk`] in tests and
//! simulations.

use std::io;

/// What an opened file may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only: enough for a scan, and safe beside a live server.
    Read,
    /// Reading and writing.
    ReadAndWrite,
}

/// A directory of files on something that can lose power.
///
/// Names are plain file names. Every operation hides interruptions by signals. What a create, a
/// rename or a removal did is durable only after [`Disk::sync_directory`].
pub trait Disk: Send + Sync + 'static {
    /// An opened file.
    type File: DiskFile;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// Whatever the directory answers.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes a new file of this size with its space allocated; refuses if the name is taken.
    ///
    /// # Errors
    /// A full disk is reported here, not at a later store; an empty or shorter file may remain.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Self::File>;

    /// Opens a file that exists.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn open(&self, name: &str, access: Access) -> io::Result<Self::File>;

    /// Renames a file, replacing any of that name.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound` if there is none; otherwise whatever the file system answers.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable.
    ///
    /// # Errors
    /// Whatever the device answers.
    fn sync_directory(&self) -> io::Result<()>;

    /// How a person finds the file; the directory itself for an empty name.
    fn place(&self, name: &str) -> String;
}

/// An opened file.
pub trait DiskFile: Send + Sized {
    /// The file mapped into memory.
    type Mapped: Mapped;

    /// Its size, in bytes.
    ///
    /// # Errors
    /// Whatever the file system answers.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills the whole buffer from this offset, with plain reads.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; otherwise whatever the device answers.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all bytes at this offset.
    ///
    /// # Errors
    /// Whatever the device answers.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// After an error it is unknown what is durable, and asking again does not tell.
    fn sync(&self) -> io::Result<()>;

    /// Drops what the system has cached of the file, as far as it can, so that the next read asks
    /// the device. Changes nothing that is stored.
    ///
    /// # Errors
    /// Whatever the system answers.
    fn forget_cached(&self) -> io::Result<()> {
        Ok(())
    }

    /// Maps the first `bytes` bytes, every page in memory before the first store.
    ///
    /// # Errors
    /// Whatever the kernel answers.
    fn map(self, bytes: u64) -> io::Result<Self::Mapped>;
}

/// A file mapped into memory.
pub trait Mapped: Send + 'static {
    /// Stores one frame: everything behind its first four bytes, then those, in one store with
    /// release ordering.
    ///
    /// # Panics
    /// If the frame is shorter than four bytes, the offset is not a multiple of four, or the frame
    /// reaches past the end.
    fn store(&mut self, offset: u64, frame: &[u8]);

    /// Makes everything stored so far durable.
    ///
    /// # Errors
    /// After an error it is unknown what is durable, and asking again does not tell.
    fn sync(&self) -> io::Result<()>;
}
