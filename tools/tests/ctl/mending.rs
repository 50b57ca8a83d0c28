//! `journal repair`.

use crate::run::{bytes_of, command, command_that_may_not, ctl, ended, flip, segment};
use crate::story::{settings, tell_at_length};
use crate::writer::{START, Writer};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Twenty turns of one SKU each and a seal; no snapshot. The server is gone.
fn shelf() -> Writer {
    let mut writer = Writer::create(settings());
    for number in 1..=20_u64 {
        let put = crate::story::put(&format!("S{number}"), number, 0);
        writer.turn(START + number, |writer| writer.ask("boss", None, put));
    }
    writer.seal();
    writer.kill();
    writer
}

/// Where the frame of a sequence starts.
fn offset_of(writer: &Writer, sequence: u64) -> usize {
    let bytes = fs::read(segment(writer.path(), 1)).unwrap();
    let name = format!("S{}", sequence - 2);
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    at & !7
}

#[test]
fn a_repair_is_first_shown_and_changes_nothing() {
    let writer = shelf();
    let data = writer.path();
    flip(&segment(data, 1), offset_of(&writer, 12));
    let before = bytes_of(data);
    let shown = ctl(data, "journal repair --json", 1).object();
    assert_eq!((&shown["repaired"], &shown["first_seq_lost"]), (&false.into(), &12.into()));
    assert_eq!(shown["last_seq_seen"], 22);
    assert_eq!(shown["losses"][0]["first_seq"], 13, "{shown}");
    assert!(ctl(data, "journal repair", 1).out.contains("--accept-loss-from 12"));
    let refused = ctl(data, "journal repair --accept-loss-from 11 --json", 1).object();
    assert_eq!(refused["repaired"], false);
    assert_eq!(before, bytes_of(data));
    ctl(data, "journal verify", 1);
}

fn check_repaired(accept: &str) {
    let writer = shelf();
    let data = writer.path();
    flip(&segment(data, 1), offset_of(&writer, 12));
    let original = fs::read(segment(data, 1)).unwrap();
    let done = ctl(data, &format!("journal repair {accept} --json"), 0).object();
    assert_eq!((&done["repaired"], &done["seq"]), (&true.into(), &11.into()), "{done}");
    assert_eq!(done["digest"], writer.digests[10].as_str());
    let copy = done["originals"][0].as_str().unwrap();
    assert!(copy.contains("quarantine-1"), "{copy}");
    assert_eq!(fs::read(copy).unwrap(), original);
    // Whatever the umask of who runs the tests.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data.join("quarantine-1")), mode(Path::new(copy))), (0o700, 0o600));
    ctl(data, "journal verify", 0);
    ctl(data, "journal dump", 0);
    let again = ctl(data, "journal repair --json --accept-tail-loss", 0).object();
    assert_eq!(again["why"], "nothing needs a repair");
}

#[test]
fn an_accepted_repair_keeps_what_can_be_kept_and_the_originals() {
    check_repaired("--accept-tail-loss");
    check_repaired("--accept-loss-from 12");
}

#[test]
fn a_second_repair_has_a_quarantine_of_its_own() {
    let writer = shelf();
    for (sequence, number) in [(20, 1), (10, 2)] {
        flip(&segment(writer.path(), 1), offset_of(&writer, sequence));
        ctl(writer.path(), "journal repair --accept-tail-loss", 0);
        assert!(writer.path().join(format!("quarantine-{number}")).is_dir());
    }
}

#[test]
fn a_directory_in_use_is_not_repaired() {
    let mut writer = shelf();
    writer.restart(START + 100);
    let before = bytes_of(writer.path());
    for arguments in ["journal repair --accept-tail-loss", "snapshot create"] {
        let told = ctl(writer.path(), arguments, 3).err;
        assert!(told.contains("in use by another process"), "{told}");
    }
    assert_eq!(before, bytes_of(writer.path()));
}

