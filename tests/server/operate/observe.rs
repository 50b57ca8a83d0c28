//! Latencies and metrics of a server that runs (API 6), and the dashboard and alerts made for them.
//!
//! Owns that numbers agree with what was done, and that no buyer shows in them. Probes and status
//! are in `operations`.

use crate::TARGET;
use crate::batch::promises::{answers, orders};
use doorbuster_test_support::client::{Ask, Client};
use doorbuster_test_support::process::Server;
use doorbuster_test_support::tokens::TokensFile;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

const STAGES: [&str; 8] =
    ["parse", "ring", "decide", "append", "durable", "repl", "answer", "whole"];

/// Five orders of `phone`, one of which finds nothing left and one of which is repeated.
fn sold_out() -> (TempDir, Server) {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).start();
    let client = &mut server.connect();
    client.put_sku("phone", &json!({"stock": 4}));
    for buyer in 0..4 {
        let (key, user) = (format!("secret-key-{buyer}"), format!("secret-user-{buyer}"));
        client.ask(&Ask::order(&key, &user, "phone", 1)).expect(201);
    }
    assert!(client.ask(&Ask::order("secret-key-0", "secret-user-0", "phone", 1)).is_replayed());
    client.ask(&Ask::order("secret-key-9", "secret-user-9", "phone", 1)).problem(409, "sold_out");
    (data, server)
}

fn text(client: &mut Client, path: &str, content_type: &str) -> String {
    asked(client, &Ask::get(path), content_type)
}

fn asked(client: &mut Client, ask: &Ask, content_type: &str) -> String {
    let answer = client.ask(ask);
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(content_type)));
    String::from_utf8(answer.body).expect("UTF-8")
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn metrics(client: &mut Client) -> BTreeMap<String, f64> {
    let text = text(client, "/metrics", TEXT);
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
    })
    .collect()
}

#[test]
fn each_stage_tells_of_every_command_that_was_answered() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let latency = client.get("/v1/latency");
    let stages = latency["stages"].as_object().expect("stages");
    assert_eq!(stages.keys().map(String::as_str).collect::<BTreeSet<_>>(), STAGES.into());
    for (name, stage) in stages {
        // A PUT and six orders.
        assert_eq!(stage["count"], 7, "{name}: {stage}");
        let value = |member: &str| stage[member].as_f64().unwrap_or_else(|| panic!("{stage}"));
        let rising = ["p50", "p90", "p99", "p99.9", "p99.99", "max"].map(value);
        assert!(rising.windows(2).all(|pair| pair[0] <= pair[1]), "{name}: {stage}");
        assert!(value("mean") <= value("max"), "{name}: {stage}");
    }
    let mean = |stage: &str| stages[stage]["mean"].as_f64().expect("a number");
    let parts: f64 = STAGES[..7].iter().map(|stage| mean(stage)).sum();
    // A mean is cut to nanoseconds.
    assert!((parts - mean("whole")).abs() < 0.01, "{latency}");
    // Nothing is replicated here.
    assert_eq!(stages["repl"]["max"], 0.0, "{latency}");
    assert!(mean("durable") > 0.0 && latency["durability"] == "group", "{latency}");
}

/// The number that a member of a stage has.
fn stage(latency: &Value, stage: &str, member: &str) -> f64 {
    let value = &latency["stages"][stage][member];
    value.as_f64().unwrap_or_else(|| panic!("{member} of {stage} in {latency}"))
}

