//! A server under measurement: a child process, its address, the CPU it has used.

use crate::error::{BenchError, io_error};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A running server; ended when dropped.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts a server that says `listening on http://ADDRESS …` when it is ready.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self, BenchError> {
        let starting = || io_error(format!("start {name}"));
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(starting())?;
        let out = child.stdout.take().expect("it was just piped");
        let mut said = String::new();
        BufReader::new(out).read_line(&mut said).map_err(starting())?;
        let address = said.strip_prefix("listening on http://").and_then(|rest| {
            let address = rest.split_whitespace().next()?;
            address.parse().ok()
        });
        let mut server =
            Self { name: name.to_owned(), address: SocketAddr::from(([127, 0, 0, 1], 0)), child };
        let server_name = server.name.clone();
        server.address = address.ok_or(BenchError::NotListening { server: server_name, said })?;
        Ok(server)
    }

    /// CPU time of all its threads so far, user and system, in nanoseconds. The scheduler's own
    /// count, not the clock ticks of `/proc/PID/stat`: a short run would be lost between two.
    pub(crate) fn cpu_ns(&self) -> Result<u64, BenchError> {
        let reading = || io_error(format!("read the CPU time of {}", self.name));
        let mut sum = 0;
        let tasks = format!("/proc/{}/task", self.child.id());
        for task in fs::read_dir(tasks).map_err(reading())? {
            let path = task.map_err(reading())?.path().join("schedstat");
            // A thread that has just ended is no longer worth counting.
            let Ok(text) = fs::read_to_string(path) else { continue };
            let spent = text.split_whitespace().next().and_then(|spent| spent.parse::<u64>().ok());
            sum += spent.unwrap_or(0);
        }
        Ok(sum)
    }

    /// Memory it has in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, BenchError> {
        self.status_bytes("VmRSS:")
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
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
