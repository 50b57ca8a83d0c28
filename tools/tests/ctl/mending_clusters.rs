//! `cluster handover`, `takeover`, `force`, `restore` and `forget`, against an etcd of one member
//! and
//! stand-ins for nodes.
//!
//! Owns what each changes, and that it changes nothing where it refuses. Real nodes are in
//! `tests/cluster` of the server. Next: `stand_in`.

use crate::clusters::cluster;
use crate::run::Ran;
use crate::stand_in::StandIn;
use crate::story;
use doorbuster::cluster::arbiter::{Arbiter, Swapped, Versioned};
use doorbuster::cluster::etcd::{Endpoints, Etcd};
use doorbuster::cluster::node::Name;
use doorbuster::cluster::register::{ClusterId, OperationId, Register};
use doorbuster_test_support::etcd::Members;
use std::fs;
use std::path::Path;

const CLUSTER: ClusterId = ClusterId([7; 16]);
/// Of a journal that no test here reads.
const JOURNAL: &str = "00112233445566778899aabbccddeeff";

fn name(text: &str) -> Name {
    Name::parse(text).expect("it is a name")
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn etcd(setting: &str) -> Etcd {
    Etcd::new(Endpoints::parse(setting, None).expect("it is one"), &name("shop"), 0)
}

fn read(setting: &str) -> Versioned {
    run(etcd(setting).read()).expect("etcd answers").expect("there is a register")
}

/// A register in which the first node writes.
fn register(in_sync: &[&str]) -> Register {
    Register {
        cluster: CLUSTER,
        journal: JOURNAL.to_owned(),
        epoch: 5,
        writer: name(in_sync[0]),
        in_sync: in_sync.iter().map(|node| name(node)).collect(),
        operation: OperationId { process: 1, number: 1 },
        urls: [(name("n1"), "http://127.0.0.1:1".to_owned())].into(),
        forced: None,
    }
}

fn put(setting: &str, expected: Option<u64>, register: &Register) {
    let put = run(etcd(setting).swap(expected, register)).expect("etcd answers");
    assert!(matches!(put, Swapped::Done(_)), "{put:?}");
}

/// An etcd with a register.
fn arbiter(in_sync: &[&str]) -> Option<(Members, String)> {
    let members = Members::start(env!("CARGO_TARGET_TMPDIR"), 1)?;
    let setting = members.setting();
    put(&setting, None, &register(in_sync));
    Some((members, setting))
}

/// What the directory of a node of this cluster knows.
fn be_node(data: &Path, node: &str, epoch: u32) {
    let text = format!(
        "{{\"format\":1,\"cluster\":\"{CLUSTER}\",\"name\":\"shop\",\"node\":\"{node}\",\
         \"epoch\":{epoch},\"version\":1,\"began_empty\":false}}\n"
    );
    fs::write(data.join("cluster"), text).expect("a file is written");
}

/// Runs a command on a machine where no node is.
fn away(arguments: &str, setting: &str, code: i32) -> Ran {
    cluster(Path::new("nowhere"), arguments, &[("ARBITER", setting), ("NODE", "")], code)
}

/// Runs a command that must refuse, for this reason, and leave the register as it is.
fn refused(setting: &str, reasons: &[&str], ask: impl FnOnce() -> Ran) {
    let before = run(etcd(setting).read()).expect("etcd answers");
    let ran = ask();
    for reason in reasons {
        assert!(ran.err.contains(reason), "{reason}: {ran:?}");
    }
    assert_eq!(run(etcd(setting).read()), Ok(before));
}

#[test]
fn a_handover_is_asked_of_the_writer_and_seen_in_the_register() {
    let Some((_members, setting)) = arbiter(&["n1", "n2"]) else { return };
    let held = read(&setting);
    let register = Register { epoch: 6, writer: name("n2"), ..held.register };
    let (there, expected) = (setting.clone(), Some(held.version));
    let writer = StandIn::start(move |request| {
        assert!(request.starts_with("POST /v1/admin/handover HTTP/1.1"), "{request}");
        assert!(request.ends_with("{\"to\":\"n2\"}"), "{request}");
        put(&there, expected, &register);
        (202, "{}".to_owned())
    });
    let line = format!("handover --to n2 --url n1={} --json", writer.url());
    let after = away(&line, &setting, 0).object();
    assert_eq!((after["writer"].as_str(), after["epoch"].as_u64()), (Some("n2"), Some(6)));
    // Who writes already needs no handover.
    let again = away("handover --to n2 --json", &setting, 0).object();
    assert_eq!(again["version"], after["version"]);
}

#[test]
fn a_handover_that_cannot_be_is_refused_with_its_reason() {
    let Some((_members, setting)) = arbiter(&["n1", "n2"]) else { return };
    refused(&setting, &["n3 is not in sync", "In sync: n1, n2"], || {
        away("handover --to n3", &setting, 1)
    });
    refused(&setting, &["127.0.0.1:1"], || away("handover", &setting, 3));
    let told = r#"{"type":"about:blank","title":"t","status":409,"detail":"n2 is behind",
        "code":"not_in_sync","retryable":false}"#;
    let writer = StandIn::start(|_| (409, told.to_owned()));
    refused(&setting, &["does not hand over: n2 is behind (not_in_sync)"], || {
        away(&format!("handover --url n1={}", writer.url()), &setting, 1)
    });
    let Some((_members, alone)) = arbiter(&["n1"]) else { return };
    refused(&alone, &["no other node is in sync"], || away("handover", &alone, 1));
}

