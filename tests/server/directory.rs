//! One directory and one port have one server: two writers would oversell.
//!
//! Owns what a second process may do: refuse, say so, and touch nothing.

use crate::client::Ask;
use crate::history::{check_unchanged, files, is_quiet};
use crate::patience;
use crate::process::{Launch, directory};
use serde_json::json;
use std::thread;

#[test]
fn a_second_server_of_a_directory_refuses_and_changes_no_byte() {
    let data = directory();
    let server = Launch::of(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    patience::until("the journal is sealed", || is_quiet(data.path()).then_some(()));
    let before = files(data.path());
    for _ in 0..3 {
        let second = Launch::of(data.path()).run();
        assert_eq!((second.code, second.lines.len()), (Some(1), 0), "{second:?}");
        assert!(second.complaints.contains("in use by another process"), "{second:?}");
        assert!(second.complaints.contains(&*data.path().to_string_lossy()), "{second:?}");
    }
    check_unchanged(&before, &files(data.path()));
    client.ask(&Ask::order("k2", "u", "s", 1)).expect(201);
    let stopped = server.stop().stopped();
    assert_eq!(stopped.epoch, 1, "the others began no epoch");
    let next = Launch::of(data.path()).start();
    assert_eq!(next.connect().get("/v1/status")["epoch"], 2);
}

#[test]
fn a_second_server_on_a_port_refuses() {
    for io_threads in ["1", "2"] {
        let (data, other) = (directory(), directory());
        let server = Launch::of(data.path()).argument("--io-threads").argument(io_threads).start();
        let address = server.address.to_string();
        for second_threads in ["1", "2"] {
            let second = Launch::at(other.path(), &address)
                .argument("--io-threads")
                .argument(second_threads)
                .run();
            assert_eq!((second.code, second.lines.len()), (Some(1), 0), "{second:?}");
            assert!(second.complaints.contains(&address), "{second:?}");
        }
        server.connect().get("/readyz");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let data = directory();
    let file = data.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let exit = Launch::of(&file).run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    assert!(exit.complaints.contains(&*file.to_string_lossy()), "{exit:?}");
}

#[test]
fn of_servers_that_start_together_exactly_one_serves() {
    let data = directory();
    for epoch in 1..=5 {
        let started: Vec<_> = thread::scope(|scope| {
            let start = || Launch::of(data.path()).try_start();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a start")).collect()
        });
        let (serving, refused): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
        assert_eq!(serving.len(), 1, "{} refuse", refused.len());
        for exit in refused.into_iter().filter_map(Result::err) {
            assert!(exit.complaints.contains("in use by another process"), "{exit:?}");
        }
        for server in serving.into_iter().flatten() {
            assert_eq!(server.connect().get("/v1/status")["epoch"], epoch);
            assert_eq!(server.kill().code, None);
        }
    }
}
