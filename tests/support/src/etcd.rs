//! Members of an etcd cluster as child processes on loopback, each with a directory of its own.
//!
//! Owns starting, killing (SIGKILL, as a machine dies) and starting again, and what happens where
//! etcd is not installed: where `CI` is set that is an error, elsewhere it is told and there are no
//! members. Never asks for a key.

use crate::wait;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Ended when they are dropped.
pub struct Members {
    folder: tempfile::TempDir,
    /// Ports for clients and for one another.
    ports: Vec<(u16, u16)>,
    children: Vec<Option<Child>>,
}

impl Drop for Members {
    fn drop(&mut self) {
        (0..self.children.len()).for_each(|member| self.kill(member));
    }
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--help").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let there = command.status().is_ok();
    let must = std::env::var("CI").as_deref() == Ok("true");
    assert!(there || !must, "Debian's packages etcd-server and etcd-client are missing: {program}");
    if !there {
        eprintln!("not tried: Debian's packages etcd-server and etcd-client are missing");
    }
    there
}

/// Ports that are free now; they are all open until the last of them is known.
fn free_ports(count: usize) -> Vec<(u16, u16)> {
    let open = || TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let sockets: Vec<_> = (0..count).map(|_| (open(), open())).collect();
    let port = |socket: &TcpListener| socket.local_addr().expect("it has an address").port();
    sockets.iter().map(|(clients, peers)| (port(clients), port(peers))).collect()
}

impl Members {
    /// So many that answer, below a folder; none where etcd is not installed.
    pub fn start(folder: &str, count: usize) -> Option<Self> {
        if !is_there("etcd") || !is_there("etcdctl") {
            return None;
        }
        let folder = tempfile::tempdir_in(folder).expect("a folder");
        let mut members = Self { folder, ports: free_ports(count), children: Vec::new() };
        for member in 0..count {
            let child = members.spawn(member);
            members.children.push(Some(child));
        }
        wait::until("members that answer", || members.control(&["endpoint", "health"]));
        Some(members)
    }

    /// As `cluster.arbiter` names them.
    pub fn setting(&self) -> String {
        format!("etcd://{}", self.endpoints())
    }

    fn endpoints(&self) -> String {
        let endpoint = |(clients, _): &(u16, u16)| format!("127.0.0.1:{clients}");
        self.ports.iter().map(endpoint).collect::<Vec<_>>().join(",")
    }

    /// By SIGKILL.
    pub fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.children[member].take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Starts one again on its directory.
    pub fn restart(&mut self, member: usize) {
        self.kill(member);
        self.children[member] = Some(self.spawn(member));
    }

    fn spawn(&self, member: usize) -> Child {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let (clients, peers) = self.ports[member];
        let peer_of =
            |(number, (_, peers)): (usize, &(u16, u16))| format!("m{number}={}", url(*peers));
        let all: Vec<_> = self.ports.iter().enumerate().map(peer_of).collect();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("m{member}.log")))
            .expect("a log is made");
        let mut command = Command::new("etcd");
        command.arg(format!("--name=m{member}"));
        command.arg(format!("--data-dir={}", self.directory(member).display()));
        command.arg(format!("--listen-client-urls={}", url(clients)));
        command.arg(format!("--advertise-client-urls={}", url(clients)));
        command.arg(format!("--listen-peer-urls={}", url(peers)));
        command.arg(format!("--initial-advertise-peer-urls={}", url(peers)));
        command.arg(format!("--initial-cluster={}", all.join(",")));
        command.args(["--initial-cluster-state=new", "--logger=zap"]);
        command.args(["--heartbeat-interval=100", "--election-timeout=1000"]);
        command.env_remove("ETCD_UNSUPPORTED_ARCH");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().expect("etcd runs")
    }

    fn directory(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("m{member}"))
    }

    /// `etcdctl` on all members; none where it fails.
    fn control(&self, arguments: &[&str]) -> Option<()> {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3");
        command.arg(format!("--endpoints={}", self.endpoints())).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("etcdctl runs").success().then_some(())
    }

    /// From now on only users are answered: root, and this one for everything below `/doorbuster/`.
    pub fn require_users(&self, user: &str, password: &str) {
        let named = format!("{user}:{password}");
        for arguments in [
            &["user", "add", "root:root"][..],
            &["user", "grant-role", "root", "root"],
            &["role", "add", "register"],
            &["role", "grant-permission", "register", "--prefix=true", "readwrite", "/doorbuster/"],
            &["user", "add", &named],
            &["user", "grant-role", user, "register"],
            &["auth", "enable"],
        ] {
            wait::until("etcdctl", || self.control(arguments));
        }
    }
}
