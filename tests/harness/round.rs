//! A round: one data directory, many lives of its server, and the witness at the end.
//!
//! Owns the directory, the clients and the evidence. What befalls a life is in `lives`, what the
//! evidence says in `judge`. Next: `lives`.

use crate::TARGET;
use crate::buyers::{Buyer, Shared};
use crate::hostile::Hostile;
use crate::judge::{entries, judge};
use crate::lives::Plan;
use crate::notes::{Note, PRINCIPALS, save};
use crate::settings::{self, Settings};
use crate::wall_clock::WallClock;
use doorbuster::codec;
use doorbuster::domain::rules::decide::decide;
use doorbuster::engine::recheck::Recheck;
use doorbuster::engine::replay::{self, From, Until, journal_directory, snapshot_directory};
use doorbuster_sim::Tally;
use doorbuster_test_directories::stored::{replayed, snapshots};
use doorbuster_test_support::process::{Exit, Launch, Server};
use doorbuster_test_support::random::Random;
use doorbuster_test_support::small_disk::SmallDisk;
use doorbuster_test_support::tokens::TokensFile;
use doorbuster_witness::{Checked, Entry, Fault};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tempfile::TempDir;

const BUYERS: u64 = 12;
/// In a hostile round, beside the others.
const HOSTILE: u64 = 6;
/// Small, so that many deaths meet the change from one segment to the next.
const SEGMENT_BYTES: &str = "262144";
/// It must fit the small disk.
const BALLAST_BYTES: &str = "1048576";
/// Nothing of the journal goes, however far the clock is set: the witness reads all of it.
const RETAIN_MS: &str = "31622400000";

/// Who asks, and with how much room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Clients that ask as they should.
    Plain,
    /// Others beside them, tiny tables, short memories, rates.
    Hostile,
}

/// One directory and all that is noted of it.
pub(crate) struct Round<'d> {
    random: Random,
    kind: Kind,
    pub(crate) shared: Shared,
    pub(crate) buyers: Vec<Buyer>,
    pub(crate) hostile: Vec<Hostile>,
    pub(crate) place: Place<'d>,
}

/// Where the servers of a round run.
pub(crate) struct Place<'d> {
    pub(crate) clock: WallClock,
    /// The small disk that the data lies on, if it does.
    pub(crate) disk: Option<&'d mut SmallDisk>,
    /// Tokens, clock, and the data where there is no small disk.
    home: TempDir,
    /// What changes between starts, as the next one has it.
    settings: Settings,
}

impl<'d> Place<'d> {
    fn new(kind: Kind, disk: Option<&'d mut SmallDisk>) -> Self {
        let home = TARGET.directory();
        let [east, west, admin] = PRINCIPALS;
        let tokens =
            [(east, "buy", east, ""), (west, "buy", west, ""), (admin, "admin", admin, "")];
        TokensFile::beside(home.path(), &tokens);
        let clock = WallClock::in_directory(home.path());
        Self { clock, disk, home, settings: settings::drawn(&mut Random::new(0), kind) }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.home.path().join("data"), |disk| disk.data())
    }

    pub(crate) fn launch(&self) -> Launch {
        let tokens = self.home.path().join("tokens.toml");
        let launch = TARGET
            .launch(&self.data())
            .small()
            .variable("AUTH_TOKENS_FILE", tokens.to_str().expect("a path in UTF-8"))
            .variable("JOURNAL_SEGMENT_BYTES", SEGMENT_BYTES)
            .variable("JOURNAL_RETAIN_MS", RETAIN_MS)
            .variable("SNAPSHOTS_BALLAST_BYTES", BALLAST_BYTES);
        let settings = self.settings.iter();
        let launch = settings.fold(launch, |launch, (name, value)| launch.variable(name, value));
        self.clock.show(launch)
    }

    /// The wall clock is so far off from now on.
    pub(crate) fn set_clock(&mut self, off_ms: i64, shared: &Shared) {
        self.clock.set(off_ms);
        shared.clock_off_ms.store(off_ms, Ordering::Relaxed);
        shared.count(if off_ms == 0 { "clock: right again" } else { "clock: set off" });
    }
}

impl<'d> Round<'d> {
    pub(crate) fn new(mut random: Random, kind: Kind, disk: Option<&'d mut SmallDisk>) -> Self {
        let buyers = (0..BUYERS).map(|number| Buyer::new(random.fork(number))).collect();
        let count = if kind == Kind::Hostile { HOSTILE } else { 0 };
        let hostile = (0..count).map(|number| Hostile::new(random.fork(BUYERS + number))).collect();
        let (shared, place) = (Shared::new(), Place::new(kind, disk));
        Self { random, kind, shared, buyers, hostile, place }
    }

