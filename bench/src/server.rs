//! A server under measurement: a child process, its address, the CPU that it and its own children
//! have used.

use crate::error::{BenchError, io_error};
use crate::load::{self, now};
use crate::protocol::{Protocol, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that does not serve by then is broken; one that does not end by then is killed.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that says nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// `/proc` counts CPU time of ended children in these, on every Linux that this builds for.
const TICK_NS: u64 = 10_000_000;

/// A running server; ended when dropped.
pub(crate) struct Server {
    pub(crate) name: String,
    /// Version and settings, as far as they matter.
    pub(crate) about: String,
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
    child: Child,
    /// What makes it end together with all its children.
    end_by: Signal,
}

/// A free port on loopback, for a server that cannot choose one by itself.
pub(crate) fn free_address() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io_error("find a port"))?;
    listener.local_addr().map_err(io_error("find a port"))
}

impl Server {
    /// Starts a server that says `listening on http://ADDRESS …` when it is ready, `https` under
    /// TLS.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self, BenchError> {
        let starting = || io_error(format!("start {name}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(starting())?;
        let out = child.stdout.take().expect("it was just piped");
        let mut said = String::new();
        BufReader::new(out).read_line(&mut said).map_err(starting())?;
        let address = said.strip_prefix("listening on http").and_then(|rest| {
            let (_, rest) = rest.split_once("://")?;
            let address = rest.split_whitespace().next()?;
            address.parse().ok()
        });
        let mut server = Self {
            name: name.to_owned(),
            about: String::new(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            protocol: Protocol::Http,
            child,
            end_by: Signal::KILL,
        };
        let server_name = server.name.clone();
        server.address = address.ok_or(BenchError::NotListening { server: server_name, said })?;
        Ok(server)
    }

    /// Starts a server that does not say when it is ready, and asks it until it answers. What it
    /// prints goes into `log`.
    pub(crate) fn start_silent(
        name: &str,
        command: &mut Command,
        log: &Path,
        end_by: Signal,
        (address, protocol): (SocketAddr, Protocol),
        question: &[u8],
    ) -> Result<Self, BenchError> {
        let starting = || io_error(format!("start {name}"));
        let out = fs::File::create(log).map_err(starting())?;
        command.stdin(Stdio::null()).stdout(out.try_clone().map_err(starting())?).stderr(out);
        let child = command.spawn().map_err(starting())?;
        let name = name.to_owned();
        let mut server = Self { name, about: String::new(), address, protocol, child, end_by };
        let begun = now();
        let answers = |protocol: &Protocol| {
            let answer = load::ask(address, protocol, question.to_vec());
            answer.is_ok_and(|answer| protocol.verdict(&answer) != Verdict::Other)
        };
        while !answers(&server.protocol) {
            let ended = server.child.try_wait().map_err(starting())?.is_some();
            if ended || begun.elapsed() > PATIENCE {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(BenchError::NotListening { server: server.name.clone(), said });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(server)
    }

    /// CPU time so far of all threads of the server and of its child processes, user and system,
    /// in nanoseconds. The scheduler's own count, not the clock ticks of `/proc/PID/stat`: a short
    /// run would be lost between two. Only children that have ended are counted in those.
    pub(crate) fn cpu_ns(&self) -> Result<u64, BenchError> {
        let reading = || io_error(format!("read the CPU time of {}", self.name));
        let own = self.child.id();
        let mut sum = threads_ns(own).map_err(reading())?;
        for process in fs::read_dir("/proc").map_err(reading())? {
            let name = process.map_err(reading())?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            if stat_field(pid, PARENT) == Some(u64::from(own)) {
                // One that has just ended is counted as such.
                sum += threads_ns(pid).unwrap_or(0);
            }
        }
        let ended = [CHILDREN_USER, CHILDREN_SYSTEM].map(|at| stat_field(own, at).unwrap_or(0));
        Ok(sum + ended.iter().sum::<u64>() * TICK_NS)
    }

    /// Tells it something.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), BenchError> {
        kill_process(Pid::from_child(&self.child), signal).map_err(|errno| BenchError::Io {
            operation: format!("signal {}", self.name),
            cause: errno.into(),
        })
    }

    /// It has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory it has in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, BenchError> {
        self.status_bytes("VmRSS:")
    }

    /// Of that, what is no file's, such as the journal's.
    pub(crate) fn anonymous_bytes(&self) -> Result<u64, BenchError> {
        self.status_bytes("RssAnon:")
    }

    /// The most that it had in use since it started, or since `forget_peak`, in bytes.
    pub(crate) fn peak_resident_bytes(&self) -> Result<u64, BenchError> {
        self.status_bytes("VmHWM:")
    }

    /// From here on the peak counts anew.
    pub(crate) fn forget_peak(&self) -> Result<(), BenchError> {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        fs::write(path, "5").map_err(io_error(format!("forget the peak of {}", self.name)))
    }

    fn status_bytes(&self, name: &str) -> Result<u64, BenchError> {
        let reading = || io_error(format!("read the memory of {}", self.name));
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).map_err(reading())?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let kib = kib.ok_or_else(|| std::io::Error::other(format!("there is no {name}")));
        Ok(kib.map_err(reading())? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, here and below.
        let _ = kill_process(Pid::from_child(&self.child), self.end_by);
        let begun = now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < PATIENCE {
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fields of `/proc/PID/stat` after the name of the program, counted from there.
const PARENT: usize = 1;
const CHILDREN_USER: usize = 13;
const CHILDREN_SYSTEM: usize = 14;

fn stat_field(pid: u32, at: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind_name) = text.rsplit_once(')')?;
    behind_name.split_whitespace().nth(at)?.parse().ok()
}

fn threads_ns(pid: u32) -> std::io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that has just ended is no longer worth counting.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let spent = text.split_whitespace().next().and_then(|spent| spent.parse::<u64>().ok());
        sum += spent.unwrap_or(0);
    }
    Ok(sum)
}
