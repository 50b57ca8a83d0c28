//! A journal and its copy under power cuts and kills on either side, with changes of the writer.
//!
//! Random turns, syncs, acknowledgements and failures, one step at a time; also disks that are lost
//! for good, so that a copy begins after a snapshot. Always: what is settled is on both disks and
//! stays there; a start never refuses what was only torn; the copy is the same byte for byte as far
//! as it goes; no copy is told of more than is settled. More of them by
//! `JOURNAL_COPIES=2000 cargo test --release -p doorbuster-journal --test journal copies_survive`;
//! `SEED` repeats one.

use std::collections::BTreeMap;

use doorbuster_journal::{
    Disk, Journal, JournalEnd, JournalError, MemoryDisk, Options, Origin, RawTail,
    SEGMENT_BYTES_MIN, Scan, SegmentAllocator, SnapshotEnd, common_end, cut, scan_with,
};

use crate::cuts::{LIMITS, seeds};
use crate::mortal::MortalDisk;
use crate::pair::*;
use crate::support::*;
use doorbuster_test_support::random::Random;

/// One machine: a disk, and a journal while it runs.
struct Node {
    disk: MemoryDisk,
    options: Options,
    /// After a snapshot, if the disk is not the first.
    origin: Origin,
    /// Whether it counts: it has all that is settled.
    counts: bool,
    running: Option<Running>,
}

struct Running {
    journal: Journal<MemoryDisk>,
    allocator: Option<SegmentAllocator<MemoryDisk>>,
}

impl Running {
    fn new(mut journal: Journal<MemoryDisk>, random: &mut Random) -> Self {
        let allocator = random.once_in(2).then(|| journal.segment_allocator());
        Self { journal, allocator }
    }

    /// Repeats a call as long as no spare is ready.
    fn with_spare<T>(
        &mut self,
        mut call: impl FnMut(&mut Journal<MemoryDisk>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        loop {
            let done = call(&mut self.journal);
            if !matches!(done, Err(JournalError::NoSpare)) {
                return done;
            }
            self.journal.take_spare_failure().map_or(Ok(()), Err)?;
            self.allocator.as_ref().expect("without one, it is made on demand").step();
        }
    }
}

/// Two machines, of which both count: nothing is answered before both have synced it.
struct Pair {
    nodes: [Node; 2],
    writer: usize,
    epoch: u32,
    /// Of the copy, as the writer knows.
    acknowledged: u64,
    connected: bool,
    settled: u64,
    /// The records that are settled, as a reader of either journal sees them.
    truth: Vec<(u64, Vec<u8>)>,
    events: BTreeMap<&'static str, u64>,
}

impl Node {
    fn origin_snapshot(&self) -> Option<SnapshotEnd> {
        match self.origin {
            Origin::Genesis => None,
            Origin::GenesisBeside(snapshot) | Origin::Snapshot(snapshot) => Some(snapshot),
        }
    }

    /// Reads the journal as a start does: it is never refused.
    fn read(&self) -> (Scan, Vec<(u64, Vec<u8>)>) {
        let mut records = Vec::new();
        let found = scan_with(&self.disk, self.origin, &mut |frame| {
            records.extend(frame.records().map(|(sequence, record)| (sequence, record.to_vec())));
            Ok(())
        });
        (found.unwrap_or_else(|error| panic!("refused: {error}")), records)
    }
}

impl Pair {
    fn new(random: &mut Random) -> Self {
        let sizes = [1, random.between(1, 2)].map(|times| times * SEGMENT_BYTES_MIN);
        let mut nodes = sizes.map(|segment_bytes| Node {
            disk: MemoryDisk::default(),
            options: Options { segment_bytes },
            origin: Origin::Genesis,
            counts: true,
            running: None,
        });
        let mut journal = Journal::create(nodes[0].disk.clone(), nodes[0].options, ID).unwrap();
        journal.set_copied(0);
        append(&mut journal, 1, &["the first"]);
        let options = nodes[1].options;
        let copy = copy_from_genesis(&nodes[0].disk, nodes[1].disk.clone(), options);
        nodes[0].running = Some(Running::new(journal, random));
        nodes[1].running = Some(Running::new(copy, random));
        let mut pair = Self {
            nodes,
            writer: 0,
            epoch: 1,
            acknowledged: 1,
            connected: true,
            settled: 0,
            truth: Vec::new(),
            events: BTreeMap::new(),
        };
        pair.settle();
        pair
    }

