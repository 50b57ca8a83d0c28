//! The server's binary for tests of other packages, whose builds do not have it.
//!
//! Owns building it beside theirs. Next: `process`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The server's binary in the folder of this other one. It is built once a test process, in the
/// same profile, if it is not there yet.
///
/// # Panics
/// When it cannot be built.
pub fn beside(other: &str) -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let binary = Path::new(other).with_file_name("doorbuster");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--offline", "--quiet", "-p", "doorbuster"]);
        if binary.parent().is_some_and(|folder| folder.ends_with("release")) {
            build.arg("--release");
        }
        // Of the runner that measures tests: cargo would build all of it anew.
        build.env_remove("RUSTC_BOOTSTRAP");
        let built = build.status().expect("cargo runs");
        assert!(built.success() && binary.is_file(), "there is no {}", binary.display());
        binary
    })
}