#[test]
fn each_line_of_a_batch_is_timed_on_its_way_and_the_batch_once() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    // Two that are decided, and one that never gets to the writer.
    let lines = [orders("line", 2), r#"{"op":"dance"}"#.to_owned()];
    assert_eq!(answers(&client.ask(&Ask::batch(&lines.join("\n")))).len(), 3);
    // Of this one nothing does.
    assert_eq!(answers(&client.ask(&Ask::batch(r#"{"op":"dance"}"#))).len(), 1);
    let latency = client.get("/v1/latency");
    let rows = metrics(client);
    for name in STAGES {
        // Seven requests, as above.
        let lines = matches!(name, "ring" | "decide" | "append" | "durable" | "repl");
        let count = if lines { 9.0 } else { 8.0 };
        assert_eq!(stage(&latency, name, "count"), count, "{name}: {latency}");
        let row = format!("doorbuster_stage_duration_seconds_count{{stage=\"{name}\"}}");
        assert_eq!(rows[&row], count, "{name}");
    }
}

#[test]
fn the_times_of_a_batch_hold_those_of_its_lines() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    assert_eq!(answers(&client.ask(&Ask::batch(&orders("one", 1)))).len(), 1);
    let latency = client.get("/v1/latency");
    let parts: f64 = STAGES[..7].iter().map(|name| stage(&latency, name, "mean")).sum();
    let whole = stage(&latency, "whole", "mean");
    // A mean is cut to nanoseconds.
    assert!(parts > 0.0 && parts < whole + 0.01, "{parts} of {whole}: {latency}");
    assert_eq!(answers(&client.ask(&Ask::batch(&orders("many", 1_000)))).len(), 1_000);
    let latency = client.get("/v1/latency");
    assert_eq!(stage(&latency, "ring", "count"), 1_001.0);
    assert_eq!(stage(&latency, "whole", "count"), 2.0);
    for name in &STAGES[..7] {
        let longest = stage(&latency, name, "max");
        assert!(longest <= stage(&latency, "whole", "max"), "{name}: {latency}");
    }
}

#[test]
fn percentiles_come_as_the_plotter_reads_them() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let kind = "text/plain; charset=utf-8";
    let whole = text(client, "/v1/latency.hgrm", kind);
    assert_eq!(text(client, "/v1/latency.hgrm?stage=whole", kind), whole);
    assert!(whole.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    assert!(whole.contains("Total count    =            7]"), "{whole}");
    for stage in STAGES {
        let text = text(client, &format!("/v1/latency.hgrm?stage={stage}"), kind);
        assert!(text.contains("#[Mean    ="), "{text}");
    }
    client.ask(&Ask::get("/v1/latency.hgrm?stage=wait")).problem(422, "invalid");
    client.ask(&Ask::get("/v1/latency?stage=ring")).problem(400, "unknown_field");
}

#[test]
fn a_request_that_asks_for_it_hears_where_its_time_went() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let order = Ask::order("k", "u", "phone", 1);
    assert_eq!(client.ask(&order).header("Server-Timing"), None);
    let answer = client.ask(&order.header("Server-Timing", "1"));
    let told = answer.header("Server-Timing").expect("it was asked for");
    let stages: Vec<&str> = told.split(", ").map(|one| one.split(';').next().unwrap()).collect();
    assert_eq!(stages, STAGES);
    // One that no writer answers has no stages.
    let live = client.ask(&Ask::get("/livez").header("Server-Timing", "1"));
    assert_eq!(live.header("Server-Timing"), None);
}

/// Stages are told to those who watch and the whole to everybody. How far a request got would tell
/// one principal whether another's user owns something.
#[test]
fn stages_are_told_to_those_who_watch() {
    let data = TARGET.directory();
    let entries =
        [("boss", "admin", "tb", ""), ("shop", "buy", "ts", ""), ("watch", "metrics", "tw", "")];
    let server = TokensFile::beside(data.path(), &entries).launch(TARGET).start();
    let told = |token: &str, ask: Ask| {
        let answer = server.connect().ask(&ask.header("Server-Timing", "1").token(token));
        let told = answer.header("Server-Timing").expect("it was asked for").to_owned();
        let name = |one: &str| one.split(';').next().expect("a name").to_owned();
        told.split(", ").map(name).collect::<Vec<String>>()
    };
    assert_eq!(told("tb", Ask::put("/v1/skus/s", &json!({"stock": 1}))), STAGES);
    assert_eq!(told("tw", Ask::get("/v1/status")), STAGES);
    // One that the writer decides, and one that is refused before it.
    for key in ["first", "second"] {
        assert_eq!(told("ts", Ask::order(key, key, "s", 1)), ["whole"]);
    }
}

#[test]
fn metrics_count_what_was_done_and_name_nobody() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    client.ask(&Ask::get("/v1/nothing?secret-user-1")).problem(404, "not_found");
    let rows = metrics(client);
    let requests = |route: &str, method: &str, status: u16, code: &str| {
        let labels =
            format!("route=\"{route}\",method=\"{method}\",status=\"{status}\",code=\"{code}\"");
        rows.get(&format!("doorbuster_http_requests_total{{{labels}}}")).copied()
    };
    assert_eq!(requests("/v1/orders", "POST", 201, ""), Some(5.0), "{rows:#?}");
    assert_eq!(requests("/v1/orders", "POST", 409, "sold_out"), Some(1.0));
    assert_eq!(requests("/v1/skus/{sku}", "PUT", 201, ""), Some(1.0));
    assert_eq!(requests("none", "GET", 404, "not_found"), Some(1.0));
    let row = |name: &str| *rows.get(name).unwrap_or_else(|| panic!("{name} in {rows:#?}"));
    assert_eq!(row("doorbuster_commands_total{command=\"create_order\",outcome=\"ok\"}"), 5.0);
    assert_eq!(row("doorbuster_refusals_total{reason=\"sold_out\"}"), 1.0);
    assert_eq!(row("doorbuster_edge_refusals_total"), 1.0);
    assert_eq!(row("doorbuster_stage_duration_seconds_count{stage=\"whole\"}"), 7.0);
    // What is refused at the edge takes part in no turn.
    assert_eq!(row("doorbuster_turn_requests_sum"), 6.0);
    assert_eq!(row("doorbuster_ring_requests"), 0.0);
    assert_eq!(row("doorbuster_holds"), 4.0);
    assert_eq!(row("doorbuster_table_rows{table=\"orders\"}"), 4.0);
    assert_eq!(row("doorbuster_journal_segments"), 1.0);
    assert!(row("doorbuster_sync_duration_seconds_count") >= 5.0);
    let bytes = client.get("/v1/status")["journal_bytes"].as_f64();
    assert_eq!(Some(row("doorbuster_journal_bytes")), bytes);
    assert!(!rows.keys().any(|name| name.contains("secret")), "{rows:#?}");
}

#[test]
fn accept_chooses_between_two_formats_of_the_same_rows() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    for (accept, kind) in [
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.3", TEXT),
        ("application/openmetrics-text; version=0.0.1", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", OPENMETRICS),
    ] {
        let page = asked(client, &Ask::get("/metrics").header("Accept", accept), kind);
        let (counter, info) = ("doorbuster_commands", "doorbuster_build");
        let declared = |line: String| page.lines().any(|known| known == line);
        let is_text = kind == TEXT;
        assert_eq!(page.ends_with("# EOF\n"), !is_text, "{accept}");
        assert_eq!(declared(format!("# TYPE {counter}_total counter")), is_text, "{accept}");
        assert_eq!(declared(format!("# TYPE {counter} counter")), !is_text, "{accept}");
        assert_eq!(declared(format!("# TYPE {info}_info gauge")), is_text, "{accept}");
        assert_eq!(declared(format!("# TYPE {info} info")), !is_text, "{accept}");
    }
    let openmetrics = Ask::get("/metrics").header("Accept", "application/openmetrics-text");
    let samples = |page: String| -> BTreeSet<String> {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect()
    };
    let (one, other) = (text(client, "/metrics", TEXT), asked(client, &openmetrics, OPENMETRICS));
    assert_eq!(samples(one), samples(other));
    for (accept, kind) in [("*/*", TEXT), ("application/openmetrics-text", OPENMETRICS)] {
        let head = client.ask(&Ask::new("HEAD", "/metrics").header("Accept", accept));
        assert_eq!((head.status, head.header("Content-Type")), (200, Some(kind)));
        assert!(head.body.is_empty());
    }
}

#[test]
fn every_histogram_ends_in_infinity() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    let rows = metrics(client);
    let counts = rows.iter().filter(|(name, _)| {
        let name = name.split('{').next().unwrap_or_default();
        name.ends_with("_count")
    });
    let mut histograms = 0;
    for (name, count) in counts {
        let (metric, labels) = name.split_once('{').unwrap_or((name, "}"));
        let comma = if labels == "}" { "" } else { "," };
        let labels = labels.trim_end_matches('}');
        let bucket = metric.replace("_count", "_bucket");
        let last = format!("{bucket}{{le=\"+Inf\"{comma}{labels}}}");
        let other = format!("{bucket}{{{labels}{comma}le=\"+Inf\"}}");
        let found = rows.get(&last).or_else(|| rows.get(&other));
        assert_eq!(found, Some(count), "{last}");
        histograms += 1;
    }
    // One for each stage, turns, syncs, copies.
    assert_eq!(histograms, STAGES.len() + 3);
    assert!(!rows.keys().any(|name| name.contains("e308")), "{rows:#?}");
}

