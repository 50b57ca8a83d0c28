//! A process that is killed and started again on purpose; what it says goes to a file.

use crate::error::{BenchError, io_error};
use crate::load::now;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Killed when it is dropped.
pub(super) struct Process {
    pub(super) name: String,
    log: PathBuf,
    child: Option<Child>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    pub(super) fn new(name: String, log: PathBuf) -> Self {
        Self { name, log, child: None }
    }

    pub(super) fn start(&mut self, mut command: Command) -> Result<(), BenchError> {
        let starting = || io_error(format!("start {}", self.name));
        let log = File::options().create(true).append(true).open(&self.log).map_err(starting())?;
        let out = log.try_clone().map_err(starting())?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(log).spawn();
        self.child = Some(child.map_err(starting())?);
        Ok(())
    }

    /// By SIGKILL, also one that is stopped; it is gone then.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), BenchError> {
        let Some(child) = &self.child else { return Ok(()) };
        kill_process(Pid::from_child(child), signal).map_err(|errno| BenchError::Io {
            operation: format!("signal {}", self.name),
            cause: errno.into(),
        })
    }

    /// Waits until it has ended by itself; says whether it did.
    pub(super) fn ends_within(&mut self, patience: Duration) -> bool {
        let begun = now();
        while let Some(child) = &mut self.child {
            if !matches!(child.try_wait(), Ok(None)) {
                self.child = None;
                break;
            }
            if begun.elapsed() > patience {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// What it said last, for a report of what went wrong.
    pub(super) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = said.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
