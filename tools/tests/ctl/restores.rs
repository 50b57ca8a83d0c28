//! `restore`: the same state as the source had there, from backups and other copies, and nothing
//! from what is not whole.

use crate::backups::{back_up, elsewhere};
use crate::run::{bytes_of, ctl, flip, segment};
use crate::story::{Story, put, tell, tell_at_length};
use crate::writer::{START, Writer};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

/// Restores and gives what it said.
fn restore(from: &Path, data: &Path, more: &str) -> Value {
    ctl(data, &format!("restore --json {more} --from {}", from.display()), 0).object()
}

fn refused(from: &Path, data: &Path, more: &str, code: i32) -> String {
    let told = ctl(data, &format!("restore {more} --from {}", from.display()), code).err;
    assert!(!data.exists(), "something was left: {told}");
    told
}

/// Holds a restored directory to an end of the story, also as a server would start in it.
fn check_restored(data: &Path, story: &Writer, sequence: u64) {
    let digest = story.digests[sequence as usize - 1].as_str();
    let replayed = ctl(data, "replay --json", 0).object();
    assert_eq!((&replayed["seq"], &replayed["digest"]), (&sequence.into(), &digest.into()));
    ctl(data, "journal verify", 0);
    ctl(data, "journal dump", 0);
    assert!(!data.join("unfinished").exists());
}

fn check_until(story: &Story, from: &Path, until: &str, sequence: u64) {
    let place = elsewhere();
    let data = place.path().join("data");
    let expected = ctl(story.writer.path(), &format!("replay --json --until {until}"), 0).object();
    let made = restore(from, &data, &format!("--until {until}"));
    for member in ["seq", "digest", "epoch", "stamp", "orders"] {
        assert_eq!(made[member], expected[member], "{until}: {member}");
    }
    assert_eq!(made["seq"], sequence);
    check_restored(&data, &story.writer, sequence);
}

#[test]
fn a_restore_ends_behind_any_event_as_a_replay_does() {
    let story = tell();
    let place = elsewhere();
    let backup = place.path().join("b");
    back_up(story.writer.path(), &backup, "--history");
    for sequence in 1..=story.writer.state.sequence {
        // Half from the backup, half from the directory itself.
        let from = if sequence % 2 == 0 { backup.as_path() } else { story.writer.path() };
        check_until(&story, from, &sequence.to_string(), sequence);
    }
    let stamps = &story.writer.stamps;
    for (until, stamp) in
        [("2027-01-15T08:00:00.001Z", START + 1), ("2027-01-15T09:00:05.5+01:00", START + 5_500)]
    {
        let sequence = stamps.iter().filter(|made| **made <= stamp).count() as u64;
        check_until(&story, &backup, until, sequence);
    }
    let last = story.writer.state.sequence;
    check_until(&story, &backup, "2030-01-01T00:00:00Z", last);
    let data = place.path().join("none");
    let told = refused(&backup, &data, &format!("--until {}", last + 1), 1);
    assert!(told.contains(&format!("ends at sequence {last}")), "{told}");
    let told = refused(&backup, &data, "--until 2026-01-01T00:00:00Z", 1);
    assert!(told.contains("nothing had happened by then"), "{told}");
}

#[test]
fn a_restored_directory_is_whole_private_and_goes_on() {
    let mut story = tell();
    let place = elsewhere();
    let (backup, data) = (place.path().join("b"), place.path().join("data"));
    back_up(story.writer.path(), &backup, "");
    let before = bytes_of(&backup);
    // Empty and there: the root of a volume, for example.
    fs::create_dir_all(data.join("lost+found")).unwrap();
    let made = restore(&backup, &data, "");
    assert_eq!(
        (&made["from_backup"], &made["seq"]),
        (&true.into(), &story.writer.state.sequence.into())
    );
    assert_eq!(before, bytes_of(&backup), "the backup changed");
    for path in [data.join("journal"), segment(&data, 1)] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    story.writer.kill();
    story.writer.move_to(&data);
    story.writer.restart(START + 50_000);
    story.writer.turn(START + 50_001, |writer| writer.ask("boss", None, put("N", 1, 0)));
    story.writer.snapshot();
    story.writer.kill();
    check_restored(&data, &story.writer, story.writer.state.sequence);
}

#[test]
fn an_older_end_than_the_backup_holds_is_refused_and_said() {
    let writer = tell_at_length();
    let snapshots = ctl(writer.path(), "snapshot list --json", 0).object();
    let seq = |at: usize| snapshots["snapshots"][at]["seq"].as_u64().unwrap();
    fs::remove_file(segment(writer.path(), 1)).unwrap();
    let place = elsewhere();
    for (more, goes_back_to) in [("", seq(0)), ("--history", seq(1))] {
        let backup = place.path().join(format!("b{goes_back_to}"));
        back_up(writer.path(), &backup, more);
        let data = place.path().join("data");
        let until = format!("--until {}", goes_back_to - 1);
        let told = refused(&backup, &data, &until, 3);
        assert!(told.contains("no snapshot from before that end is kept"), "{told}");
        for until in [goes_back_to, goes_back_to + 1] {
            restore(&backup, &data, &format!("--until {until}"));
            check_restored(&data, &writer, until);
            fs::remove_dir_all(&data).unwrap();
        }
    }
}

