//! `cluster init` and `cluster status`, against an etcd of one member.

use crate::run::{Ran, command, ended};
use crate::story;
use doorbuster_test_support::etcd::Members;
use std::path::Path;

/// Runs it with the settings of a node, and those that are given besides; an empty one is none.
fn cluster(data: &Path, arguments: &str, settings: &[(&str, &str)], code: i32) -> Ran {
    let mut command = command(data, &format!("cluster {arguments}"));
    let node = [
        ("NAME", "shop"),
        ("NODE", "n1"),
        ("NODES", "n1=127.0.0.1:7171,n2=127.0.0.1:7172"),
        ("URL", "http://127.0.0.1:7070"),
    ];
    for (name, value) in node.iter().chain(settings) {
        command.env(format!("DOORBUSTER_CLUSTER_{name}"), value);
    }
    let output = ended(&mut command);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
    let code_seen = output.status.code().expect("it is not killed");
    let ran = Ran { code: code_seen, out: text(output.stdout), err: text(output.stderr) };
    assert_eq!(ran.code, code, "doorbusterctl cluster {arguments}: {ran:?}");
    ran
}

#[test]
fn a_register_is_made_once_and_shown() {
    let Some(mut members) = Members::start(env!("CARGO_TARGET_TMPDIR"), 1) else { return };
    let setting = members.setting();
    let arbiter = [("ARBITER", setting.as_str())];
    let story = story::tell_to_the_end();
    let data = story.writer.path();
    let told = cluster(data, "status", &arbiter, 1).err;
    assert!(told.contains("/doorbuster/shop/0") && told.contains("cluster init"), "{told}");
    let made = cluster(data, "init --json", &arbiter, 0).object();
    assert_eq!((made["writer"].as_str(), made["in_sync"].as_str()), (Some("n1"), Some("n1")));
    assert_eq!(made["urls"].as_str(), Some("n1=http://127.0.0.1:7070"));
    let refused = cluster(data, "init", &arbiter, 1).err;
    assert!(refused.contains("register already") && refused.contains("n1 writes"), "{refused}");
    let shown = cluster(data, "status --json", &arbiter, 0).object();
    for name in ["key", "version", "cluster", "journal_id", "epoch", "writer"] {
        assert_eq!(shown[name], made[name], "{name}");
    }
    assert_eq!((shown["members"].as_u64(), shown["alarms"].as_str()), (Some(1), Some("")));
    assert_eq!(shown["endpoints"][0]["leader"].as_bool(), Some(true));
    members.kill(0);
    let told = cluster(data, "status", &arbiter, 3).err;
    assert!(told.contains("does not answer"), "{told}");
}

#[test]
fn what_is_not_set_is_named() {
    let nowhere = Path::new("nowhere");
    for (settings, told) in [
        (&[][..], "cluster.arbiter is not set"),
        (&[("NAME", ""), ("ARBITER", "etcd://127.0.0.1:1")], "cluster.name is not set"),
        (&[("NODE", "n3")], "cluster.nodes does not name it"),
        (&[("NODE", "")], "cluster.node is not set"),
        (&[("ARBITER", "127.0.0.1:1")], "etcd://HOST:PORT"),
    ] {
        let ran = cluster(nowhere, "init", settings, 2);
        assert!(ran.err.contains(told), "{ran:?}");
    }
}

#[test]
fn a_register_is_made_for_a_journal_only() {
    let data = tempfile::tempdir().expect("a folder");
    let arbiter = [("ARBITER", "etcd://127.0.0.1:1")];
    let ran = cluster(data.path(), "init", &arbiter, 3);
    assert!(ran.err.contains(&data.path().display().to_string()), "{ran:?}");
}

#[test]
fn an_arbiter_that_is_not_there_is_told_by_its_endpoint() {
    let arbiter = [("ARBITER", "etcd://127.0.0.1:1,127.0.0.1:2")];
    let told = cluster(Path::new("nowhere"), "status", &arbiter, 3).err;
    assert!(told.contains("127.0.0.1:1") && told.contains("127.0.0.1:2"), "{told}");
}
