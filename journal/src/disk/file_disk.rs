//! The seam between the journal and a disk.
//!
//! Owns the few operations the journal asks of a disk, and their real form for files. Never knows a
//! frame. The same journal code runs on [`FileDisk`] in the server and on
//! [`crate::MemoryDisk`] in tests and simulations. Read `mapped_file.rs` next for the mapping.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice as FileAdvice, FallocateFlags, OFlags};
use rustix::process::{Resource, getrlimit};

use crate::disk::kill_points;
use crate::disk::mapped_file::OpenFile;

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

/// Files of a data directory hold seeds of draws and what buyers bought: nobody else reads them.
pub const FILE_MODE: u32 = 0o600;
/// As [`FILE_MODE`], of directories.
pub const DIRECTORY_MODE: u32 = 0o700;

/// Names the limit where a file would have been larger than it: the system only says that there is
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

/// A real directory.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    /// Kept open, so that an error of the directory is reported to the descriptor that saw it.
    handle: File,
}

impl FileDisk {
    /// Opens a directory that exists.
    ///
    /// # Errors
    /// Whatever the file system answers.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        let handle = File::open(&directory)?;
        if !handle.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { directory, handle })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Disk for FileDisk {
    type File = OpenFile;

    fn names(&self) -> io::Result<Vec<String>> {
        // A name that is not UTF-8 is none of ours.
        fs::read_dir(&self.directory)?
            .map(|entry| entry.map(|entry| entry.file_name().into_string().ok()))
            .filter_map(io::Result::transpose)
            .collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<OpenFile> {
        kill_points::before("create", name);
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(FILE_MODE);
        let file = options.open(self.path(name))?;
        if bytes == 0 {
            return Ok(OpenFile::new(file));
        }
        kill_points::before("allocate", name);
        let allocated = rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)
        });
        match allocated {
            // Some file systems cannot allocate ahead; the zeros that follow do it there.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(OpenFile::new(file)),
            Err(errno) => Err(with_limit(errno.into())),
        }
    }

    fn open(&self, name: &str, access: Access) -> io::Result<OpenFile> {
        let write = access == Access::ReadAndWrite;
        let mut options = File::options();
        // A pipe of that name is not waited for, and a link not followed.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.read(true).write(write).custom_flags(flags.bits().cast_signed());
        let file = options.open(self.path(name))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        // Whatever a scan reads from a cold disk stays in the page cache and is mapped later. With
        // readahead it would come in large folios, which every small sync then writes whole (measured
        // on Linux 6.18 with ext4 after a cold restart: 3,300 instead of 9,700 syncs/s).
        rustix::fs::fadvise(&file, 0, None, FileAdvice::Random)?;
        Ok(OpenFile::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        kill_points::before("rename", from);
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        kill_points::before("remove", name);
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        kill_points::before("sync", "the directory");
        self.handle.sync_all()
    }

    fn place(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}