#[test]
fn damage_that_a_snapshot_covers_is_shown_and_costs_nothing() {
    let writer = tell_at_length();
    let data = writer.path();
    let digest = writer.digests.last().unwrap().as_str();
    ctl(data, "journal verify", 0);
    flip(&segment(data, 1), 4096 + 100);
    ctl(data, "journal dump", 1);
    ctl(data, "journal verify", 1);
    ctl(data, "replay --from-genesis", 1);
    let shown = ctl(data, "journal repair --json", 0).object();
    assert_eq!((&shown["repaired"], &shown["digest"]), (&false.into(), &digest.into()));
}

/// What a snapshot holds is kept though the journal does not reach it.
#[test]
fn a_snapshot_beyond_the_journal_is_kept() {
    let writer = tell_at_length();
    let data = writer.path();
    let snapshot = ctl(data, "snapshot list --json", 0).object()["snapshots"][0]["seq"].clone();
    let held = snapshot.as_u64().unwrap();
    for number in [3, 2] {
        fs::remove_file(segment(data, number)).unwrap();
    }
    let shown = ctl(data, "journal repair --json", 1).object();
    assert_eq!(shown["first_seq_lost"], held + 1, "{shown}");
    let done = ctl(data, "journal repair --accept-tail-loss --json", 0).object();
    assert_eq!((&done["seq"], &done["from_image"]), (&snapshot, &snapshot));
    assert_eq!(done["digest"], writer.digests[held as usize - 1].as_str());
}

/// What a snapshot holds is kept though the newest segment does not tell whose it is.
#[test]
fn a_snapshot_is_kept_though_the_newest_segment_is_nameless() {
    let writer = tell_at_length();
    let data = writer.path();
    let snapshots = ctl(data, "snapshot list --json", 0).object();
    let held = snapshots["snapshots"][0]["seq"].as_u64().unwrap();
    fs::remove_file(segment(data, 1)).unwrap();
    flip(&segment(data, 2), 3);
    ctl(data, "replay", 1);
    let shown = ctl(data, "journal repair --json", 1).object();
    assert!(shown["first_seq_lost"].as_u64().unwrap() > held, "{shown}");
    let done = ctl(data, "journal repair --accept-tail-loss --json", 0).object();
    assert!(done["seq"].as_u64().unwrap() >= held, "{done}");
    ctl(data, "journal verify", 0);
}

#[test]
fn accepting_in_two_ways_at_once_is_a_mistake() {
    let writer = shelf();
    ctl(writer.path(), "journal repair --accept-tail-loss --accept-loss-from 3", 2);
}

/// A record that is none, at sequence 5, and later turns that are sound.
fn shelf_with_nonsense() -> Writer {
    let mut writer = Writer::create(settings());
    for number in 1..=2_u64 {
        let put = crate::story::put(&format!("S{number}"), number, 0);
        writer.turn(START + number, |writer| writer.ask("boss", None, put));
    }
    writer.turn(START + 3, |writer| writer.append_bytes(b"S3 and no record"));
    for number in 4..=9_u64 {
        let bytes = format!("S{number} and no record");
        writer.turn(START + number, |writer| writer.append_bytes(bytes.as_bytes()));
    }
    writer.kill();
    writer
}

#[test]
fn frames_that_need_no_repair_are_not_called_good_for_it() {
    let writer = shelf_with_nonsense();
    let before = bytes_of(writer.path());
    for accept in ["", " --accept-tail-loss"] {
        let told = ctl(writer.path(), &format!("journal repair --json{accept}"), 1).object();
        let why = told["error"].as_str().unwrap();
        assert!(why.contains("sequence 5: the record does not decode"), "{why}");
    }
    assert_eq!(before, bytes_of(writer.path()));
}

#[test]
fn a_repair_is_not_called_good_before_its_records_are_read() {
    let writer = shelf_with_nonsense();
    let data = writer.path();
    flip(&segment(data, 1), offset_of(&writer, 9));
    let original = fs::read(segment(data, 1)).unwrap();
    let told = ctl(data, "journal repair --accept-tail-loss --json", 1).object();
    let why = told["error"].as_str().unwrap();
    assert!(why.contains("sequence 5: the record does not decode"), "{why}");
    // The frames are mended all the same, and what they were is kept.
    let end = ctl(data, "journal info --json", 0).object()["seq"].clone();
    assert_eq!(end, 8);
    assert_eq!(fs::read(data.join("quarantine-1/00000001.segment")).unwrap(), original);
}

