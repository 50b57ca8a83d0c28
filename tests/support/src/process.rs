//! The server as a child process.
//!
//! Owns starting it on a free port, hearing that it is ready, the signals it gets, and that none
//! outlives its test. Never talks HTTP: that is `client`. Every wait ends when the child closes its
//! standard output or the deadline passes. Next: `client`.

use crate::client::Client;
use crate::target::Target;
use crate::wait::{self, Deadline};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Small, because every segment is filled with zeros before its use.
const SEGMENT_BYTES: &str = "1048576";

/// A command line and environment of the server, from a clean slate.
pub struct Launch {
    command: Command,
    target: Target,
}

impl Launch {
    /// `doorbuster` without an argument. The environment of the tests may have settings of its own.
    pub(crate) fn bare(target: Target) -> Self {
        let mut command = Command::new(target.server);
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(is_setting) {
            command.env_remove(name);
        }
        Self { command, target }
    }

    /// A server of this directory at this address.
    pub(crate) fn at(target: Target, data: &Path, address: &str) -> Self {
        let mut launch = Self::bare(target).variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES);
        launch.command.arg("--data").arg(data).args(["--listen", address]);
        launch
    }

    /// One more argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.command.arg(argument.into());
        self
    }

    /// A setting from the environment, named without its prefix.
    pub fn variable(self, name: &str, value: &str) -> Self {
        self.environment(&format!("DOORBUSTER_{name}"), value)
    }

    /// Any variable.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With no more address space than this, in KiB.
    pub fn within(self, address_space_kib: u64) -> Self {
        self.behind(&format!("ulimit -v {address_space_kib}"))
    }

    /// Behind a command of the shell that shapes the process: `ulimit`, `umask`, `exec >…`.
    pub fn behind(self, shell: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{shell}; exec \"$@\""), "sh"]);
        command.arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self { command, target: self.target }
    }

    /// Room for as much as these tests need: reserving the default caps takes a start longer.
    pub fn small(self) -> Self {
        let caps = ["SKUS", "ORDERS", "KEYS", "ANSWERS", "USES", "USERS", "ENTRIES"];
        caps.into_iter()
            .fold(self, |launch, name| launch.variable(&format!("CAPS_{name}"), "200000"))
    }

    /// Starts it and waits until it serves.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|exit| panic!("the server does not start: {exit:?}"))
    }

    /// Starts it and waits until it serves, or ends.
    pub fn try_start(self) -> Result<Server, Exit> {
        let mut running = self.spawn();
        let Some(line) = running.line() else { return Err(running.exit()) };
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.split(' ').next());
        let (scheme, address) = url.and_then(|url| url.split_once("://")).unwrap_or_default();
        assert!(matches!(scheme, "http" | "https"), "the first line is {line:?}");
        let address = address.parse().ok();
        let address = address.unwrap_or_else(|| panic!("the first line is {line:?}"));
        Ok(Server { running, address, is_secured: scheme == "https" })
    }

    /// Runs it to its end, which it must come to by itself.
    pub fn run(self) -> Exit {
        self.spawn().exit()
    }

    /// To be started by the test itself, with ends of its own.
    pub fn command(self) -> Command {
        self.command
    }

    fn spawn(mut self) -> Running {
        self.target.announce();
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the server's binary runs");
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let lines = read_lines(stdout.expect("it is piped"));
        let complaints = Arc::default();
        let complaining = Some(read_all(stderr.expect("it is piped"), Arc::clone(&complaints)));
        Running { child, lines, complaints, complaining }
    }
}

fn is_setting(name: &OsString) -> bool {
    const SYSTEMD: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];
    let is_one = |name: &str| name.starts_with("DOORBUSTER_") || SYSTEMD.contains(&name);
    name.to_str().is_some_and(is_one)
}

fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Keeps what comes, so that it can be looked at meanwhile.
fn read_all(mut stderr: ChildStderr, into: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // What was read until an error is still worth showing.
        while let Ok(count @ 1..) = stderr.read(&mut bytes) {
            into.lock().expect("nobody fails with it").extend_from_slice(&bytes[..count]);
        }
    })
}

