//! Nodes with connections, a register and disks that are all in memory, driven round by round.
//!
//! Owns what a server and its threads do around a node, and what must hold after each round. Next:
//! `mod.rs`, the tests.

use super::plain_replica::{Data, JOURNAL, OPTIONS, PlainReplica, newest_snapshot};
use crate::cluster::arbiter::{ArbiterError, Swapped, Versioned};
use crate::cluster::node::{Name, Node, NodeSet, Nodes};
use crate::cluster::register::{ClusterId, OperationId, Register, Version};
use crate::cluster::role::{EndReason, NodeRole, Seen, Timing};
use crate::copies::node::{ClusterNode, Input, LinkId, NodeSettings, Output};
use crate::domain::model::ids::Sequence;
use crate::shared::standing::Standing;
use doorbuster_journal::{
    Disk, Journal, JournalError, MemoryDisk, Origin, SegmentAllocator, scan_with,
};
use doorbuster_test_support::random::Random;
use std::collections::{BTreeMap, VecDeque};

const ROUND_MS: u64 = 20;

pub(super) struct Writing {
    pub(super) journal: Journal<MemoryDisk>,
    allocator: SegmentAllocator<MemoryDisk>,
    epoch: u32,
}

pub(super) struct Server {
    pub(super) node: Option<ClusterNode<Data, PlainReplica>>,
    pub(super) data: Data,
    pub(super) writing: Option<Writing>,
    pub(super) copied: Sequence,
    pub(super) good_until_ms: u64,
    seen: Option<Seen>,
    pub(super) ended: Option<EndReason>,
    pub(super) standing: Standing,
    pub(super) lost_from: Option<Sequence>,
    pub(super) compared: Vec<(Sequence, [u8; 32])>,
    pub(super) stays: bool,
    pub(super) wall_ahead_ms: u64,
    accepted: LinkId,
}

struct Pipe {
    ends: [(usize, LinkId); 2],
    /// To the end of the same index.
    bytes: [VecDeque<u8>; 2],
    /// The end of this index has closed.
    closed: [bool; 2],
    /// Bytes until it is cut.
    left: Option<u64>,
}

enum Ask {
    Read,
    Swap(Version, Register, OperationId),
}

pub(super) struct World {
    pub(super) now_ms: u64,
    pub(super) random: Random,
    pub(super) nodes: Nodes,
    pub(super) is_sync: bool,
    pub(super) copies: usize,
    pub(super) servers: Vec<Server>,
    pipes: Vec<Pipe>,
    pub(super) register: Option<Versioned>,
    asks: VecDeque<(usize, Ask)>,
    pub(super) arbiter_is_there: bool,
    /// Connections are cut after up to so many bytes.
    pub(super) cut_within: Option<u64>,
    /// Payload by sequence, as far as answers may have left.
    answered: BTreeMap<Sequence, Vec<u8>>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn node(place: usize) -> Node {
    Node::at(place).expect("it is a place")
}

impl World {
    /// So many nodes; the first is the writer by the register, and the others are empty.
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let list: Vec<_> = (1..=count).map(|number| format!("n{number}=h{number}:1")).collect();
        let nodes = Nodes::parse(&list.join(",")).expect("it is a list");
        let first = Name::parse("n1").expect("it is a name");
        let register = Register {
            cluster: ClusterId([3; 16]),
            journal: JOURNAL.to_string(),
            epoch: 1,
            writer: first.clone(),
            in_sync: vec![first],
            operation: OperationId { process: 0, number: 0 },
            urls: BTreeMap::new(),
            forced: None,
        };
        let mut world = Self {
            now_ms: 1_000_000,
            random: Random::new(seed),
            nodes,
            is_sync: true,
            copies: 2,
            servers: Vec::new(),
            pipes: Vec::new(),
            register: Some(Versioned { version: 1, register }),
            asks: VecDeque::new(),
            arbiter_is_there: true,
            cut_within: None,
            answered: BTreeMap::new(),
            warnings: Vec::new(),
        };
        for _ in 0..count {
            world.servers.push(Server {
                node: None,
                data: Data::default(),
                writing: None,
                copied: 0,
                good_until_ms: 0,
                seen: None,
                ended: None,
                standing: Standing::default(),
                lost_from: None,
                compared: Vec::new(),
                stays: false,
                wall_ahead_ms: 0,
                accepted: 0,
            });
        }
        let mut journal = Journal::create(world.servers[0].data.journal.clone(), OPTIONS, JOURNAL)
            .expect("the disk is empty");
        journal.begin(1, 1);
        journal.push(|out| out.extend_from_slice(b"first")).expect("it fits");
        journal.finish().expect("it fits");
        journal.close().expect("the disk works");
        world.servers[0].seen = Some(Seen { epoch: 1, version: 1, began_empty: false });
        world
    }

