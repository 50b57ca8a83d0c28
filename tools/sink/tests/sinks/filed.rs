//! A file has each event once, in order, whatever is killed; and what a process says and obeys.

use crate::child::Setup;
use crate::shop::Shop;
use crate::tables::given;
use doorbuster_test_support::wait;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn settings(folder: &Path, more: &str) -> String {
    let path = folder.join("events.ndjson");
    format!(
        "[[sink]]\nname = \"f\"\nkind = \"file\"\nurl = \"file://{}\"\n{more}\n",
        path.display()
    )
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("events.ndjson")).unwrap_or_default();
    // The last may be half written.
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect()
}

fn has(folder: &Path, seq: u64) -> Option<()> {
    let text = fs::read_to_string(folder.join("events.ndjson")).ok()?;
    text.contains(&format!("-{seq}\",\"source\"")).then_some(())
}

#[test]
fn a_file_has_each_event_once_whatever_is_killed() {
    let kills = given("KILLS", 10);
    let mut shop = Shop::open();
    shop.trade(300);
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::new(&shop.url(), &settings(folder.path(), "batch = 20"));
    for round in 0..kills {
        shop.trade(given("EVENTS", 3_000) / kills);
        let before = lines(folder.path()).len();
        let sink = setup.start();
        if round % 5 == 4 {
            shop.restart();
        }
        wait::until("some progress", || (lines(folder.path()).len() > before).then_some(()));
        sink.kill();
    }
    let sink = setup.start();
    let mark = shop.mark();
    wait::until("the last event", || has(folder.path(), mark));
    assert_eq!(lines(folder.path()), shop.events());
    sink.stop();
    // A file that is moved away goes on in a new one.
    let count = lines(folder.path()).len();
    let sink = setup.start();
    sink.says("following");
    fs::rename(folder.path().join("events.ndjson"), folder.path().join("old")).expect("moved");
    let mark = shop.mark();
    wait::until("the last event", || has(folder.path(), mark));
    assert_eq!(lines(folder.path()), shop.events()[count..]);
    sink.stop();
}

#[test]
fn a_line_says_that_it_follows_and_another_address_is_tried() {
    let mut shop = Shop::open();
    let folder = tempfile::tempdir().expect("a folder");
    let urls = format!("http://127.0.0.1:{},{}", crate::programs::free_port(), shop.url());
    let setup = Setup::new(&urls, &settings(folder.path(), ""));
    let sink = setup.start();
    sink.says("following http://127.0.0.1:");
    sink.says(" from 0, 1 sinks\n");
    let mark = shop.mark();
    wait::until("the last event", || has(folder.path(), mark));
    // A second one finds the place taken.
    let (code, said) = setup.start().wait();
    assert_eq!(code, 1);
    assert!(said.contains("another instance of this sink"), "{said}");
    sink.signal(Signal::HUP);
    sink.says("again");
    let mark = shop.mark();
    wait::until("the last event", || has(folder.path(), mark));
    sink.stop();
}

#[test]
fn metrics_and_readiness_show_how_each_sink_stands() {
    use doorbuster_test_support::client::{Ask, Client};
    let mut shop = Shop::open();
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::new(&shop.url(), "");
    let port = crate::programs::free_port();
    let listen = format!("[listen]\nmetrics = \"127.0.0.1:{port}\"\n");
    setup.say(&shop.url(), &settings(folder.path(), ""), &listen);
    let sink = setup.start();
    sink.says("following");
    let mark = shop.mark();
    wait::until("the last event", || has(folder.path(), mark));
    let ask = |path: &str| {
        let address = format!("127.0.0.1:{port}").parse().expect("an address");
        Client::connect(address).expect("it listens").ask(&Ask::get(path))
    };
    let position = format!("doorbuster_sink_position{{sink=\"f\",kind=\"file\"}} {mark}\n");
    wait::until("its position", || {
        String::from_utf8(ask("/metrics").body).expect("text").contains(&position).then_some(())
    });
    let ready = ask("/readyz");
    assert_eq!((ready.status, ready.body.as_slice()), (200, &b"f: follows\n"[..]));
    assert_eq!((ask("/livez").status, ask("/").status), (200, 404));
    sink.stop();
}
