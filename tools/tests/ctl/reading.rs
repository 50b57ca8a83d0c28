//! What only looks changes no byte, takes no lock, and runs beside a live server.

use crate::run::{bytes_of, command_that_may_not, ctl, ended, flip, segment, undisturbed};
use crate::story::{tell, tell_at_length};
use crate::writer::START;
use doorbuster::engine::recovery;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const READING: &[&str] = &[
    "journal info",
    "journal dump",
    "journal verify",
    "journal repair",
    "replay",
    "replay --from-genesis --until 7",
    "replay --recheck",
    "snapshot list",
    "snapshot verify",
    "order 1-5",
    "sku A",
];

fn check_unchanged(data: &Path, codes: &[i32]) {
    let before = bytes_of(data);
    for arguments in READING {
        for json in ["", " --json"] {
            let output = ended(&mut crate::run::command(data, &format!("{arguments}{json}")));
            let code = output.status.code().unwrap();
            assert!(codes.contains(&code), "{arguments}: {output:?}");
            assert_eq!(before, bytes_of(data), "{arguments} changed the directory");
        }
    }
}

#[test]
fn looking_changes_no_byte() {
    let mut story = tell();
    // The writer lives and holds the lock.
    check_unchanged(story.writer.path(), &[0]);
    story.writer.turn(START + 32_000, |_| {});
    story.writer.kill();
    check_unchanged(story.writer.path(), &[0]);
    undisturbed(|| drop(recovery::lock(story.writer.path()).expect("nobody kept it")));
    flip(&segment(story.writer.path(), 1), 4096 + 100);
    check_unchanged(story.writer.path(), &[0, 1]);
    // Nothing can tell whose journal it is.
    flip(&segment(story.writer.path(), 1), 3);
    check_unchanged(story.writer.path(), &[1, 3]);
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let story = tell();
    let missing = story.writer.path().join("elsewhere");
    for arguments in READING.iter().chain(&["snapshot create", "journal repair --accept-tail-loss"])
    {
        ctl(&missing, arguments, 3);
        assert!(!missing.exists(), "{arguments}");
    }
}

/// Takes the right to read something away for a while; whatever needs it says which it is.
fn check_unreadable(data: &Path, path: &Path, replay: &str) {
    let before = fs::metadata(path).unwrap().permissions();
    for arguments in [replay, "journal repair", "journal repair --accept-tail-loss"] {
        let Some(mut command) = command_that_may_not(data, arguments) else { return };
        fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        let output = ended(&mut command);
        fs::set_permissions(path, before.clone()).unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments}: {told}");
        assert!(told.contains(path.file_name().unwrap().to_str().unwrap()), "{arguments}: {told}");
    }
}

#[test]
fn what_may_not_be_read_is_told_and_not_taken_for_damage() {
    let writer = tell_at_length();
    let data = writer.path();
    flip(&segment(data, 3), 4096 + 100);
    let before = bytes_of(data);
    // What a snapshot makes unnecessary is not read from it on.
    check_unreadable(data, &segment(data, 2), "replay --from-genesis");
    for path in [segment(data, 3), data.join("journal"), data.join("snapshots")] {
        check_unreadable(data, &path, "replay");
    }
    assert_eq!(before, bytes_of(data));
}
