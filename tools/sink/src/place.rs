//! A position in a file of ours, and the lock that keeps a second instance out.
//!
//! Owns that the file has the old position or the new one, whatever happens: it is written beside,
//! synced, and renamed. Next: `webhook`, `file`, `nats`, `kafka`.

use crate::event::Position;
use crate::failure::Failure;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where a sink is; locked while this lives.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    file: PathBuf,
    _lock: File,
}

impl Place {
    pub(crate) fn open(directory: &Path, sink: &str) -> Result<Self, Failure> {
        let failed = |cause: io::Error| told(directory, &cause);
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let lock = directory.join(format!("{sink}.lock"));
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(lock);
        let lock = lock.map_err(failed)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let file = format!("{sink}.lock in {} is locked", directory.display());
            return Err(Failure::Fenced(file));
        }
        let file = directory.join(format!("{sink}.position"));
        Ok(Self { directory: directory.to_owned(), file, _lock: lock })
    }

    pub(crate) fn read(&self) -> Result<Option<Position>, Failure> {
        match fs::read(&self.file) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(told(&self.file, &cause)),
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                Failure::Final(format!(
                    "{} is no position ({error}); delete it, and the sink begins anew",
                    self.file.display()
                ))
            }),
        }
    }

    pub(crate) fn write(&self, position: &Position) -> Result<(), Failure> {
        self.replace(position).map_err(|cause| told(&self.file, &cause))
    }

    fn replace(&self, position: &Position) -> io::Result<()> {
        let beside = self.file.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&serde_json::to_vec(position)?)?;
        file.sync_all()?;
        fs::rename(&beside, &self.file)?;
        File::open(&self.directory)?.sync_all()
    }
}

/// A failure of a disk may pass: somebody makes room.
pub(crate) fn told(file: &Path, cause: &io::Error) -> Failure {
    let remedy = match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room on its disk",
        ErrorKind::PermissionDenied => "; let the sink's user write there",
        ErrorKind::NotFound => "; make the folder",
        _ => "",
    };
    Failure::away(format!("{}: {cause}{remedy}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_and_a_second_instance_is_kept_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::open(folder.path(), "hook").expect("it opens");
        assert_eq!(place.read(), Ok(None));
        let at = Position { source: "urn:x".into(), id: "a-7".into(), seq: 7 };
        place.write(&at).expect("it is written");
        assert!(matches!(Place::open(folder.path(), "hook"), Err(Failure::Fenced(_))));
        drop(place);
        let place = Place::open(folder.path(), "hook").expect("it opens");
        assert_eq!(place.read(), Ok(Some(at)));
        fs::write(folder.path().join("hook.position"), "{").expect("it is written");
        assert!(matches!(place.read(), Err(Failure::Final(_))));
    }
}
