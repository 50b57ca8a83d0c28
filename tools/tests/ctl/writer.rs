//! A writer without server, ring and clock: decides, applies and appends at stamps that the test
//! names. Owns what the real one does around that: turns, starts, refusals, seals, snapshots.

use crate::run::undisturbed;
use doorbuster::background::snapshotter;
use doorbuster::codec::{self, Totals};
use doorbuster::domain::model::answer::{Answer, Answered, Refusal};
use doorbuster::domain::model::command::{Command, Principal, Reach, Request};
use doorbuster::domain::model::event::{Event, Origin, Record, RefusalCount, Started};
use doorbuster::domain::model::ids::{KeyClaim, OrderId, PrincipalName, Stamp};
use doorbuster::domain::model::kept::KeptRefusal;
use doorbuster::domain::model::lives::Life;
use doorbuster::domain::model::settings::Settings;
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::rules::decide::{Decision, decide};
use doorbuster::domain::rules::{refusal_counts, sweep};
use doorbuster::domain::state::tables::State;
use doorbuster::engine::recovery::{self, Lock};
use doorbuster::engine::replay::{self, From};
use doorbuster_journal::{FileDisk, Journal, JournalId, Options, SEGMENT_BYTES_MIN, scan};
use doorbuster_snapshots::{Meta, SnapshotWriter};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What the ids of the second start are written with.
pub(crate) const LIFE_OF_2: &str = "0000002z";
/// The stamp that tests count from: 2027-01-15T08:00:00Z.
pub(crate) const START: Stamp = 1_800_000_000_000;
/// Must never be printed.
pub(crate) const HASH_KEY: [u8; 16] = [0xAB; 16];

const ID: JournalId = JournalId([7; 16]);
const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };

/// Tries for a lock that is about to be let go.
const TRIES_MAX: u32 = 1_000_000;

fn yield_and_fail() -> bool {
    std::thread::yield_now();
    false
}

/// A live data directory.
pub(crate) struct Writer {
    pub(crate) directory: TempDir,
    pub(crate) state: State,
    /// The digest after each event, from the first.
    pub(crate) digests: Vec<String>,
    pub(crate) stamps: Vec<Stamp>,
    /// Refusals are kept whole, too, each in an event of its own.
    pub(crate) keeps_refusals: bool,
    /// The last of them as sold out.
    pub(crate) last_kept: Option<KeptRefusal>,
    /// Where it is instead, if its directory was restored elsewhere.
    moved: Option<PathBuf>,
    journal: Option<Journal>,
    lock: Option<Lock>,
    now: Stamp,
}

impl Writer {
    /// An order's id as clients see it.
    pub(crate) fn id(&self, order: OrderId) -> String {
        self.state.lives.text(order).to_string()
    }

    /// A directory in which a server started for the first time.
    pub(crate) fn create(settings: Settings) -> Self {
        let directory = TempDir::new().expect("there is room");
        let lock = recovery::lock(directory.path()).expect("nobody else has it");
        for name in ["journal", "snapshots"] {
            fs::create_dir(directory.path().join(name)).expect("it is new");
        }
        let disk = FileDisk::open(directory.path().join("journal")).expect("it is there");
        let mut writer = Self {
            journal: Some(Journal::create(disk, OPTIONS, ID).expect("it is empty")),
            lock: Some(lock),
            directory,
            moved: None,
            state: State::new(1),
            digests: Vec::new(),
            stamps: Vec::new(),
            keeps_refusals: false,
            last_kept: None,
            now: START,
        };
        writer.epoch(Some(settings), START);
        writer
    }

    pub(crate) fn path(&self) -> &Path {
        self.moved.as_deref().unwrap_or(self.directory.path())
    }

    /// The server is gone; what it appended stays. The directory may be changed by others.
    pub(crate) fn kill(&mut self) {
        drop(self.journal.take());
        undisturbed(|| {
            drop(self.lock.take());
            // A child that was started before may hold it, too, until it is through with its exec,
            // of which the system tells its parent a moment too early.
            let free = || recovery::lock(self.path()).is_ok();
            assert!((0..TRIES_MAX).any(|_| free() || yield_and_fail()), "nobody lets the lock go");
        });
    }

