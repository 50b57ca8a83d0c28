//! What a backup and a restore have in common before and after they copy.
//!
//! Owns that nothing is copied into itself, how fast, and that a copy ends where its source did.
//! Next: `copying`, `restore`.

use super::paced::Meter;
use super::staging::io_error;
use crate::inspect::Trouble;
use doorbuster::engine::replay::Replayed;
use std::path::Path;
use std::sync::Arc;

/// An error, and that what was done until then is gone.
pub(super) fn nothing_left(trouble: Trouble, target: &Path) -> Trouble {
    let told = |text: String| format!("{text}; nothing is left of it in {}", target.display());
    match trouble {
        Trouble::Unreadable(text) => Trouble::Unreadable(told(text)),
        other => other,
    }
}

/// A copy must end where the source did.
pub(super) fn check_end(expected: u64, replayed: &Replayed) -> Result<(), Trouble> {
    let sequence = replayed.state.sequence;
    if sequence == expected {
        return Ok(());
    }
    let told = format!("the copy ends at sequence {sequence}, not at {expected}");
    Err(Trouble::Damage(format!("{told}: does the target's disk keep what it is given?")))
}

/// A copy inside of what is copied would be lost with it, and would change it.
pub(super) fn check_apart(source: &Path, target: &Path) -> Result<(), Trouble> {
    let real = |path: &Path| path.canonicalize().map_err(io_error("open", path));
    let source_place = real(source)?;
    let nearest = target.ancestors().find(|path| path.exists());
    let nearest = nearest.unwrap_or_else(|| Path::new("."));
    if real(nearest)?.starts_with(&source_place) {
        return Err(Trouble::Usage(format!(
            "{} lies in {}: name a directory outside of it, best on another disk",
            target.display(),
            source.display(),
        )));
    }
    Ok(())
}

/// What paces a command and hears the signals that end it.
pub(super) fn begin_meter(bytes_per_s: Option<u64>, target: &Path) -> Result<Arc<Meter>, Trouble> {
    Meter::begin(bytes_per_s).map_err(io_error("watch signals for", target))
}
