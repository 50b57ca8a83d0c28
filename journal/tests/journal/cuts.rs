//! Cuts: at every kind of place, killed and without power between any two steps.
//!
//! Ten thousand of them, by `JOURNAL_CUTS=10000 cargo test --release -p doorbuster-journal --test
//! journal thousands_of_cuts -- --nocapture`; a few hundred otherwise. `SEED` repeats one.

use std::collections::BTreeMap;
use std::ops::Range;

use doorbuster_journal::{
    CutLimits, CutTail, Discontinuity, Disk, DumpContent, FileDisk, FramePlace, Journal,
    JournalEnd, JournalError, MemoryDisk, Origin, cut, dump, scan,
};

use crate::mortal::{MortalDisk, tell_points};
use crate::pair::*;
use crate::support::*;
use doorbuster_test_support::faulty_disk::{FaultyDisk, SAID};
use doorbuster_test_support::random::Random;

pub(crate) const LIMITS: CutLimits =
    CutLimits { snapshot_sequence: 0, set_aside_bytes_max: u64::MAX };

/// The seeds of a random test: one by `SEED`, as many as the variable says, or a few.
pub(crate) fn seeds(variable: &str, few: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number(variable).unwrap_or(few),
    }
}

/// A journal whose copies have stayed behind: nothing after `settled` was ever answered.
struct Lagging {
    disk: MemoryDisk,
    ends: Vec<JournalEnd>,
    settled: u64,
}

impl Lagging {
    fn random(random: &mut Random) -> Self {
        let disk = MemoryDisk::default();
        let mut journal = Journal::create(disk.clone(), SMALL, ID).unwrap();
        let settled = random.below(12);
        journal.set_copied(settled);
        let mut epoch = 1;
        for _ in 0..8 + random.below(24) {
            epoch += u32::from(random.once_in(8));
            journal.begin(epoch, 1);
            for _ in 0..1 + random.below(3) {
                let bytes = match random.below(3) {
                    0 => random.below(40),
                    1 => random.below(3_000),
                    _ => 10_000 + random.below(45_000),
                };
                let fill = random.between(1, 250) as u8;
                journal.push(|frame| frame.resize(frame.len() + bytes as usize, fill)).unwrap();
            }
            journal.finish().unwrap();
            if random.once_in(3) {
                journal.seal(epoch, 1, b"totals").unwrap();
            }
            if random.once_in(3) {
                journal.sync().unwrap();
            }
        }
        if random.once_in(2) {
            // An unused spare after the end.
            journal.segment_allocator().step();
        }
        let ends = ends_of(&disk, journal.appended());
        Self { disk, ends, settled }
    }

    /// An end that may be cut to, of a kind that is drawn first, so that each is met often.
    fn draw(&self, random: &mut Random) -> (Kind, JournalEnd) {
        let allowed = || self.ends.iter().filter(|end| end.sequence >= self.settled);
        for _ in 0..8 {
            let kind = Kind::ALL[random.place(Kind::ALL.len())];
            let ends: Vec<_> = allowed().filter(|end| self.is_of(kind, end)).collect();
            if !ends.is_empty() {
                return (kind, *ends[random.place(ends.len())]);
            }
        }
        (Kind::Nothing, *self.ends.last().expect("a journal has an end"))
    }

    fn is_of(&self, kind: Kind, end: &JournalEnd) -> bool {
        let index = self.ends.iter().position(|other| other == end).expect("it is one");
        let last = self.ends.last().expect("a journal has an end").place.segment;
        let next = self.ends.get(index + 1);
        let first = end.place == FramePlace::first_in(end.place.segment);
        let before_mark = next.is_some_and(|next| next.place.segment > end.place.segment);
        let before_seal = next.is_some_and(|next| next.sequence == end.sequence) && !before_mark;
        match kind {
            Kind::Middle => !first && !before_mark && next.is_some(),
            Kind::BeforeEndMark => before_mark,
            Kind::FirstOfSegment => first && next.is_some(),
            Kind::Seal => before_seal,
            Kind::SeveralSegments => end.place.segment + 1 < last,
            Kind::Nothing => next.is_none(),
        }
    }
}

