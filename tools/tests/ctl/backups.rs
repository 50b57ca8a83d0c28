//! `backup`: what it copies, what it refuses, and what it leaves behind when it fails.

use crate::run::{bytes_of, command, ctl, ended, flip, must_be_there, segment, start};
use crate::story::{tell, tell_at_length};
use crate::writer::{START, Writer};
use doorbuster::codec;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A directory for targets.
pub(crate) fn elsewhere() -> TempDir {
    TempDir::new().expect("there is room")
}

/// Backs up and gives what it said.
pub(crate) fn back_up(data: &Path, to: &Path, more: &str) -> Value {
    ctl(data, &format!("backup --json --rate-mb 1000 {more} --to {}", to.display()), 0).object()
}

fn check_same_files(backup: &Path) {
    let sums =
        ended(Command::new("sha256sum").args(["-c", "--strict", "SHA256SUMS"]).current_dir(backup));
    assert!(sums.status.success(), "{sums:?}");
}

fn check_private(root: &Path) {
    for path in bytes_of(root).into_keys().chain([root.to_owned()]) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

/// Backs the writer's directory up, and holds the backup to what the writer holds.
fn check_backup(writer: &Writer, more: &str, from_snapshot: u64, goes_back_to: u64) {
    let (data, place) = (writer.path(), elsewhere());
    let before = bytes_of(data);
    let to = place.path().join("deep/er");
    let made = back_up(data, &to, more);
    assert_eq!(before, bytes_of(data), "the source changed");
    let (sequence, digest) = (writer.state.sequence, codec::digest(&writer.state).to_string());
    assert_eq!((&made["seq"], &made["digest"]), (&sequence.into(), &digest.as_str().into()));
    assert_eq!(made["from_image"], from_snapshot, "{made}");
    assert_eq!(made["goes_back_to_seq"], goes_back_to, "{made}");
    let listed = fs::read_to_string(to.join("BACKUP.json")).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    for member in ["seq", "digest", "epoch", "journal_id", "made_at", "bytes"] {
        assert_eq!(listed[member], made[member], "{member}");
    }
    check_same_files(&to);
    check_private(&to);
    assert!(!to.join("unfinished").exists());
    // It opens by what opens any data directory.
    let replayed = ctl(&to, "replay --json", 0).object();
    assert_eq!(replayed["digest"], digest.as_str());
    ctl(&to, "journal verify", 0);
}

#[test]
fn a_backup_beside_a_writer_holds_what_the_writer_holds() {
    let story = tell();
    let snapshots = ctl(story.writer.path(), "snapshot list --json", 0).object();
    let newest = snapshots["snapshots"][0]["seq"].as_u64().unwrap();
    check_backup(&story.writer, "", newest, newest);
    check_backup(&story.writer, "--history", newest, 1);
}

#[test]
fn a_backup_of_a_stopped_directory_holds_all_of_it() {
    let writer = tell_at_length();
    let snapshots = ctl(writer.path(), "snapshot list --json", 0).object();
    let seq = |at: usize| snapshots["snapshots"][at]["seq"].as_u64().unwrap();
    check_backup(&writer, "", seq(0), seq(0));
    check_backup(&writer, "--history", seq(0), 1);
    // Pruned: the history begins at the oldest snapshot.
    fs::remove_file(segment(writer.path(), 1)).unwrap();
    check_backup(&writer, "--history", seq(0), seq(1));
    check_backup(&writer, "", seq(0), seq(0));
    // Nothing but the journal.
    let story = tell();
    for snapshot in fs::read_dir(story.writer.path().join("snapshots")).unwrap() {
        fs::remove_file(snapshot.unwrap().path()).unwrap();
    }
    check_backup(&story.writer, "", 0, 1);
}

#[test]
fn a_target_that_is_not_empty_is_refused_and_told_what_to_do() {
    let story = tell();
    let place = elsewhere();
    let full = place.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("note"), "mine").unwrap();
    let before = bytes_of(place.path());
    let told = ctl(story.writer.path(), &format!("backup --to {}", full.display()), 2).err;
    assert!(told.contains("is not empty, it holds note: name a directory"), "{told}");
    assert_eq!(before, bytes_of(place.path()));
    let file = full.join("note");
    ctl(story.writer.path(), &format!("backup --to {}", file.display()), 3);
    // One that is there and empty is taken, and again it is not empty.
    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    back_up(story.writer.path(), &empty, "");
    let told = ctl(story.writer.path(), &format!("backup --to {}", empty.display()), 2).err;
    assert!(told.contains("is not empty"), "{told}");
    let inside = story.writer.path().join("backups/first");
    let told = ctl(story.writer.path(), &format!("backup --to {}", inside.display()), 2).err;
    assert!(told.contains("lies in"), "{told}");
    assert!(!story.writer.path().join("backups").exists());
}

