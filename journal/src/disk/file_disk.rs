//! A real directory.
//!
//! Owns how its files are created, opened, renamed and removed, and their modes. Never knows a
//! frame. Read `mapped_file.rs` next for the operations of an opened file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice as FileAdvice, FallocateFlags, OFlags};

use crate::disk::failpoints::before_step;
use crate::disk::mapped_file::{OpenFile, with_limit};
use crate::disk::traits::{Access, Disk};

/// The mode of files in a data directory. They hold seeds of draws and what buyers bought, so only
/// their owner may read them.
pub const FILE_MODE: u32 = 0o600;
/// The mode of directories in a data directory, for the reason given at [`FILE_MODE`].
pub const DIRECTORY_MODE: u32 = 0o700;

/// A real directory.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    /// Stays open, so that the kernel reports an error of the directory to this descriptor.
    handle: File,
}

impl FileDisk {
    /// Opens an existing directory.
    ///
    /// # Errors
    /// The error of the file system.
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
        // The journal gives no name that is not UTF-8.
        fs::read_dir(&self.directory)?
            .map(|entry| entry.map(|entry| entry.file_name().into_string().ok()))
            .filter_map(io::Result::transpose)
            .collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<OpenFile> {
        before_step("create", name);
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(FILE_MODE);
        let file = options.open(self.path(name))?;
        if bytes == 0 {
            return Ok(OpenFile::new(file));
        }
        before_step("allocate", name);
        let allocated = rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)
        });
        match allocated {
            // Some file systems cannot allocate ahead; there the zeros written next allocate.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(OpenFile::new(file)),
            Err(errno) => Err(with_limit(errno.into())),
        }
    }

    fn open(&self, name: &str, access: Access) -> io::Result<OpenFile> {
        let write = access == Access::ReadAndWrite;
        let mut options = File::options();
        // Do not wait for a pipe of that name, and do not follow a link.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.read(true).write(write).custom_flags(flags.bits().cast_signed());
        let file = options.open(self.path(name))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        // The pages that a scan reads from a cold disk stay in the page cache and are mapped later.
        // With readahead they would come in large folios, which every small sync then writes whole
        // (measured on Linux 6.18 with ext4 after a cold restart: 3,300 instead of 9,700 syncs/s).
        rustix::fs::fadvise(&file, 0, None, FileAdvice::Random)?;
        Ok(OpenFile::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        before_step("rename", from);
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        before_step("remove", name);
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        before_step("sync", "the directory");
        self.handle.sync_all()
    }

    fn place(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}
