//! A directory that is filled under a name that says so, and gets its content only when that is
//! whole: whatever interrupts it, what is there is never taken for what it was to become.
//!
//! Owns the target of a backup and of a restore: that it is empty, the folder `unfinished` in it,
//! the renames at the end, and that nothing is left after an error. Within the target and not
//! beside it, because a target is often the root of a volume of its own. Never knows what the files
//! hold.

use crate::inspect::Trouble;
use doorbuster_journal::{Disk, DiskFile, FileDisk};
use rustix::fs::Mode;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The folder that is filled.
pub(super) const UNFINISHED: &str = "unfinished";
/// What may be there all the same: of a file system's root, and of a start or restore before.
const IGNORED: &[&str] = &["lost+found", "LOCK"];

/// An error of the system, as it is told.
pub(super) fn io_error(operation: &str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    let told = format!("cannot {operation} {}", path.display());
    move |cause| Trouble::Unreadable(format!("{told}: {cause}"))
}

/// A target that is being filled; dropped before [`Staging::publish`] succeeded, it is emptied.
pub(super) struct Staging {
    root: PathBuf,
    disk: FileDisk,
    made_root: bool,
    had_lock: bool,
    /// What has got its name already.
    named: Vec<PathBuf>,
    done: bool,
}

impl Staging {
    /// Makes the target, or takes one that is there and empty, and the folder in it. Everything
    /// made from here on is readable by nobody else.
    pub(super) fn begin(root: &Path, purpose: &str) -> Result<Self, Trouble> {
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let made_root = !root.exists();
        if !made_root {
            check_empty(root, purpose)?;
        }
        make_directory(root)?;
        let had_lock = root.join("LOCK").exists();
        let disk = FileDisk::open(root).map_err(io_error("open", root))?;
        let (named, done) = (Vec::new(), false);
        let staging = Self { root: root.to_owned(), disk, made_root, had_lock, named, done };
        staging.fresh()?;
        Ok(staging)
    }

    /// The folder that is filled.
    pub(super) fn place(&self) -> PathBuf {
        self.root.join(UNFINISHED)
    }

    /// Empties the folder and makes its two directories.
    pub(super) fn fresh(&self) -> Result<(), Trouble> {
        let place = self.place();
        match fs::remove_dir_all(&place) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                return Err(io_error("remove", &place)(cause));
            }
            _ => {}
        }
        for directory in [place.clone(), place.join("journal"), place.join("snapshots")] {
            fs::create_dir(&directory).map_err(io_error("create", &directory))?;
        }
        File::open(&place).and_then(|place| place.sync_all()).map_err(io_error("sync", &place))
    }

    /// Writes a small file into the folder, synced.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let place = self.place();
        let path = place.join(name);
        let disk = FileDisk::open(&place).map_err(io_error("open", &place))?;
        let file = disk.create(name, 0).map_err(io_error("create", &path))?;
        file.write_all_at(bytes, 0).map_err(io_error("write", &path))?;
        file.sync().map_err(io_error("sync", &path))?;
        disk.sync_directory().map_err(io_error("sync", &place))
    }

    /// Gives the content its names, in this order, each durable before the next.
    pub(super) fn publish(mut self, names: &[&str]) -> Result<(), Trouble> {
        for name in names {
            let path = self.root.join(name);
            let renamed = self.disk.rename(&format!("{UNFINISHED}/{name}"), name);
            renamed.map_err(io_error("rename to", &path))?;
            self.named.push(path);
            self.disk.sync_directory().map_err(io_error("sync", &self.root))?;
        }
        // What has its name stays, from here on.
        self.done = true;
        let place = self.place();
        fs::remove_dir(&place).map_err(io_error("remove", &place))?;
        self.disk.sync_directory().map_err(io_error("sync", &self.root))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // The last first: what is left if this is interrupted is no more than there was.
        for path in self.named.drain(..).rev() {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
        // What cannot be removed has a name that says what it is.
        let _ = fs::remove_dir_all(self.place());
        if !self.had_lock {
            let _ = fs::remove_file(self.root.join("LOCK"));
        }
        if self.made_root {
            let _ = fs::remove_dir(&self.root);
        }
    }
}

fn check_empty(root: &Path, purpose: &str) -> Result<(), Trouble> {
    let entries = fs::read_dir(root).map_err(io_error("read", root))?;
    for entry in entries {
        let name = entry.map_err(io_error("read", root))?.file_name();
        let name = name.to_string_lossy();
        if name == UNFINISHED {
            return Err(Trouble::Usage(format!(
                "{} holds a {purpose} that was interrupted or is still being made: remove {} if \
                 nothing runs, or name a directory that is not there yet",
                root.display(),
                root.join(UNFINISHED).display(),
            )));
        }
        if !IGNORED.contains(&&*name) {
            return Err(Trouble::Usage(format!(
                "{} is not empty, it holds {name}: name a directory that is empty or not there yet",
                root.display(),
            )));
        }
    }
    Ok(())
}

/// Makes a directory that survives a power cut: its name is synced into its parent.
fn make_directory(directory: &Path) -> Result<(), Trouble> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(parent)?;
    match fs::create_dir(directory) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
            return Err(io_error("create", directory)(cause));
        }
        _ => {}
    }
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(io_error("sync", parent))
}