/// How a server ended.
#[derive(Debug)]
pub struct Exit {
    /// None if a signal ended it.
    pub code: Option<i32>,
    /// The lines on standard output that were not taken before.
    pub lines: Vec<String>,
    /// All of standard error.
    pub complaints: String,
}

/// What the last line of an orderly stop says.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Starts of the server in this journal.
    pub epoch: u64,
    /// Of the last event.
    pub sequence: u64,
    /// Of the state.
    pub digest: String,
}

impl Exit {
    /// Reads `stopped epoch E seq N digest H` after an exit with code 0.
    pub fn stopped(&self) -> Stopped {
        assert_eq!(self.code, Some(0), "{self:?}");
        let last = self.lines.last().unwrap_or_else(|| panic!("no last line: {self:?}"));
        let words: Vec<&str> = last.split(' ').collect();
        let ["stopped", "epoch", epoch, "seq", sequence, "digest", digest] = words[..] else {
            panic!("the last line is {last:?}")
        };
        Stopped {
            epoch: epoch.parse().expect("the epoch is a number"),
            sequence: sequence.parse().expect("the sequence is a number"),
            digest: digest.to_owned(),
        }
    }
}

struct Running {
    child: Child,
    lines: Receiver<String>,
    complaints: Arc<Mutex<Vec<u8>>>,
    complaining: Option<JoinHandle<()>>,
}

impl Running {
    /// The next line, or none when there will be no more.
    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(Deadline::from_now().left()) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the server neither speaks nor ends"),
        }
    }

    /// Standard error so far.
    fn complaints(&self) -> String {
        let bytes = self.complaints.lock().expect("nobody fails with it");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn exit(&mut self) -> Exit {
        let lines = std::iter::from_fn(|| self.line()).collect();
        // Its standard output is closed, so it has ended or is about to.
        let status = self.child.wait().expect("a child can be waited for");
        if let Some(complaining) = self.complaining.take() {
            complaining.join().expect("it only reads");
        }
        let complaints = self.complaints();
        Exit { code: status.code(), lines, complaints }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(complaining) = self.complaining.take().filter(|_| thread::panicking()) {
            let _ = complaining.join();
            eprintln!("the server's standard error: {}", self.complaints());
        }
    }
}

/// A server that serves.
pub struct Server {
    running: Running,
    /// Where it listens.
    pub address: SocketAddr,
    /// It says that it speaks TLS.
    pub is_secured: bool,
}

impl Server {
    /// A connection to it.
    pub fn connect(&self) -> Client {
        Client::connect(self.address).expect("the server takes a connection")
    }

    /// Standard error so far.
    pub fn complaints(&self) -> String {
        self.running.complaints()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.running.child.id()
    }

    /// Memory of the process that is in use, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.running.child.id());
        let text = std::fs::read_to_string(path).expect("it still runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("the kernel says how much") * 1024
    }

    /// `kill -9`, without a word before.
    pub fn kill(mut self) -> Exit {
        self.running.child.kill().expect("it still runs");
        self.running.exit()
    }

    /// Any signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.child), signal).expect("it still runs");
    }

    /// SIGTERM; it may take its time.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// From here on its files may be so large at most, in bytes.
    pub fn limit_files(&self, bytes: u64) {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        let process = Some(Pid::from_child(&self.running.child));
        prlimit(process, Resource::Fsize, limit).expect("it is our child");
    }

    /// SIGHUP, and what it says to that.
    pub fn reload(&self, expected: &str) {
        let before = self.running.complaints().len();
        self.hang_up();
        wait::until(expected, || {
            let complaints = self.running.complaints();
            complaints[before..].contains(expected).then_some(())
        });
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Exit {
        self.running.exit()
    }

    /// Ends it by SIGTERM and waits for that.
    pub fn stop(self) -> Exit {
        self.terminate();
        self.wait()
    }
}
