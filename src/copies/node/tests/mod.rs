//! Nodes that speak with one another over connections that break at any byte.
//!
//! What holds after every step stands in `world`: answered records are in the journal of whoever
//! writes next, and on the synced disk of whoever the register counts.

mod plain_replica;
mod world;

use super::event::Input;
use crate::cluster::role::{EndReason, NodeRole};
use crate::copies::wire::{Decoder, Message};
use crate::shared::standing::StandingRole;
use doorbuster_journal::{Disk, SnapshotEnd};
use doorbuster_snapshots::{Meta, SnapshotWriter, no_pause};
use doorbuster_test_support::random::Random;
use plain_replica::JOURNAL;
use world::{World, node};

/// Two nodes, the second in sync.
fn pair(seed: u64) -> World {
    cluster(seed, 2)
}

fn cluster(seed: u64, nodes: usize) -> World {
    let mut world = World::new(seed, nodes);
    world.start_all();
    world.rounds(200);
    assert_eq!(world.writer(), Some(0), "{:?}", world.warnings);
    world
}

fn sell(world: &mut World, place: usize, count: usize) {
    for _ in 0..count {
        let bytes = world.random.between(1, 3_000) as usize;
        let payload = world.random.bytes(bytes);
        let sync = world.random.percent(70);
        world.append(place, &payload, sync);
        if world.random.percent(30) {
            world.round();
        }
    }
    world.append(place, b"last", true);
}

#[test]
fn an_empty_node_begins_follows_and_comes_in_sync() {
    let mut world = pair(1);
    assert_eq!(world.in_sync(), ["n1", "n2"]);
    sell(&mut world, 0, 300);
    world.rounds(10);
    world.assert_equal(0, 1);
    let copied = world.servers[0].copied;
    let writing = world.servers[0].writing.as_ref().unwrap();
    assert_eq!(copied, writing.journal.appended());
    assert!(writing.journal.segments() > 1, "an end mark was copied too");
    let standing = &world.servers[0].standing;
    assert_eq!((standing.role, standing.is_alone), (StandingRole::Writer, false));
    assert_eq!(standing.in_sync, ["n1", "n2"]);
    assert!(standing.copies[0].is_connected && standing.copies[0].lag_records == 0);
    let other = &world.servers[1].standing;
    assert_eq!(other.role, StandingRole::Standby);
    assert_eq!(other.writer.as_ref().unwrap().url.as_deref(), Some("http://h0"));
    assert!(world.servers[0].good_until_ms > world.now_ms, "the lease is renewed");
}

#[test]
fn what_a_copy_has_not_synced_is_not_settled() {
    let mut world = pair(2);
    world.append(0, b"sold", true);
    let appended = world.servers[0].writing.as_ref().unwrap().journal.appended();
    assert!(world.servers[0].copied < appended, "nothing has come to the copy yet");
    world.round();
    assert_eq!(world.servers[0].copied, appended);
}

#[test]
fn journals_are_equal_wherever_connections_were_cut() {
    for seed in 0..40 {
        let mut world = cluster(seed, 2 + (seed % 2) as usize);
        let within = [40, 400, 4_000, 40_000][world.random.place(4)];
        world.cut_within = Some(within);
        for _ in 0..60 {
            if let Some(writer) = world.writer() {
                sell(&mut world, writer, 4);
            }
            world.rounds(3);
        }
        world.cut_within = None;
        restart_ended(&mut world);
        world.rounds(400);
        let writer = world.writer().unwrap_or_else(|| panic!("{seed}: {:?}", world.warnings));
        sell(&mut world, writer, 3);
        world.rounds(20);
        for other in (0..world.servers.len()).filter(|other| *other != writer) {
            world.assert_equal(writer, other);
        }
        assert_eq!(world.in_sync().len(), 2, "{seed}");
    }
}

/// As a service manager does.
fn restart_ended(world: &mut World) {
    for place in 0..world.servers.len() {
        if world.servers[place].node.is_none() {
            world.start(place);
        }
    }
}