    /// The server starts again after a kill.
    pub(crate) fn restart(&mut self, now: Stamp) {
        // A journal that begins after a snapshot is read from that.
        let replayed = replay::replay(self.path(), From::NewestSnapshot, None, &mut |_| {});
        let scan = replayed.expect("it is whole").scan.expect("it was read to its end");
        let disk = FileDisk::open(self.path().join("journal")).expect("it is there");
        self.lock = Some(recovery::lock(self.path()).expect("nobody has it"));
        self.journal = Some(Journal::resume(disk, OPTIONS, scan).expect("it is whole"));
        self.epoch(None, now);
    }

    /// As [`Writer::restart`], where a snapshot stands for what the journal no longer has.
    pub(crate) fn restart_from_snapshot(&mut self, now: Stamp) {
        let replayed = replay::replay(self.path(), From::NewestSnapshot, None, &mut |_| {})
            .expect("it is whole");
        self.state = replayed.state;
        self.digests.truncate(self.state.sequence as usize);
        self.stamps.truncate(self.state.sequence as usize);
        let disk = FileDisk::open(self.path().join("journal")).expect("it is there");
        self.lock = Some(recovery::lock(self.path()).expect("nobody has it"));
        let scan = replayed.scan.expect("it was read to its end");
        self.journal = Some(Journal::resume(disk, OPTIONS, scan).expect("it is whole"));
        self.epoch(None, now);
    }

    /// From now on another directory is meant; the server must be gone.
    pub(crate) fn move_to(&mut self, data: &Path) {
        assert!(self.journal.is_none(), "it lives");
        self.moved = Some(data.to_owned());
    }

    fn epoch(&mut self, settings: Option<Settings>, now: Stamp) {
        let epoch = self.state.epoch + 1;
        self.now = now;
        self.journal().begin(epoch, now);
        // The first start is one from before there were lives.
        let life = (epoch > 1).then(|| Life::parse(&format!("{epoch:07}z")).expect("a life"));
        let (hash_key, lost_from) = (HASH_KEY, None);
        let started = Started { epoch, hash_key, answers_before_sync: false, lost_from, life };
        self.append(None, Event::Started(started));
        if let Some(settings) = settings {
            self.append(None, Event::SettingsChanged(Box::new(settings)));
        }
        for event in sweep::grace(&self.state, now) {
            self.append(None, event);
        }
        self.commit();
    }

    /// One turn at a stamp: what is due, then whatever `work` does, then one sync.
    pub(crate) fn turn(&mut self, now: Stamp, work: impl FnOnce(&mut Self)) {
        self.now = now;
        let epoch = self.state.epoch;
        self.journal().begin(epoch, now);
        while let Some(event) = sweep::expire(&self.state, now) {
            self.append(None, event);
        }
        while let Some(event) = sweep::tidy(&self.state, now) {
            self.append(None, event);
        }
        work(self);
        self.commit();
    }

    /// As the writer serves one request. Refusals are counted at once.
    pub(crate) fn ask(&mut self, principal: &str, key: Option<u128>, command: Command) {
        let name = PrincipalName::parse(principal).expect("a name");
        let key = key.map(|hash| KeyClaim { hash, fingerprint: hash as u64 });
        let principal = Principal { name, reach: Reach::All };
        let request = Request { principal, key, traceparent: None, command };
        loop {
            match decide(&self.state, &request, self.now) {
                Decision::First(event) => self.append(None, event),
                Decision::Change(event) => {
                    let origin = Origin {
                        principal: request.principal.name.clone(),
                        reach_all: true,
                        key: request.key.filter(|_| event.remembers()),
                        traceparent: None,
                    };
                    return self.append(Some(origin), event);
                }
                Decision::Answer(answered) => {
                    self.keep(&request, &answered);
                    return self.count(&request.command, &answered);
                }
            }
        }
    }

