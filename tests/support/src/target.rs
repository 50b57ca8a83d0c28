//! What a test target knows only where it is compiled: its name, its folder, the server's binary.
//!
//! Owns how a failed test is repeated: the line that says how to run it alone, and its seed: a
//! fresh one for each run, or the one in the variable `SEED`. The threads of a test still
//! interleave as they like, so a seed repeats what is asked, not when. Next: `process`.

use crate::process::Launch;
use crate::random::Random;
use std::cell::Cell;
use std::fs::Permissions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use tempfile::{Builder, TempDir};

thread_local! {
    /// The test of this thread has said how to run it alone.
    static ANNOUNCED: Cell<bool> = const { Cell::new(false) };
}

/// A test target of the server's package; made by [`target!`](crate::target!).
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As `cargo test --test` takes it.
    pub name: &'static str,
    /// What else `cargo test` must be told, with a space behind it.
    pub flags: &'static str,
    /// A folder beside the build.
    pub folder: &'static str,
    /// The binary that was built for this target.
    pub server: &'static str,
}

/// The [`Target`] of the test in which this stands.
#[macro_export]
macro_rules! target {
    () => {
        $crate::target::Target {
            name: env!("CARGO_CRATE_NAME"),
            flags: if cfg!(feature = "failpoints") { "--features failpoints " } else { "" },
            folder: env!("CARGO_TARGET_TMPDIR"),
            server: env!("CARGO_BIN_EXE_doorbuster"),
        }
    };
}

impl Target {
    /// A fresh directory beside the build, not in memory: syncs shall be real. Only its owner can
    /// read it; of any other a start would warn.
    pub fn directory(self) -> TempDir {
        directory_in(self.folder)
    }

    /// `doorbuster` without an argument.
    pub fn launch_bare(self) -> Launch {
        Launch::bare(self)
    }

    /// A server of this directory, on a port of its choice.
    pub fn launch(self, data: &Path) -> Launch {
        Launch::at(self, data, "127.0.0.1:0")
    }

    /// A server of this directory at this address.
    pub fn launch_at(self, data: &Path, address: &str) -> Launch {
        Launch::at(self, data, address)
    }

    /// Chance for a test; its seed is printed, and libtest shows it if the test fails.
    pub fn random(self) -> Random {
        let given = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        self.announce_with(&format!("SEED={seed} "));
        Random::new(seed)
    }

    /// Prints how to run this test alone: libtest shows it if the test fails.
    pub fn announce(self) {
        self.announce_with("");
    }

    fn announce_with(self, seed: &str) {
        if !ANNOUNCED.replace(true) {
            let thread = thread::current();
            let test = thread.name().unwrap_or_default();
            let Self { name, flags, .. } = self;
            eprintln!("again: {seed}cargo test {flags}--test {name} -- --exact {test}");
        }
    }
}

/// A fresh directory in this folder, for its owner only.
pub fn directory_in(folder: impl AsRef<Path>) -> TempDir {
    let own = Permissions::from_mode(0o700);
    let directory = Builder::new().permissions(own).tempdir_in(folder);
    directory.expect("the build directory takes a directory")
}