#[test]
fn a_takeover_tells_what_is_lost_and_waits_for_a_yes() {
    let Some((_members, setting)) = arbiter(&["n1"]) else { return };
    let copy = StandIn::of_status("standby", 5, 12);
    let line = format!("takeover --to n2 --url n2={}", copy.url());
    refused(&setting, &["not async", "cluster force"], || away(&line, &setting, 1));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.toml");
    fs::write(&file, "[replication]\nmode = \"async\"\n").expect("a file is written");
    let ask = |line: &str, code| {
        let line = format!("--config {} {line}", file.display());
        cluster(Path::new("nowhere"), &line, &[("ARBITER", &setting)], code)
    };
    refused(&setting, &["everything up to 5-12", "from 5-13 on is lost", "--yes"], || {
        ask(&line, 1)
    });
    let writer = StandIn::of_status("writer", 5, 14);
    refused(&setting, &["n1 is there and writes", "handover --to n2"], || {
        ask(&format!("{line} --url n1={} --yes", writer.url()), 1)
    });
    ask(&format!("{line} --yes"), 0);
    let after = read(&setting).register;
    assert_eq!((after.epoch, &after.writer, after.in_sync.len()), (6, &name("n2"), 1));
    assert_eq!(after.lost_from(&name("n2"), 5), Some(13));
}

#[test]
fn a_forced_node_begins_where_its_own_journal_ends() {
    let Some((_members, setting)) = arbiter(&["n1", "n2"]) else { return };
    let story = story::tell_to_the_end();
    let data = story.writer.path();
    be_node(data, "n3", 4);
    let nodes = "n1=127.0.0.1:7171,n2=127.0.0.1:7172,n3=127.0.0.1:7173";
    let own = [("ARBITER", setting.as_str()), ("NODE", "n3"), ("NODES", nodes)];
    let force = |line: &str, code| cluster(data, &format!("force {line}"), &own, code);
    let end = crate::run::ctl(data, "journal info --json", 0).object();
    let (epoch, last) = (end["epoch"].as_u64().unwrap(), end["seq"].as_u64().unwrap());
    let lost_from = format!("{epoch}-{}", last + 1);
    refused(&setting, &["nothing was changed", &format!("--accept-loss-from {lost_from}")], || {
        force("n3", 1)
    });
    refused(&setting, &["it is not 1-1 from where on"], || force("n3 --accept-loss-from 1-1", 1));
    let copy = StandIn::of_status("standby", 5, 900);
    refused(&setting, &["n2 is there and in sync"], || {
        force(&format!("n3 --accept-loss-from {lost_from} --url n2={}", copy.url()), 1)
    });
    refused(&setting, &["n2 is in sync by the register"], || {
        force(&format!("n2 --url n2={}", copy.url()), 1)
    });
    refused(&setting, &["cluster.nodes does not name n9"], || force("n9", 2));
    let made = force(&format!("n3 --accept-loss-from {lost_from} --json"), 0).object();
    assert_eq!(made["lost_from_seq"].as_u64(), Some(last + 1));
    let after = read(&setting).register;
    assert_eq!((after.epoch, &after.writer, after.in_sync.len()), (6, &name("n3"), 1));
}

