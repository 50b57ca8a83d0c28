//! The nodes of a cluster as real processes, with a real etcd of one member.
//!
//! Owns their addresses and directories, the first register, and what is waited for: a writer, copies
//! in sync. Every wait polls; nothing is expected to take a certain time. Next: `load`.

use crate::TARGET;
use doorbuster::cluster::arbiter::{Arbiter, Swapped, Versioned};
use doorbuster::cluster::etcd::{Endpoints, Etcd};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::node_file::NodeFile;
use doorbuster::cluster::register::{ClusterId, OperationId, Register};
use doorbuster::cluster::role::Seen;
use doorbuster::engine::replay::{journal_directory, open};
use doorbuster_test_support::client::Client;
use doorbuster_test_support::etcd::Members;
use doorbuster_test_support::process::{Exit, Launch, Server};
use doorbuster_test_support::wait;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use tempfile::TempDir;

/// The name of every cluster here; each has an etcd of its own.
const CLUSTER: &str = "shop";
/// Small, so that a load fills several.
const SEGMENT_BYTES: &str = "262144";

/// One of the nodes, running or not.
struct Place {
    data: TempDir,
    peer: SocketAddr,
    http: SocketAddr,
    server: Option<Server>,
}

/// All nodes, and the arbiter.
pub(crate) struct Nodes {
    pub(crate) members: Members,
    places: Vec<Place>,
    settings: Vec<(&'static str, String)>,
}

pub(crate) fn name(node: usize) -> Name {
    Name::parse(&format!("n{}", node + 1)).expect("it is a name")
}

/// Addresses that are free now; all are open until the last of them is known.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let open = |_| TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let sockets: Vec<_> = (0..count).map(open).collect();
    sockets.iter().map(|socket| socket.local_addr().expect("it has an address")).collect()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

impl Nodes {
    /// So many nodes, of which the first has a journal and writes alone by the register; none where
    /// etcd is not installed. Nobody runs yet.
    pub(crate) fn prepare(count: usize, settings: &[(&'static str, &str)]) -> Option<Self> {
        let members = Members::start(TARGET.folder, 1)?;
        let addresses = free_addresses(count * 2);
        let place = |pair: &[SocketAddr]| Place {
            data: TARGET.directory(),
            peer: pair[0],
            http: pair[1],
            server: None,
        };
        let places: Vec<_> = addresses.chunks(2).map(place).collect();
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let nodes = Self { members, places, settings };
        let first = nodes.data(0);
        let by_itself =
            TARGET.launch(first).small().variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES);
        by_itself.start().stop().stopped();
        nodes.make_register();
        Some(nodes)
    }

    /// As [`Self::prepare`], and all run: the first writes, and all others are in sync, up to as
    /// many as an answer waits for.
    pub(crate) fn start(count: usize, settings: &[(&'static str, &str)]) -> Option<Self> {
        let mut nodes = Self::prepare(count, settings)?;
        (0..count).for_each(|node| nodes.run(node));
        assert_eq!(nodes.writer(), 0);
        nodes.wait_in_sync(count.min(2));
        Some(nodes)
    }

    pub(crate) fn etcd(&self) -> Etcd {
        let endpoints = Endpoints::parse(&self.members.setting(), None).expect("it is one");
        Etcd::new(endpoints, &Name::parse(CLUSTER).expect("it is a name"), 0)
    }

    /// The register as it stands.
    pub(crate) fn register(&self) -> Versioned {
        run(self.etcd().read()).expect("etcd answers").expect("there is a register")
    }

    /// Changes the register by force, as nobody may.
    pub(crate) fn overwrite_register(&self, change: impl FnOnce(&mut Register)) {
        let Versioned { version, mut register } = self.register();
        change(&mut register);
        let done = run(self.etcd().swap(Some(version), &register)).expect("etcd answers");
        assert!(matches!(done, Swapped::Done(_)), "{done:?}");
    }

    /// Has all nodes ask another etcd, which has nothing.
    pub(crate) fn forget_register(&mut self) {
        self.members = Members::start(TARGET.folder, 1).expect("etcd is there");
    }

    /// As `doorbusterctl cluster init` makes it.
    fn make_register(&self) {
        let journal = open(&journal_directory(self.data(0))).expect("there is a journal");
        let id = doorbuster_journal::journal_id(&journal).expect("it reads").expect("it has an id");
        let node = name(0);
        let register = Register {
            cluster: ClusterId([7; 16]),
            journal: id.to_string(),
            epoch: 1,
            writer: node.clone(),
            in_sync: vec![node.clone()],
            operation: OperationId { process: 1, number: 1 },
            urls: [(node.clone(), self.url(0))].into(),
            forced: None,
        };
        let made = run(self.etcd().swap(None, &register)).expect("etcd answers");
        let Swapped::Done(version) = made else { panic!("{made:?}") };
        let seen = Seen { epoch: 1, version, began_empty: false };
        let cluster = register.cluster;
        let kept = NodeFile { cluster, name: Name::parse(CLUSTER).expect("a name"), node, seen };
        kept.write(self.data(0)).expect("the directory takes it");
    }

    pub(crate) fn data(&self, node: usize) -> &Path {
        self.places[node].data.path()
    }

    pub(crate) fn url(&self, node: usize) -> String {
        format!("http://{}", self.places[node].http)
    }

    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.places[node].http
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len()
    }

    /// A node's command line.
    pub(crate) fn launch(&self, node: usize) -> Launch {
        let place = &self.places[node];
        let peer = |(number, place): (usize, &Place)| format!("{}={}", name(number), place.peer);
        let nodes: Vec<_> = self.places.iter().enumerate().map(peer).collect();
        let launch = TARGET
            .launch_at(place.data.path(), &place.http.to_string())
            .small()
            .variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES)
            .variable("REPLICATION_MODE", "sync")
            .variable("CLUSTER_NAME", CLUSTER)
            .variable("CLUSTER_NODE", name(node).as_str())
            .variable("CLUSTER_NODES", &nodes.join(","))
            .variable("CLUSTER_URL", &self.url(node))
            .variable("CLUSTER_ARBITER", &self.members.setting());
        let settings = self.settings.iter();
        settings.fold(launch, |launch, (name, value)| launch.variable(name, value))
    }

    /// Starts a node, which listens from then on.
    pub(crate) fn run(&mut self, node: usize) {
        let server = self.launch(node).start();
        assert!(self.places[node].server.replace(server).is_none(), "it runs already");
    }

    /// The process of a node, which is the caller's from now on.
    pub(crate) fn take(&mut self, node: usize) -> Server {
        self.places[node].server.take().expect("it runs")
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: usize) -> Exit {
        self.take(node).kill()
    }

    /// Ends a node in order.
    pub(crate) fn stop(&mut self, node: usize) -> Exit {
        self.take(node).stop()
    }

    pub(crate) fn runs(&self, node: usize) -> bool {
        self.places[node].server.is_some()
    }

    /// Begins a node anew, with nothing.
    pub(crate) fn wipe(&mut self, node: usize) {
        assert!(!self.runs(node), "it runs");
        self.places[node].data = TARGET.directory();
    }

    pub(crate) fn client(&self, node: usize) -> Option<Client> {
        Client::connect(self.address(node)).ok()
    }

    /// What a node says of itself; none while it does not answer.
    pub(crate) fn status(&self, node: usize) -> Option<Value> {
        let mut client = self.client(node)?;
        let answer = client.send(&doorbuster_test_support::client::Ask::get("/v1/status")).ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Waits for a node that says it writes and is ready.
    pub(crate) fn writer(&self) -> usize {
        let is_writer = |node: &usize| {
            let ask = doorbuster_test_support::client::Ask::get("/readyz");
            let answer = self.client(*node).and_then(|mut client| client.send(&ask).ok());
            answer.is_some_and(|answer| answer.status == 200)
        };
        wait::until("a node that writes", || {
            (0..self.count()).filter(|node| self.runs(*node)).find(is_writer)
        })
    }

    /// Waits until the writer counts so many nodes as in sync, itself included.
    pub(crate) fn wait_in_sync(&self, count: usize) {
        wait::until("copies in sync", || {
            (0..self.count()).find(|node| {
                let status = self.status(*node).filter(|_| self.runs(*node));
                status.is_some_and(|status| {
                    let in_sync = status["in_sync"].as_array().map_or(0, Vec::len);
                    status["role"] == json!("writer") && in_sync == count
                })
            })
        });
    }

    /// Waits until a node follows a writer and lacks nothing that was settled by then.
    pub(crate) fn wait_caught_up(&self, node: usize) {
        let name = name(node).to_string();
        wait::until("a copy without a lag", || {
            let status = self.status(self.writer())?;
            let copies = status["copies"].as_array()?.clone();
            let own = copies.into_iter().find(|copy| copy["node"] == json!(name))?;
            (own["lag_records"] == json!(0)).then_some(())
        });
    }
}
