//! One directory and one port have one server: two writers would oversell.
//!
//! Owns what a second process may do: refuse, say so, and touch nothing.

use crate::TARGET;
use doorbuster_test_directories::history::{check_unchanged, files, is_quiet};
use doorbuster_test_support::client::Ask;
use doorbuster_test_support::wait;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;

#[test]
fn a_second_server_of_a_directory_refuses_and_changes_no_byte() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 5}));
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    wait::until("the journal is sealed", || is_quiet(data.path()).then_some(()));
    let before = files(data.path());
    for _ in 0..3 {
        let second = TARGET.launch(data.path()).run();
        assert_eq!((second.code, second.lines.len()), (Some(1), 0), "{second:?}");
        assert!(second.complaints.contains("in use by another process"), "{second:?}");
        assert!(second.complaints.contains(&*data.path().to_string_lossy()), "{second:?}");
    }
    check_unchanged(&before, &files(data.path()));
    client.ask(&Ask::order("k2", "u", "s", 1)).expect(201);
    let stopped = server.stop().stopped();
    assert_eq!(stopped.epoch, 1, "the others began no epoch");
    let next = TARGET.launch(data.path()).start();
    assert_eq!(next.connect().get("/v1/status")["epoch"], 2);
}

#[test]
fn no_trick_with_the_lock_lets_a_second_server_in() {
    let place = TARGET.directory();
    let data = place.path().join("data");
    let server = TARGET.launch(&data).start();
    let client = &mut server.connect();
    client.put_sku("s", &json!({"stock": 1}));
    let refused = |path: &Path| {
        let second = TARGET.launch(path).run();
        assert_eq!((second.code, second.lines.len()), (Some(1), 0), "{second:?}");
        assert!(second.complaints.contains("in use by another process"), "{second:?}");
    };
    fs::remove_file(data.join("LOCK")).expect("it was there");
    refused(&data);
    fs::write(data.join("LOCK"), "stale").expect("a file is written");
    refused(&data);
    let link = place.path().join("link");
    symlink(&data, &link).expect("a link is made");
    refused(&link);
    client.ask(&Ask::order("k", "u", "s", 1)).expect(201);
    client.ask(&Ask::order("k2", "u2", "s", 1)).problem(409, "sold_out");
}

/// A server whose directory is moved away stops and loses nothing.
#[test]
fn a_server_whose_directory_is_moved_away_loses_nothing() {
    let place = TARGET.directory();
    let (data, moved) = (place.path().join("data"), place.path().join("moved"));
    for what in ["", "journal"] {
        let server = TARGET.launch(&data).start();
        let client = &mut server.connect();
        client.ask(&Ask::put("/v1/skus/s", &json!({"stock": 5})).header("If-Match", "*"));
        client.ask(&Ask::put("/v1/skus/s", &json!({"stock": 5})));
        client.ask(&Ask::order(&format!("k{what}"), "u", "s", 1)).expect(201);
        fs::rename(data.join(what), &moved).expect("it is moved");
        let exit = server.wait();
        assert_eq!(exit.code, None, "{exit:?}");
        assert!(exit.complaints.contains("no longer at its path"), "{exit:?}");
        // Whatever was made at the old path meanwhile is not the server's.
        let _ = fs::remove_dir_all(data.join(what));
        fs::rename(&moved, data.join(what)).expect("it is put back");
        let server = TARGET.launch(&data).start();
        server.connect().get(&format!("/v1/requests/k{what}"));
        server.stop();
    }
}

#[test]
fn a_second_server_on_a_port_refuses() {
    for io_threads in ["1", "2"] {
        let (data, other) = (TARGET.directory(), TARGET.directory());
        let server =
            TARGET.launch(data.path()).argument("--io-threads").argument(io_threads).start();
        let address = server.address.to_string();
        for second_threads in ["1", "2"] {
            let second = TARGET
                .launch_at(other.path(), &address)
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
    let data = TARGET.directory();
    let file = data.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let exit = TARGET.launch(&file).run();
    assert_eq!((exit.code, exit.lines.len()), (Some(1), 0), "{exit:?}");
    assert!(exit.complaints.contains(&*file.to_string_lossy()), "{exit:?}");
}

#[test]
fn of_servers_that_start_together_exactly_one_serves() {
    let data = TARGET.directory();
    for epoch in 1..=5 {
        let started: Vec<_> = thread::scope(|scope| {
            let start = || TARGET.launch(data.path()).try_start();
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
