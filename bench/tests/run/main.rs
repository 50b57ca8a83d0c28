//! `doorbuster-bench run` against the real server, also one that stalls and one that dies; and
//! `doorbuster-bench peers`, `attack` and others in a small round.
//!
//! Nothing here depends on how fast the machine is: what is asserted follows from what was done to
//! the server. Next: `process`, `peers`, `attack`.
#![allow(missing_docs)]

mod attack;
mod crowd;
mod outputs;
mod peers;
mod process;

use doorbuster::client::{Adjustment, Client, Error, Key, Options};
use doorbuster_test_support::wait::until;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use process::{Bench, Server};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("an event loop")
}

fn client(server: &Server) -> Client {
    Client::new(&server.url, Options::default()).expect("a client")
}

/// Waits until so many orders were made, so that a run is well under way.
fn until_orders(server: &Server, count: u64) {
    let (runtime, client) = (runtime(), client(server));
    until("orders are made", || {
        let status = runtime.block_on(client.status()).expect("the server answers");
        (status.tables["orders"].used >= count).then_some(())
    });
}

fn summary(report: &Path) -> Value {
    let text = std::fs::read(report.join("summary.json")).expect("there is a summary");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// How many requests took at least so many milliseconds, by an interval log, and the slowest.
fn slow(log: &Path, at_least_ms: u64) -> (u64, u64) {
    use base64::Engine as _;
    let text = std::fs::read(log).expect("there is a log");
    let (mut count, mut max_ms) = (0, 0);
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(interval) = entry.expect("it is a log") else { continue };
        let packed = base64::engine::general_purpose::STANDARD
            .decode(interval.encoded_histogram())
            .expect("a histogram in base64");
        let histogram: hdrhistogram::Histogram<u64> =
            Deserializer::new().deserialize(&mut &packed[..]).expect("a histogram");
        let from_ns = at_least_ms * 1_000_000;
        let above = histogram.iter_recorded().filter(|step| step.value_iterated_to() >= from_ns);
        count += above.map(|step| step.count_at_value()).sum::<u64>();
        max_ms = max_ms.max(histogram.max() / 1_000_000);
    }
    (count, max_ms)
}

/// A flash sale is told outcome by outcome and agrees with the server.
#[test]
fn a_report_of_a_flash_sale_agrees_with_the_server() {
    let folder = process::folder();
    let server = Server::start(folder.path(), None);
    let report = folder.path().join("report");
    let ran = Bench::new(&server.url, "flash-sale", &report)
        .arguments("--rate 1000 --duration 4 --connections 16 --stock 50 --hold-ms 1500")
        .run();
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = summary(&report);
    assert_eq!(summary["check"]["differences"], 0, "{summary:#}");
    for outcome in ["created", "changed", "sold_out", "not_open", "limit", "replayed"] {
        let count = summary["outcomes"][outcome]["count"].as_u64();
        assert!(count > Some(0), "no {outcome} in {:#}", summary["outcomes"]);
        for ending in ["hgrm", "hlog"] {
            assert!(report.join(format!("{outcome}.{ending}")).is_file(), "{outcome}.{ending}");
        }
    }
    assert!(summary["outcomes"]["failed"].is_null(), "{:#}", summary["codes"]);
    let (sends, answered) = (&summary["sends"], summary["all"]["count"].as_u64());
    assert_eq!(
        sends["intended"].as_u64(),
        sends["dropped"].as_u64().zip(answered).map(|(a, b)| a + b)
    );
    let compared = summary["check"]["compared"].as_array().expect("a list");
    for what in ["as promised", "those of the orders", "no more winners", "more than the limit"] {
        let made = compared.iter().any(|own| {
            own["what"].as_str().is_some_and(|own| own.contains(what)) && own["count"] != 0
        });
        assert!(made, "{what} was not compared: {compared:?}");
    }
    let page = std::fs::read_to_string(report.join("report.html")).expect("there is a page");
    assert!(page.contains("What was answered is what the server holds"), "{page}");
}