/// A repair that failed half way changed nothing and can be made again.
#[test]
fn a_repair_that_failed_half_way_changed_nothing() {
    let writer = shelf();
    let data = writer.path();
    flip(&segment(data, 1), offset_of(&writer, 12));
    let (file, original) = (segment(data, 1), fs::read(segment(data, 1)).unwrap());
    // Stands where the new segment is to be written.
    let obstacle = data.join("journal/00000001.preparing");
    fs::create_dir(&obstacle).unwrap();
    let told = ctl(data, "journal repair --accept-tail-loss --json", 3).object();
    let why = told["error"].as_str().unwrap();
    assert!(why.contains("00000001.preparing"), "{why}");
    assert_eq!(fs::read(&file).unwrap(), original);
    assert_eq!(fs::read(data.join("quarantine-1/00000001.segment")).unwrap(), original);
    fs::remove_dir(obstacle).unwrap();
    let done = ctl(data, "journal repair --accept-tail-loss --json", 0).object();
    assert_eq!((&done["repaired"], &done["seq"]), (&true.into(), &11.into()), "{done}");
    assert_eq!(done["digest"], writer.digests[10].as_str());
    assert_eq!(fs::read(data.join("quarantine-2/00000001.segment")).unwrap(), original);
}

#[test]
fn a_damaged_snapshot_is_not_counted_on() {
    for (place, offset) in [("header", 20), ("rows", 4096 + 100)] {
        let writer = tell_at_length();
        let data = writer.path();
        let snapshots = ctl(data, "snapshot list --json", 0).object();
        let held = |at: usize| snapshots["snapshots"][at]["seq"].as_u64().unwrap();
        let (newest, older) = (held(0), held(1));
        for number in [3, 2] {
            fs::remove_file(segment(data, number)).unwrap();
        }
        let name = doorbuster_snapshots::snapshot_name(newest);
        flip(&data.join("snapshots").join(name), offset);
        let done = ctl(data, "journal repair --accept-tail-loss --json", 0).object();
        assert!(older < newest);
        let from = (&done["from_image"], &done["seq"]);
        assert_eq!(from, (&older.into(), &older.into()), "{place}: {done}");
        assert_eq!(done["digest"], writer.digests[older as usize - 1].as_str(), "{place}");
    }
}

#[test]
fn a_journal_that_says_nowhere_whose_it_is_cannot_be_repaired() {
    let writer = shelf();
    let data = writer.path();
    flip(&segment(data, 1), 20);
    let before = bytes_of(data);
    for accept in ["", " --accept-tail-loss"] {
        let told = ctl(data, &format!("journal repair --json{accept}"), 1).object();
        let why = told["error"].as_str().unwrap();
        assert!(why.contains("cannot be repaired"), "{why}");
    }
    assert_eq!(before, bytes_of(data));
}

#[test]
fn a_limit_on_file_sizes_is_told_and_repairs_nothing() {
    let writer = shelf();
    let data = writer.path();
    flip(&segment(data, 1), offset_of(&writer, 12));
    let original = fs::read(segment(data, 1)).unwrap();
    let own = command(data, "journal repair --accept-tail-loss");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 64; exec \"$@\"", "sh"]).arg(own.get_program());
    let output = ended(limited.args(own.get_args()));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("no file of this process may be over 32768 bytes (ulimit -f"), "{told}");
    assert_eq!(fs::read(segment(data, 1)).unwrap(), original);
    ctl(data, "journal repair --accept-tail-loss", 0);
}

#[test]
fn without_a_place_for_the_originals_nothing_is_repaired() {
    let writer = shelf();
    let data = writer.path();
    flip(&segment(data, 1), offset_of(&writer, 12));
    let before = bytes_of(data);
    let Some(mut command) = command_that_may_not(data, "journal repair --accept-tail-loss") else {
        return;
    };
    let writable = fs::metadata(data).unwrap().permissions();
    fs::set_permissions(data, Permissions::from_mode(0o555)).unwrap();
    let output = ended(&mut command);
    fs::set_permissions(data, writable).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("cannot make a quarantine: "), "{told}");
    assert_eq!(before, bytes_of(data));
}