#[test]
fn a_copy_takes_over_and_the_old_writer_cuts_its_tail() {
    for seed in 0..20 {
        let mut world = cluster(seed, 2 + (seed % 2) as usize);
        sell(&mut world, 0, 40);
        // What nobody was sent goes.
        for _ in 0..world.random.below(20) {
            world.append(0, b"never answered", true);
        }
        let power = world.random.percent(50);
        if world.random.percent(50) {
            world.kill(0, power)
        } else {
            world.freeze(0)
        }
        world.rounds(100);
        let writer = world.writer().unwrap_or_else(|| panic!("{seed}: {:?}", world.warnings));
        assert_ne!(writer, 0);
        sell(&mut world, writer, 10);
        world.start(0);
        world.rounds(200);
        sell(&mut world, writer, 10);
        world.rounds(20);
        world.assert_equal(writer, 0);
        let role = world.servers[0].node.as_ref().unwrap().role();
        assert_eq!((role, world.in_sync().len()), (NodeRole::Following, 2));
    }
}

#[test]
fn a_power_cut_on_both_loses_no_answer() {
    for seed in 0..20 {
        let mut world = pair(seed);
        sell(&mut world, 0, 50);
        world.kill(0, true);
        world.kill(1, true);
        world.start_all();
        world.rounds(200);
        let writer = world.writer().expect("one of them writes");
        sell(&mut world, writer, 5);
        world.rounds(20);
        world.assert_equal(0, 1);
    }
}

#[test]
fn a_writer_without_its_copy_goes_on_alone_and_says_so() {
    let mut world = pair(5);
    world.freeze(1);
    world.append(0, b"waits", true);
    let before = world.servers[0].copied;
    world.rounds(20);
    assert_eq!(world.servers[0].copied, before, "the copy counts until the register let it go");
    assert!(world.servers[0].standing.unreplicated_since_ms.is_some());
    world.rounds(60);
    assert_eq!(world.in_sync(), ["n1"]);
    let standing = &world.servers[0].standing;
    assert!(standing.is_alone && standing.unreplicated_since_ms.is_none());
    assert_eq!(world.servers[0].good_until_ms, u64::MAX);
    assert!(world.servers[0].copied > before);
}

#[test]
fn a_handover_waits_for_no_silence() {
    let mut world = pair(6);
    sell(&mut world, 0, 5);
    world.rounds(5);
    world.tell(0, Input::HandOver { to: Some(node(1)) });
    world.rounds(5);
    assert_eq!(world.servers[0].ended, Some(EndReason::Surrendered));
    assert_eq!(world.writer(), Some(1));
    world.start(0);
    world.rounds(150);
    world.assert_equal(0, 1);
    assert_eq!(world.in_sync().len(), 2);
}

#[test]
fn a_handover_to_a_node_that_is_not_in_sync_does_not_happen() {
    let mut world = cluster(7, 3);
    let outside = if world.counted_by(0).has(node(1)) { 2 } else { 1 };
    world.tell(0, Input::HandOver { to: Some(node(outside)) });
    world.rounds(5);
    assert!(world.servers[0].stays);
    assert_eq!(world.writer(), Some(0));
}

#[test]
fn a_writer_that_was_replaced_ends_when_it_hears_so() {
    let mut world = pair(8);
    sell(&mut world, 0, 5);
    world.rounds(5);
    // Another has claimed: the change that would let the copy go finds another version.
    let found = world.register.as_mut().unwrap();
    found.version += 1;
    found.register.epoch += 1;
    found.register.writer = found.register.in_sync[1].clone();
    world.kill(1, false);
    world.rounds(10);
    assert_eq!(world.servers[0].ended, Some(EndReason::Deposed));
}

#[test]
fn without_the_arbiter_the_sale_goes_on() {
    let mut world = pair(9);
    world.arbiter_is_there = false;
    sell(&mut world, 0, 20);
    world.rounds(100);
    let writing = world.servers[0].writing.as_ref().unwrap();
    assert_eq!(world.servers[0].copied, writing.journal.appended());
    assert!(world.servers[0].good_until_ms > world.now_ms);
    assert!(world.servers[1].standing.arbiter_gone_since_ms.is_some());
    assert!(world.warnings.iter().any(|line| line.contains("the arbiter does not answer")));
}