#[test]
fn a_snapshot_alone_is_enough() {
    let mut writer = tell_at_length();
    let snapshots = ctl(writer.path(), "snapshot list --json", 0).object();
    let seq = |at: usize| snapshots["snapshots"][at]["seq"].as_u64().unwrap();
    let place = elsewhere();
    let (from, data) = (place.path().join("from"), place.path().join("data"));
    fs::create_dir(&from).unwrap();
    let told = refused(&from, &data, "", 1);
    assert!(told.contains("neither a journal nor a whole snapshot"), "{told}");
    fs::create_dir(from.join("snapshots")).unwrap();
    for snapshot in fs::read_dir(writer.path().join("snapshots")).unwrap() {
        let snapshot = snapshot.unwrap();
        fs::copy(snapshot.path(), from.join("snapshots").join(snapshot.file_name())).unwrap();
    }
    for (until, held) in [(String::new(), seq(0)), (format!("--until {}", seq(1)), seq(1))] {
        let made = restore(&from, &data, &until);
        assert_eq!((&made["seq"], &made["from_backup"]), (&held.into(), &false.into()), "{made}");
        check_restored(&data, &writer, held);
        fs::remove_dir_all(&data).unwrap();
    }
    let told = refused(&from, &data, &format!("--until {}", seq(0) - 1), 1);
    assert!(told.contains("only snapshots of sequence"), "{told}");
    // It goes on after the snapshot.
    restore(&from, &data, "");
    let digests = writer.digests[..seq(0) as usize].to_vec();
    writer.move_to(&data);
    writer.restart_from_snapshot(START + 200_000);
    assert_eq!(writer.state.sequence, seq(0) + 1);
    assert_eq!(writer.digests[..digests.len()], digests);
    writer.kill();
    ctl(&data, "journal verify", 0);
}

#[test]
fn what_is_not_what_was_backed_up_is_refused_by_its_name() {
    let writer = tell_at_length();
    let place = elsewhere();
    let (whole, data) = (place.path().join("whole"), place.path().join("data"));
    back_up(writer.path(), &whole, "--history");
    let files = bytes_of(&whole);
    for path in files.keys().filter(|path| path.is_file()) {
        let name = path.strip_prefix(&whole).unwrap().display().to_string();
        let bytes = &files[path];
        let file_name = path.file_name().unwrap().to_str().unwrap();
        // Rot, also in a part that no start would read.
        flip(path, bytes.len() - 2);
        let told = refused(&whole, &data, "", 1);
        assert!(told.contains(file_name), "{name}: {told}");
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        let told = refused(&whole, &data, "", 1);
        assert!(told.contains(file_name) || name == "SHA256SUMS", "{name}: {told}");
        fs::remove_file(path).unwrap();
        let told = refused(&whole, &data, "", 1);
        assert!(told.contains(&format!("{name} is missing")), "{name}: {told}");
        fs::write(path, bytes).unwrap();
    }
    fs::write(whole.join("journal/00000009.segment"), "x").unwrap();
    let told = refused(&whole, &data, "", 1);
    assert!(told.contains("00000009.segment is not of this backup"), "{told}");
    fs::remove_file(whole.join("journal/00000009.segment")).unwrap();
    restore(&whole, &data, "");
    check_restored(&data, &writer, writer.state.sequence);
}

#[test]
fn a_listing_that_is_forged_leads_nowhere() {
    let story = tell();
    let place = elsewhere();
    let (backup, data) = (place.path().join("b"), place.path().join("data"));
    back_up(story.writer.path(), &backup, "");
    let sums = fs::read_to_string(backup.join("SHA256SUMS")).unwrap();
    for line in ["", "x", &format!("{}  ../../etc/passwd", "0".repeat(64)), "  journal/1.segment"] {
        fs::write(backup.join("SHA256SUMS"), format!("{sums}{line}\n")).unwrap();
        let told = refused(&backup, &data, "", 1);
        assert!(told.contains("SHA256SUMS, line"), "{line:?}: {told}");
    }
    fs::write(backup.join("SHA256SUMS"), [0xFF; 8]).unwrap();
    refused(&backup, &data, "", 1);
}

/// A torn copy of a directory without a listing is judged as a start would.
#[test]
fn a_torn_copy_without_a_listing_is_judged_as_at_a_start() {
    let writer = tell_at_length();
    let place = elsewhere();
    let data = place.path().join("data");
    let newest =
        segment(writer.path(), fs::read_dir(writer.path().join("journal")).unwrap().count());
    let file = fs::File::options().write(true).open(&newest).unwrap();
    file.write_all_at(&[7; 16], 4096 + 64).unwrap();
    let told = refused(writer.path(), &data, "", 1);
    assert!(told.contains(newest.file_name().unwrap().to_str().unwrap()), "{told}");
}

#[test]
fn a_restore_changes_nothing_that_is_there() {
    let story = tell();
    let place = elsewhere();
    let backup = place.path().join("b");
    back_up(story.writer.path(), &backup, "");
    let before = bytes_of(story.writer.path());
    let arguments = format!("restore --from {}", backup.display());
    // Into the directory of a live server, and into a stopped one.
    let told = ctl(story.writer.path(), &arguments, 2).err;
    assert!(told.contains("is not empty"), "{told}");
    assert_eq!(before, bytes_of(story.writer.path()));
    // A lock that is held by a server that is about to begin.
    let data = place.path().join("data");
    let lock = doorbuster::engine::recovery::lock(&data).unwrap();
    let told = ctl(&data, &arguments, 3).err;
    assert!(told.contains("in use by another process"), "{told}");
    assert_eq!(bytes_of(&data).len(), 1, "only the lock is there");
    crate::run::undisturbed(|| drop(lock));
    ctl(&data, &arguments, 0);
    let inside = format!("restore --from {}", backup.display());
    let told = ctl(&backup.join("data"), &inside, 2).err;
    assert!(told.contains("lies in"), "{told}");
    ctl(&place.path().join("x"), "restore --from nowhere", 3);
}