#[test]
fn an_interrupted_backup_is_in_the_way_and_says_what_it_is() {
    let story = tell();
    let place = elsewhere();
    fs::create_dir_all(place.path().join("one/unfinished/journal")).unwrap();
    let to = place.path().join("one");
    let told = ctl(story.writer.path(), &format!("backup --to {}", to.display()), 2).err;
    assert!(told.contains("holds a backup that was interrupted"), "{told}");
    let told = ctl(&place.path().join("new"), &format!("restore --from {}", to.display()), 1).err;
    assert!(told.contains("holds no finished backup"), "{told}");
    assert!(!place.path().join("new").exists());
}

#[test]
fn a_snapshot_that_is_damaged_is_passed_over_and_told() {
    for offset in [20, 4096 + 100] {
        let writer = tell_at_length();
        let data = writer.path();
        let snapshots = ctl(data, "snapshot list --json", 0).object();
        let held = |at: usize| snapshots["snapshots"][at]["seq"].as_u64().unwrap();
        flip(&data.join("snapshots").join(doorbuster_snapshots::snapshot_name(held(0))), offset);
        let place = elsewhere();
        let to = place.path().join("b");
        let arguments = format!("backup --json --to {}", to.display());
        let ran = ctl(data, &arguments, 0);
        let made = ran.object();
        assert_eq!(
            (&made["from_image"], &made["seq"]),
            (&held(1).into(), &writer.state.sequence.into())
        );
        assert_eq!(made["images_passed_over"].as_array().map(Vec::len), Some(1), "{made}");
        assert!(ran.err.contains("passed over a snapshot: "), "{ran:?}");
        ctl(&to, "snapshot verify", 0);
    }
}

/// A snapshot that holds something else than it says is passed over.
#[test]
fn a_snapshot_that_holds_another_state_is_passed_over() {
    let mut story = tell();
    let held = ctl(story.writer.path(), "snapshot list --json", 0).object();
    let held = held["snapshots"][0]["seq"].clone();
    story.writer.forge_snapshot(|meta, rows| {
        *rows.last_mut().unwrap() ^= 1;
        meta.digest = [7; 32];
    });
    let place = elsewhere();
    let made = back_up(story.writer.path(), &place.path().join("b"), "");
    assert_eq!(made["from_image"], held, "{made}");
    assert_eq!(made["digest"], codec::digest(&story.writer.state).to_string());
    assert_eq!(made["images_passed_over"].as_array().map(Vec::len), Some(1), "{made}");
}

#[test]
fn a_damaged_journal_is_not_backed_up() {
    let mut story = tell();
    story.writer.kill();
    let data = story.writer.path();
    let end = ctl(data, "journal info --json", 0).object()["segments"][0]["end"].as_u64().unwrap();
    flip(&segment(data, 1), end as usize - 12);
    let place = elsewhere();
    let to = place.path().join("b");
    let told = ctl(data, &format!("backup --to {}", to.display()), 1).err;
    assert!(told.contains("00000001.segment"), "{told}");
    assert!(!to.exists(), "nothing is left");
}

#[test]
fn what_is_no_data_directory_is_not_backed_up() {
    let place = elsewhere();
    let to = place.path().join("b");
    for data in ["nowhere", "empty"] {
        let data = place.path().join(data);
        if data.ends_with("empty") {
            fs::create_dir_all(data.join("journal")).unwrap();
        }
        ctl(&data, &format!("backup --to {}", to.display()), 3);
        assert!(!to.exists());
    }
}

/// As [`command`], from a shell that does something before.
pub(crate) fn after(setup: &str, data: &Path, arguments: &str) -> Command {
    let own = command(data, arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{setup}; exec \"$@\""), "sh"]);
    shell.arg(own.get_program()).args(own.get_args());
    shell.env_remove("DOORBUSTER_DATA");
    shell
}

#[test]
fn a_target_without_room_is_told_and_left_empty() {
    let story = tell_at_length();
    let place = elsewhere();
    let backup = place.path().join("whole");
    back_up(story.path(), &backup, "--history");
    let commands = [
        (
            story.path().to_owned(),
            "backup --history --to {target}".to_owned(),
            "may be over 102400 bytes",
        ),
        (
            PathBuf::from("{target}"),
            format!("restore --from {}", backup.display()),
            "may be over 102400 bytes",
        ),
    ];
    for (data, arguments, expected) in commands {
        let target = place.path().join("target");
        let fill = |text: &str| text.replace("{target}", target.to_str().unwrap());
        let data = PathBuf::from(fill(data.to_str().unwrap()));
        // In blocks of 512 bytes; a snapshot still fits.
        let output = ended(&mut after("ulimit -f 200", &data, &fill(&arguments)));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments}: {told}");
        assert!(told.contains(expected) && told.contains("nothing is left of it in"), "{told}");
        assert!(!target.exists(), "{arguments}");
    }
}