#[test]
fn a_copy_whose_clock_is_off_does_not_take_over() {
    let mut world = pair(10);
    world.servers[1].wall_ahead_ms = 6_000;
    world.rounds(10);
    world.kill(0, false);
    world.rounds(200);
    assert_eq!(world.writer(), None);
    assert!(world.warnings.iter().any(|line| line.contains("6000 ms apart")));
}

#[test]
fn in_the_mode_async_nobody_is_waited_for_and_nobody_claims() {
    let mut world = World::new(11, 2);
    world.is_sync = false;
    world.start_all();
    world.rounds(200);
    assert_eq!((world.writer(), world.in_sync()), (Some(0), vec!["n1"]));
    assert_eq!(world.servers[0].copied, u64::MAX);
    sell(&mut world, 0, 20);
    world.rounds(10);
    world.assert_equal(0, 1);
    world.kill(0, false);
    world.rounds(300);
    assert_eq!(world.writer(), None);
}

/// A snapshot that holds nothing, at the end of what a node has.
fn snapshot_at_the_end(world: &World, place: usize) -> u64 {
    let data = &world.servers[place].data;
    let mut end = SnapshotEnd { sequence: 0, chain: 0 };
    doorbuster_journal::scan_with(
        &data.journal,
        doorbuster_journal::Origin::Genesis,
        &mut |frame| {
            end = frame.snapshot_end().unwrap_or(end);
            Ok(())
        },
    )
    .unwrap();
    let meta = Meta {
        journal: JOURNAL,
        sequence: end.sequence,
        chain: end.chain,
        epoch: 2,
        stamp_ms: 1,
        digest: [1; 32],
        totals: Vec::new(),
        payload_bytes: 600_000,
    };
    let mut writer = SnapshotWriter::begin(&data.snapshots, meta, no_pause).unwrap();
    writer.append(&vec![5; 600_000]).unwrap();
    writer.finish().unwrap();
    end.sequence
}

#[test]
fn a_copy_whose_place_was_pruned_begins_anew_with_a_snapshot() {
    let mut world = pair(12);
    world.kill(1, false);
    world.rounds(100);
    sell(&mut world, 0, 500);
    let sequence = snapshot_at_the_end(&world, 0);
    sell(&mut world, 0, 5);
    let journal = world.servers[0].data.journal.clone();
    journal.remove("00000001.segment").unwrap_or_else(|_| panic!("{:?}", journal.names()));
    journal.remove("00000002.segment").unwrap_or_else(|_| panic!("{:?}", journal.names()));
    world.start(1);
    world.rounds(300);
    assert_eq!(world.in_sync(), ["n1", "n2"], "{:?}", world.warnings);
    let replica = world.servers[1].node.as_ref().unwrap().replica().unwrap();
    let end = world.servers[0].writing.as_ref().unwrap().journal.end();
    assert_eq!(crate::copies::replica::Replica::history(replica).end, end);
    assert!(end.sequence > sequence);
    assert!(world.warnings.iter().any(|line| line.contains("begins anew")));
}

#[test]
fn a_digest_goes_to_the_copies_and_a_difference_takes_one_out() {
    let mut world = pair(13);
    world.tell(0, Input::ImageTaken { sequence: 2, digest: [9; 32] });
    world.round();
    assert_eq!(world.servers[1].compared, [(2, [9; 32])]);
    world.tell(1, Input::DigestDiffers { sequence: 2 });
    world.rounds(100);
    assert_eq!(world.in_sync(), ["n1"]);
    assert!(world.servers[1].standing.digest_differs.is_some());
    world.kill(0, false);
    world.rounds(100);
    assert_eq!(world.writer(), None, "it never takes over");
}

