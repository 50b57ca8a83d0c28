//! A full disk with room held back: a snapshot is taken in it, history that retention would keep is
//! let go for it, and selling goes on by itself while the disk stays full (DESIGN 4, "Room").
//!
//! Owns the way back. What is refused meanwhile, and a disk without ballast, is in `full`.

use crate::TARGET;
use crate::full::{Book, check_nothing_new};
use doorbuster::codec;
use doorbuster::engine::replay::{From, snapshot_directory};
use doorbuster_test_directories::stored::{replayed, segments, snapshots};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Launch;
use doorbuster_test_support::small_disk::{SmallDisk, on_a_small_disk};
use doorbuster_test_support::wait;
use doorbuster_test_support::wide;
use std::fs;
use std::path::PathBuf;

const DISK_BYTES: u64 = 16 << 20;
const BALLAST_BYTES: u64 = 3 << 20;
/// Small orders made before the disk is full.
const HELD: usize = 40;
/// Wide ones made before: several segments of them.
const WIDE: usize = 700;
/// Wide ones sold while the disk is full: more than the segment that is open then can take.
const ON_A_FULL_DISK: usize = 300;

fn launch(disk: &SmallDisk) -> Launch {
    TARGET
        .launch(&disk.data())
        .small()
        .variable("JOURNAL_SEGMENT_BYTES", "262144")
        .variable("SNAPSHOTS_EVERY_EVENTS", "1000000000")
        .variable("SNAPSHOTS_EVERY_MS", "1000")
        .variable("SNAPSHOTS_BALLAST_BYTES", &BALLAST_BYTES.to_string())
        .variable("OPEN_HOLDS_PER_USER_MAX", "0")
}

fn ballast(disk: &SmallDisk) -> PathBuf {
    disk.data().join("ballast")
}

fn wait_for_ballast(disk: &SmallDisk) {
    wait::until("the ballast is there", || {
        fs::metadata(ballast(disk)).is_ok_and(|file| file.len() == BALLAST_BYTES).then_some(())
    });
}

/// Sells so many wide orders, waiting where there is no room.
fn sell_wide(book: &mut Book, client: &mut Client, orders: std::ops::Range<usize>) {
    for order in orders {
        let ask = wide::order(&format!("sold-{order}"));
        let answer = wait::until("it sells again by itself", || {
            let answer = client.ask(&ask);
            (answer.status != 503).then_some(answer)
        });
        book.take(ask, answer);
    }
}

/// A full disk gives up its ballast for a snapshot and history for a segment and sells on.
#[test]
fn a_full_disk_gives_up_ballast_and_history_and_sells_on() {
    on_a_small_disk(TARGET, DISK_BYTES, |disk| {
        let mut book = Book::default();
        let server = launch(disk).start();
        let client = &mut server.connect();
        wide::put_skus(client);
        book.hold(client, HELD);
        for orders in [0..WIDE / 2, WIDE / 2..WIDE] {
            sell_wide(&mut book, client, orders);
            client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
        }
        wait_for_ballast(disk);
        assert_eq!(snapshots(&disk.data()).len(), 2);
        assert_eq!(segments(&disk.data())[0].0, 1, "retention keeps all of it");

        // No snapshot can be taken for a while, so that the room for new orders ends for certain.
        let snapshots = snapshot_directory(&disk.data());
        let aside = disk.data().join("aside");
        fs::rename(&snapshots, &aside).expect("a directory of ours");
        disk.fill();
        let refused = book.sell_out_the_disk(client);
        check_nothing_new(client, &refused);
        for _ in 0..5 {
            book.act(client, "confirm");
            book.act(client, "cancel");
        }
        assert!(ballast(disk).exists(), "nothing could be done with it yet");
        fs::rename(&aside, &snapshots).expect("a directory of ours");

        sell_wide(&mut book, client, WIDE..WIDE + ON_A_FULL_DISK);
        assert!(segments(&disk.data())[0].0 > 1, "history went, though retention would keep it");
        book.act(client, "confirm");
        book.check(client);

        // With room again, it is held back again.
        disk.free();
        wait_for_ballast(disk);
        book.check(client);
        let exit = server.kill();
        let given_up =
            format!("the disk is full: ballast given up for a snapshot bytes={BALLAST_BYTES}\n");
        for told in [&*given_up, "no spare segment", "there is a spare segment again"] {
            assert!(exit.complaints.contains(told), "no {told:?} in {exit:?}");
        }
        let server = launch(disk).start();
        book.check(&mut server.connect());
        let stopped = server.stop().stopped();
        let replayed = replayed(&disk.data(), From::NewestSnapshot, None);
        assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
    });
}

/// A snapshot that finds no room costs no order and the next one comes by itself.
#[test]
fn a_snapshot_that_finds_no_room_costs_no_order() {
    on_a_small_disk(TARGET, DISK_BYTES, |disk| {
        // One segment takes all that is sold until the snapshot is missed.
        let launch = || {
            launch(disk)
                .variable("SNAPSHOTS_BALLAST_BYTES", "0")
                .variable("JOURNAL_SEGMENT_BYTES", "4194304")
        };
        let mut book = Book::default();
        let server = launch().start();
        let client = &mut server.connect();
        wide::put_skus(client);
        book.hold(client, HELD);
        disk.fill();
        wait::until("a snapshot finds no room", || {
            // While anything happens, one is tried every second.
            book.ask(client, Ask::order(&book.next_key(), "buyer", &wide::sku(0), 1), 201);
            let status = client.get("/v1/status");
            status["snapshot_error"].as_str().map(|why| assert!(why.contains("reserve"), "{why}"))
        });
        let left = fs::read_dir(snapshot_directory(&disk.data())).expect("a directory of ours");
        let writing = left.filter(|entry| {
            let entry = entry.as_ref().expect("a directory reads");
            entry.file_name().to_string_lossy().ends_with(".writing")
        });
        assert_eq!(writing.count(), 0, "no part of it stays");
        book.act(client, "confirm");
        disk.free();
        wait::until("the next one comes by itself", || {
            book.ask(client, Ask::order(&book.next_key(), "buyer", &wide::sku(0), 1), 201);
            let status = client.get("/v1/status");
            status.get("snapshot_error").is_none().then_some(())
        });
        assert!(client.get("/v1/status")["snapshot_seq"].is_u64());
        book.check(client);
        server.kill();
        let server = launch().start();
        book.check(&mut server.connect());
        server.stop().stopped();
    });
}