/// Kinds of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Middle,
    BeforeEndMark,
    FirstOfSegment,
    Seal,
    SeveralSegments,
    Nothing,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Middle,
        Self::BeforeEndMark,
        Self::FirstOfSegment,
        Self::Seal,
        Self::SeveralSegments,
        Self::Nothing,
    ];
}

fn names(disk: &MemoryDisk) -> Vec<String> {
    disk.names().unwrap()
}

/// A copy of everything, synced or not, as a killed process leaves it.
fn twin(disk: &MemoryDisk) -> MemoryDisk {
    disk.after_power_loss(|_, _| true)
}

/// Checks that a cut journal is what it was when it had this end, and that what went is set aside.
fn check_cut(
    whole: &MemoryDisk,
    end: &JournalEnd,
    left: &MemoryDisk,
    aside: &MemoryDisk,
    at: &str,
) {
    let kept = end.place.offset as usize;
    let mut expected = Vec::new();
    for name in names(whole) {
        let number: u64 = name.trim_end_matches(".segment").parse().unwrap();
        let bytes = whole.contents(&name).unwrap();
        let start = match number.cmp(&end.place.segment) {
            std::cmp::Ordering::Less => bytes.len(),
            std::cmp::Ordering::Equal => kept,
            std::cmp::Ordering::Greater => 4096,
        };
        if number <= end.place.segment {
            let now = left.contents(&name).unwrap();
            assert!(now[..start] == bytes[..start], "{at}: {name} lost what stays");
            assert!(now[start..].iter().all(|&byte| byte == 0), "{at}: {name} keeps what goes");
            expected.push(name.clone());
        }
        let goes = &bytes[start..];
        if goes.iter().any(|&byte| byte != 0) {
            let copy = aside.contents(&name).unwrap();
            assert!(copy[start..] == *goes, "{at}: {name} is not set aside");
            assert!(copy[..4096] == bytes[..4096], "{at}: {name} has no header");
        }
    }
    assert_eq!(names(left), expected, "{at}");
    let found = scan(left, Origin::Genesis).unwrap();
    assert_eq!((found.journal_end(), &found.dropped), (*end, &None), "{at}");
}

/// Checks what an interrupted cut leaves: a journal that opens, with everything that stays and
/// nothing that never was.
fn check_opens(whole: &[Vec<u8>], end: &JournalEnd, left: &MemoryDisk, at: &str) {
    let (found, content) = try_read(left).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert!(found.last_sequence >= end.sequence, "{at}: {} is lost", end.sequence);
    assert!(found.journal_end().place >= end.place, "{at}");
    assert!(whole[..content.len()] == content[..], "{at}: other content");
    // A server could start from it, too.
    let other = twin(left);
    let found = scan(&other, Origin::Genesis).unwrap();
    let (kept, mut journal) =
        (found.last_sequence, Journal::resume(other.clone(), SMALL, found).unwrap());
    append(&mut journal, 99, &["next"]);
    assert_eq!(read(&other).0.last_sequence, kept + 1, "{at}");
}

/// One cut, killed up to three times at random steps, each time with or without power.
fn drill(lagging: &Lagging, end: &JournalEnd, random: &mut Random, at: &str) {
    let (_, content) = read(&lagging.disk);
    let (mut left, mut aside) = (twin(&lagging.disk), MemoryDisk::default());
    for _ in 0..3 {
        let (calm, calm_aside) = (twin(&left), twin(&aside));
        let counting = MortalDisk::killed_at(calm, None);
        cut(&counting, &counting.beside(calm_aside), end, LIMITS).unwrap();
        let steps = counting.calls().len() as u64;
        // Most steps are writes of pages: the first and the last ones are killed as often.
        let step = match random.below(3) {
            0 => random.below(steps.min(12)),
            1 => steps - 1 - random.below(steps.min(40)),
            _ => random.below(steps),
        };
        let dying = MortalDisk::killed_at(left.clone(), Some(step as usize));
        let killed = cut(&dying, &dying.beside(aside.clone()), end, LIMITS);
        let at = format!("{at}, killed at step {step} of {steps}: {:?}", dying.calls().last());
        // A removal that is not durable yet is a step of the twin only.
        assert!(killed.is_err() || dying.calls().len() as u64 <= step, "{at}");
        if random.once_in(2) {
            let mut persists = |_: &str, _: u64| random.once_in(2);
            left = left.after_power_loss(&mut persists);
            aside = aside.after_power_loss(&mut persists);
        }
        check_opens(&content, end, &left, &at);
    }
    cut(&left, &aside, end, LIMITS).unwrap_or_else(|error| panic!("{at}: {error}"));
    check_cut(&lagging.disk, end, &left, &aside, at);
    let durable = [&left, &aside].map(|disk| disk.after_power_loss(|_, _| false));
    check_cut(&lagging.disk, end, &durable[0], &durable[1], at);
}