#[test]
fn what_is_counted_was_there_before_at_0() {
    let data = TARGET.directory();
    let server = TARGET.launch(data.path()).small().start();
    let client = &mut server.connect();
    let counters = |client: &mut Client| -> BTreeMap<String, f64> {
        let rows = metrics(client).into_iter();
        rows.filter(|(name, _)| name.contains("_total")).collect()
    };
    let before = counters(client);
    let own = |name: &String| name.contains("route=\"/metrics\"");
    let counted = |rows: &BTreeMap<String, f64>| -> BTreeSet<String> {
        rows.iter().filter(|(_, count)| **count > 0.0).map(|(name, _)| name.clone()).collect()
    };
    assert!(counted(&before).iter().all(own), "{before:#?}");
    client.put_sku("phone", &json!({"stock": 2, "per_user_limit": 1}));
    let again = json!({"stock": 2, "per_user_limit": 1});
    client.ask(&Ask::put("/v1/skus/phone", &again)).expect(200);
    let order = |key: &str, user: &str| Ask::order(key, user, "phone", 1);
    client.ask(&order("k-1", "u-1")).expect(201);
    client.ask(&order("k-2", "u-1")).problem(409, "user_limit");
    client.ask(&order("k-1", "u-2")).problem(422, "idempotency_key_reused");
    client.ask(&order("k-3", "u-3")).expect(201);
    client.ask(&order("k-4", "u-4")).problem(409, "sold_out");
    client.ask(&Ask::order("k-5", "u-4", "nothing", 1)).problem(404, "unknown_sku");
    client.ask(&Ask::order("k-6", "u-4", "phone", 0)).problem(422, "invalid");
    client.ask(&Ask::get("/v1/orders/1-999")).problem(404, "unknown_order");
    client.ask(&Ask::get("/v1/orders?limit=0")).problem(422, "invalid");
    client.ask(&Ask::get("/nothing")).problem(404, "not_found");
    client.ask(&Ask::new("DELETE", "/livez")).problem(405, "method_not_allowed");
    client.ask(&Ask::new("PATCH", "/v1/skus/phone").json("{")).problem(400, "malformed");
    client.ask(&Ask::new("DELETE", "/v1/skus/phone")).problem(428, "if_match_required");
    assert_eq!(client.ask(&Ask::new("OPTIONS", "/v1/skus")).status, 204);
    assert_eq!(client.ask(&Ask::new("HEAD", "/v1/skus/phone")).status, 200);
    client.ask(&Ask::new("POST", "/v1/admin/read-only")).expect(200);
    client.ask(&order("k-7", "u-5")).problem(503, "read_only");
    client.ask(&Ask::get("/readyz")).problem(503, "read_only");
    client.ask(&Ask::new("POST", "/v1/admin/read-write")).expect(200);
    let after = counters(client);
    let known: BTreeSet<String> = before.keys().cloned().collect();
    let fresh: Vec<_> = after.keys().filter(|name| !known.contains(*name)).collect();
    assert!(fresh.is_empty(), "{fresh:#?}");
    let grown = counted(&after).len();
    assert!(grown >= 25, "{:#?}", counted(&after));
    // One row for a command's successes, whatever their status.
    assert_eq!(after["doorbuster_commands_total{command=\"put_sku\",outcome=\"ok\"}"], 2.0);
}

