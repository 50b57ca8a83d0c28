//! `doorbuster-bench crowd`, `tables` and `sizes`, each in a small round: they run to their end,
//! and what does not depend on the machine's speed holds.

use crate::process::{bench, folder, server_binary};

#[test]
fn a_crowd_is_gone_by_its_limits_and_everybody_else_has_bought() {
    server_binary();
    let data = folder();
    let data = data.path().to_str().expect("a path in UTF-8");
    let arguments = ["crowd", "--idle", "200", "--slow", "90", "--seconds", "3", "--rate", "100"];
    let ran = bench(&[&arguments[..], &["--limit-ms", "300", "--data", data]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("the last of the crowd gone"), "{ran:?}");
    let bought = |line: &&str| line.starts_with("crowded") && line.contains(" 300 ");
    assert!(ran.out.lines().any(|line| bought(&line)), "{ran:?}");
}

/// Full tables refuse for want of room and go on with what they hold.
#[test]
fn full_tables_refuse_and_go_on_with_what_they_hold() {
    server_binary();
    let data = folder();
    let data = data.path().to_str().expect("a path in UTF-8");
    let arguments = ["tables", "--offers", "5000", "--cap", "1000", "--strict", "--data", data];
    let ran = bench(&arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = bench(&["sizes", "--rows", "2000", "--data", data]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.lines().count(), 6, "{ran:?}");
}
