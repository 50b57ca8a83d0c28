//! Who may read what the server writes (API 7).
//!
//! Owns the modes of everything in a data directory, whatever the umask, and what a start says of a
//! directory that others can read. What is written is tested elsewhere.

use crate::TARGET;
use crate::snapshots::taking::take_snapshot;
use doorbuster_test_support::client::Ask;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Everything below a directory, itself included, with its mode.
fn modes(directory: &Path) -> BTreeMap<PathBuf, (bool, u32)> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::metadata(&path).expect("it was just listed");
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory of ours");
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        found.insert(path, (metadata.is_dir(), metadata.permissions().mode() & 0o7777));
    }
    found
}

#[test]
fn nobody_else_reads_what_is_written_whatever_the_umask() {
    for umask in ["000", "022", "077", "0777"] {
        let place = TARGET.directory();
        let data = place.path().join("made/data");
        let launch = || {
            let launch = TARGET.launch(&data).small().variable("JOURNAL_SEGMENT_BYTES", "262144");
            launch.variable("SNAPSHOTS_BALLAST_BYTES", "65536").behind(&format!("umask {umask}"))
        };
        let server = launch().start();
        let client = &mut server.connect();
        client.put_sku("s", &json!({"stock": 100_000}));
        for round in 0..2 {
            for number in 0..400 {
                let key = format!("{round}-{number}");
                client.ask(&Ask::order(&key, &key, "s", 1)).expect(201);
            }
            take_snapshot(client);
        }
        server.stop().stopped();
        // What an earlier start left is opened again, and more is made.
        launch().start().stop().stopped();
        let modes = modes(&place.path().join("made"));
        let count =
            |end: &str| modes.keys().filter(|path| path.to_string_lossy().ends_with(end)).count();
        assert!(count(".segment") >= 2 && count("/LOCK") == 1, "{modes:?}");
        assert!(count(".image") >= 2, "{modes:?}");
        for (path, (is_directory, mode)) in &modes {
            let expected = if *is_directory { 0o700 } else { 0o600 };
            assert_eq!(*mode, expected, "umask {umask}: {} is {mode:o}", path.display());
        }
    }
}

#[test]
fn a_directory_that_others_can_read_is_told_with_the_remedy() {
    for (mode, is_told) in [(0o700, false), (0o750, true), (0o755, true), (0o705, true)] {
        let data = TARGET.directory();
        fs::set_permissions(data.path(), Permissions::from_mode(mode)).expect("it is ours");
        let exit = TARGET.launch(data.path()).start().stop();
        let remedy = format!("remedy=\"chmod -R go= {}\"", data.path().display());
        assert_eq!(exit.complaints.contains(&remedy), is_told, "{mode:o}: {exit:?}");
        assert_eq!(exit.complaints.contains(&format!("mode=\"{mode:04o}\"")), is_told);
        let after = fs::metadata(data.path()).expect("it is there").permissions().mode();
        assert_eq!(after & 0o777, mode, "what an operator set stays");
    }
}