#[test]
fn thousands_of_cuts_are_finished_by_the_next_one() {
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    let seeds = seeds("JOURNAL_CUTS", 300);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut random = Random::new(seed);
        let lagging = Lagging::random(&mut random);
        let (kind, end) = lagging.draw(&mut random);
        *kinds.entry(kind).or_default() += 1;
        let repeat = format!("SEED={seed} cargo test -p doorbuster-journal thousands_of_cuts");
        drill(&lagging, &end, &mut random, &format!("{repeat}: {kind:?}, {end}"));
    }
    println!("{count} cuts: {kinds:?}");
    assert!(count < 100 || kinds.len() == Kind::ALL.len(), "{kinds:?}");
}

/// A journal of four segments of which nothing but the first record was settled, and its ends.
fn unsettled() -> (MemoryDisk, Vec<JournalEnd>) {
    let (disk, mut journal) = journal_with(&[]);
    journal.set_copied(1);
    for turn in 0..17_u8 {
        let epoch = u32::from(turn) / 6 + 1;
        append(&mut journal, epoch, &[&char::from(b'a' + turn).to_string().repeat(50_000)]);
    }
    assert_eq!(journal.segments(), 4);
    (disk.clone(), ends_of(&disk, journal.appended()))
}

/// Killed at each of its steps in turn.
#[test]
fn a_kill_at_every_step_of_a_cut_is_finished_by_the_next() {
    let (disk, ends) = unsettled();
    let (_, content) = read(&disk);
    let end = ends.iter().rfind(|end| end.place.segment == 2).unwrap();
    for step in 0.. {
        let dying = MortalDisk::killed_at(twin(&disk), Some(step));
        let aside = MemoryDisk::default();
        let done = cut(&dying, &dying.beside(aside.clone()), end, LIMITS).is_ok();
        let calls = dying.calls();
        let at = format!("step {step}: {:?}", calls.last());
        if calls.len() > step {
            assert!(!done, "{at}");
            check_opens(&content, end, &dying.inner, &at);
            cut(&dying.inner, &aside, end, LIMITS).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
        check_cut(&disk, end, &dying.inner, &aside, &at);
        if calls.len() <= step {
            tell_points("cut", &calls);
            for name in [
                "create 00000003.segment.copying",
                "write 00000004.segment.copying",
                "sync 00000002.segment.copying",
                "rename to 00000004.segment",
                "write 00000004.segment",
                "sync 00000003.segment",
                "remove 00000004.segment",
                "sync the directory",
            ] {
                assert!(calls.iter().any(|call| call == name), "{name:?} is no step");
            }
            return;
        }
    }
}

/// Reads and looks fail, too: nothing is lost, and the next cut finishes it.
#[test]
fn each_call_of_a_cut_may_fail_and_the_next_one_finishes_it() {
    let (disk, ends) = unsettled();
    let (_, content) = read(&disk);
    let end = ends.iter().find(|end| end.place.segment == 2).unwrap();
    for failing in 0.. {
        let faulty = FaultyDisk::failing_at(twin(&disk), Some(failing));
        let aside = MemoryDisk::default();
        let done = cut(&faulty, &aside, end, LIMITS);
        let at = format!("call {failing}");
        if faulty.calls() <= failing {
            done.unwrap();
            check_cut(&disk, end, &faulty.inner, &aside, &at);
            return;
        }
        match done {
            Err(JournalError::Io { cause, .. }) => assert_eq!(cause.to_string(), SAID, "{at}"),
            other => panic!("{at}: {other:?}"),
        }
        check_opens(&content, end, &faulty.inner, &at);
        cut(&faulty.inner, &aside, end, LIMITS).unwrap_or_else(|error| panic!("{at}: {error}"));
        check_cut(&disk, end, &faulty.inner, &aside, &at);
    }
}

#[test]
fn a_cut_tells_what_went_and_a_dump_shows_it() {
    let (disk, ends) = unsettled();
    let aside = MemoryDisk::default();
    let end = &ends[7];
    let gone = cut(&disk, &aside, end, LIMITS).unwrap();
    assert_eq!(gone.sequences, Some((end.sequence + 1, 17)));
    assert_eq!((gone.frames, gone.segments), (ends.len() as u64 - 8, 4 - end.place.segment));
    assert_eq!(gone.copies.len() as u64, 5 - end.place.segment);
    let mut shown = Vec::new();
    dump(&aside, &mut |item| {
        if let DumpContent::Frame { frame, .. } = &item.content {
            shown.extend(frame.records().map(|(sequence, _)| sequence));
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(shown, (end.sequence + 1..=17).collect::<Vec<_>>());
    // What goes on from there is a journal like any other.
    let found = scan(&disk, Origin::Genesis).unwrap();
    let mut journal = Journal::resume(disk.clone(), SMALL, found).unwrap();
    for _ in 0..12 {
        append(&mut journal, 9, &["n".repeat(50_000).as_str()]);
    }
    assert_eq!(read(&disk).0.last_sequence, end.sequence + 12);
    // A second cut of the same end is of another tail.
    let told = cut(&disk, &MemoryDisk::default(), end, LIMITS);
    assert!(matches!(told, Err(JournalError::NotATail { .. })), "{told:?}");
}

#[test]
fn a_cut_of_nothing_changes_nothing() {
    let (disk, ends) = unsettled();
    let mortal = MortalDisk::killed_at(disk.clone(), None);
    let end = ends.last().unwrap();
    let gone = cut(&mortal, &mortal.beside(MemoryDisk::default()), end, LIMITS).unwrap();
    assert_eq!(gone, CutTail::default());
    assert_eq!(mortal.calls(), ["sync the directory", "sync 00000004.segment"]);
}

#[test]
fn what_is_more_than_a_tail_is_refused_and_nothing_changes() {
    let (disk, ends) = unsettled();
    let before = |disk: &MemoryDisk| -> Vec<_> {
        names(disk).iter().map(|name| disk.contents(name).unwrap()).collect()
    };
    let whole = before(&disk);
    let refused = |end: &JournalEnd, limits: CutLimits| {
        let aside = MemoryDisk::default();
        let error = cut(&disk, &aside, end, limits).unwrap_err();
        assert!(before(&disk) == whole, "{error}: something was changed");
        assert!(names(&aside).is_empty(), "{error}");
        error
    };
    // A watermark says that sequence 1 is settled; the first frame is below it.
    match refused(&ends[0], LIMITS) {
        JournalError::NotATail { sequence, held, .. } => assert_eq!((sequence, held), (0, 1)),
        other => panic!("{other}"),
    }
    let end = &ends[9];
    let limits = CutLimits { snapshot_sequence: end.sequence + 1, ..LIMITS };
    match refused(end, limits) {
        JournalError::NotATail { sequence, held, .. } => {
            assert_eq!((sequence, held), (end.sequence, end.sequence + 1));
        }
        other => panic!("{other}"),
    }
    match refused(end, CutLimits { set_aside_bytes_max: 100_000, ..LIMITS }) {
        JournalError::SetAsideTooLarge { bytes, bytes_max } => {
            assert!(bytes > bytes_max && bytes_max == 100_000);
        }
        other => panic!("{other}"),
    }
    for wrong in [
        JournalEnd { chain: end.chain ^ 1, ..*end },
        JournalEnd { sequence: end.sequence - 1, ..*end },
        JournalEnd { place: FramePlace { offset: end.place.offset + 8, ..end.place }, ..*end },
    ] {
        let told = refused(&wrong, LIMITS);
        assert!(matches!(told, JournalError::NotContinued { .. }), "{told}");
    }
    // A snapshot of exactly that end is no more than what stays.
    let limits = CutLimits { snapshot_sequence: end.sequence, ..LIMITS };
    cut(&disk, &MemoryDisk::default(), end, limits).unwrap();
}

#[test]
fn nothing_is_set_aside_over_the_journal_or_over_other_copies() {
    let (disk, ends) = unsettled();
    let told = cut(&disk, &disk, &ends[5], LIMITS);
    assert!(matches!(told, Err(JournalError::Quarantine { .. })), "{told:?}");
    let aside = MemoryDisk::default();
    aside.put("00000002.segment", vec![1; 300_000]);
    let last_of_first = ends.iter().rfind(|end| end.place.segment == 1).unwrap();
    let told = cut(&disk, &aside, last_of_first, LIMITS);
    assert!(matches!(told, Err(JournalError::Quarantine { .. })), "{told:?}");
    assert_eq!(scan(&disk, Origin::Genesis).unwrap().journal_end(), *ends.last().unwrap());
}

#[test]
fn a_copy_and_a_cut_are_the_same_on_real_files() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [source, copied, aside] = &folders;
    let open = |folder: &tempfile::TempDir| FileDisk::open(folder.path()).unwrap();
    let bytes = |folder: &tempfile::TempDir, number: u64| {
        std::fs::read(folder.path().join(format!("{number:08}.segment"))).unwrap()
    };
    let mut journal = Journal::create(open(source), SMALL, ID).unwrap();
    for turn in 0..12_u8 {
        append(&mut journal, 1, &[&char::from(b'a' + turn).to_string().repeat(50_000)]);
    }
    let header = &bytes(source, 1)[..4096];
    let mut beginning = Journal::begin_at(open(copied), SMALL, header, NOTHING).unwrap();
    let (place, first) = shown_from(&open(source), &JournalEnd::GENESIS, 12).remove(0);
    beginning.copy(place, &first).unwrap();
    let mut copy = beginning.finish().unwrap();
    copy_some(&open(source), 12, &mut copy, usize::MAX).unwrap();
    copy.sync().unwrap();
    let settled = copy.end();
    // Every turn but the last tells of those before it; three more are never settled.
    copy.set_copied(11);
    for _ in 0..3 {
        append(&mut copy, 2, &["n".repeat(50_000).as_str()]);
    }
    assert_eq!(copy.end().place.segment, 3);
    copy.close().unwrap();
    let gone = cut(&open(copied), &open(aside), &settled, LIMITS).unwrap();
    assert_eq!((gone.sequences, gone.copies.len()), (Some((13, 15)), 1));
    for number in 1..=3 {
        assert!(bytes(source, number) == bytes(copied, number), "segment {number}");
    }
    let modified = std::fs::read_dir(aside.path()).unwrap().count();
    assert_eq!(modified, 1);
    assert_eq!(bytes(aside, 3).len() as u64, SMALL.segment_bytes);
}

/// After a snapshot, the first segment keeps the frame that tells whose it is.
#[test]
fn a_journal_after_a_snapshot_is_not_cut_to_nothing() {
    let (disk, ends) = unsettled();
    let first = ends.iter().find(|end| end.place == FramePlace::first_in(3)).unwrap();
    let after = twin(&disk);
    for name in ["00000001.segment", "00000002.segment"] {
        after.remove(name).unwrap();
    }
    after.sync_directory().unwrap();
    let told = cut(&after, &MemoryDisk::default(), first, LIMITS);
    assert!(
        matches!(&told, Err(JournalError::NotContinued { discontinuity, .. })
            if *discontinuity == Discontinuity::NoBoundary),
        "{told:?}"
    );
    // One frame further it is.
    let next = ends[1 + ends.iter().position(|end| end == first).unwrap()];
    cut(&after, &MemoryDisk::default(), &next, LIMITS).unwrap();
    let snapshot = Origin::Snapshot(snapshot_at(&disk, next.sequence));
    assert_eq!(read_from(&after, snapshot).0.journal_end(), next);
}