/// The SKUs that are named as hot.
fn hot(rows: &BTreeMap<String, f64>) -> BTreeSet<String> {
    let names = rows.keys().filter_map(|name| {
        name.strip_prefix("doorbuster_hot_sku_requests{sku=\"")?.strip_suffix("\"}")
    });
    names.map(str::to_owned).collect()
}

#[test]
fn a_sku_that_does_not_exist_is_never_hot() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    client.put_sku("ticket", &json!({"stock": 9, "paused": true}));
    for number in 0..100 {
        let sku = format!("cold-{number}");
        client.ask(&Ask::order(&sku, "u", &sku, 1)).problem(404, "unknown_sku");
        let line = format!(
            r#"{{"op":"order","key":"b-{sku}","user":"u","lines":[{{"sku":"{sku}","qty":1}}]}}"#
        );
        assert_eq!(answers(&client.ask(&Ask::batch(&line)))[0]["status"], 404);
    }
    client.ask(&Ask::order("paused", "u", "ticket", 1)).problem(409, "paused");
    // They are shown by the sweep of connections.
    doorbuster_test_support::wait::until("the hot SKUs", || {
        let shown = hot(&metrics(client));
        let expected = BTreeSet::from(["phone".to_owned(), "ticket".to_owned()]);
        assert!(shown.is_subset(&expected), "{shown:?}");
        (shown == expected).then_some(())
    });
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c));
    words.filter(|word| word.starts_with("doorbuster_")).map(str::to_owned).collect()
}

#[test]
fn dashboard_and_alerts_use_only_what_the_server_exports() {
    let (_data, server) = sold_out();
    let client = &mut server.connect();
    client.ask(&Ask::new("POST", "/v1/admin/snapshot")).expect(200);
    doorbuster_test_support::wait::until("the hot SKU", || {
        metrics(client).keys().any(|name| name.starts_with("doorbuster_hot_sku")).then_some(())
    });
    let mut exported: BTreeSet<String> =
        metrics(client).keys().map(|row| row.split('{').next().unwrap().to_owned()).collect();
    // Only under TLS; `certificates` looks at it there.
    exported.insert("doorbuster_tls_certificate_not_after_seconds".to_owned());
    // Only where there are copies; `the_page_tells_of_copies_by_name` looks at it there.
    exported.insert("doorbuster_copy_lag_seconds".to_owned());
    let dashboard = include_str!("../../../deploy/grafana-dashboard.json");
    let _: Value = serde_json::from_str(dashboard).expect("the dashboard is JSON");
    let alerts = include_str!("../../../deploy/prometheus-alerts.yml");
    for (file, text) in [("dashboard", dashboard), ("alerts", alerts)] {
        let used = named(text);
        assert!(used.len() >= 8, "{file}: {used:?}");
        let unknown: Vec<_> = used.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, there are {exported:#?}");
    }
}
