//! Where the tools are, and how they are run.
//!
//! Owns the folder that `install` fills, and that no tool outlives its test. Never installs
//! anything.

use crate::TARGET;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// No tool takes this long unless it is broken.
const TIMEOUT_S: &str = "600";

/// Tools of one language.
#[derive(Clone, Copy)]
pub(crate) enum Kit {
    /// Those of `package.json`.
    Node,
    /// Those of `requirements.txt`.
    Python,
}

impl Kit {
    fn folder(self) -> PathBuf {
        let name = match self {
            Self::Node => "node",
            Self::Python => "python",
        };
        let target = Path::new(TARGET.folder).parent().expect("it has a parent");
        target.join("outside/openapi").join(name)
    }

    /// A program of the kit.
    pub(crate) fn program(self, name: &str) -> PathBuf {
        let programs = match self {
            Self::Node => "node_modules/.bin",
            Self::Python => "bin",
        };
        self.folder().join(programs).join(name)
    }

    /// Whether the kit is there. Where it has to be, it is.
    pub(crate) fn is_there(self) -> bool {
        let stamp = self.folder().join("installed");
        if stamp.exists() {
            return true;
        }
        let missing = format!("{} is missing: run tests/outside/openapi/install", stamp.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        eprintln!("not tested: {missing}");
        false
    }

    /// A folder in which programs find the kit's packages, with these files of ours in it.
    pub(crate) fn workplace(self, files: &[&str]) -> TempDir {
        let folder = match self {
            // Packages are looked for upwards.
            Self::Node => TempDir::new_in(self.folder()).expect("the kit takes a folder"),
            Self::Python => TARGET.directory(),
        };
        for file in files {
            let of_ours = ours().join(file);
            fs::copy(of_ours, folder.path().join(file)).expect("a file can be copied");
        }
        folder
    }
}

/// The folder of this test.
pub(crate) fn ours() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "outside", "openapi"].iter().collect()
}

/// A tool in the making.
pub(crate) struct Tool(Command);

impl Tool {
    /// Run within this folder.
    pub(crate) fn new(program: impl AsRef<OsStr>, folder: &Path) -> Self {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", TIMEOUT_S]).arg(program).current_dir(folder);
        // Nothing of these tools is to be told to anybody.
        command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        command.env("SCHEMATHESIS_REPORT", "false").env("PYTHONDONTWRITEBYTECODE", "1");
        Self(command)
    }

    pub(crate) fn arguments<A: AsRef<OsStr>>(mut self, all: impl IntoIterator<Item = A>) -> Self {
        self.0.args(all);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Whether it ends well, and all that it says.
    pub(crate) fn run(mut self) -> (bool, String) {
        let output = self.0.stdin(Stdio::null()).output().expect("timeout is there");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// What it says; it must end well.
    pub(crate) fn succeed(self) -> String {
        let command = format!("{:?}", self.0);
        let (good, text) = self.run();
        assert!(good, "{command} failed:\n{text}");
        text
    }
}