    fn keep(&mut self, request: &Request, answered: &Answered) {
        let (Answer::Refused(refusal), true) = (&answered.answer, self.keeps_refusals) else {
            return;
        };
        let kept = KeptRefusal {
            principal: request.principal.name.clone(),
            reach_all: true,
            key: request.key,
            command: request.command.clone(),
            refusal: refusal.clone(),
            seen: self.state.sequence,
            at: self.now,
            at_edge: false,
        };
        if matches!(refusal, Refusal::SoldOut(_)) {
            self.last_kept = Some(kept.clone());
        }
        self.append(None, Event::RefusalsKept(vec![kept.stored()]));
    }

    fn count(&mut self, command: &Command, answered: &Answered) {
        let Answer::Refused(refusal) = &answered.answer else { return };
        let count = |(sku, reason): (&doorbuster::domain::model::ids::SkuId, _)| RefusalCount {
            sku: sku.clone(),
            reason,
            count: 1,
        };
        let counts: Vec<_> =
            refusal_counts::counted(command, refusal).into_iter().map(count).collect();
        if !counts.is_empty() {
            self.append(None, Event::RefusalsCounted(counts));
        }
    }

    /// Appends an event, whatever the rules say.
    pub(crate) fn append(&mut self, origin: Option<Origin>, event: Event) {
        let record = Record { origin, event };
        apply(&mut self.state, &record, self.now);
        let sequence = self.journal().push(|bytes| codec::encode_record(&record, bytes));
        assert_eq!(sequence.expect("there is room"), self.state.sequence);
        self.digests.push(codec::digest(&self.state).to_string());
        self.stamps.push(self.now);
    }

    /// Appends bytes that are no record of ours.
    pub(crate) fn append_bytes(&mut self, bytes: &[u8]) {
        self.journal().push(|frame| frame.extend_from_slice(bytes)).expect("there is room");
    }

    fn commit(&mut self) {
        self.journal().finish().expect("there is room");
        self.journal().sync().expect("the disk works");
    }

    /// What follows some quiet.
    pub(crate) fn seal(&mut self) {
        self.seal_with(&codec::encode_totals(&Totals::of(&self.state, false)));
    }

    /// A seal that says whatever it is told to.
    pub(crate) fn seal_with(&mut self, totals: &[u8]) {
        let (epoch, now) = (self.state.epoch, self.now);
        self.journal().seal(epoch, now, totals).expect("there is room");
        self.journal().sync().expect("the disk works");
    }

    /// A snapshot of all there is.
    pub(crate) fn snapshot(&mut self) {
        let pause = doorbuster_snapshots::no_pause;
        let sequence = snapshotter::fold(self.path(), ID, None, pause).expect("it can be read");
        assert_eq!(sequence, self.state.sequence);
    }

    /// A snapshot with the right checksums whose header and rows are not what they were.
    pub(crate) fn forge_snapshot(&mut self, forge: impl FnOnce(&mut Meta, &mut Vec<u8>)) {
        let mut rows = Vec::new();
        let taken: Result<(), Infallible> = codec::encode_state(&self.state, &mut |piece| {
            rows.extend_from_slice(piece);
            Ok(())
        });
        let Ok(()) = taken;
        let journal = FileDisk::open(self.path().join("journal")).expect("it is there");
        let scan = scan(&journal, doorbuster_journal::Origin::Genesis).expect("it is whole");
        let mut meta = Meta {
            journal: ID,
            sequence: self.state.sequence,
            chain: scan.chain,
            epoch: self.state.epoch,
            stamp_ms: self.state.stamp,
            digest: codec::digest(&self.state).0,
            totals: codec::encode_totals(&Totals::of(&self.state, false)),
            payload_bytes: 0,
        };
        forge(&mut meta, &mut rows);
        meta.payload_bytes = rows.len() as u64;
        let disk = FileDisk::open(self.path().join("snapshots")).expect("it is there");
        let pause = doorbuster_snapshots::no_pause;
        let mut snapshot = SnapshotWriter::begin(&disk, meta, pause).expect("there is room");
        snapshot.append(&rows).expect("the disk works");
        snapshot.finish().expect("the disk works");
    }

    fn journal(&mut self) -> &mut Journal {
        self.journal.as_mut().expect("it lives")
    }
}