    pub(super) fn start_all(&mut self) {
        (0..self.servers.len()).for_each(|place| self.start(place));
    }

    pub(super) fn start(&mut self, place: usize) {
        let settings = NodeSettings {
            cluster: ClusterId([3; 16]),
            nodes: self.nodes.clone(),
            own: node(place),
            name: self.nodes.name(node(place)).expect("it is listed").clone(),
            is_sync: self.is_sync,
            copies: self.copies,
            timing: Timing::default(),
            beat_ms: 100,
            hello_ms: 5_000,
            bootstrap_bytes_per_s: 64_000_000,
            clock_skew_ms_max: 5_000,
            process: self.random.next(),
            record_version: 1,
            product: "1".to_owned(),
            machine: format!("m{place}"),
            caps: Vec::new(),
            url: Some(format!("http://h{place}")),
        };
        let server = &mut self.servers[place];
        let replica = PlainReplica::open(server.data.clone());
        let data = server.data.clone();
        server.ended = None;
        server.writing = None;
        server.node = Some(ClusterNode::start(settings, data, replica, server.seen, self.now_ms));
    }

    /// A process is gone; its connections close.
    pub(super) fn kill(&mut self, place: usize, power: bool) {
        let server = &mut self.servers[place];
        server.node = None;
        server.writing = None;
        server.copied = 0;
        if power {
            server.data = server.data.after_power_loss();
        }
        self.asks.retain(|(asker, _)| *asker != place);
        for pipe in &mut self.pipes {
            for end in 0..2 {
                if pipe.ends[end].0 == place {
                    pipe.closed[end] = true;
                }
            }
        }
    }

    /// A machine is gone: nothing closes, nothing comes.
    pub(super) fn freeze(&mut self, place: usize) {
        self.kill(place, false);
        self.pipes.retain(|pipe| pipe.ends.iter().all(|(end, _)| *end != place));
    }

    pub(super) fn tell(&mut self, place: usize, input: Input<'_>) {
        let mut out = Vec::new();
        let server = &mut self.servers[place];
        let wall_ms = self.now_ms + server.wall_ahead_ms;
        if let Some(node) = &mut server.node {
            node.handle(self.now_ms, wall_ms, input, &mut out).expect("the disk works");
        }
        for output in out {
            self.carry_out(place, output);
        }
        self.note_answered(place);
    }

    fn carry_out(&mut self, place: usize, output: Output) {
        let now_ms = self.now_ms;
        let server = &mut self.servers[place];
        match output {
            Output::Connect { link, node } => self.connect(place, link, node),
            Output::Send { link, bytes } => {
                if let Some((pipe, end)) = self.pipe(place, link) {
                    pipe.bytes[1 - end].extend(bytes);
                }
            }
            Output::Close { link, .. } => {
                if let Some((pipe, end)) = self.pipe(place, link) {
                    pipe.closed[end] = true;
                }
            }
            Output::ReadRegister => self.asks.push_back((place, Ask::Read)),
            Output::SwapRegister { version, proposal, operation } => {
                self.asks.push_back((place, Ask::Swap(version, proposal, operation)));
            }
            Output::Keep(seen) => server.seen = Some(seen),
            Output::Publish { copied, good_until_ms } => {
                (server.copied, server.good_until_ms) = (copied, good_until_ms);
            }
            Output::Standing(standing) => server.standing = *standing,
            Output::Promote { epoch, lost_from } => {
                server.lost_from = lost_from;
                let replica = server.node.as_mut().and_then(ClusterNode::take_replica);
                let (journal, allocator, settled) = replica.expect("it followed").promote();
                server.writing = Some(Writing { journal, allocator, epoch });
                self.began(place, settled, now_ms);
            }
            Output::StayWriter { .. } => server.stays = true,
            Output::CompareImage { sequence, digest } => server.compared.push((sequence, digest)),
            Output::Warn(text) => self.warnings.push(text),
            Output::HandedOver { .. } => {}
            Output::End(reason) => {
                server.ended = Some(reason);
                self.kill(place, false);
            }
        }
    }

    fn began(&mut self, place: usize, settled: Sequence, now_ms: u64) {
        let server = &mut self.servers[place];
        let writing = server.writing.as_mut().expect("it was promoted");
        writing.store(b"started", settled, now_ms);
        writing.journal.sync().expect("the disk works");
        let started = writing.journal.appended();
        let history = writing.journal.history();
        // Rule 1, across writers: what was answered is in the journal of whoever writes next.
        let stored = records(&server.data);
        for (sequence, payload) in &self.answered {
            assert_eq!(stored.get(sequence), Some(payload), "answered {sequence} is gone");
        }
        self.tell(place, Input::Began { journal: JOURNAL, started, settled, history });
        self.tell(place, Input::JournalMoved { appended: started, synced: started });
    }