#[test]
fn a_register_that_is_gone_is_made_for_the_most_advanced() {
    let Some(members) = Members::start(env!("CARGO_TARGET_TMPDIR"), 1) else { return };
    let setting = members.setting();
    let story = story::tell_to_the_end();
    let data = story.writer.path();
    refused(&setting, &["is no node of a cluster yet"], || {
        cluster(data, "restore", &[("ARBITER", &setting)], 1)
    });
    be_node(data, "n1", 8);
    let restore = |line: &str, code| {
        cluster(data, &format!("restore {line}"), &[("ARBITER", &setting)], code)
    };
    refused(&setting, &["n2 cannot be asked", "--end n2=EPOCH-SEQ"], || restore("", 1));
    let copy = StandIn::of_status("standby", 7, 900);
    refused(&setting, &["n2 runs and follows, so only its disk tells"], || {
        restore(&format!("--url n2={}", copy.url()), 1)
    });
    let made = restore("--json --end n2=7-900", 0).object();
    assert_eq!((made["writer"].as_str(), made["epoch"].as_u64()), (Some("n2"), Some(9)));
    assert_eq!(made["lost_from_seq"].as_u64(), None, "nothing is missing");
    assert_eq!(made["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(read(&setting).register.cluster, CLUSTER);
    refused(&setting, &["nothing to restore"], || restore("--yes", 1));
}

/// What a node held that cannot be asked is told as lost.
#[test]
fn a_register_that_was_put_back_is_made_anew_with_a_yes() {
    let Some((_members, setting)) = arbiter(&["n1", "n2"]) else { return };
    let story = story::tell_to_the_end();
    let data = story.writer.path();
    be_node(data, "n1", 6);
    let last = crate::run::ctl(data, "journal info --json", 0).object()["seq"].as_u64().unwrap();
    let made = cluster(data, "restore --yes --json", &[("ARBITER", &setting)], 0).object();
    assert_eq!((made["writer"].as_str(), made["epoch"].as_u64()), (Some("n1"), Some(7)));
    assert_eq!(made["lost_from_seq"].as_u64(), Some(last + 1));
    let strange = "\"cluster\":\"08080808080808080808080808080808\"";
    let file = data.join("cluster");
    let text = fs::read_to_string(&file).expect("it is there");
    let own = format!("\"cluster\":\"{CLUSTER}\"");
    fs::write(&file, text.replace(&own, strange)).expect("a file is written");
    refused(&setting, &["that of another one?"], || {
        cluster(data, "restore --yes", &[("ARBITER", &setting)], 1)
    });
}

#[test]
fn a_dead_node_is_forgotten_and_no_other() {
    let Some((_members, setting)) = arbiter(&["n1", "n2"]) else { return };
    refused(&setting, &["n1 is the writer by the register"], || away("forget n1", &setting, 1));
    refused(&setting, &["the register does not name n3"], || away("forget n3", &setting, 1));
    let alive = StandIn::of_status("standby", 5, 9);
    refused(&setting, &["n2 runs", "stop it first"], || {
        away(&format!("forget n2 --url n2={}", alive.url()), &setting, 1)
    });
    let writer = StandIn::of_status("writer", 5, 9);
    let beside = format!("forget n2 --url n1={}", writer.url());
    refused(&setting, &["drops n2 from those in sync by itself", "--yes"], || {
        away(&beside, &setting, 1)
    });
    away("forget n2", &setting, 0);
    let after = read(&setting).register;
    assert_eq!((after.epoch, &after.writer, &after.in_sync), (5, &name("n1"), &vec![name("n1")]));
}