#[test]
fn every_scenario_agrees_with_the_server() {
    let folder = process::folder();
    let server = Server::start(folder.path(), None);
    for (scenario, schedule, expected) in [
        ("steady", "poisson", ["created", "created"]),
        ("sold-out", "ramp", ["sold_out", "sold_out"]),
        ("zipf", "spike", ["created", "sold_out"]),
        ("mixed", "steady", ["read", "changed"]),
    ] {
        let report = folder.path().join(scenario);
        let ran = Bench::new(&server.url, scenario, &report)
            .arguments("--rate 800 --duration 1.5 --connections 8 --skus 20 --schedule")
            .arguments(schedule)
            .run();
        assert_eq!(ran.code, 0, "{scenario}: {ran:?}");
        let summary = summary(&report);
        for outcome in expected {
            let count = summary["outcomes"][outcome]["count"].as_u64();
            assert!(count > Some(0), "{scenario}: no {outcome} in {:#}", summary["outcomes"]);
        }
    }
}

#[test]
fn a_stall_of_the_server_is_told_as_it_was_suffered() {
    let folder = process::folder();
    let server = Server::start(folder.path(), None);
    let report = folder.path().join("report");
    let running = Bench::new(&server.url, "steady", &report)
        .arguments("--rate 400 --duration 6 --connections 8")
        .start();
    until_orders(&server, 200);
    server.signal(Signal::STOP);
    // This is the stall itself, and at least as long.
    std::thread::sleep(Duration::from_millis(300));
    server.signal(Signal::CONT);
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{ran:?}");
    let (suffered, max_ms) = slow(&report.join("all.hlog"), 200);
    // Forty were meant to start in its first tenth of a second, and none was answered in it. With
    // one under way on each of 8 connections, a loop that waits would tell of 8.
    assert!(suffered >= 30, "{suffered} requests suffered, {max_ms} ms at most");
    assert!(max_ms >= 250, "{suffered} requests suffered, {max_ms} ms at most");
    let (sent, _) = slow(&report.join("from_send.hlog"), 200);
    assert!(sent < suffered, "{sent} of {suffered} without the wait before the send");
}

#[test]
fn a_server_that_is_killed_and_comes_back_kept_what_it_answered() {
    let folder = process::folder();
    let server = Server::start(folder.path(), None);
    let report = folder.path().join("report");
    let running = Bench::new(&server.url, "steady", &report)
        .arguments("--rate 400 --duration 5 --connections 8 --timeout-ms 30000")
        .start();
    until_orders(&server, 200);
    let address = server.address.clone();
    server.kill();
    let server = Server::start(folder.path(), Some(&address));
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = summary(&report);
    assert_eq!(summary["check"]["differences"], 0, "{summary:#}");
    assert!(summary["outcomes"]["broken"]["count"].as_u64() > Some(0), "{summary:#}");
    drop(server);
}

#[test]
fn a_difference_is_found_told_and_fails_the_run() {
    let folder = process::folder();
    let server = Server::start(folder.path(), None);
    let report = folder.path().join("report");
    let running = Bench::new(&server.url, "steady", &report)
        .arguments("--rate 200 --duration 3 --connections 4 --run meddled")
        .start();
    let (runtime, client) = (runtime(), client(&server));
    let key = Key::new("meddling").expect("a key");
    until("the SKU is there", || {
        let adjustment = Adjustment::Delta(-1);
        let adjusted = client.adjust_sku("bench-meddled-0", adjustment, "a thief", &key);
        match runtime.block_on(adjusted) {
            Ok(_) => Some(()),
            Err(Error::Refused(problem)) if problem.code == "unknown_sku" => None,
            Err(error) => panic!("{error}"),
        }
    });
    let ran = running.wait();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("differences between what was answered"), "{ran:?}");
    let check = &summary(&report)["check"];
    assert_eq!(check["differences"], 1, "{check:#}");
    let example = check["examples"][0].as_str().unwrap_or_default();
    assert!(example.contains("bench-meddled-0"), "{check:#}");
}

