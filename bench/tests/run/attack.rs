//! `doorbuster-bench attack` at its short scale: every attack runs to its end, and every bar about
//! counts and memory holds. Times are shown there and judged by hand, at the full scale.

use crate::process::{Ran, bench, folder, server_binary};

fn attack(only: &[&str]) -> Ran {
    server_binary();
    let data = folder();
    let data = data.path().to_str().expect("a path in UTF-8");
    bench(&["attack", "--scale", "short", "--strict", "--data", data, "--only", &only.join(",")])
}

#[track_caller]
fn check(only: &[&str]) {
    let ran = attack(only);
    assert_eq!(ran.code, 0, "{}", ran.out);
    for name in only {
        let is_bar = |line: &str| line.starts_with(&format!("   {name}: "));
        assert!(ran.out.lines().any(is_bar), "{name} has no bar: {}", ran.out);
    }
}

#[test]
fn attackers_take_no_places_turns_or_buckets() {
    check(&["silent-tls", "silence", "holds", "users", "refusals"]);
}

#[test]
fn attackers_take_no_rows_directories_roles_or_labels() {
    check(&["tables", "lock", "revoked", "labels"]);
}

#[test]
fn refused_bodies_keep_no_memory() {
    check(&["bodies"]);
}

#[test]
fn extensions_and_refusals_fill_no_disk() {
    check(&["journal"]);
}

/// What does not even start holds no bar.
#[test]
fn a_bar_that_does_not_hold_fails_the_command() {
    let data = folder();
    let data = data.path().to_str().expect("a path in UTF-8");
    let arguments = ["attack", "--only", "labels", "--scale", "short", "--server", "/bin/true"];
    let ran = bench(&[&arguments[..], &["--strict", "--data", data]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("NO labels: not measured"), "{ran:?}");
    assert!(ran.err.contains("1 of the bars do not hold"), "{ran:?}");
}
