//! `cluster init` and `cluster status`, against an etcd of one member.

use crate::run::{Ran, command, ended};
use crate::story;
use doorbuster_test_support::etcd::Members;
use std::fs;
use std::path::Path;

/// Runs it with the settings of a node, and those that are given besides; an empty one is none.
pub(crate) fn cluster(data: &Path, arguments: &str, settings: &[(&str, &str)], code: i32) -> Ran {
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
    let kept = fs::read_to_string(data.join("cluster")).expect("the directory knows its node");
    assert!(kept.contains("\"node\":\"n1\"") && kept.contains(made["cluster"].as_str().unwrap()));
    let other = [("NODE", "n2"), ("ARBITER", setting.as_str())];
    let refused = cluster(data, "init", &other, 1).err;
    assert!(refused.contains("is the node n1 of the cluster shop"), "{refused}");
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

/// The register was made, and the directory did not hear of it: asked again, it does.
#[test]
fn an_interrupted_init_is_finished_by_the_next() {
    let Some(members) = Members::start(env!("CARGO_TARGET_TMPDIR"), 1) else { return };
    let setting = members.setting();
    let arbiter = [("ARBITER", setting.as_str())];
    let story = story::tell_to_the_end();
    let (data, file) = (story.writer.path(), story.writer.path().join("cluster"));
    let made = cluster(data, "init --json", &arbiter, 0).object();
    let kept = fs::read_to_string(&file).expect("the directory knows its node");
    let version = format!("\"version\":{}", made["version"]);
    assert!(kept.contains(&version), "{kept}");
    fs::write(&file, kept.replace(&version, "\"version\":0")).expect("a file is written");
    let again = cluster(data, "init --json", &arbiter, 0).object();
    assert_eq!((&again["cluster"], &again["version"]), (&made["cluster"], &made["version"]));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), kept);
    // A directory that never heard of it is no node of that cluster.
    fs::remove_file(&file).expect("a file is removed");
    let refused = cluster(data, "init", &arbiter, 1).err;
    assert!(refused.contains("register already"), "{refused}");
    assert!(!file.exists());
}

/// The register is gone, and the directory has seen it.
#[test]
fn a_register_that_is_gone_is_not_made_by_init() {
    let Some(members) = Members::start(env!("CARGO_TARGET_TMPDIR"), 1) else { return };
    let setting = members.setting();
    let story = story::tell_to_the_end();
    let data = story.writer.path();
    cluster(data, "init", &[("ARBITER", setting.as_str())], 0);
    let Some(others) = Members::start(env!("CARGO_TARGET_TMPDIR"), 1) else { return };
    let setting = others.setting();
    let refused = cluster(data, "init", &[("ARBITER", setting.as_str())], 1).err;
    assert!(refused.contains("cluster restore"), "{refused}");
}

#[test]
fn what_is_not_set_is_named() {
    let nowhere = Path::new("nowhere");
    for (settings, told) in [
        (&[][..], "cluster.arbiter is not set"),
        (&[("NAME", ""), ("ARBITER", "etcd://127.0.0.1:1")], "cluster.name is not set"),
        (&[("NODE", "n3"), ("ARBITER", "etcd://127.0.0.1:1")], "cluster.nodes does not name it"),
        (&[("NODE", ""), ("ARBITER", "etcd://127.0.0.1:1")], "cluster.node is not set"),
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