    /// Lets a writer decide something; without a sync too, as a turn has a moment of.
    pub(super) fn append(&mut self, place: usize, payload: &[u8], sync: bool) {
        let now_ms = self.now_ms;
        let server = &mut self.servers[place];
        let copied = server.copied;
        let Some(writing) = &mut server.writing else { return };
        writing.store(payload, copied, now_ms);
        let (appended, synced) = (writing.journal.appended(), writing.journal.synced());
        self.tell(place, Input::JournalMoved { appended, synced });
        if sync && let Some(writing) = &mut self.servers[place].writing {
            let synced = writing.journal.sync().expect("the disk works");
            self.tell(place, Input::JournalMoved { appended, synced });
        }
    }

    fn note_answered(&mut self, place: usize) {
        let server = &self.servers[place];
        let Some(writing) = &server.writing else { return };
        let may_answer = server.good_until_ms > 0;
        let until = if may_answer { server.copied.min(writing.journal.synced()) } else { 0 };
        let last = self.answered.last_key_value().map_or(0, |(sequence, _)| *sequence);
        if until <= last {
            return;
        }
        let stored = records(&server.data);
        for sequence in last + 1..=until {
            self.answered.insert(sequence, stored[&sequence].clone());
        }
        self.check_in_sync();
    }

    /// Whoever the register counts has, on its disk and synced, all that was answered.
    fn check_in_sync(&self) {
        let Some(Versioned { register, .. }) = &self.register else { return };
        let last = self.answered.last_key_value().map_or(0, |(sequence, _)| *sequence);
        for name in &register.in_sync {
            let place = self.nodes.find(name.as_str()).expect("it is listed").place();
            let data = self.servers[place].data.after_power_loss();
            let end = records(&data).last_key_value().map_or(0, |(sequence, _)| *sequence);
            assert!(end >= last, "{name} is in sync and ends at {end}, answered is {last}");
        }
    }

    fn pipe(&mut self, place: usize, link: LinkId) -> Option<(&mut Pipe, usize)> {
        self.pipes.iter_mut().find_map(|pipe| {
            let end = pipe.ends.iter().position(|end| *end == (place, link))?;
            Some((pipe, end))
        })
    }

    fn connect(&mut self, place: usize, link: LinkId, to: Node) {
        if self.servers[to.place()].node.is_none() {
            return self.tell(place, Input::Closed { link });
        }
        let other = &mut self.servers[to.place()];
        other.accepted += 1;
        let accepted = other.accepted;
        let left = self.cut_within.map(|within| self.random.below(within));
        self.pipes.push(Pipe {
            ends: [(place, link), (to.place(), accepted)],
            bytes: Default::default(),
            closed: [false; 2],
            left,
        });
        self.tell(to.place(), Input::Opened { link: accepted, to: None });
        self.tell(place, Input::Opened { link, to: Some(to) });
    }

    /// Time passes, and everything that is on its way comes.
    pub(super) fn round(&mut self) {
        self.now_ms += ROUND_MS;
        (0..self.servers.len()).for_each(|place| self.tell(place, Input::Tick));
        for _ in 0..2_000 {
            if !self.answer() && !self.deliver() {
                break;
            }
        }
        for place in 0..self.servers.len() {
            self.tell(place, Input::Idle);
        }
    }

    pub(super) fn rounds(&mut self, count: usize) {
        (0..count).for_each(|_| self.round());
    }

    fn answer(&mut self) -> bool {
        let Some((place, ask)) = self.asks.pop_front() else { return false };
        let gone = || ArbiterError::Unavailable("nobody listens".to_owned());
        match ask {
            Ask::Read if self.arbiter_is_there => {
                self.tell(place, Input::RegisterRead(Ok(self.register.clone())));
            }
            Ask::Read => self.tell(place, Input::RegisterRead(Err(gone()))),
            Ask::Swap(_, _, operation) if !self.arbiter_is_there => {
                self.tell(place, Input::RegisterSwapped(operation, Err(gone())));
            }
            Ask::Swap(version, proposal, operation) => {
                let found = self.register.as_ref().map_or(0, |register| register.version);
                let swapped = if found == version {
                    let version = found + 1;
                    self.register = Some(Versioned { version, register: proposal });
                    Swapped::Done(version)
                } else {
                    Swapped::Refused(self.register.clone())
                };
                // An outcome that is not heard is asked for again.
                let is_heard = self.cut_within.is_none() || self.random.percent(80);
                let unknown = || ArbiterError::Unknown("the answer is lost".to_owned());
                let heard = if is_heard { Ok(swapped) } else { Err(unknown()) };
                self.tell(place, Input::RegisterSwapped(operation, heard));
                self.check_in_sync();
            }
        }
        true
    }

