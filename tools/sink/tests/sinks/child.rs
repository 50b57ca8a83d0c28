//! The sink as a child process.
//!
//! Owns its configuration file, its state directory, signals, and what it says. Next: `shop`.

use doorbuster_test_support::target::{Target, directory_in};
use doorbuster_test_support::{server_binary, wait};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

const BINARY: &str = env!("CARGO_BIN_EXE_doorbuster-sink");
pub(crate) const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// The server's binary, for tests of this package.
pub(crate) fn target() -> Target {
    let server = server_binary::beside(BINARY).to_str().expect("its path is text");
    Target { name: "sinks", flags: "-p doorbuster-sink ", folder: FOLDER, server }
}

/// A configuration, and a place for all that a sink keeps.
pub(crate) struct Setup {
    pub(crate) folder: tempfile::TempDir,
}

impl Setup {
    /// Of a server and sinks; waits are short, so that tests are.
    pub(crate) fn new(url: &str, sinks: &str) -> Self {
        let setup = Self { folder: directory_in(FOLDER) };
        setup.say(url, sinks, "");
        setup
    }

    pub(crate) fn say(&self, url: &str, sinks: &str, more: &str) {
        let state = self.folder.path().join("state");
        let urls: Vec<_> = url.split(',').map(|url| format!("\"{url}\"")).collect();
        let retry = if more.contains("[retry]") {
            String::new()
        } else {
            "[retry]\nfirst_ms = 20\nmax_ms = 200\n".to_owned()
        };
        let text = format!(
            "[source]\nurls = [{}]\n{retry}[state]\ndirectory = \"{}\"\n{more}\n{sinks}",
            urls.join(", "),
            state.display()
        );
        fs::write(self.file(), text).expect("it is written");
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("sink.toml")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(self.file()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn ended(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    pub(crate) fn start(&self) -> Sink {
        let mut command = self.command(&[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let said = Arc::new(Mutex::new(String::new()));
        let out = child.stdout.take().expect("it is piped");
        let complaints = child.stderr.take().expect("it is piped");
        let readers = [keep(out, &said), keep(complaints, &said)];
        Sink { child, said, readers: Some(readers) }
    }
}

fn keep(mut from: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    let said = said.clone();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..count]);
            said.lock().expect("nobody fails with it").push_str(&text);
        }
    })
}

/// A sink under way.
pub(crate) struct Sink {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Option<[thread::JoinHandle<()>; 2]>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the sink said: {}", self.said());
        }
    }
}

impl Sink {
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("nobody fails with it").clone()
    }

    /// Waits until it has said this.
    pub(crate) fn says(&self, part: &str) {
        wait::until(part, || self.said().contains(part).then_some(()));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end; its exit code and what it said.
    pub(crate) fn wait(mut self) -> (i32, String) {
        let status = wait::until("its end", || self.child.try_wait().expect("it can be asked"));
        for reader in self.readers.take().into_iter().flatten() {
            reader.join().expect("it only reads");
        }
        (status.code().unwrap_or(-1), self.said())
    }

    /// SIGTERM, after which it ends well.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let (code, said) = self.wait();
        assert_eq!(code, 0, "{said}");
    }

    /// Memory in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).expect("it still runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("the kernel says how much") * 1024
    }
}