#[test]
fn any_bytes_end_a_connection_and_nothing_else() {
    let mut random = Random::new(14);
    let mut world = pair(14);
    for link in 1_000..1_400 {
        world.tell(0, Input::Opened { link, to: None });
        let mut bytes = random.bytes(300);
        if random.percent(50) {
            let length = (random.below(300) as u32).to_le_bytes();
            bytes[..4].copy_from_slice(&length);
            bytes[4] = random.between(0, 15) as u8;
        }
        world.tell(0, Input::Received { link, bytes: &bytes });
        world.tell(0, Input::Closed { link });
    }
    sell(&mut world, 0, 5);
    world.rounds(5);
    world.assert_equal(0, 1);
}

#[test]
fn connections_beyond_the_bound_are_closed_at_once() {
    let mut world = pair(15);
    for link in 1_000..1_100 {
        world.tell(0, Input::Opened { link, to: None });
    }
    let mut out = Vec::new();
    let node = world.servers[0].node.as_mut().unwrap();
    node.handle(world.now_ms, 0, Input::Opened { link: 2_000, to: None }, &mut out).unwrap();
    let closes =
        |output: &super::Output| matches!(output, super::Output::Close { link: 2_000, .. });
    assert!(out.iter().any(closes));
    // Those that say nothing go by themselves.
    world.rounds(300);
    let node = world.servers[0].node.as_mut().unwrap();
    out.clear();
    node.handle(world.now_ms, 0, Input::Opened { link: 2_001, to: None }, &mut out).unwrap();
    assert!(!out.iter().any(|output| matches!(output, super::Output::Close { .. })));
}

#[test]
fn a_node_that_does_not_read_is_sent_no_more_than_the_bound() {
    let mut world = pair(16);
    world.freeze(1);
    let mut hello = Vec::new();
    let other = world.servers[0].node.as_mut().unwrap();
    // A copy by hand, which never says that it has taken anything.
    let call = super::machine::Call { now_ms: world.now_ms, wall_ms: 0, out: &mut Vec::new() };
    let name = crate::cluster::node::Name::parse("n2").unwrap();
    let theirs = crate::copies::hello::Hello { node: name, ..other.hello(&call) };
    crate::copies::wire::encode(&Message::Hello(Box::new(theirs)), &mut hello);
    let end = doorbuster_journal::JournalEnd::GENESIS;
    crate::copies::wire::encode(&Message::Join { end, began_empty: false }, &mut hello);
    let mut out = Vec::new();
    let now_ms = world.now_ms;
    other.handle(now_ms, 0, Input::Opened { link: 9, to: None }, &mut out).unwrap();
    other.handle(now_ms, 0, Input::Received { link: 9, bytes: &hello }, &mut out).unwrap();
    let mut sent: usize = sizes(&out);
    for _ in 0..2_000 {
        world.append(0, &[7; 3_000], true);
        out.clear();
        let node = world.servers[0].node.as_mut().unwrap();
        node.handle(world.now_ms, 0, Input::Tick, &mut out).unwrap();
        sent += sizes(&out);
    }
    assert!(sent < 2 * 1024 * 1024, "{sent} bytes wait");
    assert!(sent > 0);
}

fn sizes(out: &[super::Output]) -> usize {
    let size = |output: &super::Output| match output {
        super::Output::Send { link: 9, bytes } => bytes.len(),
        _ => 0,
    };
    out.iter().map(size).sum()
}

#[test]
fn an_acknowledgement_of_what_was_not_sent_closes() {
    let mut world = pair(17);
    let until_ms = world.servers[0].good_until_ms;
    let mut decoder = Decoder::default();
    let mut bytes = Vec::new();
    let (end, sent_ms) = (u64::MAX, world.now_ms + 1_000_000);
    let lie = Message::Acknowledgement { epoch: 2, end, sent_ms, wall_ms: 0 };
    crate::copies::wire::encode(&lie, &mut bytes);
    decoder.push(&bytes);
    assert_eq!(decoder.next_message(), Ok(Some(lie)));
    let link = world.servers[0].node.as_ref().unwrap().link_of(node(1)).unwrap();
    world.tell(0, Input::Received { link, bytes: &bytes });
    assert!(world.servers[0].good_until_ms <= until_ms, "a lease rests on what was sent");
    assert!(world.warnings.iter().any(|line| line.contains("what it was not sent")));
}
