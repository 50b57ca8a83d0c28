//! A golden directory: how it is stored in the tree, unpacked, and made.
//!
//! Owns the manifest, which says what every file holds and what all of it comes to. Changes nothing
//! in the tree: a directory that was made is left in the build directory for a person to copy.
//! Next: `story`.

use crate::TARGET;
use crate::story::{Then, Turn};
use doorbuster::background::snapshotter;
use doorbuster::codec::{self, Totals};
use doorbuster::domain::rules::apply::apply;
use doorbuster::domain::state::tables::State;
use doorbuster::engine::replay::{journal_directory, snapshot_directory};
use doorbuster_journal::{FileDisk, Journal, JournalId, Options, SEGMENT_BYTES_MIN};
use doorbuster_snapshots::no_pause;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Whose journal every golden directory is.
pub(crate) const ID: JournalId = JournalId(*b"golden directory");
pub(crate) const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES_MIN };

const MANIFEST: &str = "manifest";
const HEADER: &str =
    "# file: its size, and how many of its bytes are stored here; zeros follow them
# (all in bytes). Then what the directory comes to.
";

/// What a golden directory comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) epoch: u32,
    pub(crate) sequence: u64,
    pub(crate) digest: String,
    pub(crate) snapshot_sequence: u64,
    pub(crate) snapshot_digest: String,
}

/// Where a directory is kept.
pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Unpacks a directory to be served from, and says what it comes to.
pub(crate) fn unpack(name: &str) -> (TempDir, Facts) {
    let (kept, data) = (kept(name), TARGET.directory());
    let manifest = fs::read_to_string(kept.join(MANIFEST)).expect("the version has a directory");
    for part in [journal_directory, snapshot_directory] {
        fs::create_dir(part(data.path())).expect("a directory of ours");
    }
    let mut facts = Vec::new();
    for line in manifest.lines().filter(|line| !line.starts_with('#')) {
        match *line.split(' ').collect::<Vec<_>>() {
            ["file", path, bytes, stored] => {
                let prefix = fs::read(kept.join(path)).expect("a file of the version");
                assert_eq!(prefix.len(), stored.parse::<usize>().expect("a number"), "{path}");
                fs::write(data.path().join(path), prefix).expect("a copy of ours");
                let file = File::options().write(true).open(data.path().join(path));
                let bytes = bytes.parse().expect("a number");
                file.and_then(|file| file.set_len(bytes)).expect("a copy of ours");
            }
            [_, fact] => facts.push(fact.to_owned()),
            _ => panic!("{line:?} is no line of a manifest"),
        }
    }
    let [epoch, sequence, digest, snapshot_sequence, snapshot_digest] =
        facts.try_into().expect("five facts");
    let number = |text: String| text.parse().expect("a number");
    let facts = Facts {
        epoch: epoch.parse().expect("a number"),
        sequence: number(sequence),
        digest,
        snapshot_sequence: number(snapshot_sequence),
        snapshot_digest,
    };
    (data, facts)
}

/// Stores a story as this version of the server does.
pub(crate) fn make(turns: &[Turn]) -> (TempDir, Facts) {
    let data = TARGET.directory();
    for part in [journal_directory, snapshot_directory] {
        fs::create_dir(part(data.path())).expect("a directory of ours");
    }
    let disk = FileDisk::open(journal_directory(data.path())).expect("it is there");
    let mut journal = Journal::create(disk, OPTIONS, ID).expect("there is room");
    let mut state = State::new(1);
    let (mut snapshot_sequence, mut snapshot_digest) = (0, String::new());
    for turn in turns {
        journal.begin(turn.epoch, turn.stamp);
        for record in &turn.records {
            apply(&mut state, record, turn.stamp);
            journal.push(|bytes| codec::encode_record(record, bytes)).expect("there is room");
        }
        journal.finish().expect("there is room");
        journal.sync().expect("the disk works");
        match turn.then {
            Then::Nothing => {}
            Then::Seal | Then::Stop => {
                let totals = Totals::of(&state, turn.then == Then::Stop);
                let totals = codec::encode_totals(&totals);
                journal.seal(turn.epoch, turn.stamp, &totals).expect("there is room");
                journal.sync().expect("the disk works");
            }
            Then::Snapshot => {
                let taken = snapshotter::fold(data.path(), ID, None, no_pause);
                snapshot_sequence = taken.expect("it reads back");
                snapshot_digest = codec::digest(&state).to_string();
            }
        }
    }
    journal.close().expect("no allocator was started");
    let digest = codec::digest(&state).to_string();
    let (epoch, sequence) = (state.epoch, state.sequence);
    (data, Facts { epoch, sequence, digest, snapshot_sequence, snapshot_digest })
}

/// Packs a directory as the tree keeps it, into the build directory.
pub(crate) fn pack(name: &str, data: &Path, facts: &Facts) -> PathBuf {
    let packed = Path::new(TARGET.folder).join("golden").join(name);
    // One that was made before.
    let _ = fs::remove_dir_all(&packed);
    let mut manifest = HEADER.to_owned();
    for part in ["journal", "snapshots"] {
        fs::create_dir_all(packed.join(part)).expect("the build directory takes a directory");
        let entries = fs::read_dir(data.join(part)).expect("a directory of ours");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("it reads").file_name()).collect();
        names.sort_unstable();
        for name in names {
            let path = format!("{part}/{}", name.to_str().expect("a plain name"));
            let bytes = fs::read(data.join(&path)).expect("a file of ours");
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            fs::write(packed.join(&path), &bytes[..used]).expect("there is room");
            writeln!(manifest, "file {path} {} {used}", bytes.len()).expect("it is memory");
        }
    }
    let Facts { epoch, sequence, digest, snapshot_sequence, snapshot_digest } = facts;
    write!(
        manifest,
        "epoch {epoch}\nsequence {sequence}\ndigest {digest}\nimage {snapshot_sequence}\n\
         image-digest {snapshot_digest}\n"
    )
    .expect("it is memory");
    fs::write(packed.join(MANIFEST), manifest).expect("there is room");
    packed
}
