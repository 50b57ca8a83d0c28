//! The copy of the source in which all mutants are.
//!
//! Owns its folder, and that it is the source as it stands now: files that did not change keep
//! their times, so that the next build is short; files that are gone are removed. Its crates are of
//! another version, so that they may share built dependencies with the product. Never writes
//! outside of the folder. Next: `hunt`.

use crate::mutant::Mutant;
use crate::switched::{LOWEST, Misfit, SWITCH, files, switched};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that hold no source.
const LEFT_OUT: &[&str] = &["target", "node_modules", "python", "corpus", "golden"];
/// What the build of a crate reads.
const EXTENSIONS: &[&str] = &["rs", "toml", "lock"];

/// The copy could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A file or folder cannot be read or written.
    #[error("{place}: {cause}")]
    Io {
        /// Which.
        place: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A row does not fit.
    #[error("{0}")]
    Misfit(#[from] Misfit),
    /// The workspace's manifest has no version where it should.
    #[error("Cargo.toml has no version below [workspace.package]")]
    Version,
}

fn io_error(place: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let place = place.to_owned();
    |cause| CopyError::Io { place, cause }
}

/// Makes the copy of the workspace `root` in the folder `copy`, or brings it up to date.
///
/// # Errors
/// [`CopyError`]; then the copy is not whole.
pub fn make(root: &Path, copy: &Path, mutants: &[Mutant]) -> Result<(), CopyError> {
    let changed = files(mutants);
    let mut written = BTreeSet::new();
    for file in sources(root)? {
        let name = file.strip_prefix(root).expect("it was found there").to_owned();
        let from = fs::read_to_string(&file).map_err(io_error(&file))?;
        let text = match name.to_str().unwrap_or_default() {
            "Cargo.toml" => other_version(&from)?,
            "Cargo.lock" => other_versions(&from),
            path if path == format!("{LOWEST}lib.rs") => switched(mutants, path, &from)? + SWITCH,
            path if changed.contains(&path) => switched(mutants, path, &from)?,
            _ => from,
        };
        let to = copy.join(&name);
        write_if_other(&to, &text).map_err(io_error(&to))?;
        written.insert(to);
    }
    for file in sources(copy)? {
        if !written.contains(&file) {
            fs::remove_file(&file).map_err(io_error(&file))?;
        }
    }
    Ok(())
}

/// The sources below a folder.
fn sources(root: &Path) -> Result<Vec<PathBuf>, CopyError> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(io_error(&folder))? {
            let path = entry.map_err(io_error(&folder))?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            if path.is_symlink() || name.starts_with('.') || LEFT_OUT.contains(&name) {
                continue;
            } else if path.is_dir() {
                folders.push(path);
            } else if EXTENSIONS.contains(&extension) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn write_if_other(file: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
}

/// Marks the version, or the crates of the copy would be those of the product to Cargo.
fn other_version(manifest: &str) -> Result<String, CopyError> {
    let (before, rest) =
        manifest.split_once("[workspace.package]\nversion = \"").ok_or(CopyError::Version)?;
    let (version, after) = rest.split_once('"').ok_or(CopyError::Version)?;
    Ok(format!("{before}[workspace.package]\nversion = \"{version}+mutants\"{after}"))
}

/// The same in the lock.
fn other_versions(lock: &str) -> String {
    let mut own = false;
    let mut marked = |line: &str| {
        let is_version = std::mem::replace(&mut own, line.starts_with("name = \"doorbuster"));
        match line.strip_suffix('"').filter(|_| is_version) {
            Some(version) => format!("{version}+mutants\"\n"),
            None => format!("{line}\n"),
        }
    };
    lock.lines().map(&mut marked).collect()
}
