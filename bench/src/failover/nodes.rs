//! The nodes of a cluster on loopback, each a server with its own directory and settings.
//!
//! Owns their start and their ends, and what the register says of them. Next: `child`,
//! `conductor`.

use super::child::Process;
use crate::error::{BenchError, io_error};
use crate::load::now;
use crate::peers::start;
use crate::server::{Server, free_address};
use doorbuster::cluster::arbiter::Arbiter as _;
use doorbuster::cluster::etcd::{Endpoints, Etcd};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::register::Register;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

/// All of it takes seconds; what takes this long is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const CLUSTER: &str = "failover";
/// Disks that an answer waits for.
const COPIES: usize = 2;

struct Node {
    process: Process,
    http: SocketAddr,
    peers: SocketAddr,
}

/// Killed when they are dropped.
pub(super) struct Nodes {
    folder: PathBuf,
    server: Option<PathBuf>,
    nodes: Vec<Node>,
    etcd: Etcd,
    arbiter: String,
    runtime: Runtime,
}

impl Nodes {
    pub(super) fn new(
        folder: &Path,
        server: Option<&Path>,
        count: u64,
        arbiter: &str,
    ) -> Result<Self, BenchError> {
        let node = |number: u64| -> Result<Node, BenchError> {
            let name = format!("n{number}");
            let log = folder.join(format!("{name}.log"));
            let process = Process::new(name, log);
            Ok(Node { process, http: free_address()?, peers: free_address()? })
        };
        let nodes = (1..=count).map(node).collect::<Result<_, _>>()?;
        let wrong = |what: String| BenchError::Usage(what);
        let endpoints =
            Endpoints::parse(arbiter, None).map_err(|error| wrong(error.to_string()))?;
        let name = Name::parse(CLUSTER).map_err(|error| wrong(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            folder: folder.to_owned(),
            server: server.map(Path::to_owned),
            nodes,
            etcd: Etcd::new(endpoints, &name, 0),
            arbiter: arbiter.to_owned(),
            runtime: runtime.map_err(io_error("start an event loop"))?,
        })
    }

    /// Makes a journal for the first node and the register that names it.
    pub(super) fn make_register(&self) -> Result<(), BenchError> {
        let mut alone = start::command(self.server.as_deref(), "group", &self.data(0))?;
        let program = PathBuf::from(alone.get_program()).with_file_name("doorbusterctl");
        drop(Server::start("the first node by itself", &mut alone)?);
        let begun = now();
        loop {
            let mut command = Command::new(&program);
            command.arg("--data").arg(self.data(0)).args(["cluster", "--config"]);
            command.arg(self.settings(0)?).arg("init");
            let made = command.output().map_err(io_error(format!("run {}", program.display())))?;
            if made.status.success() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                let said = String::from_utf8_lossy(&made.stderr).into_owned();
                return Err(BenchError::NotListening { server: "cluster init".to_owned(), said });
            }
            // etcd is still choosing its leader.
            thread::sleep(Duration::from_millis(200));
        }
    }

    pub(super) fn data(&self, node: usize) -> PathBuf {
        self.folder.join(&self.nodes[node].process.name)
    }

    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn name(&self, node: usize) -> &str {
        &self.nodes[node].process.name
    }

    pub(super) fn url(&self, node: usize) -> String {
        format!("http://{}", self.nodes[node].http)
    }

    /// Of all, as the typed client takes them.
    pub(super) fn urls(&self) -> String {
        (0..self.count()).map(|node| self.url(node)).collect::<Vec<_>>().join(",")
    }

    fn settings(&self, node: usize) -> Result<PathBuf, BenchError> {
        let Node { process, http, .. } = &self.nodes[node];
        let nodes = self.nodes.iter().map(|node| format!("{}={}", node.process.name, node.peers));
        let nodes = nodes.collect::<Vec<_>>().join(",");
        let text = format!(
            "data = \"{}\"\nlisten = \"{http}\"\n[cluster]\nname = \"{CLUSTER}\"\n\
             node = \"{}\"\nnodes = \"{nodes}\"\nurl = \"http://{http}\"\narbiter = \"{}\"\n\
             [replication]\nmode = \"sync\"\ncopies = {COPIES}\n",
            self.data(node).display(),
            process.name,
            self.arbiter,
        );
        let file = self.folder.join(format!("{}.toml", process.name));
        fs::write(&file, text).map_err(io_error(format!("write {}", file.display())))?;
        Ok(file)
    }

    pub(super) fn start(&mut self, node: usize) -> Result<(), BenchError> {
        let beside = start::command(self.server.as_deref(), "group", &self.data(node))?;
        let mut command = Command::new(beside.get_program());
        command.arg("serve").arg("--config").arg(self.settings(node)?);
        self.nodes[node].process.start(command)
    }

    /// All, until they are in sync.
    pub(super) fn start_all(&mut self) -> Result<(), BenchError> {
        for node in 0..self.count() {
            self.start(node)?;
        }
        self.wait_for("all nodes to be in sync", |register| register.in_sync.len() >= COPIES)?;
        Ok(())
    }

    pub(super) fn process(&mut self, node: usize) -> &mut Process {
        &mut self.nodes[node].process
    }

    /// By SIGKILL, so that their directories are as a loss leaves them.
    pub(super) fn end_all(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.process.kill());
    }

    /// What the register holds, if the arbiter answers.
    fn register(&self) -> Option<Register> {
        let read = self.runtime.block_on(self.etcd.read());
        read.ok().flatten().map(|held| held.register)
    }

    /// The register, once it is as it is waited for.
    pub(super) fn wait_for(
        &mut self,
        what: &str,
        is_so: impl Fn(&Register) -> bool,
    ) -> Result<Register, BenchError> {
        let begun = now();
        loop {
            if let Some(register) = self.register().filter(&is_so) {
                return Ok(register);
            }
            if begun.elapsed() > PATIENCE {
                let said = self.nodes.iter().map(|node| node.process.last_words());
                let said = said.collect::<Vec<_>>().join("\n");
                return Err(BenchError::NotListening {
                    server: format!("waiting for {what}"),
                    said,
                });
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The register, once as many are in sync as are waited for.
    pub(super) fn whole(&mut self) -> Result<Register, BenchError> {
        self.wait_for("a copy in sync", |register| register.in_sync.len() >= COPIES)
    }

    /// Which node is meant.
    pub(super) fn find(&self, name: &Name) -> Result<usize, BenchError> {
        let found = self.nodes.iter().position(|node| node.process.name == name.as_str());
        found.ok_or_else(|| BenchError::Answer {
            server: "the register".to_owned(),
            answer: name.to_string(),
        })
    }

    /// Does something that waits for the network.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
