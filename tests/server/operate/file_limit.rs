//! A limit on the size of files (`ulimit -f`): it is told like a full disk, and ends nothing.
//!
//! Owns that nothing answered is lost to it. A full disk itself is in `tests/power`.

use crate::TARGET;
use crate::snapshots::taking::take_snapshot;
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Launch;
use serde_json::json;
use std::path::Path;

const LIMIT_BYTES: u64 = 65_536;
const TOLD: &str = "no file of this process may be over 65536 bytes (ulimit -f, LimitFSIZE)";

fn launch(data: &Path) -> Launch {
    let launch = TARGET.launch(data).small().variable("JOURNAL_SEGMENT_BYTES", "262144");
    launch.variable("OPEN_HOLDS_PER_USER_MAX", "0")
}

/// Orders until the journal takes no more; gives the ids of those that were taken.
fn sell_out_of_room(client: &mut Client) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let number = taken.len();
        let answer = client.ask(&Ask::order(&format!("k{number}"), "u", "s", 1));
        if answer.status != 201 {
            answer.problem(503, "no_space");
            return taken;
        }
        taken.push(answer.json()["id"].as_str().expect("an id").to_owned());
        assert!(taken.len() < 20_000, "the limit holds");
    }
}

#[test]
fn a_limit_on_file_sizes_refuses_what_is_new_and_loses_nothing() {
    let data = TARGET.directory();
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1_000_000}));
    server.limit_files(LIMIT_BYTES);
    let taken = sell_out_of_room(client);
    for (id, action) in taken.iter().zip(["confirm", "cancel", "extend"].iter().cycle()).take(30) {
        let body = if *action == "extend" { "{\"hold_ms\":600000}" } else { "{}" };
        client.ask(&Ask::act(id, action).json(body)).expect(200);
    }
    // A snapshot of that many orders is over the limit too.
    let failed = client.ask(&Ask::new("POST", "/v1/admin/snapshot"));
    assert!(failed.status >= 500, "{failed:?}");
    client.get("/v1/status");
    let exit = server.kill();
    for part in ["no spare segment", "no snapshot was taken", TOLD] {
        assert!(exit.complaints.contains(part), "no {part:?} in {exit:?}");
    }
    let server = launch(data.path()).start();
    let client = &mut server.connect();
    for (number, id) in taken.iter().enumerate() {
        let known = client.get(&format!("/v1/requests/k{number}"));
        assert_eq!(known["body"]["id"], id.as_str());
    }
    for (id, status) in taken.iter().zip(["confirmed", "cancelled", "held"].iter().cycle()).take(30)
    {
        assert_eq!(client.get(&format!("/v1/orders/{id}"))["status"], *status);
    }
    client.ask(&Ask::order("later", "u", "s", 1)).expect(201);
    take_snapshot(client);
    server.stop().stopped();
}

#[test]
fn a_start_that_the_limit_keeps_from_its_first_segment_names_it() {
    let data = TARGET.directory();
    // In blocks of 512 bytes.
    let limited = format!("ulimit -f {}", LIMIT_BYTES / 512);
    let exit = launch(data.path()).behind(&limited).run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    assert!(exit.complaints.contains(TOLD), "{exit:?}");
    launch(data.path()).start().stop().stopped();
}

#[test]
fn room_that_the_limit_keeps_from_being_held_back_is_told_once() {
    let data = TARGET.directory();
    let launch = launch(data.path()).variable("SNAPSHOTS_EVERY_EVENTS", "1");
    let launch = launch.variable("SNAPSHOTS_BALLAST_BYTES", "1048576");
    // More than a segment, and less than what is to be held back.
    let server = launch.behind("ulimit -f 600").start();
    let client = &mut server.connect();
    for number in 0..4 {
        let put = client.put_sku(&format!("s{number}"), &json!({"stock": 1}));
        // Behind each snapshot it is tried again.
        doorbuster_test_support::wait::until("a snapshot", || {
            (client.get("/v1/status")["snapshot_seq"].as_u64() >= put["seq"].as_u64()).then_some(())
        });
    }
    let exit = server.stop();
    let told = exit.complaints.matches("no room is held back for a snapshot").count();
    assert_eq!(told, 1, "{exit:?}");
    exit.stopped();
}