#[test]
fn a_full_disk_is_told_and_left_empty() {
    let story = tell_at_length();
    let place = elsewhere();
    let disk = place.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let setup = format!(
        "mount -t tmpfs -o size=300k none {0} || exit 77; set -- \"$@\" --to {0}/b; \"$@\"; code=$?; \
         ls -A {0}; exit $code",
        disk.display()
    );
    let mut shell = after(&setup, story.path(), "backup --history");
    let mut unshared = Command::new("unshare");
    let root = rustix::process::geteuid().is_root();
    unshared.arg(if root { "-m" } else { "-rm" }).arg(shell.get_program()).args(shell.get_args());
    shell = unshared;
    let output = ended(&mut shell);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(77) || told.contains("unshare failed") {
        return must_be_there("a mount namespace with a small disk", &told);
    }
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("No space left on device"), "{told}");
    assert!(told.contains("nothing is left of it in"), "{told}");
    assert_eq!(output.stdout, b"", "something was left");
}

#[test]
fn a_target_that_may_not_be_written_is_told() {
    let story = tell();
    let place = elsewhere();
    let closed = place.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let arguments = format!("backup --to {}", closed.join("b").display());
    let Some(mut command) = crate::run::command_that_may_not(story.writer.path(), &arguments)
    else {
        return;
    };
    fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
    let output = ended(&mut command);
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("cannot create") && told.contains("closed"), "{told}");
}

/// Waits until a backup copies its first segment, and has it stand still there. None where it was
/// further before that was seen.
fn stop_while_it_copies(child: &mut std::process::Child, to: &Path) -> Option<()> {
    let pid = Pid::from_child(child);
    loop {
        let copied = fs::read_dir(to.join("unfinished/journal")).map_or(0, Iterator::count);
        if copied > 0 {
            kill_process(pid, Signal::STOP).expect("it still runs");
            // It may have gone on before it stood still.
            let copied = fs::read_dir(to.join("unfinished/journal")).map_or(0, Iterator::count);
            return (copied == 1).then_some(());
        }
        if child.try_wait().expect("a child can be waited for").is_some() {
            return None;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_the_server_prunes_meanwhile_is_no_damage() {
    for _ in 0..100 {
        let mut writer = tell_at_length();
        writer.restart(START + 100_000);
        let data = writer.path().to_owned();
        let place = elsewhere();
        let to = place.path().join("b");
        // Slow enough to be overtaken: a segment has a quarter of a megabyte.
        let arguments = format!("backup --json --history --rate-mb 1 --to {}", to.display());
        let mut child = start(&mut command(&data, &arguments));
        if stop_while_it_copies(&mut child, &to).is_none() {
            let _ = child.kill();
            let _ = child.wait();
            continue;
        }
        writer
            .turn(START + 100_001, |writer| writer.ask("boss", None, crate::story::put("N", 1, 0)));
        writer.snapshot();
        // All that the snapshot makes unnecessary, also what was not copied yet.
        for _ in 1..fs::read_dir(data.join("journal")).unwrap().count() {
            fs::remove_file(segment(&data, 1)).unwrap();
        }
        kill_process(Pid::from_child(&child), Signal::CONT).expect("it stands still");
        let output = child.wait_with_output().expect("a child can be waited for");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(made["seq"], writer.state.sequence, "{made}");
        assert_eq!(made["digest"], codec::digest(&writer.state).to_string());
        assert_eq!(made["tries"], 2, "{made}");
        ctl(&to, "journal verify", 0);
        return;
    }
    panic!("a backup was never seen at work");
}

#[test]
fn a_signal_ends_a_backup_and_nothing_is_left() {
    let writer = tell_at_length();
    let place = elsewhere();
    let to = place.path().join("b");
    let arguments = format!("backup --history --rate-mb 1 --to {}", to.display());
    let mut child = start(&mut command(writer.path(), &arguments));
    // From then on it watches signals, and is far from its end.
    while !to.join("unfinished/journal").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    let output = child.wait_with_output().expect("a child can be waited for");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("told to end by a signal"), "{told}");
    assert!(!to.exists());
}
