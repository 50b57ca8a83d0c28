//! `kill -9` in the middle of everything, again and again on one directory.
//!
//! Owns when the server dies. Who asks until then, and that nothing is missing afterwards, is in
//! the crowd of `tests/directories`.

use crate::TARGET;
use doorbuster_test_directories::crowd::{Crowd, open_sale};
use doorbuster_test_support::process::Server;

fn check_kills(durability: &str, kills: u64) {
    let data = TARGET.directory();
    let mut crowd = Crowd::new(TARGET.random());
    let start =
        || Crowd::launch(TARGET, data.path()).argument("--durability").argument(durability).start();
    let mut server = start();
    open_sale(&server);
    for kill in 1..=kills {
        let exit = crowd.rush(server, Server::kill);
        assert_eq!((exit.code, exit.lines.len()), (None, 0), "{exit:?}");
        server = start();
        assert_eq!(server.connect().get("/v1/status")["epoch"], kill + 1);
        crowd.check_sample(&server);
    }
    crowd.check_all(server, data.path());
}

/// Fifty kills under load lose nothing that was answered and sell nothing twice.
#[test]
fn fifty_kills_under_load_lose_nothing_that_was_answered() {
    check_kills("group", 50);
}

#[test]
fn a_kill_loses_nothing_where_the_disk_syncs_by_interval() {
    check_kills("interval:20", 10);
}

#[test]
fn a_kill_loses_nothing_where_the_kernel_syncs() {
    check_kills("os", 10);
}