    fn count(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    fn copy(&self) -> usize {
        1 - self.writer
    }

    fn writer_journal(&mut self) -> Option<&mut Journal<MemoryDisk>> {
        self.nodes[self.writer].running.as_mut().map(|running| &mut running.journal)
    }

    /// What the writer now knows to be on both disks is answered, and can never be taken back.
    fn settle(&mut self) {
        let acknowledged = self.acknowledged;
        let Some(journal) = self.writer_journal() else { return };
        journal.set_copied(acknowledged);
        let settled = journal.settled();
        assert!(settled >= self.settled, "{settled} is settled after {}", self.settled);
        if settled > self.settled {
            let (_, records) = self.nodes[self.writer].read();
            let new = records.into_iter().filter(|(sequence, _)| *sequence <= settled);
            self.truth.extend(new.filter(|(sequence, _)| *sequence > self.settled));
            self.settled = settled;
            assert_eq!(self.truth.len() as u64, settled);
        }
    }

    /// A turn of the writer. An error ends its process, as it does that of the server.
    fn append(&mut self, random: &mut Random) -> Result<(), JournalError> {
        let done = self.try_append(random);
        // A change of the segment syncs, too.
        self.settle();
        done
    }

    fn try_append(&mut self, random: &mut Random) -> Result<(), JournalError> {
        let epoch = self.epoch;
        let Some(running) = &mut self.nodes[self.writer].running else { return Ok(()) };
        running.journal.begin(epoch, u64::from(epoch));
        for _ in 0..1 + random.below(3) {
            let bytes = if random.once_in(2) { 60 } else { 24_000 };
            let bytes = random.below(bytes);
            let fill = random.between(1, 250) as u8;
            running.with_spare(|journal| {
                journal.push(|frame| frame.resize(frame.len() + bytes as usize, fill))
            })?;
        }
        running.with_spare(Journal::finish)?;
        if random.once_in(4) {
            running.with_spare(|journal| journal.seal(epoch, u64::from(epoch), b"totals"))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        if let Some(journal) = self.writer_journal() {
            journal.sync()?;
        }
        self.settle();
        Ok(())
    }

    /// The copy takes some frames, which need not be synced by the writer.
    fn ship(&mut self, frames_max: usize) -> Result<(), JournalError> {
        let (writer, copy) = (self.writer, self.copy());
        if !self.connected {
            return Ok(());
        }
        let (source, appended) = match &self.nodes[writer].running {
            Some(running) => (self.nodes[writer].disk.clone(), running.journal.appended()),
            None => return Ok(()),
        };
        let Some(running) = &mut self.nodes[copy].running else { return Ok(()) };
        running.with_spare(|journal| copy_some(&source, appended, journal, frames_max))?;
        let end = running.journal.end();
        assert!(running.journal.watermark() <= self.settled, "the copy is told of too much");
        check_same_up_to(&end, &source, &self.nodes[copy].disk, "shipped");
        Ok(())
    }

    /// The copy syncs what it has and says so.
    fn acknowledge(&mut self) -> Result<(), JournalError> {
        let copy = self.copy();
        if !self.connected || self.nodes[self.writer].running.is_none() {
            return Ok(());
        }
        let Some(running) = &mut self.nodes[copy].running else { return Ok(()) };
        self.acknowledged = self.acknowledged.max(running.journal.sync()?);
        let has_all = running.journal.synced() >= self.settled;
        self.nodes[copy].counts |= has_all;
        self.settle();
        Ok(())
    }

    /// A machine stops: killed, or without power, so that any of its unsynced sectors may be lost.
    fn stop(&mut self, node: usize, killed: bool, random: &mut Random) {
        self.connected = false;
        self.nodes[node].running = None;
        let keeps = random.below(4);
        self.nodes[node].disk = self.nodes[node].disk.after_power_loss(|_, _| match keeps {
            _ if killed => true,
            0 => false,
            1 => random.once_in(8),
            _ => random.once_in(2),
        });
        self.count(if killed { "killed" } else { "power lost" });
    }

    /// Reads a stopped machine's journal as a start does: never refused, and all that is settled is
    /// there as it was.
    fn start(&mut self, node: usize, random: &mut Random) {
        let disk = self.nodes[node].disk.clone();
        let (found, records) = self.nodes[node].read();
        let is_whole = found.last_sequence >= self.settled;
        assert!(is_whole || !self.nodes[node].counts, "{} is lost", self.settled);
        assert!(found.vouched <= self.settled, "more is vouched for than is settled");
        let base = found.last_sequence - records.len() as u64;
        let settled = self.truth.iter().skip(base as usize);
        assert!(records.iter().zip(settled).all(|(one, other)| one == other), "it has changed");
        if found.dropped.is_some() {
            self.count("a torn tail dropped");
        }
        let journal = Journal::resume(disk, self.nodes[node].options, found).unwrap();
        self.nodes[node].running = Some(Running::new(journal, random));
    }

    /// The copy loses its disk. Until it has all again, it does not count, so nothing is settled. An
    /// empty disk begins after a snapshot of what is settled.
    fn replace(&mut self, random: &mut Random) {
        let (writer, copy) = (self.writer, self.copy());
        let Some(appended) = self.writer_journal().map(|journal| journal.appended()) else {
            return;
        };
        let mut ends: Vec<_> = self.nodes[writer].origin_snapshot().into_iter().collect();
        scan_with(&self.nodes[writer].disk, self.nodes[writer].origin, &mut |frame| {
            ends.extend(frame.snapshot_end().filter(|end| end.sequence <= self.settled));
            Ok(())
        })
        .unwrap();
        let snapshot = ends[random.place(ends.len())];
        let disk = MemoryDisk::default();
        let source = &self.nodes[writer].disk;
        let options = self.nodes[copy].options;
        begin_after(source, appended, disk.clone(), options, snapshot).unwrap();
        let origin = Origin::Snapshot(snapshot);
        self.nodes[copy] = Node { disk, options, origin, counts: false, running: None };
        self.acknowledged = self.settled;
        self.settle();
        self.count("a disk replaced");
        self.stop(copy, random.once_in(2), random);
    }

    /// One of the machines goes on as the writer, in the next epoch, whichever was it before. Both
    /// count, so either has all that is settled.
    fn claim(&mut self, node: usize) -> Result<(), JournalError> {
        self.count(if node == self.writer { "the same writer again" } else { "a takeover" });
        self.writer = node;
        self.epoch += 1;
        self.connected = false;
        let (epoch, settled) = (self.epoch, self.settled);
        self.acknowledged = settled;
        let running = self.nodes[node].running.as_mut().expect("it runs");
        running.journal.set_copied(settled);
        running.journal.begin(epoch, u64::from(epoch));
        running.journal.push(|frame| frame.extend_from_slice(b"started"))?;
        let done = running.with_spare(Journal::finish);
        self.settle();
        done
    }

    /// The copy compares its past with the writer's, gives up what went another way, and goes on
    /// after the common end.
    fn join(&mut self, random: &mut Random) {
        let (writer, copy) = (self.writer, self.copy());
        let Some(theirs) = self.writer_journal().map(|journal| journal.history()) else { return };
        let running = self.nodes[copy].running.as_ref().expect("it runs");
        let mine = running.journal.history();
        // It joins by a start.
        self.stop(copy, true, random);
        let common = common_end(&mine, &theirs).expect("they have a past in common");
        assert_eq!(Some(common), common_end(&theirs, &mine));
        let keeps = common.end.sequence >= self.settled;
        assert!(keeps || !self.nodes[copy].counts, "what is settled would go");
        RawTail::at(&self.nodes[writer].disk, &common.end).expect("the writer has this end");
        if common.end.place < mine.end.place {
            self.count("a tail cut off");
            self.cut(copy, &common.end, random);
        }
        self.start(copy, random);
        let journal = &self.nodes[copy].running.as_ref().expect("it runs").journal;
        assert_eq!(journal.end(), common.end);
        check_same_up_to(&common.end, &self.nodes[writer].disk, &self.nodes[copy].disk, "joined");
        self.connected = true;
    }

    /// Cuts, killed on the way as often as not.
    fn cut(&mut self, node: usize, end: &JournalEnd, random: &mut Random) {
        let aside = MemoryDisk::default();
        if random.once_in(2) {
            let step = random.below(40) as usize;
            let dying = MortalDisk::killed_at(self.nodes[node].disk.clone(), Some(step));
            if cut(&dying, &dying.beside(aside.clone()), end, LIMITS).is_err() {
                self.count("a cut killed");
                self.stop(node, random.once_in(2), random);
                // The copies may be lost with their directory; then there are none.
                let aside = MemoryDisk::default();
                cut(&self.nodes[node].disk, &aside, end, LIMITS).expect("it is a tail");
                return;
            }
        }
        cut(&self.nodes[node].disk, &aside, end, LIMITS).expect("it is a tail");
    }

    /// A machine whose call failed has stopped, as the server does.
    fn heed(&mut self, node: usize, done: Result<(), JournalError>, random: &mut Random) {
        if done.is_err() {
            self.count("a call without power");
            self.stop(node, false, random);
        }
    }

    fn step(&mut self, random: &mut Random) {
        let (writer, copy) = (self.writer, self.copy());
        match random.below(40) {
            0..14 => {
                let done = self.append(random);
                self.heed(writer, done, random);
            }
            14..19 => {
                let done = self.sync();
                self.heed(writer, done, random);
            }
            19..28 => {
                let done = self.ship(1 + random.below(6) as usize);
                self.heed(copy, done, random);
            }
            28..34 => {
                let done = self.acknowledge();
                self.heed(copy, done, random);
            }
            34 => self.stop(writer, random.once_in(2), random),
            35 => self.stop(copy, random.once_in(2), random),
            36 if random.once_in(3) => self.replace(random),
            36 => {
                // Power goes in the middle of a later call.
                let node = &self.nodes[random.place(2)];
                if node.running.is_some() {
                    node.disk.lose_power_after(random.below(120) as u32);
                }
            }
            _ => self.mend(random),
        }
    }

    /// Whoever is down starts, and somebody is the writer.
    fn mend(&mut self, random: &mut Random) {
        let down: Vec<usize> = (0..2).filter(|&node| self.nodes[node].running.is_none()).collect();
        let writer_was_down = down.contains(&self.writer);
        for node in down {
            self.start(node, random);
        }
        if writer_was_down || random.once_in(6) {
            let drawn = random.place(2);
            let node = if self.nodes[drawn].counts { drawn } else { self.writer };
            let done = self.claim(node);
            self.heed(node, done, random);
        }
        if !self.connected && self.nodes.iter().all(|node| node.running.is_some()) {
            self.join(random);
        }
    }

    /// In the end all is well: everything is settled, and both have the same bytes.
    fn conclude(&mut self, random: &mut Random) {
        for node in 0..2 {
            self.stop(node, random.once_in(2), random);
        }
        self.mend(random);
        self.append(random).unwrap();
        self.sync().unwrap();
        self.ship(usize::MAX).unwrap();
        self.acknowledge().unwrap();
        let ends = [0, 1].map(|node: usize| {
            let running = self.nodes[node].running.as_ref().expect("it runs");
            (running.journal.end(), running.journal.history())
        });
        let [(end, history), (other_end, other_history)] = &ends;
        assert_eq!(end, other_end);
        // One that began after a snapshot knows less of the past.
        assert_eq!(common_end(history, other_history).map(|common| common.end), Some(*end));
        assert_eq!(self.settled, end.sequence);
        check_same_up_to(end, &self.nodes[0].disk, &self.nodes[1].disk, "in the end");
        let names = |node: usize| self.nodes[node].disk.names().unwrap();
        let last = format!("{:08}.segment", end.place.segment);
        for node in 0..2 {
            assert!(names(node).contains(&last));
        }
    }
}

#[test]
fn copies_survive_power_cuts_on_either_side_byte_for_byte() {
    let mut events: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = seeds("JOURNAL_COPIES", 60);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        // Kept for the line that a panic prints.
        println!("SEED={seed} cargo test -p doorbuster-journal copies_survive");
        let mut random = Random::new(seed);
        let mut pair = Pair::new(&mut random);
        for _ in 0..200 {
            pair.step(&mut random);
        }
        pair.conclude(&mut random);
        for (event, times) in pair.events {
            *events.entry(event).or_default() += times;
        }
    }
    println!("{count} pairs: {events:?}");
    assert!(count < 50 || events.len() >= 8, "{events:?}");
}
