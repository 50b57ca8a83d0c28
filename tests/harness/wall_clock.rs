//! The system's clock as the server sees it, set forward and back while it runs and between starts.
//!
//! Owns `libfaketime` (Debian's package `faketime`): the server's processes read the wall clock
//! with what stands in a file added to it; the monotonic clock stays as it is. Where the library is
//! not installed the clock is left alone, and that is told; with `CI=true` it must be there. Next:
//! `lives`.

use doorbuster_test_support::process::Launch;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Where distributions put it.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];

static TOLD: Once = Once::new();

/// The clock of all servers of a round.
pub(crate) struct WallClock {
    library: Option<&'static str>,
    file: PathBuf,
    off_ms: i64,
}

impl WallClock {
    /// Right, to begin with.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        let library = LIBRARIES.into_iter().find(|library| Path::new(library).exists());
        if library.is_none() {
            let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!must, "libfaketime must be there in continuous integration: install faketime");
            TOLD.call_once(|| {
                let _ = writeln!(io::stderr(), "no clock is set: there is no libfaketime");
            });
        }
        let clock = Self { library, file: directory.join("clock"), off_ms: 0 };
        clock.write();
        clock
    }

    pub(crate) fn can_be_set(&self) -> bool {
        self.library.is_some()
    }

    /// From here on it is so far off: for who runs, within a second.
    pub(crate) fn set(&mut self, off_ms: i64) {
        self.off_ms = off_ms;
        self.write();
    }

    fn write(&self) {
        let next = self.file.with_extension("next");
        let written = fs::write(&next, format!("{:+}\n", self.off_ms / 1000));
        written.and_then(|()| fs::rename(next, &self.file)).expect("a file of ours");
    }

    /// A server that reads it.
    pub(crate) fn show(&self, launch: Launch) -> Launch {
        let Some(library) = self.library else { return launch };
        let file = self.file.to_str().expect("a path in UTF-8");
        launch
            .environment("LD_PRELOAD", library)
            .environment("FAKETIME_TIMESTAMP_FILE", file)
            .environment("FAKETIME_CACHE_DURATION", "1")
            .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}
