//! Power cuts under load, again and again on one disk: nothing that was answered is lost.
//!
//! Owns when the power goes: after a seeded number of answers, with snapshots being taken, segments
//! being made and, on every other disk, pruned. What must hold afterwards is in the ledger of
//! `tests/directories`.

use crate::TARGET;
use doorbuster::codec;
use doorbuster::engine::replay::From;
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_directories::stored::replayed;
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::Server;
use doorbuster_test_support::random::Random;
use doorbuster_test_support::small_disk::{SmallDisk, on_a_small_disk, sync_directory};
use serde_json::json;
use std::fs::{self, File};
use std::io::Write as _;

/// In the suite, on each of two disks.
const CYCLES: u64 = 4;
/// On one disk; then its books are checked from the first answer to the last, and closed.
const CYCLES_PER_DISK: u64 = 50;
/// Only what is written takes room in the file that stands for the disk.
const DISK_BYTES: u64 = 1 << 30;
/// Often enough that most cuts meet a snapshot in the making.
const EVERY_EVENTS: &str = "100";

/// Cuts the power so often on one disk.
fn check_cuts(disk: &mut SmallDisk, random: Random, cycles: u64, prunes: bool) {
    let retain_ms = if prunes { "1" } else { "604800000" };
    let data = disk.data();
    let start = || {
        Crowd::launch(TARGET, &data)
            .variable("SNAPSHOTS_EVERY_EVENTS", EVERY_EVENTS)
            .variable("JOURNAL_RETAIN_MS", retain_ms)
            .start()
    };
    let mut crowd = Crowd::new(random);
    let mut server = start();
    open_sale(&server);
    for cycle in 1..=cycles {
        let exit = crowd.rush(server, |server| {
            disk.cut_power();
            server.kill()
        });
        assert_eq!((exit.code, exit.lines.len()), (None, 0), "{exit:?}");
        disk.power_up();
        server = start();
        assert_eq!(server.connect().get("/v1/status")["epoch"], cycle + 1);
        crowd.check_sample(&server);
    }
    let stopped = if prunes {
        crowd.check_books(&mut server.connect());
        server.stop().stopped()
    } else {
        crowd.check_all(server, &data)
    };
    let replayed = replayed(&data, From::NewestSnapshot, None);
    assert_eq!(codec::digest(&replayed.state).to_string(), stopped.digest);
}

#[test]
fn power_cuts_under_load_lose_nothing_that_was_answered() {
    let wanted = std::env::var("POWER_CYCLES").ok();
    let wanted = wanted.map(|cycles| cycles.parse().expect("POWER_CYCLES is a number"));
    let per_disk = if wanted.is_some() { CYCLES_PER_DISK } else { CYCLES };
    let mut left = wanted.unwrap_or(2 * CYCLES);
    let mut random = TARGET.random();
    let mut prunes = false;
    while left > 0 {
        let cycles = left.min(per_disk);
        on_a_small_disk(TARGET, DISK_BYTES, |disk| {
            check_cuts(disk, random.fork(0), cycles, prunes)
        });
        left -= cycles;
        prunes = !prunes;
        if wanted.is_some() {
            let _ = writeln!(std::io::stderr(), "{left} power cuts left");
        }
    }
}

fn sell(server: &Server, orders: std::ops::Range<u64>) -> Vec<(String, u64)> {
    let client = &mut server.connect();
    let sold = orders.map(|order| {
        let key = format!("key-{order}");
        let answer = client.ask(&Ask::order(&key, &format!("user-{order}"), "s", 1)).expect(201);
        (key, answer["seq"].as_u64().expect("a sequence"))
    });
    sold.collect()
}

/// Where the kernel syncs a cut takes a tail that the next start names. Where answers do not wait
/// for the disk, a cut takes a tail, and the start names where it begins.
#[test]
fn a_cut_where_the_kernel_syncs_takes_a_tail_that_is_told() {
    on_a_small_disk(TARGET, DISK_BYTES, |disk| {
        let data = disk.data();
        let start = || TARGET.launch(&data).small().argument("--durability").argument("os").start();
        let server = start();
        server.connect().put_sku("s", &json!({"stock": 1000}));
        let sold = sell(&server, 0..100);
        disk.cut_power();
        server.kill();
        disk.power_up();
        let server = start();
        let client = &mut server.connect();
        let kept = sold
            .iter()
            .filter(|(key, _)| client.ask(&Ask::get(format!("/v1/requests/{key}"))).status == 200);
        let kept = kept.count();
        eprintln!("{kept} of {} kept", sold.len());
        for (key, _) in &sold[kept..] {
            client.ask(&Ask::get(format!("/v1/requests/{key}"))).problem(404, "unknown_request");
        }
        // It goes on from there; the SKU may have gone with the rest.
        let next = client.ask(&Ask::put("/v1/skus/next", &json!({"stock": 5}))).expect(201);
        let complaints = server.stop().complaints;
        let marker = " lost_from=";
        let named = complaints.split_once(marker).and_then(|(_, rest)| rest.split_once('\n'));
        let from: u64 = named.and_then(|(from, _)| from.parse().ok()).expect("it is named");
        assert!(next["seq"].as_u64() > Some(from), "{next}");
        assert!(sold[..kept].iter().all(|(_, sequence)| *sequence < from), "{from}: {sold:?}");
        assert!(sold[kept..].iter().all(|(_, sequence)| *sequence >= from), "{from}: {sold:?}");
    });
}

#[test]
fn a_cut_takes_what_was_not_synced_and_leaves_what_was() {
    on_a_small_disk(TARGET, 16 << 20, |disk| {
        let root = disk.root();
        let kept = root.join("kept");
        let mut file = File::create(&kept).expect("a file of ours");
        file.write_all(&[1; 8192]).and_then(|()| file.sync_all()).expect("it syncs");
        sync_directory(&root);
        file.write_all(&[2; 8192]).expect("it takes more");
        fs::write(root.join("lost"), "never synced").expect("a file of ours");
        fs::rename(&kept, root.join("renamed")).expect("a file of ours");
        disk.cut_power();
        assert!(fs::write(root.join("late"), "too late").is_err(), "there is no power");
        drop(file);
        disk.power_up();
        assert!(fs::read(&kept).expect("it was synced") == [1; 8192]);
        for gone in ["lost", "renamed", "late"] {
            assert!(!root.join(gone).exists(), "{gone} was never synced");
        }
    });
}
