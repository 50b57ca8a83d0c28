//! The rehearsal of `docs/BACKUP.md`: the real server is backed up while it sells, and sells on
//! from the restored directory.
//!
//! Owns what an operator would do, with the two real programs and the typed client. Nothing here
//! depends on how fast the machine is. Directories made here without a server are in `tests/ctl`.
#![allow(missing_docs)]

use doorbuster::client::{Action, Client, Error, Key, NewOrder, NewSku, Options, Precondition};
use doorbuster_test_support::server_binary;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Buyers at a time.
const BUYERS: usize = 4;
/// Orders before a backup begins, and after it.
const ORDERS: u64 = 300;
const STOCK: u64 = 1_000_000;

/// A fresh folder beside the build, not in memory: syncs shall be real.
fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory takes a directory")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("an event loop")
}

/// The server's binary, which belongs to another package.
fn server_binary() -> &'static Path {
    server_binary::beside(env!("CARGO_BIN_EXE_doorbusterctl"))
}

/// A server that serves; ended as by `kill -9` if it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(data: &Path, durability: &str) -> Self {
        let mut command = Command::new(server_binary());
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("DOORBUSTER_")) {
                command.env_remove(name);
            }
        }
        for name in ["SKUS", "ORDERS", "KEYS", "ANSWERS", "USES", "USERS"] {
            command.env(format!("DOORBUSTER_CAPS_{name}"), "100000");
        }
        // Segments are left and snapshots are taken while the copy goes on.
        command.env("DOORBUSTER_JOURNAL_SEGMENT_BYTES", "262144");
        command.env("DOORBUSTER_SNAPSHOTS_EVERY_EVENTS", "400");
        // All of them stay, so that the source can be replayed up to where the backup ended.
        command.env("DOORBUSTER_SNAPSHOTS_KEEP", "all");
        command.arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        command.args(["--durability", durability]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the server's binary runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("the server speaks");
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("the server said {line:?}")).to_owned();
        Self { child, url }
    }

    fn client(&self) -> Client {
        Client::new(&self.url, Options::default()).expect("a client")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ctl(arguments: &[&str], paths: &[(&str, &Path)]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbusterctl"));
    command.args(arguments).arg("--json").env_remove("DOORBUSTER_DATA");
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    let output = command.stdin(Stdio::null()).output().expect("the tool was built");
    assert_eq!(output.status.code(), Some(0), "{arguments:?} {paths:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// An order as its buyer knows it.
struct Bought {
    id: String,
    sequence: u64,
    key: Key,
    order: NewOrder,
}

/// Buys one unit after the other until told to stop; every other one is paid.
fn buy(client: &Client, buyer: usize, stop: &AtomicBool) -> Vec<Bought> {
    runtime().block_on(async {
        let mut bought = Vec::new();
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = Key::new(format!("b{buyer}-{number}")).expect("a key");
            let mut order = NewOrder::of(format!("u{buyer}-{number}"), "sneaker", 1);
            order.confirm = number % 2 == 0;
            let answer = client.create_order(&order, &key).await.expect("there is stock");
            let sequence = answer.body.changed_seq;
            bought.push(Bought { id: answer.body.id, sequence, key, order });
        }
        bought
    })
}

fn sequence(client: &Client) -> u64 {
    runtime().block_on(client.status()).expect("the server answers").seq
}

fn until_sequence(client: &Client, sequence_min: u64) {
    while sequence(client) < sequence_min {
        thread::yield_now();
    }
}

/// Everything that was answered up to the end of the restored history is there, and nothing else;
/// keys are remembered; and it sells.
fn check_sale_goes_on(data: &Path, durability: &str, end: u64, bought: &[Bought]) {
    let server = Server::start(data, durability);
    let client = server.client();
    let (kept, lost): (Vec<&Bought>, Vec<&Bought>) =
        bought.iter().partition(|order| order.sequence <= end);
    assert!(!kept.is_empty() && !lost.is_empty(), "the end {end} lies within the sale");
    runtime().block_on(async {
        for order in &kept {
            let found = client.order(&order.id).await.expect("it was sold before the end").body;
            assert_eq!((&found.id, &found.user), (&order.id, &order.order.user));
        }
        let again = kept.last().expect("there is one");
        let answer = client.create_order(&again.order, &again.key).await.expect("it is remembered");
        assert!(answer.replayed && answer.body.id == again.id, "its key was answered before");
        for order in &lost {
            match client.order(&order.id).await {
                Err(Error::Refused(problem)) => assert_eq!(problem.status, 404, "{problem:?}"),
                found => panic!("an order of a life that is lost: {found:?}"),
            }
        }
        let sku = client.sku("sneaker").await.expect("it is there").body;
        assert_eq!(sku.available + sku.held + sku.sold, STOCK);
        assert_eq!(sku.held + sku.sold, kept.len() as u64);
        let key = Key::new("after the restore").expect("a key");
        let order = client.create_order(&NewOrder::of("late", "sneaker", 1), &key).await;
        let order = order.expect("the sale goes on").body;
        client.act(&order.id, &Action::confirm(), None).await.expect("and is paid");
    });
}

fn rehearse(durability: &str) {
    let place = folder();
    let path = |name: &str| place.path().join(name);
    let (data, backup, restored) = (path("data"), path("backup"), path("restored"));
    let server = Server::start(&data, durability);
    let client = server.client();
    let sku = NewSku::of(STOCK);
    let put = client.put_sku("sneaker", &sku, Precondition::IfAbsent);
    runtime().block_on(put).expect("it is new");
    let stop = AtomicBool::new(false);
    let (made, bought) = thread::scope(|scope| {
        let buyers: Vec<_> = (0..BUYERS)
            .map(|buyer| {
                let (client, stop) = (server.client(), &stop);
                scope.spawn(move || buy(&client, buyer, stop))
            })
            .collect();
        until_sequence(&client, ORDERS);
        let answered = sequence(&client);
        let made = ctl(&["backup", "--rate-mb", "1000"], &[("--data", &data), ("--to", &backup)]);
        assert!(made["seq"].as_u64() >= Some(answered), "what was answered before it is in it");
        until_sequence(&client, made["seq"].as_u64().expect("it says") + ORDERS);
        stop.store(true, Ordering::Relaxed);
        let bought = buyers.into_iter().flat_map(|buyer| buyer.join().expect("it buys"));
        (made, bought.collect::<Vec<_>>())
    });
    let end = made["seq"].as_u64().expect("it says");
    drop(server);
    let at_the_end = ctl(&["replay", "--until", &end.to_string()], &[("--data", &data)]);
    assert_eq!(at_the_end["digest"], made["digest"], "{at_the_end} and {made}");
    let back = ctl(&["restore"], &[("--from", &backup), ("--data", &restored)]);
    assert_eq!((&back["seq"], &back["digest"]), (&made["seq"], &made["digest"]));
    // Earlier ends, as far back as the source and the backup go.
    let oldest = made["goes_back_to_seq"].as_u64().expect("it says");
    for until in [oldest.max(1), (oldest + end) / 2, end - 1] {
        let to = path(&format!("until-{until}"));
        let until = until.to_string();
        let back = ctl(&["restore", "--until", &until], &[("--from", &backup), ("--data", &to)]);
        let replayed = ctl(&["replay", "--until", &until], &[("--data", &backup)]);
        assert_eq!((&back["seq"], &back["digest"]), (&replayed["seq"], &replayed["digest"]));
    }
    let stamp = at_the_end["stamp"].as_str().expect("it says");
    let to = path("until-time");
    let back = ctl(&["restore", "--until", stamp], &[("--from", &backup), ("--data", &to)]);
    let replayed = ctl(&["replay", "--until", stamp], &[("--data", &backup)]);
    assert_eq!((&back["seq"], &back["digest"]), (&replayed["seq"], &replayed["digest"]));
    check_sale_goes_on(&restored, durability, end, &bought);
    // An accident: the whole directory is gone, and comes back under its own name.
    fs::remove_dir_all(&data).expect("it is ours");
    ctl(&["restore"], &[("--from", &backup), ("--data", &data)]);
    check_sale_goes_on(&data, durability, end, &bought);
}

#[test]
fn a_sale_is_backed_up_as_it_runs_and_goes_on_from_the_backup() {
    rehearse("group");
}

#[test]
fn a_backup_holds_what_was_answered_before_a_sync_too() {
    rehearse("os");
}
