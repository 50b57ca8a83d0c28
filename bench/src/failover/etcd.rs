//! Three members of etcd on loopback, and which of them leads. Next: `child`.

use super::child::Process;
use crate::error::BenchError;
use crate::load;
use crate::protocol::Protocol;
use crate::server::free_address;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

const MEMBERS: usize = 3;

/// Killed when they are dropped.
pub(super) struct Members {
    folder: PathBuf,
    /// For clients and for one another.
    addresses: Vec<(SocketAddr, SocketAddr)>,
    processes: Vec<Process>,
}

impl Members {
    pub(super) fn start(folder: &Path) -> Result<Self, BenchError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join("etcd").is_file()) {
            return Err(BenchError::NotInstalled { server: "etcd", package: "etcd-server" });
        }
        let pair = |_| -> Result<_, BenchError> { Ok((free_address()?, free_address()?)) };
        let addresses = (0..MEMBERS).map(pair).collect::<Result<Vec<_>, _>>()?;
        let log = |member: usize| folder.join(format!("etcd{member}.log"));
        let processes =
            (0..MEMBERS).map(|member| Process::new(format!("etcd {member}"), log(member)));
        let processes = processes.collect();
        let mut members = Self { folder: folder.to_owned(), addresses, processes };
        for member in 0..MEMBERS {
            members.restart(member)?;
        }
        Ok(members)
    }

    /// As `cluster.arbiter` names them.
    pub(super) fn setting(&self) -> String {
        let clients: Vec<_> =
            self.addresses.iter().map(|(clients, _)| clients.to_string()).collect();
        format!("etcd://{}", clients.join(","))
    }

    pub(super) fn restart(&mut self, member: usize) -> Result<(), BenchError> {
        let (clients, peers) = self.addresses[member];
        let all = self.addresses.iter().enumerate();
        let all: Vec<_> =
            all.map(|(number, (_, peers))| format!("m{number}=http://{peers}")).collect();
        let data = self.folder.join(format!("etcd{member}"));
        let mut command = Command::new("etcd");
        command.arg(format!("--name=m{member}")).arg(format!("--data-dir={}", data.display()));
        command.arg(format!("--listen-client-urls=http://{clients}"));
        command.arg(format!("--advertise-client-urls=http://{clients}"));
        command.arg(format!("--listen-peer-urls=http://{peers}"));
        command.arg(format!("--initial-advertise-peer-urls=http://{peers}"));
        command.arg(format!("--initial-cluster={}", all.join(",")));
        command.args(["--initial-cluster-state=new", "--logger=zap"]);
        self.processes[member].kill();
        self.processes[member].start(command)
    }

    pub(super) fn kill(&mut self, member: usize) {
        self.processes[member].kill();
    }

    /// Which member leads, if one says that it does.
    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |(clients, _): &(SocketAddr, SocketAddr)| {
            let request = format!(
                "POST /v3/maintenance/status HTTP/1.1\r\nhost: {clients}\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
            );
            let answer = load::ask(*clients, &Protocol::Http, request.into_bytes()).ok()?;
            let body = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
            let status: Value = serde_json::from_slice(&answer[body..]).ok()?;
            let own = status["header"]["member_id"].as_str()?;
            (status["leader"].as_str()? == own).then_some(())
        };
        self.addresses.iter().position(|member| leads(member).is_some())
    }
}