    /// Starts it; a clock that is far off is refused first, as it should be.
    fn start(&mut self) -> Server {
        let often = if self.kind == Kind::Hostile { 70 } else { 25 };
        if self.random.percent(often) {
            self.place.settings = settings::drawn(&mut self.random, self.kind);
            self.shared.count("start: settings drawn anew");
        }
        let refused = match self.place.launch().try_start() {
            Ok(server) => return server,
            Err(exit) => exit,
        };
        self.check_clock_refused(&refused);
        if self.random.percent(50) {
            self.place.set_clock(0, &self.shared);
            match self.place.launch().try_start() {
                Ok(server) => return server,
                Err(exit) => self.check_clock_refused(&exit),
            }
        }
        self.shared.count("start: clock accepted");
        self.place.launch().argument("--accept-clock").start()
    }

    fn check_clock_refused(&self, exit: &Exit) {
        let by_clock = exit.code == Some(1) && exit.complaints.contains("--accept-clock");
        assert!(by_clock && self.place.clock.can_be_set(), "the server does not start: {exit:?}");
        self.shared.count("start: refused for the clock");
    }

    /// Lives through so many deaths, then lets everybody be answered and stops in order.
    pub(crate) fn run(&mut self, cycles: u64) {
        let mut server = self.start();
        self.buyers[0].open(&self.shared);
        for _ in 0..cycles {
            let plan = Plan::draw(
                &mut self.random,
                self.place.clock.can_be_set(),
                self.place.disk.is_some(),
            );
            self.live(server, &plan);
            server = self.start();
            self.shared.count("cycles");
        }
        let mut connection = server.connect();
        for buyer in &mut self.buyers {
            buyer.settle(&mut connection, &self.shared);
        }
        drop(connection);
        let stopped = server.stop().stopped();
        let replayed = replayed(&self.place.data(), From::NewestSnapshot, None);
        assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
    }

    /// Reads all that is stored as an operator's tools do, and has the rules decide it again.
    pub(crate) fn check_stored(&self) {
        let data = self.place.data();
        let disk =
            replay::open(&snapshot_directory(&data)).expect("there is a directory of snapshots");
        for snapshot in snapshots(&data) {
            let name =
                snapshot.path.file_name().and_then(|name| name.to_str()).expect("a plain name");
            doorbuster_snapshots::verify(&disk, name).unwrap_or_else(|error| panic!("{error}"));
        }
        let mut recheck = Recheck::new(decide);
        let replayed = recheck.run(&data, From::Genesis, Until::End, &mut |_| {});
        replayed.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(recheck.different, 0, "{:?}", recheck.differences);
        assert!(recheck.commands > 0, "somebody bought");
    }

    /// What the witness says to all of it.
    pub(crate) fn judge(&self) -> Result<Checked, Fault> {
        let notes = self.shared.notes.lock().expect("nobody panics with it");
        judge(notes.all(), entries(&self.place.data()))
    }

    /// Notes and journal.
    pub(crate) fn evidence(self) -> (Vec<Note>, Vec<Entry>) {
        let entries = entries(&self.place.data());
        let notes = self.shared.notes.into_inner().expect("nobody panics with it");
        (notes.all().to_vec(), entries)
    }

    pub(crate) fn tally(&self) -> Tally {
        self.shared.tally.lock().map_or_else(|of| of.into_inner().clone(), |of| of.clone())
    }

    /// Keeps notes and journal where they can be judged again. After a panic, too.
    pub(crate) fn keep(&self, place: &Path) {
        let journal = journal_directory(place);
        fs::create_dir_all(&journal).expect("the build directory takes a directory");
        let notes = self.shared.notes.lock();
        let notes = notes.unwrap_or_else(std::sync::PoisonError::into_inner);
        save(notes.all(), &place.join(NOTES));
        let Ok(segments) = fs::read_dir(journal_directory(&self.place.data())) else { return };
        for segment in segments.flatten() {
            // Of a disk without power nothing can be had.
            let _ = fs::copy(segment.path(), journal.join(segment.file_name()));
        }
    }
}

/// In a folder that was kept, beside the journal.
pub(crate) const NOTES: &str = "notes.jsonl";
