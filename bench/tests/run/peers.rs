//! `doorbuster-bench peers` against the real servers: each is started, sells exactly its stock and
//! answers a retry with its first answer before it is measured, or the command fails.
//!
//! Redis and PostgreSQL are Debian's. With `CI=true` they must be there; elsewhere the test says
//! what it went without.

use crate::process::{self, Ran};
use std::process::Command;

/// Few requests; into a folder that PostgreSQL's own user can enter.
fn peers() -> Command {
    process::server_binary();
    let mut command = process::command();
    command.args("peers --connections 2 --requests 200 --rounds 1 --data".split(' '));
    command.arg(std::env::temp_dir());
    command
}

fn run(command: &mut Command) -> Ran {
    command.output().expect("the binary was built").into()
}

#[test]
fn every_peer_sells_exactly_its_stock_and_answers_a_retry_alike() {
    let mut command = peers();
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        command.args(["--require", "redis,postgres"]);
    }
    let ran = run(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    let is_missing = |package: &str| {
        let line = format!("apt-get install {package}; going on without it");
        let missing = ran.out.lines().any(|own| own.ends_with(&line));
        if missing {
            eprintln!("{line}");
        }
        missing
    };
    let mut names = vec!["doorbuster group", "doorbuster interval:5", "doorbuster os"];
    if !is_missing("redis-server") {
        names.extend(["redis always", "redis everysec"]);
    }
    if !is_missing("postgresql") {
        names.push("postgresql");
    }
    for name in &names {
        let sold = format!("{name}: sold 20 of 20 units, refused 41, same answer to a retry");
        assert!(ran.out.lines().any(|line| line == sold), "no {sold:?} in {}", ran.out);
    }
    for name in names.iter().chain(&["bare hyper"]) {
        let row = format!("    2  {name} ");
        assert!(ran.out.lines().any(|line| line.starts_with(&row)), "no {row:?} in {}", ran.out);
    }
}

/// A peer that is not installed is named with its package and gone without unless required.
#[test]
fn a_missing_peer_is_named_with_its_package() {
    let without = run(peers().env("PATH", "").args(["--peers", "redis", "--durability", "os"]));
    assert_eq!(without.code, 0, "{without:?}");
    let said = "redis is not here: apt-get install redis-server";
    assert!(without.out.contains(&format!("{said}; going on without it\n")), "{}", without.out);
    let required = run(peers().env("PATH", "").args(["--require", "redis"]));
    assert_eq!(required.code, 3, "{required:?}");
    assert!(required.err.contains(said), "{}", required.err);
}