#[test]
fn what_cannot_be_done_is_said_with_what_to_do() {
    let help = process::bench(&["run", "--help"]);
    assert!(help.out.contains("DOORBUSTER_TOKEN") && help.out.contains("Exit codes"), "{help:?}");
    let folder = process::folder();
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let nobody = format!("http://{}", free.expect("a port"));
    let report = folder.path().join("report");
    let load = "--rate 10 --duration 1 --connections 1";
    let ran = Bench::new(&nobody, "steady", &report).arguments(load).run();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("Start it with `doorbuster --listen"), "{ran:?}");
    let ran = Bench::new("ftp://x", "steady", &report).arguments(load).run();
    assert_eq!(ran.code, 2, "{ran:?}");
    let ran = Bench::new(&nobody, "nonsense", &report).arguments(load).run();
    assert_eq!(ran.code, 2, "{ran:?}");
    let server = Server::start(folder.path(), None);
    for code in [0, 2] {
        let ran = Bench::new(&server.url, "steady", &report).arguments(load);
        let ran = ran.arguments("--run a --force").run();
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(ran.err.contains("name another --run"), code == 2, "{ran:?}");
    }
    let ran = Bench::new(&server.url, "steady", &report).arguments(load).run();
    assert!(ran.code == 2 && ran.err.contains("holds a report already"), "{ran:?}");
}

#[test]
fn reports_are_merged_and_compared_on_the_command_line() {
    let folder = process::folder();
    let server = Server::start(folder.path(), None);
    let place = |name: &str| folder.path().join(name);
    for name in ["a", "b"] {
        let ran = Bench::new(&server.url, "steady", &place(name))
            .arguments("--rate 200 --duration 1 --connections 2")
            .run();
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let path = |name: &str| place(name).display().to_string();
    let merged =
        process::bench(&["report", "merge", &path("a"), &path("b"), "--out", &path("sum")]);
    assert_eq!(merged.code, 0, "{merged:?}");
    let count = |name: &str| summary(&place(name))["all"]["count"].as_u64().expect("a number");
    assert_eq!(count("sum"), count("a") + count("b"));
    let compared = process::bench(&["report", "diff", &path("a"), &path("sum")]);
    assert_eq!(compared.code, 0, "{compared:?}");
    assert!(compared.out.contains("not alike: the rate was 200, is 400"), "{compared:?}");
    assert!(compared.out.contains("+100.0 %"), "{compared:?}");
    let missing = process::bench(&["report", "diff", &path("a"), &path("nothing")]);
    assert_eq!(missing.code, 3, "{missing:?}");
    assert!(missing.err.contains("summary.json"), "{missing:?}");
}

/// A server under TLS is measured if its certificate is believed.
#[test]
fn a_server_under_tls_is_measured_if_its_certificate_holds() {
    let folder = process::folder();
    let place = |name: &str| folder.path().join(name);
    let write = |name: &str, text: String| {
        std::fs::write(place(name), text).expect("a file is written");
    };
    for name in ["shop", "other"] {
        let names = ["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        write(&format!("{name}.pem"), made.cert.pem());
        write(&format!("{name}.key"), made.signing_key.serialize_pem());
    }
    let server = Server::start_secured(folder.path(), &place("shop.pem"), &place("shop.key"));
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let run = |authority: &str, report: &str| {
        Bench::new(&server.url, "steady", &place(report))
            .arguments("--rate 200 --duration 1 --connections 4")
            .arguments(&format!("--ca {}", place(authority).display()))
            .run()
    };
    let ran = run("shop.pem", "report");
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = summary(&place("report"));
    assert!(summary["outcomes"]["created"]["count"].as_u64() > Some(0), "{summary:#}");
    assert_eq!(summary["check"]["differences"], 0, "{summary:#}");
    let ran = run("other.pem", "none");
    assert!(ran.code == 3 && ran.err.contains("invalid peer certificate"), "{ran:?}");
    let ran = run("nothing.pem", "none");
    assert!(ran.code == 2 && ran.err.contains("nothing.pem"), "{ran:?}");
    assert!(!place("none").exists());
}
