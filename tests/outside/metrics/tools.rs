//! Programs of others: where they are, and what they print.
//!
//! Owns what happens where one is missing: where `CI` is set that is an error, elsewhere the test
//! says which package it lacks and does nothing. Next: `prometheus`.

use crate::TARGET;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn promtool() -> Option<PathBuf> {
    found(on_path("promtool"), "Debian's package prometheus")
}

/// A Python that has the parser.
pub(crate) fn python() -> Option<PathBuf> {
    let build = Path::new(TARGET.folder).parent().expect("the build directory");
    let python = build.join("outside-metrics/bin/python3");
    let found_here = python.exists().then_some(python);
    found(found_here, "Python's package prometheus_client; see .ci/run for where it goes")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists())
}

fn found(program: Option<PathBuf>, package: &str) -> Option<PathBuf> {
    if program.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{package} is missing");
        eprintln!("not tried: {package} is missing");
    }
    program
}

/// What a program prints that must succeed.
pub(crate) fn output(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // One that fails early reads no further; what it says then is the news.
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let out = child.wait_with_output().expect("the program ends");
    let said = String::from_utf8_lossy(&out.stderr);
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{command:?}: {:?}\n{told}{said}", out.status);
    written.expect("it reads all");
    told
}