    /// Some bytes of each connection, each way.
    fn deliver(&mut self) -> bool {
        let mut has_moved = false;
        for index in (0..self.pipes.len()).rev() {
            for end in 0..2 {
                has_moved |= self.deliver_to(index, end);
            }
            self.end_pipe(index);
        }
        has_moved
    }

    fn deliver_to(&mut self, index: usize, end: usize) -> bool {
        let Some(pipe) = self.pipes.get_mut(index) else { return false };
        if pipe.bytes[end].is_empty() || pipe.closed[end] {
            return false;
        }
        let most = [1, 7, 1000, 300_000][self.random.place(4)];
        let count = pipe.bytes[end].len().min(most);
        let count = pipe.left.map_or(count, |left| count.min(left as usize));
        let bytes: Vec<_> = pipe.bytes[end].drain(..count).collect();
        if let Some(left) = &mut pipe.left {
            *left -= count as u64;
        }
        let ((to, link), (from, other)) = (pipe.ends[end], pipe.ends[1 - end]);
        let is_drained = pipe.bytes[end].is_empty();
        self.tell(to, Input::Received { link, bytes: &bytes });
        if is_drained {
            self.tell(from, Input::Writable { link: other });
        }
        count > 0
    }

    /// Tells the other end of a connection that was closed or cut.
    fn end_pipe(&mut self, index: usize) {
        let Some(pipe) = self.pipes.get(index) else { return };
        let is_cut = pipe.left == Some(0);
        let is_said = |end: usize| pipe.closed[end] && pipe.bytes[1 - end].is_empty();
        let over = is_cut || pipe.closed == [true; 2] || is_said(0) || is_said(1);
        if over {
            let pipe = self.pipes.remove(index);
            for (end, (place, link)) in pipe.ends.into_iter().enumerate() {
                if !pipe.closed[end] {
                    self.tell(place, Input::Closed { link });
                }
            }
        }
    }

    pub(super) fn writer(&self) -> Option<usize> {
        let writes = |server: &Server| {
            server.node.as_ref().is_some_and(|node| node.role() == NodeRole::Writing)
        };
        self.servers.iter().position(writes)
    }

    pub(super) fn in_sync(&self) -> Vec<&str> {
        let register = &self.register.as_ref().expect("it is there").register;
        register.in_sync.iter().map(Name::as_str).collect()
    }

    pub(super) fn counted_by(&self, place: usize) -> NodeSet {
        self.servers[place].node.as_ref().and_then(ClusterNode::in_sync).unwrap_or_default()
    }

    /// The journals of two nodes are one: the same frames, and the same bytes in every segment.
    pub(super) fn assert_equal(&self, one: usize, two: usize) {
        let (one, two) = (&self.servers[one].data, &self.servers[two].data);
        let end = |data: &Data| records(data).last_key_value().map(|(last, _)| *last);
        assert_eq!(end(one), end(two));
        let (one, two) = (&one.journal, &two.journal);
        let names = |disk: &MemoryDisk| -> Vec<String> {
            let names = disk.names().expect("it can be read");
            names.into_iter().filter(|name| name.ends_with(".segment")).collect()
        };
        let both: Vec<_> =
            names(one).into_iter().filter(|name| names(two).contains(name)).collect();
        assert!(!both.is_empty(), "{:?} {:?}", one.names(), two.names());
        for name in both {
            let contents = |disk: &MemoryDisk| disk.contents(&name).expect("it is there");
            assert!(contents(one) == contents(two), "{name} differs");
        }
    }
}

impl Writing {
    pub(super) fn store(&mut self, payload: &[u8], copied: Sequence, now_ms: u64) {
        self.journal.set_copied(copied);
        self.journal.begin(self.epoch, now_ms);
        self.journal.push(|out| out.extend_from_slice(payload)).expect("it fits");
        while let Err(error) = self.journal.finish() {
            assert!(matches!(error, JournalError::NoSpare), "{error}");
            self.allocator.step();
        }
    }
}

/// What a journal holds, by sequence, as a look from outside shows it; behind its snapshot, if it
/// has one.
pub(super) fn records(data: &Data) -> BTreeMap<Sequence, Vec<u8>> {
    let mut found = BTreeMap::new();
    let origin = newest_snapshot(data).map_or(Origin::Genesis, Origin::Snapshot);
    // A disk from which a power cut took all, and one that begins anew, hold nothing.
    let _ = scan_with(&data.journal, origin, &mut |frame| {
        found.extend(frame.records().map(|(sequence, record)| (sequence, record.to_vec())));
        Ok(())
    });
    found
}
