//! The lock of a data directory: two processes must never write one journal.
//!
//! Owns what is locked. The directories themselves are, by their descriptors: a file in them can be
//! removed, renamed or replaced, and a directory be moved or mounted elsewhere, but whoever opens
//! it then opens the same one. The file `LOCK` is locked too, for versions that know nothing else.
//! And it says whether the paths still lead to what is locked, so that a server whose directory was
//! moved away stops before it writes into another's. Never looks at what is in them. Next:
//! `recovery`.

use super::RecoveryError;
use crate::engine::replay::make_directory;
use doorbuster_journal::FILE_MODE;
use rustix::fs::OFlags;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A data directory's lock, held as long as it lives.
#[derive(Debug)]
pub struct Lock {
    directory: PathBuf,
    data: File,
    journal: OnceLock<(PathBuf, File)>,
    _file: File,
}

/// Takes the directory for this process, before anything in it is looked at.
///
/// # Errors
/// At once when another process has it, and where its lock file is no file.
pub fn lock(directory: &Path) -> Result<Lock, RecoveryError> {
    make_directory(directory)?;
    let data = hold(directory, directory)?;
    let path = directory.join("LOCK");
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(FILE_MODE);
    // A link is not followed, and a pipe not waited for.
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    let file = options.open(&path).and_then(only_a_file).map_err(io_error("open", &path))?;
    take(&file, &path, directory)?;
    let lock =
        Lock { directory: directory.to_owned(), data, journal: OnceLock::new(), _file: file };
    // Moved away between the two.
    if lock.is_still_there() { Ok(lock) } else { Err(locked(directory)) }
}

fn locked(directory: &Path) -> RecoveryError {
    RecoveryError::Locked { directory: directory.display().to_string() }
}

fn only_a_file(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}

/// Locks a directory by its descriptor; `of` is the data directory that is told.
fn hold(path: &Path, of: &Path) -> Result<File, RecoveryError> {
    let directory = File::open(path).map_err(io_error("open", path))?;
    take(&directory, path, of)?;
    Ok(directory)
}

fn take(file: &File, path: &Path, of: &Path) -> Result<(), RecoveryError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(locked(of)),
        Err(TryLockError::Error(cause)) => Err(io_error("lock", path)(cause)),
    }
}

fn io_error<'a>(
    operation: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> RecoveryError + 'a {
    move |cause| RecoveryError::Io { operation, path: path.display().to_string(), cause }
}

impl Lock {
    /// Takes the directory of the journal too, which may be mounted elsewhere as well.
    ///
    /// # Errors
    /// When another process has it.
    pub fn hold_journal(&self, path: &Path) -> Result<(), RecoveryError> {
        if self.journal.get().is_none() {
            let held = (path.to_owned(), hold(path, &self.directory)?);
            // Only this thread takes it.
            let _ = self.journal.set(held);
        }
        Ok(())
    }

    /// The paths still lead to the directories that are locked. What cannot be looked at now may be
    /// looked at later.
    #[must_use]
    pub fn is_still_there(&self) -> bool {
        let journal = self.journal.get().map(|(path, held)| (path.as_path(), held));
        let held = std::iter::once((self.directory.as_path(), &self.data)).chain(journal);
        held.into_iter().all(|(path, held)| is_same(path, held))
    }
}

fn is_same(path: &Path, held: &File) -> bool {
    let place = |data: fs::Metadata| (data.dev(), data.ino());
    match (fs::metadata(path).map(place), held.metadata().map(place)) {
        (Ok(there), Ok(held)) => there == held,
        (Err(error), _) => error.kind() != io::ErrorKind::NotFound,
        (_, Err(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn is_locked(directory: &Path) -> bool {
        matches!(lock(directory), Err(RecoveryError::Locked { .. }))
    }

    /// What is done to the file or the path lets no second process in.
    #[test]
    fn no_change_of_file_or_path_lets_a_second_process_in() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let first = lock(&data).unwrap();
        assert!(is_locked(&data));
        fs::remove_file(data.join("LOCK")).unwrap();
        assert!(is_locked(&data), "the file is gone");
        fs::write(data.join("LOCK"), "").unwrap();
        assert!(is_locked(&data), "there is another file");
        let moved = place.path().join("moved");
        fs::rename(&data, &moved).unwrap();
        assert!(is_locked(&moved), "it is elsewhere");
        symlink(&moved, place.path().join("link")).unwrap();
        assert!(is_locked(&place.path().join("link")), "there is another way to it");
        assert!(!first.is_still_there());
        // Another one at the old path is nobody's, and still not the first's.
        let second = lock(&data).unwrap();
        assert!(second.is_still_there() && !first.is_still_there());
        drop(first);
        assert!(lock(&moved).is_ok());
    }

    #[test]
    fn a_journal_that_another_directory_shows_too_is_locked() {
        let place = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| place.path().join(name));
        let (first, second) = (lock(&one).unwrap(), lock(&two).unwrap());
        let journal = one.join("journal");
        fs::create_dir(&journal).unwrap();
        symlink(&journal, two.join("journal")).unwrap();
        first.hold_journal(&journal).unwrap();
        assert!(second.hold_journal(&two.join("journal")).is_err());
        assert!(first.is_still_there());
        fs::rename(&journal, place.path().join("gone")).unwrap();
        assert!(!first.is_still_there());
    }

    #[test]
    fn a_lock_that_is_no_file_is_neither_followed_nor_waited_for() {
        let place = tempfile::tempdir().unwrap();
        symlink(place.path().join("nothing"), place.path().join("LOCK")).unwrap();
        assert!(matches!(lock(place.path()), Err(RecoveryError::Io { .. })));
        assert!(!place.path().join("nothing").exists());
        fs::remove_file(place.path().join("LOCK")).unwrap();
        fs::create_dir(place.path().join("LOCK")).unwrap();
        assert!(matches!(lock(place.path()), Err(RecoveryError::Io { .. })));
    }
}
