//! The feed in the modes that answer before the disk has it: it follows what was answered (API 5),
//! and a place that a power cut took back is none of the journal that is left.

use crate::TARGET;
use crate::feed::reading::{Follower, follow, pages, sequence};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::process::Launch;
use doorbuster_test_support::wait;
use serde_json::json;
use std::path::Path;
use std::{fs, io};

fn launch(data: &Path, durability: &str) -> Launch {
    TARGET.launch(data).small().argument("--durability").argument(durability)
}

#[test]
fn what_was_answered_is_in_the_feed_before_the_disk_has_it() {
    for durability in ["os", "interval:60000", "group"] {
        let data = TARGET.directory();
        let server = launch(data.path(), durability).start();
        let client = &mut server.connect();
        client.put_sku("s", &json!({"stock": 1_000}));
        let mut follower = Follower::begin(server.address, &follow("0")).expect("a stream");
        let put = follower.event().expect("a line").expect("an event");
        assert_eq!(put["type"], "doorbuster.sku.put", "{durability}");
        for number in 0..20 {
            let name = format!("buyer-{number}");
            let order = client.ask(&Ask::order(&name, &name, "s", 1)).expect(201);
            let (events, _) = pages(client, "0", 1000);
            let last = events.last().expect("an event");
            assert_eq!(last["data"]["id"], order["id"], "{durability}");
            let followed = follower.event().expect("a line").expect("an event");
            assert_eq!(followed, *last, "{durability}");
        }
        let status = client.get("/v1/status");
        let is_synced = status["durable_seq"].as_u64() >= status["seq"].as_u64();
        assert_eq!(is_synced, durability == "group", "{status}");
    }
}

/// Copies a directory in which files may come and go.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let there = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            fs::create_dir_all(&there)?;
            copy(&path, &there)?;
        } else {
            fs::write(there, fs::read(&path)?)?;
        }
    }
    Ok(())
}

#[test]
fn a_place_that_a_power_cut_took_back_is_one_of_another_history() {
    let (data, cut) = (TARGET.directory(), TARGET.directory());
    let server = launch(data.path(), "os").start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1_000}));
    client.ask(&Ask::order("kept", "kept", "s", 1)).expect(201);
    let (_, kept) = pages(client, "0", 1000);
    // What the disk had when the power went.
    wait::until("a copy in which no file has left meanwhile", || {
        copy(data.path(), cut.path()).ok()
    });
    for number in 0..5 {
        let name = format!("lost-{number}");
        client.ask(&Ask::order(&name, &name, "s", 1)).expect(201);
    }
    let (_, lost) = pages(client, "0", 1000);
    assert!(sequence(&lost) > sequence(&kept));
    server.kill();
    let server = launch(cut.path(), "os").start();
    let client = &mut server.connect();
    let look = Ask::get(format!("/v1/events?after={lost}"));
    let mut number = 0;
    // Before the new history is as long, and when it is longer.
    loop {
        client.ask(&look).problem(410, "diverged");
        let (events, end) = pages(client, &kept, 1000);
        assert_eq!(events.len(), number, "what is left goes on from the place that is left");
        if sequence(&end) > sequence(&lost) + 1 {
            break;
        }
        let name = format!("new-{number}");
        client.ask(&Ask::order(&name, &name, "s", 1)).expect(201);
        number += 1;
    }
    assert!(number > 3);
}
