//! No core of the server is dumped unless the operator asks for it.

use crate::TARGET;
use doorbuster_test_support::process::Server;

/// The soft and the hard limit of a process' core files, as the kernel writes them.
fn limits(process: &str) -> (String, String) {
    let path = format!("/proc/{process}/limits");
    let text = std::fs::read_to_string(path).expect("it still runs");
    let line = text.lines().find_map(|line| line.strip_prefix("Max core file size"));
    let mut words = line.expect("the kernel names the limit").split_whitespace();
    let mut next = || words.next().expect("a limit").to_owned();
    (next(), next())
}

fn limits_of(server: &Server) -> (String, String) {
    limits(&server.id().to_string())
}

#[test]
fn a_core_is_dumped_only_where_the_operator_asks_for_it() {
    let data = TARGET.directory();
    // The server has inherited what this process may do.
    let own = limits("self");
    // A limit that is 0 already stays.
    let none = if own.1 == "0" { "0" } else { "1" };
    let server = TARGET.launch(data.path()).small().start();
    assert_eq!(limits_of(&server), (none.to_owned(), none.to_owned()));
    server.stop();
    let server = TARGET.launch(data.path()).small().variable("CORE_DUMPS", "true").start();
    assert_eq!(limits_of(&server), own);
    server.stop();
}
