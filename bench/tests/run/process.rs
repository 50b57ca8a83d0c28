//! Server and generator as child processes, none of which outlives its test.

use doorbuster_test_support::server_binary;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A fresh folder beside the build, not in memory: syncs shall be real.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory takes a directory")
}

/// The server's binary, which belongs to another package.
pub(crate) fn server_binary() -> &'static Path {
    server_binary::beside(env!("CARGO_BIN_EXE_doorbuster-bench"))
}

/// A server that serves.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) url: String,
}

impl Server {
    /// Starts one on a folder, at an address or at one of its choice.
    pub(crate) fn start(folder: &Path, address: Option<&str>) -> Self {
        Self::start_with(folder, address, &[])
    }

    /// The same under TLS, with the certificate and the key in two files of PEM.
    pub(crate) fn start_secured(folder: &Path, certificate: &Path, key: &Path) -> Self {
        let arguments =
            ["--tls-cert".as_ref(), certificate.as_ref(), "--tls-key".as_ref(), key.as_ref()];
        Self::start_with(folder, None, &arguments)
    }

    fn start_with(folder: &Path, address: Option<&str>, arguments: &[&OsStr]) -> Self {
        let mut command = Command::new(server_binary());
        for name in ["SKUS", "ORDERS", "KEYS", "ANSWERS", "USES", "USERS"] {
            command.env(format!("DOORBUSTER_CAPS_{name}"), "100000");
        }
        command.env("DOORBUSTER_JOURNAL_SEGMENT_BYTES", "1048576");
        command.arg("--data").arg(folder.join("data"));
        command.args(["--listen", address.unwrap_or("127.0.0.1:0")]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server's binary runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("the server speaks");
        let url = line.split_whitespace().find(|word| word.starts_with("http"));
        let url = url.unwrap_or_else(|| panic!("the server said {line:?}")).to_owned();
        let address = url.replace("https://", "").replace("http://", "");
        Self { child, address, url }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// `kill -9`, and gone.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        let code = output.status.code().expect("it is not killed");
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The generator's binary.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-bench"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("DOORBUSTER_TOKEN").env_remove("DOORBUSTER_URL");
    command
}

/// Runs the generator's binary to its end.
pub(crate) fn bench(arguments: &[&str]) -> Ran {
    command().args(arguments).output().expect("the binary was built").into()
}

/// A `run` in the making.
pub(crate) struct Bench {
    command: Command,
}

impl Bench {
    pub(crate) fn new(url: &str, scenario: &str, report: &Path) -> Self {
        let mut command = command();
        command.args(["run", "--url", url, "--scenario", scenario, "--report"]).arg(report);
        Self { command }
    }

    pub(crate) fn arguments(mut self, arguments: &str) -> Self {
        self.command.args(arguments.split_whitespace());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        Running(Some(self.command.spawn().expect("the binary was built")))
    }

    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }
}

/// A run that goes on.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn wait(mut self) -> Ran {
        let child = self.0.take().expect("it is waited for once");
        child.wait_with_output().expect("a child can be waited for").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Both fail where it has ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
