//! Files whose checksums are right and that no server has written: seals, records and snapshots
//! that say something else than what came before them. Next: `mending`, repairs of such a journal.

use crate::run::{ctl, flip, segment};
use crate::story::{put, settings, tell_at_length};
use crate::writer::{START, Writer};
use doorbuster::codec::{Totals, encode_totals};
use doorbuster::engine::replay::{From, ReplayError, Replayed, replay};
use doorbuster_journal::JournalError;
use doorbuster_snapshots::{Meta, snapshot_name};
use std::fs;
use std::path::PathBuf;

/// Two SKUs, a turn each: the records 3 and 4.
fn shop() -> Writer {
    let mut writer = Writer::create(settings());
    writer.turn(START + 1, |writer| writer.ask("boss", None, put("A", 9, 0)));
    writer.turn(START + 2, |writer| writer.ask("boss", None, put("B", 4, 0)));
    assert_eq!(writer.state.sequence, 4);
    writer
}

fn replayed(writer: &Writer) -> Result<Replayed, ReplayError> {
    replay(writer.path(), From::NewestSnapshot, None, &mut |_| {})
}

/// What ends the replay, told as damage.
fn told(writer: &Writer, arguments: &str) -> String {
    let told = ctl(writer.path(), &format!("{arguments} --json"), 1).object();
    told["error"].as_str().expect("it says why").to_owned()
}

/// A seal that does not tell what the records make ends a replay.
#[test]
fn a_seal_that_contradicts_its_records_ends_a_replay() {
    let own = Totals::of(&shop().state, false);
    let changed = [
        Totals { sequence: 5, ..own },
        Totals { skus: 1, ..own },
        Totals { users: 1, ..own },
        Totals { uses: 1, ..own },
        Totals { orders: 1, ..own },
        Totals { held: 1, ..own },
        Totals { keys: 1, ..own },
    ];
    for sealed in changed {
        let mut writer = shop();
        writer.seal_with(&encode_totals(&sealed));
        writer.kill();
        let expected = format!("the journal replays to {own:?}, but was sealed at {sealed:?}");
        let found = told(&writer, "replay");
        assert!(found.contains(&expected), "{found}");
    }
    let mut writer = shop();
    writer.seal_with(&encode_totals(&own)[1..]);
    writer.kill();
    let found = told(&writer, "replay");
    assert!(found.contains("the record does not decode"), "{found}");
}

/// A record that does not decode ends a replay behind those before it.
#[test]
fn a_record_that_does_not_decode_ends_a_replay() {
    let mut writer = shop();
    writer.turn(START + 3, |writer| {
        writer.ask("boss", None, put("C", 1, 0));
        writer.append_bytes(&[0xEE; 300]);
    });
    writer.kill();
    let found = told(&writer, "replay");
    assert!(found.contains("sequence 6: the record does not decode"), "{found}");
    for sequence in 4..=5_u64 {
        let shown = ctl(writer.path(), &format!("replay --until {sequence} --json"), 0).object();
        assert_eq!(shown["seq"], sequence);
        assert_eq!(shown["digest"], writer.digests[sequence as usize - 1].as_str());
    }
    told(&writer, "replay --until 6");
}

/// The shop with a snapshot like this, read back without it.
#[track_caller]
fn check_passed_over(forge: impl FnOnce(&mut Meta, &mut Vec<u8>), why: &str) {
    let mut writer = shop();
    writer.forge_snapshot(forge);
    writer.kill();
    let replayed = replayed(&writer).expect("the journal has all of it");
    assert_eq!((replayed.snapshot_sequence, replayed.state.sequence), (0, 4));
    assert_eq!(doorbuster::codec::digest(&replayed.state).to_string(), writer.digests[3]);
    let [passed] = &replayed.passed_over[..] else { panic!("{:?}", replayed.passed_over) };
    assert!(passed.why.to_string().ends_with(why), "{}", passed.why);
}

/// A snapshot whose header says something else than its rows is passed over.
#[test]
fn a_snapshot_whose_header_contradicts_it_is_passed_over() {
    let mut writer = shop();
    writer.forge_snapshot(|_, _| ());
    writer.kill();
    assert_eq!(replayed(&writer).expect("nothing is wrong").snapshot_sequence, 4);

    let why = "what it holds is not what its header says";
    check_passed_over(|meta, _| meta.digest[31] ^= 1, why);
    check_passed_over(|meta, _| meta.sequence = 3, why);
    let why = "the record holds an impossible end of a snapshot";
    check_passed_over(|_, rows| rows.truncate(rows.len() - 1), why);
    let why = "the record holds an impossible length of a row";
    check_passed_over(|_, rows| rows[3] = 0xFF, why);
}

/// The files of both snapshots of a journal whose first segment is gone.
fn pruned() -> (Writer, Vec<PathBuf>) {
    let writer = tell_at_length();
    let listed = ctl(writer.path(), "snapshot list --json", 0).object();
    let snapshots =
        listed["snapshots"].as_array().expect("there are some").iter().map(|snapshot| {
            let sequence = snapshot["seq"].as_u64().expect("a sequence");
            writer.path().join("snapshots").join(snapshot_name(sequence))
        });
    let snapshots: Vec<PathBuf> = snapshots.collect();
    assert_eq!(snapshots.len(), 2);
    fs::remove_file(segment(writer.path(), 1)).expect("it is there");
    (writer, snapshots)
}

#[test]
fn where_neither_snapshot_nor_journal_can_be_used_both_are_told() {
    let (writer, snapshots) = pruned();
    for snapshot in &snapshots {
        assert!(replayed(&writer).is_ok());
        flip(snapshot, 4096 + 100);
    }
    let found = told(&writer, "replay");
    let (journal, snapshots_told) =
        found.split_once(" What could not be used instead: ").expect("snapshots are told");
    assert!(journal.contains("00000002.segment"), "{journal}");
    for snapshot in &snapshots {
        let name = snapshot.file_name().expect("a file").to_str().expect("a name of ours");
        assert!(snapshots_told.contains(name), "{snapshots_told}");
    }
    let Err(ReplayError::BehindSnapshots { cause, .. }) = replayed(&writer) else {
        panic!("it is not read")
    };
    assert!(matches!(*cause, JournalError::Refused(_)), "{cause}");
}

#[test]
fn what_no_snapshot_could_have_mended_is_told_without_them() {
    let mut writer = shop();
    writer.forge_snapshot(|meta, _| meta.digest[0] ^= 1);
    writer.turn(START + 3, |writer| writer.append_bytes(&[0xEE; 300]));
    writer.kill();
    let Err(ReplayError::Journal(JournalError::Visitor { first_sequence, cause })) =
        replayed(&writer)
    else {
        panic!("it is read, or blamed on the snapshot")
    };
    assert_eq!(first_sequence, 5);
    assert!(cause.to_string().starts_with("sequence 5: the record does not decode"), "{cause}");
}
